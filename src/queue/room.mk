# Programs of this room: objects, external libraries, link and install mode.
PROGRAMS += qmail-queue qmail-clean

obj.qmail-queue    := queue/qmail-queue.o queue/bigbrother.o queue/caller.o \
	queue/guard.o queue/item.o queue/observer.o
static.qmail-queue := 1
mode.qmail-queue   := 4711:qmailq

obj.qmail-clean    := queue/qmail-clean.o
static.qmail-clean := 1
mode.qmail-clean   := 0711

TESTABLE += queue/bigbrother.o
