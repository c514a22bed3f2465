#!/bin/sh
# mailsubj subject recip ...: mails standard input under a subject.
# A line end in the subject would begin a header field of its own.
if [ $# -lt 2 ]; then
	echo 'mailsubj: usage: mailsubj subject recip ...' >&2
	exit 100
fi
home=${QMAILHOME:-@QMAILHOME@}
subject=$(printf '%s' "$1" | tr '\r\n' '  ')
shift
to=$(printf '%s' "$*" | tr '\r\n' '  ')
{
	printf 'Subject: %s\nTo: %s\n\n' "$subject" "$to"
	cat
} | exec "$home/bin/qmail-inject"
