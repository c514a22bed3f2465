"""make install as root: accounts, owners, modes, and mail under all of them.

The whole test runs in mount and process namespaces of its own, with a copy of
/etc and a /var of its own, so the host's accounts and home stay as they are
and no process outlives it.
"""
import os
import re
import shutil
import subprocess

import pytest

from home import BUILD, REPO, ROOT, free_port

pytestmark = [
    pytest.mark.skipif(not ROOT, reason="needs root to make accounts"),
    pytest.mark.skipif(bool(os.environ.get("SANITIZE")),
                       reason="sanitizers need the environment"),
]
HOME = "/var/qmail"

SCRIPT = r"""
set -eu
cd "$REPO"
mkdir -p "$WORK/etc"
cp -a /etc/. "$WORK/etc/"
mount --bind "$WORK/etc" /etc
for name in lib lock log mail run spool tmp; do
	mkdir -p "$WORK/var/$name"
done
chmod 1777 "$WORK/var/tmp" "$WORK/var/mail"
mount --bind "$WORK/var" /var
for name in alias qmaild qmaill qmailp qmailq qmailr qmails qmailt qmailv; do
	userdel "$name" 2>/dev/null || :
done
groupdel nofiles 2>/dev/null || :
groupdel qmail 2>/dev/null || :
section() { echo "== $1"; }

section install
make -s B="$B" install

section owners
cd "$QMAILHOME"
find . -maxdepth 1 -printf '%P %u:%g %m\n'
find queue -maxdepth 2 -printf '%p %u:%g %m\n'
find bin plugins -type f -printf '%p %u:%g %m\n'
find cache -maxdepth 1 -printf '%p %u:%g %m\n'

section check
bin/qmail-showctl --check

section accounts
getent passwd alias qmaild qmaill qmailp qmailq qmailr qmails qmailt qmailv

section serve
useradd -m -d "$WORK/joe" -s /bin/sh joe
chmod 755 "$WORK"
echo 'joe:secret' | chpasswd
su joe -c "$QMAILHOME/bin/maildirmake $WORK/joe/Maildir"
echo check.example > control/me
echo check.example > control/locals
echo check.example > control/rcpthosts
echo 127.0.0.1 > control/smtpaddress
echo "$SMTP" > control/smtpport
echo 127.0.0.1 > control/pop3address
echo "$POP" > control/pop3port
mkdir -p control/auth
echo 63 > control/auth/pop3
for service in submission smtps pop3s; do
	eval "echo \$$service" > "control/${service}port"
done
(cd "$REPO" && sh src/install/cert.sh "$QMAILHOME")
chgrp nofiles bin/checkpassword bin/checkqpasswd
chmod 4710 bin/checkpassword bin/checkqpasswd
bin/qpasswd -n "$WORK/virtual" 4242 4242
echo word | bin/qpasswd -a jane
svscan "$QMAILHOME/service" > "$WORK/svscan.log" 2>&1 &
n=0
until grep -qs 'status: local' service/send/log/main/current &&
	swaks --silent 3 --server "127.0.0.1:$SMTP" --quit-after BANNER; do
	n=$((n + 1)); [ $n -lt 600 ]; sleep 0.1
done
section processes
ps -eo user:12,comm | sort -u
section deliver
swaks --silent 3 --server "127.0.0.1:$SMTP" --from s@x.example \
	--to joe@check.example --body 'for joe'
swaks --silent 3 --server "127.0.0.1:$submission" --tls --auth PLAIN \
	--auth-user joe --auth-password secret --from s@x.example \
	--to postmaster@check.example --body 'for postmaster'
swaks --silent 3 --server "127.0.0.1:$SMTP" --from '<>' \
	--to nobody-at-all@check.example --body 'bounces' || :
n=0
until [ "$(grep -c 'end msg' service/send/log/main/current)" -ge 4 ]; do
	n=$((n + 1)); [ $n -lt 600 ]; sleep 0.1
done
ls -ln "$WORK"/joe/Maildir/new alias/Maildir/new
id -u joe alias || :
head -n 4 "$WORK"/joe/Maildir/new/*
cat alias/Maildir/new/*
section log
cat service/send/log/main/current
section pop3
sleep 1
/usr/bin/python3 - "$POP" "$pop3s" "$smtps" <<'PY'
import poplib, ssl, smtplib, sys
pop = poplib.POP3("127.0.0.1", int(sys.argv[1]), timeout=60)
anybody = ssl._create_unverified_context()
pop.stls(anybody)
pop.user("joe")
pop.pass_("secret")
print("pop3 sees", pop.stat()[0])
print(b"\n".join(pop.retr(1)[1]).decode())
pop.quit()
pop = poplib.POP3_SSL("127.0.0.1", int(sys.argv[2]), timeout=60,
                      context=anybody)
pop.user("joe")
pop.pass_("secret")
print("pop3s sees", pop.stat()[0])
smtp = smtplib.SMTP_SSL("127.0.0.1", int(sys.argv[3]), timeout=60,
                        context=anybody)
print("smtps says", smtp.login("joe", "secret"))
# Users of qpasswd, by any mechanism.
for pop in (poplib.POP3("127.0.0.1", int(sys.argv[1]), timeout=60),
            poplib.POP3_SSL("127.0.0.1", int(sys.argv[2]), timeout=60,
                            context=anybody)):
    pop.apop("jane", "word")
    print("jane sees", pop.stat()[0])
smtp = smtplib.SMTP_SSL("127.0.0.1", int(sys.argv[3]), timeout=60,
                        context=anybody)
print("jane hears", smtp.login("jane", "word"))
PY
section authd
# No setuid programs: the service authd, for both kinds of virtual users.
chmod 700 bin/checkpassword bin/checkqpasswd
bin/qmail-domain add hosted.example
echo "ann's long word" | bin/qmail-mailbox add ann@hosted.example
echo unix:run/authd > control/auth/server
echo 0 > control/auth/delay
svc -d service/submission service/smtps
n=0
until svstat service/submission service/smtps | grep -c ': down' | grep -q 2; do
	n=$((n + 1)); [ $n -lt 600 ]; sleep 0.1
done
svc -u service/submission service/smtps
up() { swaks --silent 3 --server "127.0.0.1:$1" --quit-after BANNER ${2-}; }
n=0
until up "$submission" && up "$smtps" --tls-on-connect; do
	n=$((n + 1)); [ $n -lt 600 ]; sleep 0.1
done
find bin plugins -perm /6000
ls -ln run/authd /etc/qpasswd users/mailboxes.cdb
ps -eo uid,comm | grep qmail-authd | sort | uniq -c
/usr/bin/python3 "$REPO/tests/blackbox/installed_authd.py" \
	"$submission" "$smtps" "$POP"
ps -eo user:12,comm | grep qmail-authd | sort | uniq -c
cat service/authd/log/main/current
grep -h 'AUTH: ' service/smtps/log/main/current
section stop
# joe stops all that runs as joe, all the time; others get their mail.
before=$(ls alias/Maildir/new | wc -l)
setpriv --reuid joe --regid joe --clear-groups \
	/usr/bin/python3 "$WORK/stopper.py" &
printf 'Subject: x\n\nx\n' > "$WORK/message"
for to in joe joe joe joe joe joe joe joe postmaster; do
	printf 'F\0T%s@check.example\0\0' "$to" > "$WORK/envelope"
	bin/qmail-queue < "$WORK/message" 1< "$WORK/envelope"
	sleep 0.1
done
n=0
until [ "$(ls alias/Maildir/new | wc -l)" -gt "$before" ]; do
	n=$((n + 1)); [ $n -lt 600 ] || break; sleep 0.1
done
echo "postmaster has $(($(ls alias/Maildir/new | wc -l) - before)) more"
wait $!
pkill -CONT -u joe || :
section again
echo 77 > control/concurrencylocal
echo '# mine' >> service/smtpd/run
cd "$REPO"
make -s B="$B" install
cat "$QMAILHOME/control/concurrencylocal"
tail -n 1 "$QMAILHOME/service/smtpd/run"
section hostile
# qmailq and alias have fallen to an attacker who waits for the next install.
again() { make -s B="$B" install 2>&1 || echo refused; }
mkdir -m 755 "$WORK/victim"
echo precious > "$WORK/victim/file"
cd "$QMAILHOME/queue"
mv mess mess.away
mv lock/sendmutex lock/mutex.away
ln -s "$WORK/victim/file" lock/sendmutex
(cd "$REPO"; again)
rm lock/sendmutex
mv lock/mutex.away lock/sendmutex
mv mess.away mess
cd "$QMAILHOME/alias"
rm -rf Maildir .qmail-root
ln -s "$WORK/victim" Maildir
ln -s "$WORK/victim/planted" .qmail-root
mv "$QMAILHOME/control/me" "$QMAILHOME/control/me.away"
(cd "$REPO"; again)
mv "$QMAILHOME/control/me.away" "$QMAILHOME/control/me"
find "$WORK/victim" -printf 'victim/%P %u %m\n'
cat "$WORK/victim/file"
cd "$REPO"
section uninstall
make -s B="$B" uninstall
ls "$QMAILHOME/bin" "$QMAILHOME/plugins" "$QMAILHOME/man/man8" | cat
ls -d "$QMAILHOME/queue/mess" "$QMAILHOME/control/me"
section end
"""

STOPPER = """
import os, signal, time
end = time.monotonic() + 3
while time.monotonic() < end:
    try:
        os.kill(-1, signal.SIGSTOP)
    except OSError:
        pass
"""


@pytest.fixture(scope="module")
def installed(session_dir):
    """Sections of the script's output."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True,
                      timeout=60).returncode != 0:
        pytest.skip("no mount namespaces here (a chroot?)")
    work = os.path.join(session_dir, "install")
    os.mkdir(work)
    with open(os.path.join(work, "stopper.py"), "w") as f:
        f.write(STOPPER)
    done = subprocess.run(
        ["unshare", "-m", "-p", "--fork", "--mount-proc", "--kill-child",
         "timeout", "400", "sh", "-c", SCRIPT],
        capture_output=True, text=True, errors="replace", timeout=450,
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                     "/sbin:/bin",
             "REPO": REPO, "B": os.path.relpath(BUILD, REPO), "WORK": work,
             "QMAILHOME": HOME, "SMTP": str(free_port()),
             "POP": str(free_port()), "submission": str(free_port()),
             "smtps": str(free_port()), "pop3s": str(free_port())})
    sections, name = {}, ""
    for line in done.stdout.splitlines():
        if line.startswith("== "):
            name = line[3:]
        sections[name] = sections.get(name, "") + line + "\n"
    assert "end" in sections, (done.returncode, done.stdout[-4000:],
                               done.stderr[-4000:])
    return sections


EXPECTED = """
 root:qmail 755
bin root:qmail 755
boot root:qmail 755
control root:qmail 755
users root:qmail 755
alias alias:qmail 2755
queue qmailq:qmail 750
queue/pid qmailq:qmail 700
queue/intd qmailq:qmail 700
queue/todo qmailq:qmail 750
queue/mess qmailq:qmail 750
queue/mess/0 qmailq:qmail 750
queue/mess/22 qmailq:qmail 750
queue/info qmails:qmail 700
queue/info/7 qmails:qmail 700
queue/local/7 qmails:qmail 700
queue/remote/7 qmails:qmail 700
queue/bounce qmails:qmail 700
queue/lock qmailq:qmail 750
queue/lock/sendmutex qmails:qmail 600
queue/lock/tcpto qmailr:qmail 644
queue/lock/trigger qmails:qmail 622
bin/qmail-queue qmailq:qmail 4711
bin/qmail-start root:qmail 700
bin/qmail-lspawn root:qmail 700
bin/qmail-newu root:qmail 700
bin/qmail-hold root:qmail 700
bin/qmail-newmrh root:qmail 700
bin/qmail-newvrt root:qmail 700
bin/qmail-realrcpt root:qmail 700
bin/qmail-getpw root:qmail 711
bin/qmail-local root:qmail 711
bin/qmail-remote root:qmail 711
bin/qmail-rspawn root:qmail 711
bin/qmail-clean root:qmail 711
bin/qmail-send root:qmail 711
bin/splogger root:qmail 711
bin/qmail-pw2u root:qmail 711
bin/qmail-popup root:qmail 711
bin/qmail-inject root:qmail 755
bin/qmail-showctl root:qmail 755
bin/qmail-smtpd root:qmail 755
bin/qmail-pop3d root:qmail 755
bin/sendmail root:qmail 755
bin/forward root:qmail 755
bin/maildirmake root:qmail 755
bin/rblsmtpd root:qmail 755
plugins/greylist root:qmail 755
plugins/spamcheck root:qmail 755
plugins/logall root:qmail 755
cache root:qmail 755
cache/content qmaild:qmail 700
cache/greylist qmaild:qmail 700
cache/hangup qmaild:qmail 700
"""


@pytest.mark.parametrize("line", EXPECTED.strip("\n").splitlines())
def test_owner_and_mode(installed, line):
    assert line in installed["owners"].splitlines()


def test_configuration_is_sound(installed):
    assert "fatal" not in installed["check"]


def test_accounts(installed):
    text = installed["accounts"]
    assert f":{HOME}/alias:" in text
    assert len(text.splitlines()) == 10


@pytest.mark.parametrize("user, program", [
    ("qmails", "qmail-send"), ("qmails", "qmail-todo"),
    ("qmailq", "qmail-clean"), ("qmailr", "qmail-rspawn"),
    ("root", "qmail-lspawn"), ("qmailp", "qmail-lspawn"),
    ("qmaild", "qmail-listen"), ("root", "qmail-tlsd"), ("qmaill", "multilog")])
def test_each_role_has_its_user(installed, user, program):
    assert re.search(rf"^{user} +{program}$", installed["processes"], re.M)


def test_mail_reaches_its_owner(installed):
    text = installed["deliver"]
    assert "for postmaster" in text
    assert "Delivered-To: joe@check.example" in text
    assert re.search(r"invoked from network\)", text)
    assert "Sorry, no mailbox here by that name. (#5.1.1)" in text
    assert "invoked for bounce" in text


def test_logins_under_tls(installed):
    """By the password of the system, on both ports for users."""
    assert re.search(r"by check\.example with ESMTPSA \(TLSv1\.3 ",
                     installed["deliver"])
    assert "smtps says (235, b'2.7.0 ok, go ahead')" in installed["pop3"]


def test_log(installed):
    assert "starting delivery 1: msg " in installed["log"]
    assert " bounce msg " in installed["log"]


def test_pop3_as_the_user(installed):
    assert "pop3 sees 1" in installed["pop3"]
    assert "pop3s sees 1" in installed["pop3"]
    assert "for joe" in installed["pop3"]


def test_users_of_qpasswd(installed):
    """As the run files come, on all ports where somebody logs in."""
    assert installed["pop3"].count("jane sees 0") == 2
    assert "jane hears (235, b'2.7.0 ok, go ahead')" in installed["pop3"]


def test_authd_serves_both_kinds_of_users(installed):
    """Without setuid programs, and nobody else's right to read has grown."""
    text = installed["authd"]
    for smtps in (False, True):
        for user in ("jane", "ann@hosted.example"):
            assert f"authd says {smtps} {user} 235 535" in text
    assert "nobody hears 535" in text and "ann sees 0" in text
    assert re.findall(r"^bin/.*|^plugins/.*", text, re.M) == [
        "bin/qmail-queue"]
    assert re.search(r"^srw-rw---- 1 0 +\d+ .* run/authd$", text, re.M)
    for path in ("/etc/qpasswd", "users/mailboxes.cdb"):
        assert re.search(rf"^-rw------- 1 0 +0 .* {path}$", text, re.M)


def test_authd_has_root_for_its_master_only(installed):
    text = installed["authd"]
    assert re.search(r"^ +1 +0 qmail-authd$", text, re.M)
    assert re.search(r"^ +4 +4242 qmail-authd$", text, re.M)
    assert text.count("worker has" + 8 * " 4242" + " groups 4242 ") == 4
    if os.uname().machine in ("x86_64", "aarch64", "riscv64"):
        assert text.count(" filters 2\n") == 4
    assert "without homes 535 235" in text
    assert re.search(r"^ +1 root +qmail-authd$", text, re.M)


@pytest.mark.parametrize("user,hears", [
    ("root", "b'0'"), ("qmaild", "b'0'"), ("qmailt", "b''"),
    ("alias", "b''"), ("joe", "PermissionError")])
def test_authd_answers_the_server_alone(installed, user, hears):
    assert f"\n{user} hears {hears}\n" in installed["authd"]


def test_nobody_takes_the_place_of_authd(installed):
    text = installed["authd"]
    assert text.count("may not") == 14 and " may " not in re.sub(
        "may not", "", text)


def test_authd_that_is_away_lets_nobody_in(installed):
    text = installed["authd"]
    assert "others say 235" in text and "a worker died" in text
    assert "away 454 454" in text and "back 235" in text
    assert "AUTH: unix:run/authd: file does not exist" in text


def test_user_who_stops_everything_stops_nobody_else(installed):
    assert "postmaster has 1 more" in installed["stop"]


def test_second_install_keeps_configuration(installed):
    assert "\n77\n# mine\n" in installed["again"]


def test_install_follows_no_link_of_a_fallen_account(installed):
    text = installed["hostile"]
    assert "refused" in text
    assert "victim/ root 755\nvictim/file root 644\nprecious\n" in text
    assert "planted" not in text


def test_uninstall_takes_programs_only(installed):
    text = installed["uninstall"]
    assert "qmail-send" not in text and "greylist" not in text
    assert f"{HOME}/queue/mess" in text and f"{HOME}/control/me" in text
