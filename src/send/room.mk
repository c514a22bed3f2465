# Programs of this room: objects, external libraries, link and install mode.
PROGRAMS += qmail-start qmail-send qmail-todo qmail-lspawn qmail-rspawn \
	qmail-realrcpt

obj.qmail-lspawn    := send/qmail-lspawn.o send/lookup.o send/spawner.o \
	send/spawner_job.o send/spawner_slots.o send/spawner_request.o \
	send/spawner_report.o
lib.qmail-lspawn    := -lcdb
mode.qmail-lspawn   := 0700

obj.qmail-realrcpt  := send/qmail-realrcpt.o send/lookup.o
lib.qmail-realrcpt  := -lcdb
mode.qmail-realrcpt := 0700

obj.qmail-rspawn    := send/qmail-rspawn.o send/dispatch.o \
	send/destination.o send/limiter.o send/worker.o send/stand_in.o \
	send/tls_helper.o send/spawner.o \
	send/spawner_job.o send/spawner_slots.o send/spawner_request.o \
	send/spawner_report.o
lib.qmail-rspawn    := -lcdb
static.qmail-rspawn := 1
mode.qmail-rspawn   := 0711

TESTABLE += send/limiter.o send/spawner_request.o send/spawner_report.o send/lookup.o

obj.qmail-start     := send/qmail-start.o
mode.qmail-start    := 0700

send.shared := send/schedule.o send/idset.o send/outpipe.o send/dirwalk.o \
	send/todo_link.o
obj.qmail-send      := send/qmail-send.o send/events.o send/config.o \
	send/todo_client.o send/message.o send/settle.o send/finish.o \
	send/pass.o send/share.o send/delivery.o send/report.o send/spawn_link.o \
	send/bounce.o send/dsn.o send/inject.o send/cleaner.o send/loader.o send/slog.o \
	$(send.shared)
lib.qmail-send      := -lcdb
mode.qmail-send     := 0711

obj.qmail-todo      := send/qmail-todo.o send/intake.o send/search.o \
	send/batch.o send/record.o $(send.shared)
lib.qmail-todo      := -lcdb
mode.qmail-todo     := 0711

TESTABLE += $(send.shared) send/share.o send/spawn_link.o send/bounce.o send/dsn.o send/slog.o \
	send/record.o
