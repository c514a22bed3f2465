# Programs of this room: objects, external libraries, link and install mode.
# qmail-tlsd is linked dynamically: a repaired libssl needs no new build.
PROGRAMS += qmail-tls qmail-tlsd

obj.qmail-tls    := tls/qmail-tls.o
static.qmail-tls := 1

obj.qmail-tlsd   := $(addprefix tls/,qmail-tlsd.o tickets.o jail.o \
	context.o warm.o store.o wire.o serve.o pool.o master.o request.o \
	client.o clients.o)
lib.qmail-tlsd   := -lssl -lcrypto

TESTABLE += tls/tickets.o tls/request.o tls/pool.o tls/store.o
