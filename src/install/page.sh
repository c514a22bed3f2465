#!/bin/sh
# A manual page on its way from man/ to build/man/: a line
#	.\" CONTROLS qmail-smtpd
# becomes the list of that program's control files (or "all"), and
# @QMAILHOME@ the home.
# Usage: page.sh control-table home < page
set -eu

table=$1
home=$2

sed "s}@QMAILHOME@}$home}g" | while IFS= read -r line || [ -n "$line" ]; do
	case $line in
	'.\" CONTROLS '*)
		"$table" "${line#??? CONTROLS }" || exit
		;;
	*)
		printf '%s\n' "$line"
		;;
	esac
done
