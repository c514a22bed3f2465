#!/bin/sh
# datemail ...: sendmail with a Date field in local time.
home=${QMAILHOME:-@QMAILHOME@}
exec "$home/bin/predate" "$home/bin/sendmail" "$@"
