# Programs of this room: objects, external libraries, link and install mode.
PROGRAMS += qmail-remote

obj.qmail-remote    := remote/qmail-remote.o remote/dispatch.o \
	remote/message.o remote/names.o remote/report.o remote/route.o \
	remote/peer.o remote/transfer.o
lib.qmail-remote    := -lcdb
static.qmail-remote := 1
mode.qmail-remote   := 0711

TESTABLE += remote/dispatch.o remote/message.o remote/report.o \
	remote/route.o remote/peer.o remote/transfer.o
