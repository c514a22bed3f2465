#!/bin/sh
# A mail server to look at: its own home, loopback ports, one uid, nothing
# outside build/demo touched.  Usage: demo.sh start|stop
#
# Run as root it gives up root first: all runs under the uid that owns the
# source tree, or nobody's.  Root builds and makes the home; once that belongs
# to the other uid root does nothing in it any more, not even stop it, because
# others may run under that uid, too.
set -eu

bold=; plain=
if [ -t 1 ]; then bold=$(printf '\033[1m'); plain=$(printf '\033[0m'); fi
step() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
run() { printf '%s$ %s%s\n' "$bold" "$*" "$plain"; "$@"; }
die() { echo "demo: fatal: $*" >&2; exit 111; }

stop() {
	read -r pid < "$home/svscan.pid"
	for service in send smtpd pop3d; do
		svc -dx "$home/service/$service" "$home/service/$service/log" \
			2>/dev/null || :
	done
	# svscan first, so that it starts nothing again.
	if grep -qs svscan "/proc/$pid/comm"; then
		kill "$pid" 2>/dev/null || :
	fi
	svc -dx "$home"/service/* "$home"/service/*/log 2>/dev/null || :
	n=0
	while [ $n -lt 600 ]; do
		left=
		for service in "$home"/service/* "$home"/service/*/log; do
			svok "$service" 2>/dev/null && left=yes
		done
		[ -z "$left" ] && break
		sleep 0.1
		n=$((n + 1))
	done
	rm -f "$home/svscan.pid"
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

install_home() {
	(cd "$stage" && B=$stage DESTDIR='' \
		sh src/install/install.sh "$stage/install.conf")
}

put() { # file text...: a control file
	file=$home/control/$1
	shift
	printf '%s\n' "$@" | tee "$file" >/dev/null
}

# The demo's own names, ports and its one user.
configure() {
	smtp=$(free_port 2525)
	submission=$(free_port 2587)
	pop=$(free_port 2110)
	put me demo.example
	put locals demo.example localhost
	put rcpthosts demo.example localhost
	put smtpaddress 127.0.0.1
	put smtpport "$smtp"
	put submissionport "$submission"
	put smtpsport "$(free_port 2465)"
	put pop3address 127.0.0.1
	put pop3port "$pop"
	put pop3sport "$(free_port 2995)"
	mkdir -p "$home/control/auth"
	put auth/server unix:run/authd
	mkhome=$home/home/you
	printf '%s\n' "=you:you:$uid:$gid:$mkhome:::" \
		"+you-:you:$uid:$gid:$mkhome:-::" \
		"+:alias:$uid:$gid:$home/alias:-::" . |
		tee "$home/users/assign" >/dev/null
	QMAILHOME=$home "$home/bin/qmail-newu"
}

# The one user; of an earlier demo he is there already.
add_user() {
	step "A user with a password, which the service authd will check"
	if ! grep -qs '^\[' "$home/users/qpasswd"; then
		tool qpasswd -n "$home/home" "$uid" "$gid"
	fi
	if ! grep -qs '^you:' "$home/users/qpasswd"; then
		echo secret | tool qpasswd -a you
	fi
	tool qpasswd -l
}

begin() {
	rm -f "$home/svscan.log" "$home/svscan.pid"
	(exec env - PATH="$home/bin:/usr/local/bin:/usr/bin:/bin" \
		QMAILHOME="$home" setsid svscan "$home/service" \
		</dev/null >"$home/svscan.log" 2>&1) &
	echo $! > "$home/svscan.pid"
	n=0
	until grep -qs '^@.*status: local' "$home/service/send/log/main/current" &&
		[ -S "$home/run/authd" ] && listening "$smtp" &&
		listening "$submission" && listening "$pop"; do
		n=$((n + 1))
		[ $n -lt 600 ] || { cat "$home/svscan.log" >&2; die \
			"not up after 60 seconds; see $home/service/*/log/main"; }
		sleep 0.1
	done
	# supervise is deaf to svc in the first second of a service.
	sleep 1
}

listening() {
	grep -qi ":$(printf %04X "$1") 0*:0000 0A" /proc/net/tcp
}

wait_delivered() { # how many
	n=0
	until [ "$(grep -c "end msg" "$home/service/send/log/main/current")" \
		-ge "$1" ]; do
		n=$((n + 1))
		[ $n -lt 600 ] || die "no delivery after 60 seconds"
		sleep 0.1
	done
}

readable_log() {
	tail -n 30 "$home/service/$1/log/main/current" |
		tai64nlocal | sed 's/^[^ ]* //'
}

tool() { # name argument...
	printf '%s$ %s%s\n' "$bold" "$*" "$plain"
	name=$1
	shift
	QMAILHOME=$home "$home/bin/$name" "$@"
}

# mpop replaces the files it is given, so they are the demo's own.
fetch() {
	printf '%s$ mpop --host=127.0.0.1 --port=%s --user=you --tls=on %s%s\n' \
		"$bold" "$pop" "--tls-starttls=on --tls-certcheck=off" "$plain"
	rm -f "$home/home/mpop.uidls"
	(cd "$home" && mpop --quiet \
		--host=127.0.0.1 --port="$pop" --user=you \
		--passwordeval='echo secret' --auth=user \
		--tls=on --tls-starttls=on --tls-certcheck=off --keep=on \
		--received-header=off --uidls-file="$home/home/mpop.uidls" \
		--delivery=mbox,"$home/home/fetched")
	cat "$home/home/fetched"
	rm -f "$home/home/fetched"
}

show() {
	step "A message by SMTP, from swaks.  Local deliveries are held for a" \
		"moment, so that it can be seen in the queue"
	put concurrencylocal 0
	svc -h "$home/service/send"
	run swaks --silent 0 --server "127.0.0.1:$smtp" --ehlo client.example \
		--from sender@client.example --to you@demo.example \
		--h-Subject "Hello from the demo" \
		--body "This message came by SMTP and went to a Maildir." ||
		die "the SMTP server refused the message"
	n=0
	until QMAILHOME=$home "$home/bin/qmail-qread" | grep -q you@; do
		n=$((n + 1))
		[ $n -lt 600 ] || break
		sleep 0.1
	done
	step "The queue holds it"
	tool qmail-qstat
	tool qmail-qread
	step "Deliveries go on: control/concurrencylocal and a HUP"
	put concurrencylocal 10
	run svc -h "$home/service/send"
	wait_delivered 1
	step "What the log says"
	readable_log send
	step "The queue is empty, the message is in the Maildir"
	tool qmail-qstat
	run ls -l "$home/home/you/Maildir/new"
	step "A user sends mail on the submission port: STARTTLS, then a login"
	run swaks --silent 0 --server "127.0.0.1:$submission" --tls \
		--auth PLAIN --auth-user you --auth-password secret \
		--ehlo laptop.example --from you@demo.example \
		--to you@demo.example --h-Subject "Submitted with a login" \
		--body "This message came by TLS, from a user with a password." ||
		die "the submission was refused"
	wait_delivered 2
	# qmail-pop3d does not list messages of the present second.
	sleep 1
	step "Both are fetched by POP3 with STLS, with mpop"
	fetch
}

# The scanner of the suite, with one signature: the length and the MD5 of the
# test file that all scanners know, and that does no harm.
virus() {
	if [ ! -x "$home/bin/qmail-scand" ]; then
		step "No virus scanner: qmail-scand was not built (no libclamav)"
		return
	fi
	step "A virus: qmail-scand finds it, the SMTP server refuses it"
	mkdir -p "$home/signatures"
	echo 44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test-Signature |
		tee "$home/signatures/demo.hdb" >/dev/null
	put scandb "$home/signatures"
	put scanworkers 1
	rm -f "$home/service/scand/down"
	run svc -u "$home/service/scand"
	n=0
	until grep -qs loaded "$home/service/scand/log/main/current"; do
		n=$((n + 1))
		[ $n -lt 600 ] || die "no scanner after 60 seconds"
		sleep 0.1
	done
	put clamd "$home/run/scand"
	printf '%s%s' 'X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-' \
		'ANTIVIRUS-TEST-FILE!$H+H*' > "$home/home/eicar.com"
	said=$(swaks --silent 2 --server "127.0.0.1:$smtp" \
		--ehlo client.example --from sender@client.example \
		--to you@demo.example --attach-type application/octet-stream \
		--attach "@$home/home/eicar.com" 2>&1) || :
	rm -f "$home/home/eicar.com"
	printf '%s\n' "$said" | grep '^<\*\*' || :
	case $said in
	*'554 5.7.7 your email contains the virus "Eicar-Test-Signature'*) ;;
	*) die "the virus was not refused: $said" ;;
	esac
	readable_log smtpd | grep CLAMD || :
}

start() {
	step "A home in $home"
	install_home
	configure
	add_user
	step "A certificate, signed by nobody (make cert)"
	sh "$stage/src/install/cert.sh" "$home"
	step "Starting it under svscan: SMTP on 127.0.0.1:$smtp and (for users)" \
		"$submission, POP3 on 127.0.0.1:$pop"
	rm -f "$home"/service/send/log/main/current \
		"$home"/service/scand/log/main/current "$home/control/clamd"
	begin
	run svstat "$home"/service/*
	show
	virus
	step "The server goes on running"
	cat <<EOT
  send a message   swaks --server 127.0.0.1:$smtp --to you@demo.example
  as a user        swaks --server 127.0.0.1:$submission --tls --auth \\
                     --au you --ap secret --to you@demo.example
  fetch mail       any POP3 client: 127.0.0.1 port $pop, you, secret
  logs             $link/service/*/log/main/current  (| tai64nlocal)
  configuration    $link/control
  stop             make demo-stop
EOT
}

# What follows is done by whoever calls this, who may be root.

# as: the unprivileged account for all that is above.
choose_account() {
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
}

# The home belongs below build/.  Where the demo's uid cannot get there (a
# clone in /root), it lives in /var/tmp and build/demo points to it.
place() {
	mkdir -p build
	if [ -e "$link" ]; then
		home=$(readlink -f "$link")
		return
	fi
	rm -f "$link" # it may point to what is gone
	home=$link
	if ! $as test -x "$tree/build"; then
		home=$(mktemp -d /var/tmp/qmail-md-demo.XXXXXX)
		ln -s "$home" "$link"
		echo "demo: $tree is closed to uid $uid;" \
			"the home is $home, build/demo points to it"
	fi
	mkdir -p "$home"
	chmod 755 "$home"
	[ "$(id -u)" != 0 ] || chown "$uid:$gid" "$home"
}

# Programs and scripts in a place the demo's uid can read and nobody write.
fill_stage() {
	stage=$(mktemp -d "$(dirname "$home")/qmail-md-stage.XXXXXX")
	trap 'rm -rf "$stage"' EXIT
	trap 'exit 111' HUP INT TERM
	cp -R build/bin build/man control src "$stage"/
	sed "s}^QMAILHOME=\"[^\"]*\"}QMAILHOME=\"$home\"}" \
		build/install.conf > "$stage/install.conf"
	chmod -R a+rX "$stage"
}

# inside start|stop: this script again, as the account, in the home
inside() {
	script=$(cat "$tree/src/install/demo.sh")
	(cd / && $as sh -c "$script" demo.sh \
		"inside-$1" "$home" "${stage:-}" "$link")
}

outside() {
	cd "$(dirname "$0")/../.."
	tree=$PWD
	link=$tree/build/demo
	choose_account
	if [ -e "$link/svscan.pid" ]; then
		home=$(readlink -f "$link")
		inside stop
	elif [ "$1" = stop ]; then
		echo "demo: not running"
	fi
	[ "$1" = start ] || return 0
	step "Installing what is missing, building"
	src/install/deps.sh demo
	make --no-print-directory -s -j"$(nproc)" all build/install.conf
	place
	fill_stage
	inside start
}

case "${1:-}" in
start | stop) outside "$1" ;;
inside-start | inside-stop)
	home=$2 stage=$3 link=$4
	uid=$(id -u)
	gid=$(id -g)
	HOME=$home/home
	export HOME
	cd "$home"
	"${1#inside-}"
	;;
*) echo "usage: demo.sh start|stop" >&2; exit 100 ;;
esac
