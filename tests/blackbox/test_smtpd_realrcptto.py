"""control/realrcptto: what would bounce for want of a mailbox is refused.

The decision is compared with that of qmail-local itself; where qmail-smtpd
may not look, qmail-realrcpt answers.
"""
import os
import re
import socket
import subprocess

import pytest

import home as h
from home import make_dirs, own, wait_for, write_file
from smtpd_driver import Smtpd
from test_admin_root import DAEMON, JOE, NOFILES, RootHome
from test_admin_root import pytestmark as needs_root

BAD = "550 5.1.1 sorry, no mailbox here by that name."
GOOD = "250 2.1.5 ok"
UNREADABLE = "451 4.3.0 unable to read realrcptto"
SOCKET = "run/realrcpt"


@pytest.fixture
def smtpd(home):
    sessions = []
    home.control("realrcptto", "1\n")

    def start(**env):
        sessions.append(Smtpd(home, env))
        assert sessions[-1].command("MAIL FROM:<s@x>") == "250 2.1.0 ok"
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


@pytest.fixture
def joe(home):
    home.add_user("joe")
    where = home.file("home", "joe")
    write_file(os.path.join(where, ".qmail-yes"), "./Maildir/\n")
    write_file(os.path.join(where, ".qmail-list-default"), "./Maildir/\n")
    # Whoever is not assigned is an alias, so nobody has to be asked.
    home.assignments += [
        f"+:alias:{h.TEST_UID}:{h.TEST_GID}:{home.file('alias')}:-::"]
    home.write_assignments()
    return where


def helper(home):
    process = home.spawn([os.path.join(home.bin, "qmail-realrcpt")])

    def answers():
        try:
            return ask(home, b"postmaster") == b"y"
        except OSError:
            return False

    wait_for(answers, "qmail-realrcpt to answer")
    return process


# -- decisions -----------------------------------------------------------
@pytest.mark.parametrize("recipient,reply", [
    ("joe@a.example", GOOD),
    ("JOE@A.Example", GOOD),
    ("joe-yes@a.example", GOOD),
    ("Joe-YES@a.example", GOOD),
    ("joe-no@a.example", BAD),
    ("joe-list@a.example", BAD),
    ("joe-list-x-y@a.example", GOOD),
    ("jo@a.example", BAD),
    ("nobody@a.example", BAD),
    ("postmaster@a.example", GOOD),
    ("postmaster", GOOD),
    ("nobody", BAD),
    ("joe-v@virtual.example", GOOD),
    ("any@virtual.example", BAD),
    ("joe-yes@person.example", GOOD),
    ("x@person.example", BAD),
    ("x@away.example", GOOD),
    ("joe%a.example@percent.example", GOOD),
    ("nobody%a.example@percent.example", BAD),
    ("@a.example", GOOD),
    ('"a/b"@a.example', BAD),
    ('"../../home/joe/.qmail-yes"@a.example', BAD),
])
def test_recipient(home, smtpd, joe, recipient, reply):
    home.control("rcpthosts", "a.example\n.example\n")
    home.control("virtualdomains", "virtual.example:joe-list\n"
                 "joe-v@virtual.example:joe-list\n"
                 "person.example:joe-none\njoe-yes@person.example:joe-list\n"
                 "away.example:\n")
    home.control("percenthack", "percent.example\n")
    if recipient == "any@virtual.example":
        home.control("virtualdomains", "virtual.example:joe-x\n")
    s = smtpd()
    assert s.command(f"RCPT TO:<{recipient}>") == reply
    logged = re.findall(r"realrcptto (\d+) (\S+) (\S+)", s.log())
    if reply == BAD:
        assert logged == [(str(s.process.pid), "192.0.2.7",
                           recipient.replace('"', ""))]
    else:
        assert not logged


def sticky(where):
    os.chmod(where, 0o1755)


def writable(where):
    os.chmod(where, 0o757)


def gone(where):
    os.rename(where, where + ".gone")


def unsafe_file(where):
    os.chmod(os.path.join(where, ".qmail-yes"), 0o666)


def directory(where):
    os.mkdir(os.path.join(where, ".qmail-no"))


def fifo(where):
    os.mkfifo(os.path.join(where, ".qmail-no"))


def loop(where):
    os.symlink(".qmail-no", os.path.join(where, ".qmail-no"))


def dangling(where):
    os.symlink("nowhere", os.path.join(where, ".qmail-no"))


def empty(where):
    write_file(os.path.join(where, ".qmail-no"), "")


def default(where):
    write_file(os.path.join(where, ".qmail-default"), "&x\n")


@pytest.mark.parametrize("change", [
    None, sticky, writable, gone, unsafe_file, directory, fifo, loop,
    dangling, empty, default], ids=lambda c: c.__name__ if c else "plain")
def test_decides_as_qmail_local_does(home, smtpd, joe, change):
    if change:
        change(joe)
    message = write_file(home.file("message"), "Subject: x\n\nx\n")
    s = smtpd()
    for ext in ("", "yes", "no", "no.x", "list-a", "a-b", "-"):
        local = "joe-" + ext if ext else "joe"
        dash = "-" if ext else ""
        done = subprocess.run(
            [os.path.join(home.bin, "qmail-local"), "--", "joe", joe,
             local, dash, ext, "a.example", "s@x", "./Maildir/"],
            stdin=open(message), capture_output=True, timeout=h.DEADLINE,
            env=home.environment(QMAILQUEUE="true"), **h.ids_arguments())
        bounces = done.returncode == 100 and b"no mailbox here" in done.stderr
        assert s.command(f"RCPT TO:<{local}@a.example>") == (
            BAD if bounces else GOOD), (ext, done)


def test_off_by_default_and_by_override(home, smtpd, joe):
    assert smtpd(REALRCPTTO="0").command("RCPT TO:<no@a.example>") == GOOD
    home.control("realrcptto", None)
    assert smtpd().command("RCPT TO:<no@a.example>") == GOOD
    assert smtpd(REALRCPTTO="1").command("RCPT TO:<no@a.example>") == BAD


def test_trusted_clients_hear_it_too(smtpd, joe):
    s = smtpd(RELAYCLIENT="")
    assert s.command("RCPT TO:<no@a.example>") == BAD
    assert s.command("RCPT TO:<no@far.example>") == GOOD


def test_refused_recipient_gets_nothing(smtpd, joe):
    s = smtpd()
    s.command("RCPT TO:<no@a.example>", "RCPT TO:<joe@a.example>", "DATA")
    s.send("x\r\n.\r\n")
    assert s.reply().startswith("250 2.6.0 ")
    assert s.queue.messages()[0][1] == [b"joe@a.example"]


def test_off_and_watch(home, smtpd, joe):
    home.control("checks", "realrcptto:off\n")
    assert smtpd().command("RCPT TO:<no@a.example>") == GOOD
    home.control("checks", "realrcptto:watch\n")
    s = smtpd(QMAILRRTDENYALL="1")
    assert s.command("RCPT TO:<no@a.example>") == GOOD
    assert "WATCH: realrcptto: 550 5.1.1 " in s.log()
    assert s.command("RCPT TO:<joe@a.example>") == GOOD
    assert s.command("DATA") == "354 go ahead"


# -- QMAILRRTDENYALL -----------------------------------------------------
def test_deny_all_refuses_the_whole_message(smtpd, joe):
    s = smtpd(QMAILRRTDENYALL="1")
    assert s.command("RCPT TO:<joe@a.example>") == GOOD
    assert s.command("RCPT TO:<no@a.example>") == BAD
    assert s.command("RCPT TO:<joe@a.example>") == BAD
    assert s.command("DATA") == BAD
    assert s.queue.messages() == []
    assert s.command("MAIL FROM:<s@x>") == "250 2.1.0 ok"
    assert s.command("RCPT TO:<joe@a.example>", "DATA") == [
        GOOD, "354 go ahead"]
    s.send("x\r\n.\r\n")
    assert s.reply().startswith("250 2.6.0 ")
    assert len(s.queue.messages()) == 1


@pytest.mark.parametrize("value", ["", "0"])
def test_deny_all_is_off(smtpd, joe, value):
    s = smtpd(QMAILRRTDENYALL=value)
    s.command("RCPT TO:<no@a.example>", "RCPT TO:<joe@a.example>")
    assert s.command("DATA") == "354 go ahead"


# -- broken files --------------------------------------------------------
@pytest.mark.parametrize("name,text", [
    ("realrcptto", "2\n"), ("realrcptto", "yes\n"), ("locals", "a\0b\n"),
    ("virtualdomains", "a:b\r\n"), ("me", "a\0\n")])
def test_broken_control(home, smtpd, joe, name, text):
    home.control("smtpgreeting", "x\n")
    home.control(name, text)
    s = smtpd()
    assert s.command("RCPT TO:<joe@a.example>") == UNREADABLE
    assert f"control/{name} line 1: " in s.log()
    assert s.command("NOOP") == "250 2.0.0 ok"


def test_damaged_assignments_defer_and_do_not_refuse(home, smtpd, joe):
    write_file(home.file("users", "cdb"), "x" * 3000)
    s = smtpd()
    assert s.command("RCPT TO:<no@a.example>") == GOOD
    assert "realrcptto: unable to read users/cdb" in s.log()


# -- qmail-realrcpt ------------------------------------------------------
def test_without_helper_the_recipient_is_taken(home, smtpd):
    s = smtpd()
    assert s.command("RCPT TO:<no@a.example>") == GOOD
    assert "realrcptto: unable to ask qmail-realrcpt: file does not exist" \
        in s.log()


def test_helper_knows_the_password_database(home, smtpd):
    helper(home)
    s = smtpd()
    assert s.command("RCPT TO:<no@a.example>") == BAD
    assert s.command("RCPT TO:<postmaster@a.example>") == GOOD
    assert s.command("RCPT TO:<" + "x-" * 300 + "@a.example>") == BAD


def test_dead_helper_is_as_none(home, smtpd):
    h.stop(helper(home))
    s = smtpd()
    assert s.command("RCPT TO:<no@a.example>") == GOOD
    assert "unable to ask qmail-realrcpt: connection refused" in s.log()
    helper(home)
    assert s.command("RCPT TO:<no@a.example>") == BAD


@pytest.mark.parametrize("answer,reply,said", [
    (b"y", GOOD, None),
    (b"n", BAD, None),
    (b"t", GOOD, None),
    (b"?", GOOD, "unable to ask"),
    (b"", GOOD, "unable to ask"),
    (None, GOOD, "unable to ask"),
])
def test_any_answer_has_an_outcome(home, smtpd, answer, reply, said):
    make_dirs(home.file("run"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(home.file(SOCKET))
        own(home.file(SOCKET))
        listener.listen(1)
        s = smtpd()
        s.send("RCPT TO:<Foo-Bar@a.example>\r\n")
        connection, _ = listener.accept()
        assert connection.recv(2000) == b"Foo-Bar"
        if answer:
            connection.send(answer)
        if answer is not None:
            connection.close()
        assert s.reply() == reply
        assert (said is None) or said in s.log()
        connection.close()


def ask(home, question, path=SOCKET):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(h.DEADLINE)
        s.connect(home.file(path))
        s.send(question)
        return s.recv(10)


@pytest.mark.parametrize("question,answer", [
    (b"joe", b"y"), (b"joe-yes", b"y"), (b"joe-no", b"n"),
    (b"nobody", b"n"), (b"\0", b"t"), (b"joe\0-yes", b"t"),
    (b"joe-\xff\n", b"n"), (b"x" * 1024, b"n"), (b"x" * 1025, b"t"),
    (b"root-owned", b"t"), (b"other", b"t")])
def test_questions(home, joe, question, answer):
    home.assignments += [
        f"=root-owned:root:0:0:{joe}:-:no:",
        f"=other:other:{h.TEST_UID + 1}:{h.TEST_GID}:{joe}:-:no:"]
    home.write_assignments()
    helper(home)
    if b"\0" in question:
        # It is nobody's name: the alias, whose file name it cannot be.
        answer = ask(home, question)
        assert answer in (b"n", b"t")
        return
    assert ask(home, question) == answer


@pytest.mark.parametrize("count", [10, 24])
def test_silent_clients_do_not_block_the_others(home, joe, count):
    """Not at all, or not for long where they take all places."""
    helper(home)
    silent = []
    for _ in range(count):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(home.file(SOCKET))
        silent.append(s)
    assert ask(home, b"joe-no") == b"n"
    for s in silent:
        s.close()


def test_only_one_runs(home):
    helper(home)
    done = home.run("qmail-realrcpt")
    assert done.returncode == 111
    assert done.stderr == b"qmail-realrcpt: fatal: already running\n"


def test_it_takes_no_arguments(home):
    assert home.run("qmail-realrcpt", "x").returncode == 100


# -- under separate users ------------------------------------------------
DIALOGUE = """\
cd "$1"; shift
bin/qmail-realrcpt & helper=$!
n=0
until /usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect("run/realrcpt")' 2>/dev/null
do n=$((n + 1)); [ $n -lt 400 ]; sleep 0.1; done
stat -c '%U %G %a' run/realrcpt
setpriv --reuid=$DAEMON --regid=$NOFILES --clear-groups -- bin/qmail-smtpd
setpriv --reuid=$JOE --regid=$JOE --clear-groups -- /usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
try: s.connect("run/realrcpt"); print("connected")
except PermissionError: print("denied")'
kill $helper
"""


@needs_root
def test_private_homes_are_looked_into_by_the_helper(scratch, bin_dir):
    os.chown(scratch, 0, 0)
    made = RootHome(scratch, bin_dir)
    joe = os.path.join(scratch, "home/joe")
    for name in (".qmail-yes", ".qmail-private"):
        write_file(os.path.join(joe, name), "./Maildir/\n", 0o600)
        os.chown(os.path.join(joe, name), JOE, NOFILES)
    os.chmod(joe, 0o700)
    write_file(os.path.join(made.path, "alias/.qmail-postmaster"), "&x\n")
    for name, text in (("locals", "a.example\n"), ("rcpthosts", "a.example\n"),
                       ("realrcptto", "1\n")):
        write_file(made.file("control/" + name), text)
    recipients = ["testjoe", "testjoe-yes", "testjoe-no", "testjoe-private",
                  "nobody-at-all", "postmaster"]
    script = (f"mount --bind {made.base}/passwd /etc/passwd && "
              f"mount --bind {made.base}/group /etc/group && {DIALOGUE}")
    done = subprocess.run(
        ["unshare", "-m", "-p", "--fork", "--mount-proc", "--kill-child",
         "timeout", "90", "sh", "-c", script, "sh", made.path],
        input="MAIL FROM:<>\r\n" + "".join(
            f"RCPT TO:<{r}@a.example>\r\n" for r in recipients) + "QUIT\r\n",
        capture_output=True, text=True, timeout=120,
        env={"PATH": "/usr/bin:/bin", "QMAILHOME": made.path,
             "DAEMON": str(DAEMON), "NOFILES": str(NOFILES),
             "JOE": str(JOE)})
    lines = done.stdout.splitlines()
    assert lines[0] == "root nofiles 660", done
    assert lines[3:9] == [GOOD, GOOD, BAD, GOOD, BAD, GOOD], done
    assert lines[-1] == "denied"
