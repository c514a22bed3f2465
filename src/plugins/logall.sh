#!/bin/sh
# logall: a plugin of qmail-smtpd that changes nothing and writes to the log
# what it is told at each stage.  An example to start from: smtp-plugins(5)
# has the rules.  In control/smtpplugins, in any section:
#
#	plugins/logall rcpt
#
# What the variables hold comes from strangers: always in double quotes, never
# through eval, and never as the format of printf.
stage=${1:-stage}

say() {
	printf '%s %s=%s\n' "$stage" "$1" "$2" >&2
}

say TCPREMOTEIP "${TCPREMOTEIP-unknown}"
say SMTPHELOHOST "${SMTPHELOHOST-none}"
[ -n "${SMTPMAILFROM+set}" ] && say SMTPMAILFROM "$SMTPMAILFROM"
[ -n "${SMTPRCPTTO+set}" ] && say SMTPRCPTTO "$SMTPRCPTTO"
[ -n "${SMTPRCPTCOUNT+set}" ] &&
	say SMTPRCPTCOUNT "$SMTPRCPTCOUNT of $SMTPRCPTCOUNTALL"
[ -n "${SMTPRCPTHOSTSOK+set}" ] && say SMTPRCPTHOSTSOK "$SMTPRCPTHOSTSOK"
[ -n "${SMTPAUTHUSER+set}" ] && say SMTPAUTHUSER "$SMTPAUTHUSER by $SMTPAUTHMETHOD"

# At [content] the message is on standard input; elsewhere that is empty.
if [ "$stage" = content ]; then
	say bytes "$(wc -c)"
fi

# Commands go to standard output, one a line.  These would act:
#
#	echo "E550 5.7.1 no"            refuse this command
#	echo "HX-Seen-By: logall"       add a header field
#	echo "SQMAILQUEUE=bin/wrapper"  set a variable
#	echo "N"                        ask no other plugin now
exit 0
