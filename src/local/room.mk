# Programs of this room: objects, external libraries, link and install mode.
# All of them run once per message or line of a .qmail file: linked statically.
PROGRAMS += qmail-local forward condredirect bouncesaying except preline \
	maildirmake

obj.qmail-local     := $(patsubst %,local/%.o,qmail-local dot_qmail \
	environment loop deliver instruction instruction_lmtp lmtp_line \
	forwarding)
static.qmail-local  := 1
mode.qmail-local    := 0711

obj.forward         := local/forward.o \
	local/forwarding.o local/tool.o local/tool_forward.o
static.forward      := 1

obj.condredirect    := local/condredirect.o \
	local/forwarding.o local/tool.o local/tool_forward.o
static.condredirect := 1

obj.bouncesaying    := local/bouncesaying.o local/tool.o
static.bouncesaying := 1

obj.except          := local/except.o local/tool.o
static.except       := 1

obj.preline         := local/preline.o local/tool.o
static.preline      := 1

obj.maildirmake     := local/maildirmake.o
static.maildirmake  := 1

TESTABLE += local/dot_qmail.o local/environment.o local/loop.o \
	local/deliver.o local/instruction.o local/instruction_lmtp.o \
	local/lmtp_line.o local/forwarding.o

PROGRAMS += qreceipt qbiff maildir2mbox maildirwatch
SCRIPTS  += elq pinq qail

obj.qreceipt        := local/qreceipt.o local/tool.o
static.qreceipt     := 1

# The list of who is logged in is the C library's: musl has none.
obj.qbiff           := local/qbiff.o

obj.maildir2mbox    := local/maildir2mbox.o local/messages.o
static.maildir2mbox := 1

obj.maildirwatch    := local/maildirwatch.o local/messages.o
static.maildirwatch := 1

script.elq          := src/local/elq.sh
script.pinq         := src/local/pinq.sh
script.qail         := src/local/qail.sh
