# Programs of this room: objects, external libraries, link and install mode.
# control-table is a tool of the build and not installed.
PROGRAMS += qmail-newu qmail-newmrh qmail-getpw

obj.qmail-newu    := admin/qmail-newu.o
lib.qmail-newu    := -lcdb
mode.qmail-newu   := 0700

obj.qmail-newmrh  := admin/qmail-newmrh.o
lib.qmail-newmrh  := -lcdb
mode.qmail-newmrh := 0700

obj.qmail-getpw   := admin/qmail-getpw.o
lib.qmail-getpw   := -lcdb
mode.qmail-getpw  := 0711
