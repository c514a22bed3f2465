# Programs of this room: objects, external libraries, link and install mode.
PROGRAMS += qmail-remote qmail-digest qmail-mtasts

remote.shared       := remote/remote.o remote/config.o remote/dispatch.o \
	remote/message.o remote/names.o remote/report.o remote/route.o \
	remote/peer.o remote/session.o remote/transfer.o remote/plan.o \
	remote/security.o remote/starttls.o remote/auth.o remote/digests.o \
	remote/qmtp.o remote/mtasts.o
obj.qmail-remote    := remote/qmail-remote.o remote/resident.o \
	$(remote.shared)
lib.qmail-remote    := -lcdb
static.qmail-remote := 1
mode.qmail-remote   := 0711

TESTABLE += $(remote.shared)

# Apart from qmail-remote: the only one here with cryptography.
obj.qmail-digest    := remote/qmail-digest.o
lib.qmail-digest    := -lcrypto
mode.qmail-digest   := 0711

# The only one with libcurl.
obj.qmail-mtasts    := remote/qmail-mtasts.o remote/https.o remote/mtasts.o \
	remote/mtasts_store.o
lib.qmail-mtasts    := -lcurl -lcdb
mode.qmail-mtasts   := 0711
TESTABLE += remote/mtasts_store.o
