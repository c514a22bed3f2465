# Programs of this room: objects, external libraries, link and install mode.
# Without the headers of libclamav and libseccomp it is left out.
SCAN_READY := $(shell printf '\043include <clamav.h>\n\043include <seccomp.h>\n' \
	| $(CC) -E -o /dev/null - 2>/dev/null && echo yes)
ifeq ($(SCAN_READY),yes)
PROGRAMS += qmail-scand
else
$(info qmail-scand is not built: libclamav-dev or libseccomp-dev is missing)
endif

obj.qmail-scand  := $(addprefix scan/,qmail-scand.o front.o client.o pool.o \
	keeper.o worker.o engine.o sandbox.o settings.o wire.o report.o)
lib.qmail-scand  := -lclamav -lseccomp
mode.qmail-scand := 0700

TESTABLE += scan/settings.o scan/wire.o scan/pool.o
