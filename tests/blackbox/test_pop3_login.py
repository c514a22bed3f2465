"""POP3 before the login: dialogues, limits, hostile clients, the log."""
import base64
import glob
import os
import re
import signal
import subprocess
import time

import pytest

import home as h
from pop3_driver import Pop3
from smtpd_driver import replay

# Seconds of auth/timeout, of which the first are enough for most machines.
PATIENCE = (1, 6, 30)
HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture
def popup(home):
    sessions = []
    home.maildir(home.file("home", "joe", "Maildir"))

    def start(**more):
        session = Pop3(home, **more)
        sessions.append(session)
        return session

    yield start
    for session in sessions:
        session.close()


@pytest.fixture
def clear(home):
    """Clear passwords are allowed, and refusals come at once."""
    home.control("auth/pop3", "63\n")
    home.control("auth/delay", "0\n")


@pytest.mark.parametrize("path", sorted(
    glob.glob(os.path.join(HERE, "transcripts", "pop3", "*.txt"))),
    ids=os.path.basename)
def test_pop3_transcript(path, home, popup):
    replay(path, home, popup)


# -- what the checker is told ----------------------------------------------
def test_checker_is_told_each_mechanism(home, popup, clear):
    s = popup()
    s.ask(b"USER joe@x")
    s.ask(b"PASS  my  pass ")
    assert s.seen() == ["joe@x", " my  pass ", "", "plain"]
    s = popup()
    stamp = s.greeting[4:].decode()
    s.ask(b"APOP eve " + b"AB" * 16)
    assert s.seen() == ["eve", "ab" * 16, stamp, "apop"]
    s = popup()
    challenge = s.ask(b"AUTH CRAM-MD5")[2:]
    assert s.ask(b"ZXZlIDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm") == (
        b"-ERR [AUTH] authorization failed")
    assert s.seen()[0] == "eve" and s.seen()[3] == "cram-md5"
    assert s.seen()[1] == base64.b64decode(challenge).decode()
    assert s.seen()[2] == "0123456789abcdef" * 2


def test_challenges_never_repeat(popup, clear):
    seen = {popup().ask(b"AUTH CRAM-MD5") for _ in range(8)}
    s = popup()
    for _ in range(8):
        seen.add(s.ask(b"AUTH CRAM-MD5"))
        s.ask(b"*")
    assert len(seen) == 16


# -- time ------------------------------------------------------------------
def test_refusals_are_delayed(home, popup, clear):
    """All answers before come at once, this one does not."""
    home.control("auth/delay", "1\n")
    s = popup()
    started = time.monotonic()
    assert s.login(b"eve") == b"-ERR [AUTH] authorization failed"
    assert time.monotonic() - started >= 1


def test_delay_ends_with_the_client(home, popup, clear):
    home.control("auth/delay", "60\n")
    s = popup()
    s.ask(b"USER eve")
    s.send(b"PASS x\r\n")
    h.wait_for(lambda: "AUTHFAILED" in s.log(), "the refusal")
    s.socket.close()
    assert s.process.wait(45) == 1  # long before the delay is over


def test_hanging_checker_is_ended(home, popup, clear):
    """Whatever it has started, too."""
    for seconds in PATIENCE:
        home.control("auth/timeout", f"{seconds}\n")
        s = popup()
        assert s.login(b"hang") == (
            b"-ERR [SYS/TEMP] authorization failed for now")
        assert ("AUTHFAILED: 192.0.2.7 plain temporary failure <hang>"
                in s.log())
        assert "no end in time" in s.log()
        said = s.login(b"joe")  # the session goes on
        if said == b"+OK ":
            break
        s.close()
    assert said == b"+OK "
    assert s.ask(b"QUIT") == b"+OK "
    assert s.at_end()
    assert s.process.wait(h.DEADLINE) == -signal.SIGKILL
    for name in os.listdir("/proc"):  # the sleep that it ran
        if name.isdigit():
            try:
                with open(f"/proc/{name}/environ") as f:
                    assert f"QMAILHOME={home.path}\0" not in f.read()
            except OSError:
                pass


def test_session_outlasts_the_checkers_time(home, popup, clear):
    for seconds in PATIENCE:
        home.control("auth/timeout", f"{seconds}\n")
        s = popup()
        said = s.login()
        if said == b"+OK ":
            break
    assert said == b"+OK "
    time.sleep(seconds + 0.5)
    assert s.ask(b"STAT") == b"+OK 0 0"
    # The server; the front is gone.
    h.wait_for(lambda: len(children(s.process.pid)) == 1, "one child")
    assert s.ask(b"QUIT") == b"+OK "
    assert s.at_end() and s.process.wait(h.DEADLINE) == 1


def test_time_limits_are_taken_over(home, popup, clear):
    home.control("timeoutpop3d", "77\n")
    home.control("pop3maxsession", "88\n")
    probe = h.write_file(home.file("probe"), """#!/bin/sh
echo "$POP3TIMEOUT $POP3MAXSESSION" >probed
""", 0o755)
    s = popup(server=[probe])
    s.login()
    assert s.at_end()
    with open(home.file("home", "joe", "probed")) as f:
        assert f.read() == "77 88\n"


@pytest.mark.parametrize("when", ["before", "after"])
def test_idle_client_is_left(home, popup, clear, when):
    """A byte now and then does not help."""
    home.control("timeoutpop3d", "2\n")
    s = popup()
    if when == "after":
        assert s.login() == b"+OK "
    started = time.monotonic()
    try:
        while time.monotonic() - started < h.DEADLINE:
            time.sleep(0.3)
            s.send(b"N")
    except OSError:
        pass  # it has gone
    assert s.at_end()
    assert 1.9 <= time.monotonic() - started < h.DEADLINE


# -- hostile clients -------------------------------------------------------
def test_broken_control_is_told(home, popup):
    home.control("auth/pop3", "sixty\n")
    s = popup()
    assert s.greeting == b"-ERR [SYS/TEMP] unable to read controls"
    assert s.at_end() and "control/auth/pop3 line 1" in s.log()


def test_endless_response(home, popup, clear):
    s = popup()
    assert s.ask(b"AUTH PLAIN") == b"+ "
    for _ in range(8):
        s.send(b"A" * (1 << 17))
    assert s.ask(b"") == b"-ERR syntax error"
    assert s.ask(b"NOOP") == b"+OK "


def test_names_that_are_none(home, popup, clear):
    """Neither reaches a checker: NUL, controls, too long, empty."""
    s = popup()
    for argument in (b"AGpvAGUAeA==",       # NUL jo NUL e NUL x
                     b"AGpvCmUAeA==",       # jo LF e
                     b"AABwYXNz"):          # no name
        assert s.ask(b"AUTH PLAIN " + argument).startswith(b"-ERR")
        s.close()
        s = popup()
    assert s.login(b"u" * 300) == b"-ERR [AUTH] authorization failed"
    assert not os.path.exists(home.file("seen"))


def test_log_goes_into_no_pipe(home, popup, clear):
    """Numbers that nobody has opened are soon those of our own."""
    home.control("log/pop3_in", "1\n")
    home.control("log/pop3_out", "1\n")
    for fd in range(3, 11):
        home.control("log/pop3_fd", f"{fd}\n")
        session = popup()
        assert session.login() == b"+OK ", fd
        assert session.ask(b"QUIT") == b"+OK ", fd
        assert session.log() == ("qmail-popup: warning: control/log/pop3_fd: "
                                 f"descriptor {fd} is not open\n")
        os.unlink(session.log_path)


def test_log_line_cannot_be_forged(home, popup, clear):
    s = popup()
    s.login(b"eve> LOGIN: 192.0.2.1 plain <joe")
    assert re.search(r"AUTHFAILED: 192\.0\.2\.7 plain refused "
                     r"<eve> LOGIN: 192\.0\.2\.1 plain <joe>$", s.log(), re.M)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(pid) for pid in f.read().split()]


def status(pid, field):
    with open(f"/proc/{pid}/status") as f:
        return re.search(rf"^{field}:[ \t]*(.*)$", f.read(), re.M).group(1)


def test_front_has_no_rights(home, popup, clear):
    """Two processes: the one that reads the socket can start nothing."""
    s = popup()
    front, = children(s.process.pid)
    if "SANITIZE" not in os.environ:
        assert status(front, "NoNewPrivs") == "1"
        assert status(front, "Seccomp") == "2"
    assert s.ask(b"QUIT") == b"+OK "
    assert s.at_end() and s.process.wait(h.DEADLINE) == 1


# As root, with accounts of its own, in a mount namespace.
AS_ROOT = ["unshare", "-m", "sh", "-c", """
mount --bind passwd /etc/passwd && exec "$@" """, "sh"]


@pytest.fixture
def as_root(home, popup, clear):
    if os.geteuid() != 0 or subprocess.run(
            ["unshare", "-m", "true"], capture_output=True).returncode != 0:
        pytest.skip("needs root and a mount namespace")
    h.write_file(home.file("passwd"), "root:x:0:0::/:/bin/sh\n"
                 "qmaild:x:4715:4716::/:/bin/false\n")
    os.makedirs(home.file("run", "empty"))
    # a checker that becomes a user, as they do
    user = ["setpriv", "--reuid", str(h.TEST_UID), "--regid",
            str(h.TEST_GID), "--clear-groups"]

    def start(*server, **more):
        return popup(prefix=AS_ROOT, server=[*user, *server], **more)

    return start


def test_front_of_root_is_nobody(home, as_root):
    s = as_root(os.path.join(home.bin, "qmail-pop3d"), "Maildir")
    front, = children(s.process.pid)
    assert status(s.process.pid, "Uid").split() == ["0"] * 4
    assert status(front, "Uid").split() == ["4715"] * 4
    assert status(front, "Gid").split() == ["4716"] * 4
    assert status(front, "Groups").strip() == ""
    assert os.path.realpath(os.readlink(f"/proc/{front}/root")) == (
        os.path.realpath(home.file("run", "empty")))
    assert s.login() == b"+OK "
    assert s.ask(b"STAT") == b"+OK 0 0"
    assert s.ask(b"QUIT") == b"+OK "


@pytest.mark.parametrize("missing", ["account", "directory"])
def test_front_of_root_that_cannot_give_up_rights(home, as_root, missing):
    if missing == "account":
        h.write_file(home.file("passwd"), "root:x:0:0::/:/bin/sh\n")
    else:
        os.rmdir(home.file("run", "empty"))
    s = as_root("true")
    assert s.greeting.startswith(b"-ERR [SYS/TEMP] unable to ")
    assert s.at_end()


def test_server_of_others_outlasts_the_checkers_time(home, as_root):
    """It says nothing to us, but is no longer root."""
    for seconds in PATIENCE:
        home.control("auth/timeout", f"{seconds}\n")
        s = as_root("sh", "-c", "printf '+OK hello\\r\\n'; read -r word;"
                    "printf '+OK %s\\r\\n' \"$word\"; exit 7")
        said = s.login()
        if said == b"+OK hello":
            break
        os.unlink(s.log_path)
    assert said == b"+OK hello"
    h.wait_for(lambda: "LOGIN: 192.0.2.7 plain <joe>" in s.log(), "LOGIN")
    assert s.ask(b"NOOP").startswith(b"+OK NOOP")
    assert s.at_end() and "AUTHFAILED" not in s.log()


def test_server_of_others_with_a_bad_end(home, as_root):
    """No failed login, for those who count them."""
    s = as_root("sh", "-c", "printf '+OK hello\\r\\n'; exit 7")
    assert s.login() == b"+OK hello"
    assert s.at_end() and "AUTHFAILED" not in s.log()
    assert "LOGIN: 192.0.2.7 plain <joe>" in s.log()


@pytest.mark.parametrize("end", ["exit 1", "exit 111", "kill -9 $$"])
def test_checker_that_is_no_longer_root_refuses(home, as_root, end):
    """Rights are given up before the password is looked for: no proof."""
    logins = h.make_dirs(home.file("opensmtp"))
    home.control("opensmtp", logins + "\n")
    s = as_root("sh", "-c", end)
    assert s.login().startswith(b"-ERR [AUTH]" if end == "exit 1" else
                                b"-ERR [SYS/TEMP]")
    assert "AUTHFAILED: 192.0.2.7 plain" in s.log()
    assert "LOGIN" not in s.log() and os.listdir(logins) == []


def test_way_to_qmail_tlsd_is_not_ours(home, popup, clear):
    """$QMAILTLS is for qmail-smtpd: the front has no rights to use it."""
    user = ["setpriv", "--reuid", str(h.TEST_UID), "--regid",
            str(h.TEST_GID), "--clear-groups"] if h.ROOT else []
    s = popup(prefix=[*user, "sh", "-c", 'exec "$@" 9<>/dev/null', "sh"],
              QMAILTLS="9")
    assert "STLS" not in s.capa()
    assert s.ask(b"STLS") == b"-ERR no TLS here"
    assert s.login() == b"+OK "


def test_front_that_is_killed_ends_the_session(home, popup, clear):
    s = popup()
    os.kill(children(s.process.pid)[0], signal.SIGKILL)
    assert s.process.wait(h.DEADLINE) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_passwords_are_forgotten_at_once(home, popup, clear):
    """While the checker runs, nobody else has them in memory."""
    secret = b"rosebud-7f3a9c-rosebud"
    s = popup()
    s.ask(b"USER hang")
    s.send(b"PASS " + secret + b"\r\n")
    h.wait_for(lambda: os.path.exists(home.file("seen")), "the checker")
    assert s.seen()[1].encode() == secret
    looked = 0
    for pid in [s.process.pid, *children(s.process.pid)]:
        with open(f"/proc/{pid}/comm") as f:
            if f.read() != "qmail-popup\n":
                continue
        looked += 1
        assert not holds(pid, secret), pid
    assert looked == 2
    os.killpg(s.process.pid, signal.SIGKILL)


def holds(pid, secret):
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            low, high = (int(n, 16) for n in line.split()[0].split("-"))
            if "rw" not in line.split()[1] or high - low > 1 << 26:
                continue
            mem.seek(low)
            try:
                if secret in mem.read(high - low):
                    return True
            except OSError:
                pass
    return False
