# Programs of this room: objects, external libraries, link and install mode.
PROGRAMS += checkpassword

obj.checkpassword  := auth/checkpassword.o auth/credentials.o auth/identity.o \
	auth/password.o
lib.checkpassword  := -lcrypt
mode.checkpassword := 0700

TESTABLE += auth/credentials.o auth/identity.o
