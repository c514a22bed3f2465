# Programs of this room: objects, external libraries, link and install mode.
PROGRAMS += qmail-smtpd rblsmtpd

smtpd.objects := $(addprefix smtpd/,session.o settings.o transaction.o \
	commands.o helo.o mail.o rcpt.o data.o simple.o path.o pipeline.o starttls.o \
	tarpit.o tap.o answer.o log.o trust.o checks/list.o checks/relayclient.o \
	checks/bare_recipient.o checks/rcpthosts.o checks/maxrcpt.o \
	checks/rcptcheck.o checks/validrcptto.o \
	checks/realrcptto.o)
smtpd.objects += $(addprefix smtpd/,auth.o auth_exchange.o rate_record.o \
	checks/norelay.o checks/ratelimit.o)
smtpd.objects += $(addprefix smtpd/,plugins.o plugins_apply.o \
	plugins_content.o plugin_child.o fingerprint.o)
smtpd.objects += $(addprefix smtpd/,exchangers.o callback.o callback_cache.o \
	callback_limits.o origin.o checks/mfcheck.o checks/mxblacklist.o)
# What looks at the message on its way.
smtpd.objects += $(addprefix smtpd/,arrival.o scan_stream.o passive_os.o \
	checks/clamd.o)
TESTABLE += $(smtpd.objects)
# Checks on names and addresses by lists of expressions, and on dates.
smtpd.objects += $(addprefix smtpd/,bmcheck.o checks/badhelo.o \
	checks/goodmailfrom.o checks/badmailfrom.o checks/badmailto.o \
	checks/datechecks.o)

obj.qmail-smtpd    := smtpd/qmail-smtpd.o $(smtpd.objects)
lib.qmail-smtpd    := -lcdb -lpcre2-8
static.qmail-smtpd := 1
mode.qmail-smtpd   := 0755

obj.rblsmtpd    := smtpd/rblsmtpd.o smtpd/rbl_refuse.o
static.rblsmtpd := 1
mode.rblsmtpd   := 0755
