#!/bin/sh
# A manual page on its way from man/ to build/man/: a line
#	.\" CONTROLS qmail-smtpd
# becomes the list of that program's control files (or "all"), with a .Pp
# behind it where text follows, and @QMAILHOME@ the home.
# Usage: page.sh control-table home < page
set -eu

table=$1
home=$2

listed=
sed "s}@QMAILHOME@}$home}g" | while IFS= read -r line || [ -n "$line" ]; do
	case $listed$line in
	yes.S[hs]*) ;;
	yes*) echo .Pp ;;
	esac
	listed=
	case $line in
	'.\" CONTROLS '*)
		"$table" "${line#??? CONTROLS }" || exit
		listed=yes
		;;
	*)
		printf '%s\n' "$line"
		;;
	esac
done
