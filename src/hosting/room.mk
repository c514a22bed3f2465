# Programs of this room: objects, external libraries, link and install mode.
PROGRAMS += qmail-domain qmail-mailbox

hosting.site := hosting/lines.o hosting/names.o hosting/site.o \
	hosting/site_apply.o hosting/owner.o hosting/dotfile.o hosting/aside.o

obj.qmail-domain   := hosting/qmail-domain.o $(hosting.site)
lib.qmail-domain   := -lcdb
mode.qmail-domain  := 0700

obj.qmail-mailbox  := hosting/qmail-mailbox.o hosting/boxes.o \
	hosting/password.o $(hosting.site)
lib.qmail-mailbox  := -lcdb -lcrypt
mode.qmail-mailbox := 0700

TESTABLE += hosting/lines.o hosting/names.o hosting/dotfile.o
