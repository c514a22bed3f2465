#!/bin/sh
# Makes a key and a certificate that is signed by nobody, in control/ of a
# home; never over one that is there.  Usage: cert.sh home
set -eu
umask 077

control=$1/control
cert=$control/servercert.pem

die() { echo "cert: fatal: $*" >&2; exit 111; }

[ -d "$control" ] || die "there is no $control; make install comes first"
if [ -e "$cert" ]; then
	echo "cert: keeping $cert"
	exit 0
fi
name=$(sed -n '1{s/[^0-9A-Za-z.-].*//;p;}' "$control/me" 2>/dev/null || :)
name=${name:-$(hostname)}
work=$(mktemp -d "$control/.cert.XXXXXX") || die "unable to write to $control"
trap 'rm -rf "$work"' EXIT
trap 'exit 111' HUP INT TERM
# The name of a subject has a largest length; the other one counts.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
	-keyout "$work/key" -out "$work/cert" -days 3650 -sha256 \
	-subj "/CN=$(printf %.64s "$name")" \
	-addext "subjectAltName=DNS:$name" 2>"$work/said" || {
	cat "$work/said" >&2
	die "openssl made no certificate"
}
cat "$work/key" "$work/cert" > "$work/both"
mv "$work/both" "$cert"
echo "cert: $cert is for $name, signed by nobody; qmail-tls(8) tells of others"
