#!/bin/sh
# Removes programs and manual pages; configuration, queue, mail, run files
# and accounts stay.  Usage: uninstall.sh build/install.conf
set -eu

. "$1"
B=${B:-build}
top=${DESTDIR:-}$QMAILHOME
for entry in $PROGRAMS; do
	rm -f "$top/bin/${entry%%:*}"
done
for name in $PLUGINS; do
	rm -f "$top/plugins/$name"
done
for page in man/*.[1578]; do
	[ -f "$page" ] || continue
	rm -f "$top/man/man${page##*.}/$(basename "$page")"
done
echo "uninstall: programs and manual pages are gone from $top;" \
	"control, queue, alias, users, service and accounts stay"
