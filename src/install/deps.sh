#!/bin/sh
# Installs the Debian packages that are missing, when run as root; otherwise
# says which ones and how.  Usage: deps.sh build|check|demo|bench
set -eu

build="gcc libc6-dev musl-tools libcrypt-dev make libcdb-dev libpcre2-dev
	libssl-dev libclamav-dev libseccomp-dev libcurl4-openssl-dev"
demo="$build daemontools swaks libnet-ssleay-perl mpop openssl"
check="$demo ucspi-tcp libcmocka-dev python3 python3-pytest python3-pytest-xdist
	mandoc dnsmasq-base strace procps iproute2 e2fsprogs xfsprogs
	libauthen-sasl-perl libsasl2-modules msmtp curl fetchmail getmail6 gsasl
	postfix dovecot-imapd dovecot-lmtpd knot unbound
	clamav-daemon p0f spamd spamc
	procmail maildrop vacation safecat dot-forward mlmmj
	mutt s-nail git-email php-cli mailfront"
bench="$check dovecot-pop3d"

case "${1:-build}" in
build) wanted=$build ;;
demo) wanted=$demo ;;
check) wanted=$check ;;
bench) wanted=$bench ;;
*) echo "usage: deps.sh build|check|demo|bench" >&2; exit 100 ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1; then
	echo "deps: this is no Debian; please provide the equivalents of:" $wanted
	exit 0
fi
missing=
for package in $wanted; do
	case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
	installed) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "deps: not installed:$missing" >&2
	echo "deps: as root: apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get -q update || echo "deps: apt-get update failed; trying without" >&2
# shellcheck disable=SC2086
exec apt-get -q -y install --no-install-recommends $missing
