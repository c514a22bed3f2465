# Programs of this room: objects, external libraries, link and install mode.
PROGRAMS += qmail-qmtpd qmail-qmqpd qmail-qmqpc

obj.qmail-qmtpd    := qmtp/qmail-qmtpd.o qmtp/parcel.o qmtp/wire.o
lib.qmail-qmtpd    := -lcdb
static.qmail-qmtpd := 1
mode.qmail-qmtpd   := 0755

obj.qmail-qmqpd    := qmtp/qmail-qmqpd.o qmtp/parcel.o qmtp/wire.o
static.qmail-qmqpd := 1
mode.qmail-qmqpd   := 0755

obj.qmail-qmqpc    := qmtp/qmail-qmqpc.o qmtp/servers.o qmtp/wire.o
lib.qmail-qmqpc    := -lcdb
static.qmail-qmqpc := 1
mode.qmail-qmqpc   := 0755

TESTABLE += qmtp/wire.o qmtp/parcel.o qmtp/servers.o
