# qmail-md: build, test and install.  GNU make.
#
#   make demo        a running mail server under build/demo, in two minutes
#   make check       unit tests, black-box tests, lint
#   make             programs and manual pages, under build/
#   make install     home, users and programs (INSTALL tells all)
#
# What can be set: QMAILHOME, SPLIT, the user and group names, DESTDIR, and
# the commands in conf-cc and conf-ld.

QMAILHOME = /var/qmail
SPLIT     = 23
QMAILA    = alias
QMAILD    = qmaild
QMAILL    = qmaill
QMAILP    = qmailp
QMAILQ    = qmailq
QMAILR    = qmailr
QMAILS    = qmails
QMAILT    = qmailt
QMAILV    = qmailv
QMAILG    = qmail
NOFILES   = nofiles
DESTDIR   =

MAKEFLAGS += --no-builtin-rules
SHELL     := /bin/sh
B         := build
CC        := $(shell head -n 1 conf-cc)
LD        := $(shell head -n 1 conf-ld)
# Hot programs (static.NAME = 1 in a room.mk) are linked with this.
STATIC    := $(if $(filter -static%,$(LD)),,-static-pie)
SANITIZE  :=
ifneq ($(SANITIZE),)
STATIC    :=
endif
# Hot programs get musl where it is: glibc asks the processor eighty things at
# every start, and in a virtual machine each question costs microseconds.
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
MUSL := $(if $(STATIC),$(patsubst %/musl-gcc.specs,%,$(wildcard \
	/usr/lib/$(MULTIARCH:%-gnu=%-musl)/musl-gcc.specs)))
ifneq ($(filter /%,$(B)),)
$(error B=$(B): name a directory below this one)
endif

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow \
	-Wstrict-prototypes -Wmissing-prototypes -Werror
CFLAGS   := -std=c17 $(WARNINGS) -fPIE
CPPFLAGS := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Isrc -I$(B)/include
ifneq ($(SANITIZE),)
CFLAGS   += -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
LDFLAGS  := -fsanitize=address,undefined
else
CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

LIBRARIES := smtp spool conf mail base
ARCHIVES  := $(LIBRARIES:%=$(B)/lib/%.a)
PROGRAMS  :=
SCRIPTS   :=
PLUGINS   :=
include $(sort $(wildcard src/*/room.mk))

BINARIES := $(PROGRAMS:%=$(B)/bin/%)
PAGES    := $(patsubst man/%,$(B)/man/%,$(wildcard man/*.[1578]))
UNITS    := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))

.PHONY: all programs pages units deps install uninstall cert demo demo-stop check \
	check-run check-asan unit blackbox lint format format-check bench fuzz \
	clean FORCE
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
# Objects that only unit tests need are kept all the same.
.SECONDARY:

all: programs pages
programs: $(BINARIES) $(SCRIPTS:%=$(B)/bin/%)
pages: $(PAGES)
units: $(UNITS)

# What is configured, in one header; rewritten only when it changes.
$(B)/include/config.h: FORCE
	@mkdir -p $(@D)
	@{ echo '#define CONFIG_HOME "$(QMAILHOME)"'; \
	echo '#define CONFIG_SPLIT $(SPLIT)'; \
	echo '#define CONFIG_USER_ALIAS "$(QMAILA)"'; \
	echo '#define CONFIG_USER_DAEMON "$(QMAILD)"'; \
	echo '#define CONFIG_USER_LOG "$(QMAILL)"'; \
	echo '#define CONFIG_USER_PASSWD "$(QMAILP)"'; \
	echo '#define CONFIG_USER_QUEUE "$(QMAILQ)"'; \
	echo '#define CONFIG_USER_REMOTE "$(QMAILR)"'; \
	echo '#define CONFIG_USER_SCAN "$(QMAILV)"'; \
	echo '#define CONFIG_USER_SEND "$(QMAILS)"'; \
	echo '#define CONFIG_USER_TLS "$(QMAILT)"'; \
	echo '#define CONFIG_GROUP_QUEUE "$(QMAILG)"'; \
	echo '#define CONFIG_GROUP_NONE "$(NOFILES)"'; } > $@.new
	@cmp -s $@.new $@ && rm -f $@.new || mv $@.new $@

# What libcrypto can do here, for programs that do not link it.
$(B)/include/config-digests.h: src/auth/show-digests.c src/base/digest.c conf-cc
	@mkdir -p $(@D) $(B)/tool
	$(shell head -n 1 conf-cc) -std=c17 -D_GNU_SOURCE -Isrc \
		-o $(B)/tool/show-digests $(filter %.c,$^) -lcrypto
	$(B)/tool/show-digests > $@
$(B)/obj/smtp/sasl.o $(B)/small/obj/smtp/sasl.o: $(B)/include/config-digests.h

$(B)/obj/%.o: src/%.c conf-cc | $(B)/include/config.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

define archive_rule
$(B)/lib/$(1).a: $(patsubst src/%.c,$(B)/obj/%.o,$(sort $(wildcard src/$(1)/*.c)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(AR) rcs $$@ $$^
endef
$(foreach room,$(LIBRARIES),$(eval $(call archive_rule,$(room))))

define program_rule
$(B)/bin/$(1): $(obj.$(1):%=$(B)/obj/%) $(ARCHIVES) conf-ld
	@mkdir -p $$(@D)
	$$(LD) $$(LDFLAGS) $(if $(static.$(1)),$$(STATIC),$$(if $$(STATIC),-pie)) \
		-o $$@ $(obj.$(1):%=$(B)/obj/%) $$(ARCHIVES) $(lib.$(1))
endef
SMALL := $(if $(MUSL),$(foreach p,$(PROGRAMS),$(if $(static.$(p)),$(p))))
$(foreach p,$(filter-out $(SMALL),$(PROGRAMS)),$(eval $(call program_rule,$(p))))

# The same with musl.  Debian's libcdb and libpcre2 want nothing of a libc that
# musl has not got, but for memcpy with a second look at its length.  They come
# last: what runs at each start lies together, in fewer pages.
M := $(B)/small
$(M)/include:
	@mkdir -p $@
	@ln -sfn /usr/include/pcre2.h /usr/include/cdb.h /usr/include/linux \
		/usr/include/asm-generic /usr/include/$(MULTIARCH)/asm $@
$(M)/obj/%.o: src/%.c conf-cc | $(B)/include/config.h $(M)/include
	@mkdir -p $(@D)
	$(CC) -specs=$(MUSL)/musl-gcc.specs $(CFLAGS) $(CPPFLAGS) \
		-isystem $(M)/include -MMD -MP -c -o $@ $<
define small_archive_rule
$(M)/lib/$(1).a: $(patsubst src/%.c,$(M)/obj/%.o,$(filter-out $(FOREIGN),$(sort $(wildcard src/$(1)/*.c))))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(AR) rcs $$@ $$^
endef
# Library files that need more than a libc are in no small program.
FOREIGN := $(shell grep -lE '^.include <(openssl/|curl/|seccomp|idn2)' \
	$(wildcard $(LIBRARIES:%=src/%/*.c)))
$(foreach room,$(LIBRARIES),$(eval $(call small_archive_rule,$(room))))
gcc-file = $(shell $(CC) -print-file-name=$(1))
define small_program_rule
$(B)/bin/$(1): $(obj.$(1):%=$(M)/obj/%) $(LIBRARIES:%=$(M)/lib/%.a) \
		src/small.ld conf-ld
	@mkdir -p $$(@D)
	$$(LD) $$(LDFLAGS) -nostdlib -static-pie -o $$@ -Wl,-T,src/small.ld \
		$$(MUSL)/rcrt1.o $$(MUSL)/crti.o $$(call gcc-file,crtbeginS.o) \
		$$(filter %.o,$$^) -Wl,--defsym,__memcpy_chk=memcpy \
		-Wl,--start-group $$(filter %.a,$$^) $$(MUSL)/libc.a \
		$$(call gcc-file,libgcc.a) $(lib.$(1)) -Wl,--end-group \
		$$(call gcc-file,crtendS.o) $$(MUSL)/crtn.o
endef
$(foreach p,$(SMALL),$(eval $(call small_program_rule,$(p))))

define script_rule
$(B)/bin/$(1): $(script.$(1))
	@mkdir -p $$(@D)
	sed 's}@QMAILHOME@}$(QMAILHOME)}g' $$< > $$@
	chmod 755 $$@
endef
$(foreach s,$(SCRIPTS),$(eval $(call script_rule,$(s))))

# Unit tests see every library room and, of the program rooms whose headers
# they include, the objects that the room.mk files list in TESTABLE.
testable = $(addprefix $(B)/obj/,$(foreach room,$(shell sed -n \
	's,^.include "\([a-z0-9]*\)/.*,\1,p' tests/unit/$(1).c | \
	sort -u),$(filter $(room)/%,$(TESTABLE))))
.SECONDEXPANSION:
$(B)/unit/%: tests/unit/%.c $(ARCHIVES) $$(call testable,$$*)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) -Itests/unit -MMD -MP $(LDFLAGS) -o $@ $< \
		$(call testable,$*) $(ARCHIVES) -lcmocka -lcdb -lpcre2-8 -lcrypto -lcrypt

# Manual pages: ".\" CONTROLS program" becomes the table of its controls.
$(B)/man/%: man/% $(B)/tool/control-table
	@mkdir -p $(@D)
	src/install/page.sh $(B)/tool/control-table $(QMAILHOME) < $< > $@

$(B)/tool/control-table: $(B)/obj/admin/control-table.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(LD) $(LDFLAGS) $(if $(STATIC),-pie) -o $@ $^ -lcdb

deps:
	@src/install/deps.sh build
deps-check:
	@src/install/deps.sh check

install: all
	@B=$(B) DESTDIR=$(DESTDIR) src/install/install.sh $(B)/install.conf
uninstall: $(B)/install.conf
	@B=$(B) DESTDIR=$(DESTDIR) src/install/uninstall.sh $(B)/install.conf

# Everything install.sh needs to know, as shell assignments and a list.
install uninstall: $(B)/install.conf
$(B)/install.conf: FORCE
	@mkdir -p $(@D)
	@{ echo 'QMAILHOME="$(QMAILHOME)" SPLIT=$(SPLIT)'; \
	echo 'QMAILA=$(QMAILA) QMAILD=$(QMAILD) QMAILL=$(QMAILL)'; \
	echo 'QMAILP=$(QMAILP) QMAILQ=$(QMAILQ) QMAILR=$(QMAILR)'; \
	echo 'PLUGINS="$(PLUGINS)"'; \
	echo 'QMAILS=$(QMAILS) QMAILT=$(QMAILT) QMAILV=$(QMAILV) QMAILG=$(QMAILG) NOFILES=$(NOFILES)'; \
	echo 'PROGRAMS="$(foreach p,$(filter-out $(PLUGINS),$(PROGRAMS) $(SCRIPTS)),$(p):$(or $(mode.$(p)),0755))"'; } > $@

# A certificate signed by nobody, where the home has none.
cert:
	@src/install/cert.sh "$(DESTDIR)$(QMAILHOME)"

demo:
	@src/install/demo.sh start
demo-stop:
	@src/install/demo.sh stop

check: deps-check
	@$(MAKE) --no-print-directory check-run
check-run: programs pages units
	@B=$(B) tests/run unit blackbox lint
check-asan: deps-check
	@$(MAKE) --no-print-directory B=$(B)/asan SANITIZE=1 programs units
	@B=$(B)/asan SANITIZE=1 tests/run unit blackbox
unit: units
	@B=$(B) tests/run unit
blackbox: programs
	@B=$(B) tests/run blackbox
lint: programs pages
	@B=$(B) tests/run lint
bench: programs
	@B=$(B) tests/bench/run
fuzz:
	@tests/fuzz/run

SOURCES = $(wildcard src/*/*.[ch] src/*/*/*.[ch] tests/unit/*.[ch] tests/fuzz/*.[ch] tests/bench/*.[ch])
format:
	clang-format -i $(SOURCES)
format-check:
	clang-format --dry-run -Werror $(SOURCES)

clean:
	rm -rf $(B)

-include $(shell [ -d $(B) ] && find $(B) -name '*.d')
