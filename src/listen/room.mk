# Programs of this room: objects, external libraries, link and install mode.
PROGRAMS += qmail-listen

obj.qmail-listen    := $(addprefix listen/,qmail-listen.o settings.o doors.o \
	rules.o places.o visit.o)
lib.qmail-listen    := -lcdb
static.qmail-listen := 1

TESTABLE += listen/rules.o listen/places.o
