# Plugins of qmail-smtpd: installed in plugins/ of the home, not in bin/.
PLUGINS  += greylist spamcheck logall
PROGRAMS += greylist spamcheck
SCRIPTS  += logall

obj.greylist    := plugins/greylist.o
static.greylist := 1
obj.spamcheck    := plugins/spamcheck.o
static.spamcheck := 1
script.logall := src/plugins/logall.sh
