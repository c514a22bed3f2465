# Programs of this room: objects, external libraries, link and install mode.
PROGRAMS += qmail-smtpd

smtpd.objects := $(addprefix smtpd/,session.o settings.o transaction.o \
	commands.o helo.o mail.o rcpt.o data.o simple.o path.o pipeline.o \
	tarpit.o answer.o log.o trust.o checks/list.o checks/relayclient.o \
	checks/bare_recipient.o checks/rcpthosts.o checks/maxrcpt.o \
	checks/rcptcheck.o checks/validrcptto.o)
TESTABLE += $(smtpd.objects)

obj.qmail-smtpd    := smtpd/qmail-smtpd.o $(smtpd.objects)
lib.qmail-smtpd    := -lcdb
static.qmail-smtpd := 1
mode.qmail-smtpd   := 0755
