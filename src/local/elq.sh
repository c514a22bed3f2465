#!/bin/sh
# elq ...: elm, after the new mail of $MAILDIR has moved to $MAIL.
home=${QMAILHOME:-@QMAILHOME@}
"$home/bin/maildir2mbox" && exec elm "$@"
