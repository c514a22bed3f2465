#!/bin/sh
# A mail server to look at: its own home, loopback ports, one uid, nothing
# outside build/demo touched.  Usage: demo.sh start|stop
#
# Run as root it gives up root first: all runs under the uid that owns the
# source tree, or nobody's.
set -eu

cd "$(dirname "$0")/../.."
tree=$PWD
link=$tree/build/demo

bold=; plain=
if [ -t 1 ]; then bold=$(printf '\033[1m'); plain=$(printf '\033[0m'); fi
step() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
run() { printf '%s$ %s%s\n' "$bold" "$*" "$plain"; "$@"; }
die() { echo "demo: fatal: $*" >&2; exit 111; }

# The unprivileged account everything runs under.
if [ "$(id -u)" = 0 ]; then
	uid=$(stat -c %u "$tree")
	[ "$uid" = 0 ] && uid=$(id -u nobody)
	gid=$(getent passwd "$uid" | cut -d: -f4)
	gid=${gid:-$uid}
	as="setpriv --reuid=$uid --regid=$gid --clear-groups --"
else
	uid=$(id -u)
	gid=$(id -g)
	as=
fi

stop() {
	[ -f "$link/svscan.pid" ] || { echo "demo: not running"; return; }
	read -r pid < "$link/svscan.pid"
	for service in send smtpd pop3d; do
		svc -dx "$link/service/$service" "$link/service/$service/log" \
			2>/dev/null || :
	done
	# svscan first, so that it starts nothing again.
	if grep -qs svscan "/proc/$pid/comm"; then
		kill "$pid" 2>/dev/null || :
	fi
	svc -dx "$link"/service/* "$link"/service/*/log 2>/dev/null || :
	n=0
	while [ $n -lt 100 ]; do
		left=
		for service in "$link"/service/* "$link"/service/*/log; do
			svok "$service" 2>/dev/null && left=yes
		done
		[ -z "$left" ] && break
		sleep 0.1
		n=$((n + 1))
	done
	rm -f "$link/svscan.pid"
	echo "demo: stopped; its mail and queue stay in $link"
}

# A port nobody listens on, from the given one upwards.
free_port() {
	port=$1
	while grep -qi ":$(printf %04X "$port") 0*:0000 0A" /proc/net/tcp ||
		grep -qi ":$(printf %04X "$port") 0*:0000 0A" /proc/net/tcp6
	do
		port=$((port + 1))
	done 2>/dev/null
	echo "$port"
}

# The home belongs below build/.  Where the demo's uid cannot get there (a
# clone in /root), it lives in /var/tmp and build/demo points to it.
place() {
	mkdir -p build
	if [ -e "$link" ]; then
		home=$(readlink -f "$link")
		return
	fi
	home=$link
	if ! $as test -x "$tree/build"; then
		home=$(mktemp -d /var/tmp/qmail-md-demo.XXXXXX)
		ln -s "$home" "$link"
		echo "demo: $tree is closed to uid $uid;" \
			"the home is $home, build/demo points to it"
	fi
	mkdir -p "$home"
	chmod 755 "$home"
	chown "$uid:$gid" "$home" 2>/dev/null || :
}

# Programs and scripts in a place the demo's uid can read.
install_home() {
	stage=$home/.stage
	rm -rf "$stage"
	mkdir -p "$stage"
	cp -R build/bin build/man control src "$stage"/ 2>/dev/null || :
	sed "s}^QMAILHOME=\"[^\"]*\"}QMAILHOME=\"$home\"}" \
		build/install.conf > "$stage/install.conf"
	if [ "$(id -u)" = 0 ]; then chown -R "$uid:$gid" "$stage"; fi
	(cd "$stage" && B=$stage DESTDIR='' \
		$as sh src/install/install.sh "$stage/install.conf")
	rm -rf "$stage"
}

put() { # file text...: a control file
	file=$home/control/$1
	shift
	printf '%s\n' "$@" | $as tee "$file" >/dev/null
}

# The demo's own names, ports and its one user.
configure() {
	smtp=$(free_port 2525)
	pop=$(free_port 2110)
	put me demo.example
	put locals demo.example localhost
	put rcpthosts demo.example localhost
	put smtpaddress 127.0.0.1
	put smtpport "$smtp"
	put pop3address 127.0.0.1
	put pop3port "$pop"
	mkhome=$home/home/you
	$as mkdir -p "$home/home" "$mkhome"
	[ -d "$mkhome/Maildir" ] || $as "$home/bin/maildirmake" "$mkhome/Maildir"
	printf '%s\n' "=you:you:$uid:$gid:$mkhome:::" \
		"+you-:you:$uid:$gid:$mkhome:-::" \
		"+:alias:$uid:$gid:$home/alias:-::" . |
		$as tee "$home/users/assign" >/dev/null
	QMAILHOME=$home $as "$home/bin/qmail-newu"
	# "secret", in SHA-512 form; the file is for the demo's eyes only.
	hash='$6$qmailmd$wyuqZ.OYn46hc0/mUfY0qMuHbiy4SdWV79BCfoQNBOB0nzGPL12CNS9zpJh9BfCeS1daC/2bIh3rv4iElmbg/1'
	(umask 077; printf 'you:%s:%s\n' "$hash" "$mkhome" |
		$as sh -c "umask 077; cat > '$home/users/poppasswd'")
}

begin() {
	(cd "$home" && exec $as env - PATH="$home/bin:/usr/local/bin:/usr/bin:/bin" \
		QMAILHOME="$home" setsid svscan "$home/service" \
		</dev/null >"$home/svscan.log" 2>&1) &
	echo $! > "$link/svscan.pid"
	n=0
	until grep -qs '^@.*status: local' "$home/service/send/log/main/current" &&
		listening "$smtp" && listening "$pop"; do
		n=$((n + 1))
		[ $n -lt 150 ] || { cat "$home/svscan.log" >&2; die \
			"not up after 15 seconds; see $home/service/*/log/main"; }
		sleep 0.1
	done
	# supervise is deaf to svc in the first second of a service.
	sleep 1
}

listening() {
	grep -qi ":$(printf %04X "$1") 0*:0000 0A" /proc/net/tcp
}

wait_delivered() {
	n=0
	until grep -q "end msg" "$home/service/send/log/main/current"; do
		n=$((n + 1))
		[ $n -lt 150 ] || die "no delivery after 15 seconds"
		sleep 0.1
	done
}

readable_log() {
	tail -n 30 "$home/service/$1/log/main/current" |
		tai64nlocal | sed 's/^[^ ]* //'
}

# qmail-qstat and qmail-qread read the queue, so they need its owner's rights.
tool() {
	printf '%s$ %s%s\n' "$bold" "$1" "$plain"
	QMAILHOME=$home $as "$home/bin/$1"
}

# mpop replaces the files it is given, so they are the demo's own, and it runs
# under the demo's uid.
fetch() {
	printf '%s$ mpop --host=127.0.0.1 --port=%s --user=you%s\n' \
		"$bold" "$pop" "$plain"
	rm -f "$home/home/mpop.uidls"
	(cd "$home" && HOME=$home/home $as mpop --quiet \
		--host=127.0.0.1 --port="$pop" --user=you \
		--passwordeval='echo secret' --auth=user --tls=off --keep=on \
		--received-header=off --uidls-file="$home/home/mpop.uidls" \
		--delivery=mbox,"$home/home/fetched")
	$as cat "$home/home/fetched"
	$as rm -f "$home/home/fetched"
}

show() {
	step "A message by SMTP, from swaks.  Local deliveries are held for a" \
		"moment, so that it can be seen in the queue"
	put concurrencylocal 0
	svc -h "$link/service/send"
	: > "$home/.before"
	run swaks --silent 0 --server "127.0.0.1:$smtp" --ehlo client.example \
		--from sender@client.example --to you@demo.example \
		--h-Subject "Hello from the demo" \
		--body "This message came by SMTP and went to a Maildir." ||
		die "the SMTP server refused the message"
	n=0
	until QMAILHOME=$home $as "$home/bin/qmail-qread" | grep -q you@; do
		n=$((n + 1))
		[ $n -lt 100 ] || break
		sleep 0.1
	done
	step "The queue holds it"
	tool qmail-qstat
	tool qmail-qread
	step "Deliveries go on: control/concurrencylocal and a HUP"
	put concurrencylocal 10
	run svc -h "$link/service/send"
	wait_delivered
	step "What the log says"
	readable_log send
	step "The queue is empty, the message is in the Maildir"
	tool qmail-qstat
	run ls -l "$home/home/you/Maildir/new"
	# qmail-pop3d does not list messages of the present second.
	sleep 1
	step "Fetched by POP3, with mpop"
	fetch
}

start() {
	if [ -f "$link/svscan.pid" ]; then
		step "An earlier demo is running: stopping it first"
		stop
	fi
	step "Installing what is missing, building"
	src/install/deps.sh demo
	make --no-print-directory -s -j"$(nproc)" all build/install.conf
	place
	step "A home in $home"
	install_home
	configure
	step "Starting it under svscan: SMTP on 127.0.0.1:$smtp," \
		"POP3 on 127.0.0.1:$pop"
	rm -f "$home"/service/send/log/main/current
	begin
	run svstat "$link"/service/*
	show
	step "The server goes on running"
	cat <<EOT
  send a message   swaks --server 127.0.0.1:$smtp --to you@demo.example
  fetch mail       any POP3 client: 127.0.0.1 port $pop, you, secret
  logs             $link/service/*/log/main/current  (| tai64nlocal)
  configuration    $link/control
  stop             make demo-stop
EOT
}

case "${1:-}" in
start) start ;;
stop) stop ;;
*) echo "usage: demo.sh start|stop" >&2; exit 100 ;;
esac
