#!/bin/sh
# pinq ...: pine, after the new mail of $MAILDIR has moved to $MAIL.
home=${QMAILHOME:-@QMAILHOME@}
"$home/bin/maildir2mbox" && exec pine "$@"
