# Programs of this room: objects, external libraries, link and install mode.
PROGRAMS += checkpassword checkmailbox checkqpasswd checkqpasswd-sasl \
	multicheckpw qpasswd qmail-authd

auth.common := auth/credentials.o auth/run.o

obj.checkpassword  := auth/checkpassword.o $(auth.common) auth/identity.o \
	auth/password.o
lib.checkpassword  := -lcrypt
mode.checkpassword := 0700

obj.checkmailbox   := auth/checkmailbox.o $(auth.common) auth/password.o
lib.checkmailbox   := -lcdb -lcrypt
mode.checkmailbox  := 0700

# Clear passwords: libc alone, and started in no time.
auth.qpasswd := auth/checkqpasswd.o $(auth.common) auth/qpasswd_file.o \
	auth/qpasswd_check.o auth/proof_file.o
obj.checkqpasswd    := $(auth.qpasswd) auth/proof_clear.o
static.checkqpasswd := 1
mode.checkqpasswd   := 0700

# All other mechanisms; run by the one above.
obj.checkqpasswd-sasl  := $(auth.qpasswd) auth/proof.o auth/proof_digest.o \
	auth/proof_scram.o
lib.checkqpasswd-sasl  := -lcrypto
mode.checkqpasswd-sasl := 0700

obj.multicheckpw    := auth/multicheckpw.o $(auth.common)
static.multicheckpw := 1
mode.multicheckpw   := 0755

obj.qpasswd  := auth/qpasswd.o auth/qpasswd_edit.o auth/qpasswd_file.o \
	auth/qpasswd_home.o
mode.qpasswd := 0755

obj.qmail-authd  := auth/qmail-authd.o auth/authd_worker.o auth/authd.o \
	auth/authd_files.o auth/authd_jail.o $(auth.common) \
	auth/qpasswd_file.o auth/qpasswd_index.o auth/qpasswd_check.o auth/proof.o \
	auth/proof_digest.o auth/proof_file.o auth/proof_scram.o \
	auth/identity.o auth/password.o
lib.qmail-authd  := -lcdb -lcrypt -lcrypto
mode.qmail-authd := 0755

TESTABLE += auth/credentials.o auth/identity.o auth/qpasswd_file.o \
	auth/qpasswd_edit.o auth/qpasswd_index.o auth/qpasswd_check.o \
	auth/authd.o auth/authd_files.o \
	auth/password.o auth/proof.o auth/proof_file.o auth/proof_digest.o \
	auth/proof_scram.o
