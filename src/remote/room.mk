# Programs of this room: objects, external libraries, link and install mode.
PROGRAMS += qmail-remote

remote.shared       := remote/remote.o remote/config.o remote/dispatch.o \
	remote/message.o remote/names.o remote/report.o remote/route.o \
	remote/peer.o remote/session.o remote/transfer.o
obj.qmail-remote    := remote/qmail-remote.o remote/resident.o \
	$(remote.shared)
lib.qmail-remote    := -lcdb
static.qmail-remote := 1
mode.qmail-remote   := 0711

TESTABLE += $(remote.shared)
