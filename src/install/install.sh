#!/bin/sh
# Installs programs, manual pages, run files and, where there is none yet, a
# home with queue and configuration.  An existing queue or configuration is
# never changed.  With root: users and groups, owners and modes as documented
# in INSTALL.  Without: everything belongs to the caller.
#
# Usage: install.sh build/install.conf   (B and DESTDIR in the environment)
set -eu
umask 022

. "$1"
B=${B:-build}
DESTDIR=${DESTDIR:-}
src=$(dirname "$0")/..
top=$DESTDIR$QMAILHOME
root=no
strange=no
[ "$(id -u)" = 0 ] && root=yes

say() { echo "install: $*"; }
die() { echo "install: fatal: $*" >&2; exit 111; }

have_user() { getent passwd "$1" >/dev/null 2>&1; }
have_group() { getent group "$1" >/dev/null 2>&1; }

add_group() {
	have_group "$1" && return
	groupadd -r "$1" || die "unable to add group $1"
	say "added group $1"
}

add_user() { # name group home
	have_user "$1" && return
	useradd -r -M -N -g "$2" -d "$3" -s /usr/sbin/nologin "$1" ||
		die "unable to add user $1"
	say "added user $1"
}

accounts() {
	add_group "$QMAILG"
	add_group "$NOFILES"
	add_user "$QMAILA" "$NOFILES" "$QMAILHOME/alias"
	for user in "$QMAILD" "$QMAILL" "$QMAILP" "$QMAILT" "$QMAILV"; do
		add_user "$user" "$NOFILES" "$QMAILHOME"
	done
	for user in "$QMAILQ" "$QMAILR" "$QMAILS"; do
		add_user "$user" "$QMAILG" "$QMAILHOME"
	done
}

# own path user mode: group is always qmail.  Where the account is missing
# (DESTDIR), nothing is left setuid to whoever runs this.
own() {
	mode=$3
	if [ $root = yes ]; then
		if have_user "$2" && have_group "$QMAILG"; then
			chown "$2:$QMAILG" "$1"
		else
			case $mode in 4*) mode=0${mode#4} ;; esac
			strange=yes
		fi
	fi
	chmod "$mode" "$1"
}

# dir path user mode: made if missing; an existing one is left as it is
dir() {
	[ -d "$1" ] && return
	mkdir -p "$1" || die "unable to make $1"
	own "$1" "$2" "$3"
}

# begin path: a directory to fill before its user gets it.  Until own is called
# for it nobody else comes in, so nothing in there can be a link that leads us
# elsewhere.  False if it belongs to somebody: then it is left as it is.
begin() {
	[ -d "$1" ] || mkdir -m 0700 "$1" || die "unable to make $1"
	if [ $root = yes ]; then
		[ "$(stat -L -c %u "$1")" = 0 ] || return 1
		chmod 0700 "$1"
	fi
}

# Whom no other user gets mail for: all of it into one Maildir.
new_alias() {
	a=$top/alias
	# Without root an existing one cannot be told from a finished one.
	[ $root = yes ] || [ ! -d "$a" ] || return 0
	begin "$a" || return 0
	for alias in postmaster mailer-daemon root; do
		[ -f "$a/.qmail-$alias" ] && continue
		echo "./Maildir/" > "$a/.qmail-$alias"
		own "$a/.qmail-$alias" "$QMAILA" 0644
	done
	for sub in Maildir Maildir/tmp Maildir/new Maildir/cur; do
		dir "$a/$sub" "$QMAILA" 0700
	done
	own "$a" "$QMAILA" 02755
}

home() {
	dir "$top" root 0755
	for sub in bin plugins boot control doc users man man/man1 man/man5 man/man7 \
		man/man8 run service; do
		dir "$top/$sub" root 0755
	done
	new_alias
	# What qmail-smtpd remembers; it is only a cache.
	dir "$top/cache" root 0755
	dir "$top/cache/mfcheck" "$QMAILD" 0700
	# Messages that qmail-scand looks into, as long as it does.
	dir "$top/cache/scan" "$QMAILV" 0700
	# What each login has sent lately: control/auth/ratelimit.
	dir "$top/cache/ratelimit" "$QMAILD" 0700
	# Whom the plugin greylist knows.
	dir "$top/cache/greylist" "$QMAILD" 0700
	# Messages whose client may not know that they are queued.
	dir "$top/cache/hangup" "$QMAILD" 0700
	# Messages while plugins look at them; no file there has a name for long.
	dir "$top/cache/content" "$QMAILD" 0700
	# What qmail-remote and qmail-mtasts remember.
	dir "$top/cache/remote" "$QMAILR" 0700
	# Keys of session tickets, and the root directory of TLS handshakes.
	dir "$top/run/tls" root 0700
	dir "$top/run/empty" root 0755
}

# split area user mode: the numbered directories of a queue area
split() {
	n=0
	while [ $n -lt "$SPLIT" ]; do
		dir "$1/$n" "$2" "$3"
		n=$((n + 1))
	done
}

queue() {
	q=$top/queue
	if [ -d "$q/mess" ]; then
		say "keeping the queue in $q"
		return
	fi
	begin "$q" || die "$q belongs to $(stat -L -c %U "$q") and has no mess;" \
		"move it away and install again"
	dir "$q/pid" "$QMAILQ" 0700
	dir "$q/intd" "$QMAILQ" 0700
	dir "$q/todo" "$QMAILQ" 0750
	dir "$q/lock" "$QMAILQ" 0750
	for area in info local remote bounce; do
		dir "$q/$area" "$QMAILS" 0700
	done
	split "$q/intd" "$QMAILQ" 0700
	split "$q/todo" "$QMAILQ" 0750
	for area in info local remote; do
		split "$q/$area" "$QMAILS" 0700
	done
	: > "$q/lock/sendmutex"
	own "$q/lock/sendmutex" "$QMAILS" 0600
	head -c 1024 /dev/zero > "$q/lock/tcpto"
	own "$q/lock/tcpto" "$QMAILR" 0644
	rm -f "$q/lock/trigger"
	mkfifo "$q/lock/trigger"
	own "$q/lock/trigger" "$QMAILS" 0622
	# Last: its presence says that the queue is complete.
	dir "$q/mess.new" "$QMAILQ" 0750
	split "$q/mess.new" "$QMAILQ" 0750
	mv "$q/mess.new" "$q/mess"
	own "$q" "$QMAILQ" 0750
}

programs() {
	for entry in $PROGRAMS; do
		name=${entry%%:*}
		rest=${entry#*:}
		mode=${rest%%:*}
		owner=root
		[ "$rest" != "$mode" ] && owner=$QMAILQ
		cp "$B/bin/$name" "$top/bin/.$name.new"
		own "$top/bin/.$name.new" "$owner" "$mode"
		mv "$top/bin/.$name.new" "$top/bin/$name"
	done
	for name in $PLUGINS; do
		cp "$B/bin/$name" "$top/plugins/.$name.new"
		own "$top/plugins/.$name.new" root 0755
		mv "$top/plugins/.$name.new" "$top/plugins/$name"
	done
}

pages() {
	for page in "$B"/man/*.[1578]; do
		[ -f "$page" ] || continue
		target=$top/man/man${page##*.}/$(basename "$page")
		cp "$page" "$target"
		own "$target" root 0644
	done
}

# Samples for a new home only; the names of this host where nobody gave any.
configuration() {
	if [ -f "$top/control/me" ]; then
		say "keeping the configuration in $top/control"
		return
	fi
	name=$(hostname -f 2>/dev/null || hostname 2>/dev/null ||
		cat /proc/sys/kernel/hostname)
	(cd "$src/../control" && find . -type f) | while read -r file; do
		[ -f "$top/control/$file" ] && continue
		dir "$(dirname "$top/control/$file")" root 0755
		sed "s}@ME@}$name}g" "$src/../control/$file" > "$top/control/$file"
		own "$top/control/$file" root 0644
	done
	echo "$name" > "$top/control/me"
	own "$top/control/me" root 0644
	say "new configuration for $name in $top/control"
}

# run files: edited by admins, so an existing one stays
services() {
	(cd "$src/service" && find . -name run) | while read -r file; do
		case $file:$PROGRAMS in
		./scand/*:*qmail-scand:*) ;;
		./scand/*) continue ;; # there is none to run
		esac
		target=$top/service/$file
		[ -f "$target" ] && continue
		dir "$(dirname "$target")" root 0755
		down=$src/service/$(dirname "$file")/down
		[ ! -f "$down" ] || cp "$down" "$(dirname "$target")/down"
		sed -e "s}@QMAILHOME@}$QMAILHOME}g" -e "s}@QMAILD@}$QMAILD}g" \
			-e "s}@QMAILL@}$QMAILL}g" -e "s}@NOFILES@}$NOFILES}g" \
			"$src/service/$file" > "$target"
		own "$target" root 0755
	done
}

# boot name delivery: a start script for those who do not use daemontools
boot() {
	target=$top/boot/$1
	[ -f "$target" ] && return
	{
		echo '#!/bin/sh'
		echo "exec env - PATH=\"$QMAILHOME/bin:\$PATH\" \\"
		echo "qmail-start '$2' splogger qmail"
	} > "$target"
	own "$target" root 0755
}

boots() {
	df='|dot-forward .forward'
	nl='
'
	set -- home ./Mailbox proc '|preline procmail' \
		binm1 '|preline -f /usr/libexec/mail.local -r "${SENDER:-MAILER-DAEMON}" -d "$USER"' \
		binm2 '|preline -f /bin/mail -r "${SENDER:-MAILER-DAEMON}" -d "$USER"' \
		binm3 '|preline -f /bin/mail -f "${SENDER:-MAILER-DAEMON}" -d "$USER"'
	while [ $# -gt 0 ]; do
		boot "$1" "$2"
		boot "$1+df" "$df$nl$2"
		shift 2
	done
}

[ $root = yes ] && [ -z "$DESTDIR" ] && accounts
home
queue
programs
pages
configuration
services
boots
if [ $root = no ]; then
	say "without root: all of $top belongs to $(id -un)," \
		"every program runs under that one uid"
fi
if [ $strange = yes ]; then
	say "accounts are missing here: owners, and the setuid bit of" \
		"qmail-queue, are yours to set (INSTALL, section 4)"
fi
say "done: $top"
