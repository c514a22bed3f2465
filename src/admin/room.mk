# Programs of this room: objects, external libraries, link and install mode.
# control-table is a tool of the build and not installed.
PROGRAMS += qmail-newu qmail-newmrh qmail-newvrt qmail-newnorelay qmail-getpw qmail-pw2u \
	qmail-qread qmail-qstat qmail-showctl qmail-tcpto qmail-tcpok splogger
TESTABLE += admin/assign.o admin/logline.o

obj.qmail-newu    := admin/qmail-newu.o admin/assign.o
lib.qmail-newu    := -lcdb
mode.qmail-newu   := 0700

obj.qmail-newmrh  := admin/qmail-newmrh.o admin/listcdb.o
lib.qmail-newmrh  := -lcdb
mode.qmail-newmrh := 0700

obj.qmail-newvrt  := admin/qmail-newvrt.o admin/listcdb.o
lib.qmail-newvrt  := -lcdb
mode.qmail-newvrt := 0700
obj.qmail-newnorelay  := admin/qmail-newnorelay.o admin/listcdb.o
lib.qmail-newnorelay  := -lcdb
mode.qmail-newnorelay := 0700

obj.qmail-getpw   := admin/qmail-getpw.o
lib.qmail-getpw   := -lcdb
mode.qmail-getpw  := 0711

obj.qmail-pw2u    := admin/qmail-pw2u.o
mode.qmail-pw2u   := 0711

obj.qmail-qread   := admin/qmail-qread.o admin/walk.o

obj.qmail-qstat   := admin/qmail-qstat.o admin/walk.o

obj.qmail-showctl := admin/qmail-showctl.o admin/sentence.o \
	admin/check_controls.o admin/check_home.o admin/check_users.o \
	admin/findings.o admin/assign.o
lib.qmail-showctl := -lcdb

obj.qmail-tcpto   := admin/qmail-tcpto.o

obj.qmail-tcpok   := admin/qmail-tcpok.o

obj.splogger      := admin/splogger.o admin/logline.o
mode.splogger     := 0711

PROGRAMS += newaliases
TESTABLE += admin/alias_lines.o admin/alias_files.o

obj.newaliases    := admin/newaliases.o admin/alias_lines.o admin/alias_files.o
lib.newaliases    := -lcdb

PROGRAMS += tcp-env
obj.tcp-env       := admin/tcp-env.o
PROGRAMS += qmail-hold
obj.qmail-hold    := admin/qmail-hold.o admin/queued.o admin/walk.o
mode.qmail-hold   := 0700
TESTABLE += admin/queued.o
