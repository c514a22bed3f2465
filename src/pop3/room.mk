# Programs of this room: objects, external libraries, link and install mode.
PROGRAMS += qmail-popup qmail-pop3d qmail-opensmtp

obj.qmail-popup    := pop3/qmail-popup.o pop3/settings.o pop3/front.o \
	pop3/front_login.o pop3/keeper.o pop3/link.o pop3/note.o pop3/conn.o \
	pop3/trace.o
lib.qmail-popup    := -lcdb
static.qmail-popup := 1
mode.qmail-popup   := 0711

obj.qmail-pop3d    := pop3/qmail-pop3d.o pop3/retrieve.o pop3/maildrop.o \
	pop3/conn.o pop3/trace.o pop3/note.o
static.qmail-pop3d := 1

obj.qmail-opensmtp  := pop3/qmail-opensmtp.o
mode.qmail-opensmtp := 0700

TESTABLE += pop3/conn.o pop3/maildrop.o pop3/trace.o pop3/link.o pop3/note.o \
	pop3/keeper.o pop3/settings.o
