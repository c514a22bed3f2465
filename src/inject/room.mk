# Programs of this room: objects, external libraries, link and install mode.
PROGRAMS += qmail-inject sendmail predate
SCRIPTS  += mailsubj datemail

obj.qmail-inject    := inject/qmail-inject.o inject/settings.o \
	inject/envelope.o inject/newfields.o inject/header.o inject/rewrite.o
static.qmail-inject := 1

obj.sendmail        := inject/sendmail.o
static.sendmail     := 1

obj.predate         := inject/predate.o

script.mailsubj     := src/inject/mailsubj.sh
script.datemail     := src/inject/datemail.sh

TESTABLE += inject/header.o inject/rewrite.o
