"""POP3: qmail-popup, checkpassword and qmail-pop3d, over TCP and pipes."""
import fcntl
import hashlib
import os
import poplib
import re
import select
import shutil
import socket
import subprocess
import time

import pytest

import home as h
from hash_work import HashWork

# crypt(3) of "secret"
HASH = ("$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDe"
        "hy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1")
OLD = 1600000000
STRACE = shutil.which("strace")
SANITIZED = bool(os.environ.get("SANITIZE"))
CAPABILITIES = ["AUTH-RESP-CODE", "TOP", "UIDL", "PIPELINING", "RESP-CODES",
                "EXPIRE NEVER", "LOGIN-DELAY 0", "IMPLEMENTATION qmail-md"]


def put(maildir, name, text, mtime=OLD):
    path = os.path.join(maildir, name)
    h.write_file(path, text, 0o600)
    os.utime(path, (mtime, mtime))


@pytest.fixture
def maildir(home):
    return home.maildir(home.file("home", "joe", "Maildir"))


class Talk:
    """A program with pipes on descriptors 0 and 1."""

    def __init__(self, home, argv, env=None, **more):
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, cwd=more.pop("cwd", home.path),
            env=home.environment(**(env or {})), **h.ids_arguments(), **more)
        self.buffer = b""

    def send(self, data):
        os.write(self.process.stdin.fileno(), data)

    def chunk(self, seconds=h.DEADLINE):
        """What one read(2) gives."""
        fd = self.process.stdout.fileno()
        assert select.select([fd], [], [], seconds)[0], "no answer"
        return os.read(fd, 1 << 20)

    def line(self):
        while b"\n" not in self.buffer:
            got = self.chunk()
            if not got:
                raise EOFError(self.buffer)
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\n", 1)
        assert line.endswith(b"\r"), line
        return line[:-1]

    def ask(self, text):
        self.send(text + b"\r\n")
        return self.line()

    def lines(self):
        """A multi-line answer without its status and its dot."""
        found = []
        while True:
            line = self.line()
            if line == b".":
                return found
            found.append(line)

    def end(self):
        """Closes its input; what it still says and its exit code."""
        out, err = self.process.communicate(timeout=h.DEADLINE)
        return self.buffer + out, err, self.process.returncode


@pytest.fixture
def talk(home):
    started = []

    def start(argv, **more):
        t = Talk(home, argv, **more)
        started.append(t)
        return t

    yield start
    for t in started:
        if t.process.poll() is None:
            t.process.kill()
        t.process.communicate(timeout=h.DEADLINE)


@pytest.fixture
def pop3d(home, maildir, talk):
    def start(**more):
        t = talk([os.path.join(home.bin, "qmail-pop3d"), "Maildir"],
                 cwd=home.file("home", "joe"), **more)
        assert t.line() == b"+OK "
        return t

    return start


@pytest.fixture
def checker(home):
    """A subprogram that notes descriptor 3 and exits as it is told."""
    path = home.file("checker")
    h.write_file(path, """#!/bin/sh
cat <&3 > seen.tmp
ls /proc/$$/fd > fds
echo "$SASL" > sasl
printf '%s|' "$@" > args
mv seen.tmp seen
exec 3<&-
[ "$1" = run ] && { shift; exec "$@"; }
[ "$1" = die ] && kill -9 $$
exit $1
""", 0o755)
    return path


@pytest.fixture
def popup(home, checker, talk):
    home.control("auth/pop3", "63\n")
    home.control("auth/delay", "0\n")

    def start(*args, greeting=True, **more):
        t = talk([os.path.join(home.bin, "qmail-popup"), "pop.example",
                  checker, *args], **more)
        t.greeting = t.line() if greeting else None
        return t

    return start


def seen(home, name="seen"):
    path = home.file(name)
    h.wait_for(lambda: os.path.exists(path), path)
    with open(path, "rb") as f:
        return f.read()


def peak_kib(process):
    with open(f"/proc/{process.pid}/status") as f:
        for line in f:
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


# -- before the login ------------------------------------------------------
def test_popup_greets_with_a_stamp(popup):
    """Which nobody can tell before: its first number is a random one."""
    numbers = []
    for _ in range(8):
        t = popup("0")
        stamp = re.fullmatch(rb"\+OK <([0-9]+)\.([0-9]+)@pop\.example>",
                             t.greeting)
        assert abs(int(stamp.group(2)) - time.time()) < 60
        assert t.ask(b"quit") == b"+OK "
        assert t.end()[2] == 1
        numbers.append(int(stamp.group(1)))
    assert len(set(numbers)) == 8
    assert 1 << 40 < max(numbers) < 1 << 63


@pytest.mark.skipif(STRACE is None or SANITIZED,
                    reason="needs strace, no sanitizer")
def test_popup_without_random_bytes(home, checker, talk):
    """The filter of system calls, the second prctl of the process that talks
    to clients, would take the failure for a call that there is not."""
    t = talk([STRACE, "-f", "-qq", "-o", "/dev/null",
              "-e", "trace=getrandom,prctl",
              "-e", "inject=getrandom:error=EIO",
              "-e", "inject=prctl:error=EINVAL:when=2",
              os.path.join(home.bin, "qmail-popup"), "pop.example", checker,
              "0"])
    assert t.line() == b"-ERR [SYS/TEMP] no random bytes"
    assert t.end() == (b"", b"", 1)


@pytest.mark.skipif(not h.MAY_ALLOW_CORES, reason="no core files here")
def test_popup_leaves_no_core_file(home, checker, talk):
    """Of the process that talks to clients; the other one has no limit that
    a mail server would inherit."""
    t = talk([*h.ALLOW_CORES, os.path.join(home.bin, "qmail-popup"),
              "pop.example", checker, "0"])
    assert t.line().startswith(b"+OK <")
    with open(f"/proc/{t.process.pid}/task/{t.process.pid}/children") as f:
        (front,) = f.read().split()
    assert h.core_limit(front) == "0"
    assert h.core_limit(t.process.pid) == "4096"


def test_popup_usage(home, talk):
    for args in ([], ["host"]):
        t = talk([os.path.join(home.bin, "qmail-popup"), *args])
        assert t.line() == b"-ERR usage: popup hostname subprogram"
        assert t.end()[2] == 1


def test_popup_dialogue(popup):
    t = popup("0")
    for ask, answer in (
        (b"STAT", b"-ERR authorization first"),
        (b"", b"-ERR authorization first"),
        (b"PASS x", b"-ERR USER first"),
        (b"USER", b"-ERR syntax error"),
        (b"USER  ", b"-ERR syntax error"),
        (b"noop", b"+OK "),
        (b"uSeR joe", b"+OK "),
        (b"PASS", b"-ERR syntax error"),
        (b"PASS ", b"-ERR syntax error"),
        (b"APOP joe", b"-ERR syntax error"),
        (b"APOP", b"-ERR syntax error"),
        (b"US\0ER joe", b"-ERR syntax error"),
        (b"USER joe\rx", b"-ERR syntax error"),
        (b"USER " + b"x" * 600, b"-ERR line too long"),
    ):
        assert t.ask(ask) == answer, ask
    assert t.ask(b"QUIT") == b"+OK "
    assert t.end() == (b"", b"", 1)


def test_popup_hands_over_user_and_password(home, popup):
    t = popup("1", "two words")
    t.ask(b"USER joe@x")
    assert t.ask(b"PASS  my  pass ") == b"-ERR [AUTH] authorization failed"
    assert t.end()[2] == 1
    assert seen(home) == b"joe@x\0 my  pass \0\0"
    assert seen(home, "args") == b"1|two words|"
    assert seen(home, "sasl") == b"plain\n"


def test_popup_hands_over_apop(home, popup):
    t = popup("1")
    stamp = t.greeting[4:]
    digest = hashlib.md5(stamp + b"secret").hexdigest().encode()
    t.send(b"APOP joe " + digest + b"\n")
    assert t.line() == b"-ERR [AUTH] authorization failed"
    assert seen(home) == b"joe\0" + digest + b"\0" + stamp + b"\0"
    assert seen(home, "sasl") == b"apop\n"


@pytest.mark.parametrize("how, answer", [
    ("1", b"-ERR [AUTH] authorization failed"),
    ("3", b"-ERR [SYS/TEMP] authorization failed for now"),
    ("2", b"-ERR [SYS/TEMP] authorization failed for now"),
    ("111", b"-ERR [SYS/TEMP] authorization failed for now"),
    ("die", b"-ERR [SYS/TEMP] aack, child crashed"),
    ("0", None),
])
def test_popup_tells_how_it_ended(popup, how, answer):
    t = popup(how)
    t.ask(b"USER joe")
    t.send(b"PASS x\r\n")
    if answer is not None:
        assert t.line() == answer
        assert t.ask(b"NOOP") == b"+OK "  # another try
    out, err, code = t.end()
    assert (out, code) == (b"", 1)
    assert b" LOGIN: " in err if answer is None else b"AUTHFAILED" in err


def test_popup_subprogram_missing(home, talk):
    home.control("auth/pop3", "63\n")
    t = talk([os.path.join(home.bin, "qmail-popup"), "x", "/nonexistent"])
    t.line()
    t.ask(b"USER joe")
    assert t.ask(b"PASS x") == b"-ERR [SYS/TEMP] authorization failed for now"


def test_popup_limits_the_secret(home, popup):
    """Together at most 512 bytes; more never reaches the subprogram."""
    for extra, answer in ((0, b"-ERR [AUTH] authorization failed"),
                          (1, b"-ERR [AUTH] authorization failed")):
        t = popup("1")
        t.ask(b"USER " + b"u" * 255)
        assert t.ask(b"PASS " + b"p" * (254 + extra)) == answer
        t.end()
        if extra == 0:
            assert len(seen(home)) == 512
            os.unlink(home.file("seen"))
    assert not os.path.exists(home.file("seen"))


def test_popup_pipelined_commands_reach_the_server(home, popup, maildir):
    put(maildir, "new/1", "Subject: x\n\nbody\n")
    t = popup("run", os.path.join(home.bin, "qmail-pop3d"),
              home.file("home/joe/Maildir"))
    t.send(b"CAPA\r\nUSER joe\r\nPASS secret\r\nSTAT\r\nDELE 1\r\nQUIT\r\n")
    out, err, code = t.end()
    assert b" LOGIN: " in err and code == 1
    assert out.endswith(b".\r\n+OK \r\n+OK \r\n+OK 1 17\r\n+OK \r\n+OK \r\n")
    assert not os.listdir(os.path.join(maildir, "new"))


def test_popup_leaks_no_descriptor_and_no_secret(home, checker, talk):
    """The subprogram has few descriptors; who started it forgot the password."""
    home.control("auth/pop3", "63\n")
    h.write_file(checker, """#!/usr/bin/python3
import os, sys
secret = os.read(3, 600).split(b"\\0")[1]
fds = set(os.listdir("/proc/self/fd"))
found = "hidden"
parent = os.getppid()
with open(f"/proc/{parent}/task/{parent}/children") as f:
    pids = [parent] + [int(p) for p in f.read().split()]
pids.remove(os.getpid())
assert len(pids) == 2 # the keeper and the front
try:
    for pid in pids:
        with open(f"/proc/{pid}/maps") as maps:
            ranges = [line.split()[0].split("-") for line in maps
                      if "rw-p" in line]
        with open(f"/proc/{pid}/mem", "rb", 0) as mem:
            found = "no" if found == "hidden" else found
            for low, high in ranges:
                low, high = int(low, 16), int(high, 16)
                if high - low > 1 << 26: # the sanitizer's shadow
                    continue
                mem.seek(low)
                data = mem.read(high - low)
                if secret in data:
                    found = f"yes-{pid == parent}"
except PermissionError:
    pass
with open("report.tmp", "w") as f:
    f.write(f"{found} {'77' in fds} {'3' in fds}")
os.rename("report.tmp", "report")
sys.exit(1)
""", 0o755)
    null = os.open("/dev/null", os.O_RDONLY)
    spare = fcntl.fcntl(null, fcntl.F_DUPFD, 77)
    assert spare == 77
    t = talk([os.path.join(home.bin, "qmail-popup"), "x", checker],
             pass_fds=(spare,))
    os.close(spare)
    os.close(null)
    t.line()
    t.ask(b"USER joe")
    t.ask(b"PASS rosebud-7f3a9c-rosebud")
    report = seen(home, "report").decode().split()
    assert report[1:] == ["False", "True"]
    assert report[0] in ("no", "hidden")


def test_popup_junk_ends_the_session(popup):
    t = popup("0")
    t.send(b"x\r\n" * 60)
    out, _, code = t.end()
    assert out.count(b"-ERR authorization first\r\n") == 51
    assert out.endswith(b"-ERR too many bad commands\r\n")
    assert code == 1


def test_popup_memory_is_bounded(popup):
    t = popup("0")
    before = peak_kib(t.process)
    for _ in range(8):
        t.send(b"A" * (1 << 18))
    assert t.ask(b"") == b"-ERR line too long"
    assert peak_kib(t.process) - before < 512


def test_popup_eof(popup):
    t = popup("0")
    t.send(b"USER jo")
    assert t.end() == (b"", b"", 1)


def test_popup_refuses_a_broken_control(home, popup):
    home.control("pop3maxsession", "long\n")
    t = popup("0")
    assert t.greeting == b"-ERR [SYS/TEMP] unable to read controls"
    assert b"pop3maxsession" in t.end()[1]


# -- checkpassword ---------------------------------------------------------
def check(home, fields, *prog, env=None):
    """Runs checkpassword with these bytes on descriptor 3."""
    read, write = os.pipe()
    os.write(write, fields)
    os.close(write)
    script = f"exec 3<&{read}; exec \"$@\""
    try:
        return subprocess.run(
            ["bash", "-c", script, "sh",
             os.path.join(home.bin, "checkpassword"), *prog],
            capture_output=True, pass_fds=(read,), cwd="/",
            env=home.environment(**(env or {})), timeout=h.DEADLINE,
            **h.ids_arguments())
    finally:
        os.close(read)


@pytest.fixture
def poppasswd(home, maildir):
    h.write_file(home.file("users", "poppasswd"),
                 f"# who may fetch\njoe:{HASH}:home/joe\n", 0o600)
    return home.file("users", "poppasswd")


def test_checkpassword_accepts(home, poppasswd):
    done = check(home, b"joe\0secret\0\0", "sh", "-c",
                 'echo "$USER $HOME $SHELL $PWD"; ls /proc/$$/fd')
    lines = done.stdout.decode().split("\n")
    joe = home.file("home", "joe")
    assert lines[0] == f"joe {joe} /bin/false {joe}", done
    assert "3" not in lines[1:]


@pytest.mark.parametrize("fields, code", [
    (b"joe\0wrong\0\0", 1),
    (b"joe\0\0\0", 1),
    (b"joe\0" + HASH.encode() + b"\0\0", 1),
    (b"eve\0secret\0\0", 1),
    (b"joe:x\0secret\0\0", 1),
    (b"# who may fetch\0secret\0\0", 1),
    (b"joe\0secret", 2),
    (b"joe\0secret\0", 2),
    (b"", 2),
    (b"joe\0secret\0" + b"x" * 600 + b"\0", 2),
])
def test_checkpassword_refuses(home, poppasswd, fields, code):
    done = check(home, fields, "echo", "in")
    assert (done.returncode, done.stdout) == (code, b""), done
    assert b"secret" not in done.stderr


def test_checkpassword_misuse(home, poppasswd):
    assert check(home, b"joe\0secret\0\0").returncode == 2
    done = home.run("checkpassword", "true")
    assert done.returncode == 2 and b"descriptor 3" in done.stderr


def test_checkpassword_only_clear_passwords(home, poppasswd):
    for sasl, code in (("plain", 0), ("LOGIN", 0), ("apop", 1),
                       ("cram-md5", 1)):
        done = check(home, b"joe\0secret\0\0", "true", env={"SASL": sasl})
        assert done.returncode == code, sasl


def test_checkpassword_wants_a_hidden_file(home, poppasswd):
    os.chmod(poppasswd, 0o640)
    done = check(home, b"joe\0secret\0\0", "true")
    assert done.returncode == 111
    os.unlink(poppasswd)
    assert check(home, b"joe\0secret\0\0", "true").returncode == 111


@pytest.mark.skipif(bool(os.environ.get("SANITIZE")),
                    reason="sanitizers want to be the first library")
def test_checkpassword_wrong_user_costs_as_much(home, poppasswd, scratch):
    slow = HASH.replace("$6$", "$6$rounds=5001$")
    h.write_file(poppasswd, f"joe:{slow}:home/joe\n", 0o600)
    work = HashWork(scratch)
    for fields in (b"joe\0x\0\0", b"eve\0x\0\0", b"joe:x\0x\0\0"):
        def refused(said=fields):
            assert check(home, said, "true",
                         env=work.environment).returncode == 1

        assert work.of(refused) == [("crypt", "6", "rounds=5001")]


# -- after the login -------------------------------------------------------
def test_pop3_session_by_poplib(home, poppasswd, maildir):
    put(maildir, "new/100.1.h", "Subject: one\n\n.dot\n..two\nend\n", OLD)
    put(maildir, "cur/200.1.h:2,S", "Subject: two\n\nlast line", OLD + 1)
    put(maildir, "new/300.1.h,S=14", "Subject: three", OLD + 2)
    home.control("auth/pop3", "63\n")
    home.control("auth/delay", "0\n")
    port = home.pop3d()
    box = poplib.POP3("127.0.0.1", port, timeout=h.DEADLINE)
    before = box.capa()
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
        box.user("joe")
        box.pass_("wrong")
    box.close()
    box = poplib.POP3("127.0.0.1", port, timeout=h.DEADLINE)
    box.user("joe")
    box.pass_("secret")
    assert box.stat() == (3, 29 + 23 + 14)
    assert box.capa() == before
    # The name of the third begins with an old time, its size is told there.
    assert box.uidl()[1] == [b"1 300.1.h,S=14", b"2 100.1.h", b"3 200.1.h"]
    answer, lines, _ = box.retr(2)
    assert answer == b"+OK 29 octets"
    assert lines == [b"Subject: one", b"", b".dot", b"..two", b"end", b""]
    assert box.retr(3)[1] == [b"Subject: two", b"", b"last line", b""]
    box.dele(2)
    box.quit()
    assert os.listdir(os.path.join(maildir, "new")) == []
    assert sorted(os.listdir(os.path.join(maildir, "cur"))) == [
        "200.1.h:2,S", "300.1.h,S=14:2,"]


def test_pop3d_dialogue(pop3d, maildir):
    put(maildir, "new/a", "A: 1\n\n1\n2\n3\n", OLD)
    put(maildir, "new/b", "B: 1\n", OLD + 1)
    put(maildir, "cur/c:2,RS", "", OLD + 2)
    t = pop3d()
    for ask, answer in (
        (b"STAT", b"+OK 3 17"),
        (b"list 1", b"+OK 1 12"),
        (b"LIST  2 ", b"+OK 2 5"),
        (b"UIDL 3", b"+OK 3 c"),
        (b"LAST", b"+OK 0"),
        (b"LIST 0", b"-ERR messages are counted from 1"),
        (b"LIST 00", b"-ERR messages are counted from 1"),
        (b"LIST 4", b"-ERR not that many messages"),
        (b"LIST x", b"-ERR syntax error"),
        (b"LIST -1", b"-ERR syntax error"),
        (b"LIST 1 2", b"-ERR syntax error"),
        (b"LIST 18446744073709551617", b"-ERR not that many messages"),
        (b"RETR", b"-ERR syntax error"),
        (b"RETR 18446744073709551617", b"-ERR not that many messages"),
        (b"TOP 1 x", b"-ERR syntax error"),
        (b"DELE", b"-ERR syntax error"),
        (b"DELE 18446744073709551617", b"-ERR not that many messages"),
        (b"DELE 4294967297", b"-ERR not that many messages"),
        (b"DELE 2", b"+OK "),
        (b"DELE 2", b"-ERR already deleted"),
        (b"RETR 2", b"-ERR already deleted"),
        (b"LIST 2", b"-ERR already deleted"),
        (b"UIDL 2", b"-ERR already deleted"),
        (b"STAT", b"+OK 3 12"),
        (b"LAST", b"+OK 2"),
        (b"NOOP", b"+OK "),
        (b"USER joe", b"-ERR unimplemented"),
        (b"", b"-ERR unimplemented"),
    ):
        assert t.ask(ask) == answer, ask
    assert t.ask(b"LIST") == b"+OK "
    assert t.lines() == [b"1 12", b"3 0"]
    assert t.ask(b"UIDL") == b"+OK "
    assert t.lines() == [b"1 a", b"3 c"]
    assert t.ask(b"RSET") == b"+OK "
    assert t.ask(b"STAT") == b"+OK 3 17"
    assert t.ask(b"LAST") == b"+OK 0"
    assert t.ask(b"CAPA") == b"+OK "
    assert [x.decode() for x in t.lines()] == CAPABILITIES
    assert t.ask(b"QUIT") == b"+OK "
    assert t.end() == (b"", b"", 0)
    assert sorted(os.listdir(os.path.join(maildir, "cur"))) == [
        "a:2,", "b:2,", "c:2,RS"]


def test_pop3d_retr_and_top(pop3d, maildir):
    put(maildir, "new/a", "A: 1\n b\n\n1\n.\n\n4", OLD)
    put(maildir, "new/b", "", OLD + 1)
    put(maildir, "new/c", "no body", OLD + 2)
    put(maildir, "new/d", "\nbody\n", OLD + 3)
    put(maildir, "new/e", "A: 1\n\nx\ry\r\n.z\r.\n", OLD + 4)
    t = pop3d()
    whole = [b"A: 1", b" b", b"", b"1", b"..", b"", b"4", b""]
    for ask, status, lines in (
        (b"RETR 1", b"+OK 15 octets", whole),
        (b"TOP 1", b"+OK ", whole),
        (b"TOP 1 99", b"+OK ", whole),
        (b"TOP 1 18446744073709551617", b"+OK ", whole),
        (b"TOP 1 0", b"+OK ", [b"A: 1", b" b", b"", b""]),
        (b"TOP 1 2", b"+OK ", [b"A: 1", b" b", b"", b"1", b"..", b""]),
        (b"RETR 1 1", b"+OK ", [b"A: 1", b" b", b"", b"1", b""]),
        (b"RETR 2", b"+OK 0 octets", [b""]),
        (b"TOP 2 5", b"+OK ", [b""]),
        (b"TOP 3 0", b"+OK ", [b"no body", b""]),
        (b"TOP 4 0", b"+OK ", [b"", b""]),
        (b"TOP 4 1", b"+OK ", [b"", b"body", b""]),
        # No line end of ours without its dot rule.
        (b"RETR 5", b"+OK 16 octets",
         [b"A: 1", b"", b"x", b"y", b"..z", b"..", b""]),
    ):
        assert t.ask(ask) == status, ask
        assert t.lines() == lines, ask
    assert t.ask(b"LAST") == b"+OK 5"


def test_pop3d_answer_leaves_in_one_write(pop3d, maildir):
    put(maildir, "new/a", "A: 1\n\n" + "line\n" * 100)
    t = pop3d()
    t.send(b"RETR 1\r\n")
    assert t.chunk().endswith(b"\r\n.\r\n")
    t.send(b"STAT\r\nNOOP\r\nLIST\r\nSTA")
    assert t.chunk() == (b"+OK 1 506\r\n+OK \r\n+OK \r\n1 506\r\n.\r\n")
    t.send(b"T\r\n")
    assert t.chunk() == b"+OK 1 506\r\n"


def test_pop3d_without_quit_changes_nothing(pop3d, maildir):
    put(maildir, "new/a", "A: 1\n")
    t = pop3d()
    t.ask(b"DELE 1")
    assert t.end()[2] == 0
    assert os.listdir(os.path.join(maildir, "new")) == ["a"]


def test_pop3d_client_that_left_loses_nothing(home, pop3d, maildir):
    put(maildir, "new/a", "A: 1\n")
    t = pop3d()
    t.process.stdout.close()
    t.send(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
    t.process.stdin.close()
    t.process.wait(h.DEADLINE)
    assert os.listdir(os.path.join(maildir, "new")) == ["a"]
    t.process.stdin = t.process.stdout = None


def test_pop3d_quit_tells_what_it_could_not_unlink(pop3d, maildir):
    put(maildir, "new/a", "A: 1\n")
    t = pop3d()
    t.ask(b"DELE 1")
    os.rename(os.path.join(maildir, "new/a"), os.path.join(maildir, "cur/z"))
    assert t.ask(b"QUIT") == b"-ERR unable to unlink all deleted messages"
    assert t.line() == b"+OK "
    assert os.listdir(os.path.join(maildir, "cur")) == ["z"]


def test_pop3d_message_that_vanished(pop3d, maildir):
    put(maildir, "new/a", "A: 1\n")
    t = pop3d()
    os.unlink(os.path.join(maildir, "new/a"))
    assert t.ask(b"RETR 1") == b"-ERR unable to open that message"
    assert t.ask(b"NOOP") == b"+OK "


def test_pop3d_no_maildir(home, maildir, talk):
    program = os.path.join(home.bin, "qmail-pop3d")
    for args in ([], ["nowhere"]):
        t = talk([program, *args])
        assert t.line() == b"-ERR this user has no $HOME/Maildir"
        assert t.end()[2] == 0
    os.rmdir(os.path.join(maildir, "cur"))
    t = talk([program, maildir])
    assert t.line() == b"-ERR unable to scan $HOME/Maildir"
    assert t.end()[2] == 0


def test_pop3d_hostile_names(pop3d, maildir):
    put(maildir, "new/a\r\n+OK b\x01", "A: 1\n")
    t = pop3d()
    assert t.ask(b"UIDL 1") == b"+OK 1 a__+OK_b_"
    assert t.ask(b"DELE 1") == b"+OK "
    assert t.ask(b"QUIT") == b"+OK "
    assert os.listdir(os.path.join(maildir, "new")) == []


def test_pop3d_hostile_lines(pop3d, maildir):
    t = pop3d()
    before = peak_kib(t.process)
    for _ in range(8):
        t.send(b"RETR " + b"1" * (1 << 18))
    assert t.ask(b"") == b"-ERR line too long"
    assert t.ask(b"NO\0OP") == b"-ERR syntax error"
    assert t.ask(b"STAT\rSTAT") == b"-ERR syntax error"
    t.send(b"NOOP\n")
    assert t.line() == b"+OK "
    assert peak_kib(t.process) - before < 512
    t.send(b"\xff\xfe\r\n" * 60)
    out = t.end()[0]
    assert out.endswith(b"-ERR too many bad commands\r\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_pop3d_refuses_root(home, maildir):
    done = subprocess.run(
        [os.path.join(home.bin, "qmail-pop3d"), maildir],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=h.DEADLINE)
    assert done.returncode == 1 and done.stdout == b""
    assert done.stderr == b"qmail-pop3d invoked as uid 0, terminating\n"


@pytest.mark.parametrize("told", [True, False])
def test_pop3d_large_maildrop(pop3d, maildir, told):
    """50,000 messages: each answer in time, about 100 bytes each."""
    count = 50000
    put(maildir, "tmp/one", "")
    message = os.path.join(maildir, "tmp/one")
    for i in range(count):
        size = f",S={i % 100}" if told else ""
        os.link(message, os.path.join(
            maildir, "cur", f"{OLD + i}.M{i % 1000000}P77.mail.example{size}"))
    t = pop3d()
    assert t.ask(b"STAT") == b"+OK %d %d" % (
        count, sum(i % 100 for i in range(count)) if told else 0)
    assert t.ask(b"UIDL") == b"+OK "
    assert len(t.lines()) == count
    assert peak_kib(t.process) < 24 * 1024


def test_pop3_many_small_messages_wait_for_no_acknowledgement(
        home, poppasswd, maildir):
    for i in range(200):
        put(maildir, f"new/{i:04}", "Subject: x\n\n" + "body\n" * 400)
    home.control("auth/pop3", "63\n")
    port = home.pop3d()
    with socket.create_connection(("127.0.0.1", port), h.DEADLINE) as s:
        f = s.makefile("rb")
        f.readline()
        s.sendall(b"USER joe\r\nPASS secret\r\n")
        f.readline()
        f.readline()
        started = time.monotonic()
        for n in range(1000):
            s.sendall(b"RETR %d\r\n" % (n % 200 + 1))
            while f.readline() != b".\r\n":
                pass
        # They would be sent 40 ms later each.
        assert time.monotonic() - started < 30


def test_pop3d_pipelined_thousand(pop3d, maildir):
    put(maildir, "new/a", "Subject: x\n\nbody\n")
    t = pop3d()
    t.send(b"RETR 1\r\n" * 1000 + b"QUIT\r\n")
    out, _, code = t.end()
    assert out.count(b"+OK 17 octets\r\n") == 1000
    assert out.endswith(b".\r\n+OK \r\n") and code == 0


ACCOUNTS = r"""
set -e
dir=$1; checker=$2
mkdir -p $dir/home/joe
printf 'root:x:0:0::/root:/bin/sh\njoe:x:4711:4712::%s/home/joe:/bin/x\n' \
    $dir > $dir/passwd
printf 'old:x:4713:4712::/:/bin/x\nout:x:4714:4712::/:/bin/x\n' >> $dir/passwd
printf 'root:%s:1::::::\njoe:%s:1::::::\n' "$3" "$3" > $dir/shadow
printf 'old:%s:1:::::99:\nout:!%s:1::::::\n' "$3" "$3" >> $dir/shadow
printf 'joe:x:4712:\nmore:x:4719:joe\n' > $dir/group
for f in passwd shadow group; do mount --bind $dir/$f /etc/$f; done
try() {
	printf '%s\0%s\0\0' "$1" "$2" > $dir/fields
	code=0
	"$checker" sh -c 'id -u; id -g; id -G; pwd; echo $USER $HOME $SHELL' \
	    3< $dir/fields || code=$?
	echo "$1 $code"
}
try joe secret; try joe wrong; try eve secret; try root secret
try old secret; try out secret
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_checkpassword_system_accounts(session_dir, bin_dir, scratch):
    """Other accounts than this machine's, in a mount namespace of its own."""
    if subprocess.run(["unshare", "-m", "true"],
                      capture_output=True).returncode != 0:
        pytest.skip("no mount namespaces here")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", ACCOUNTS, "sh", scratch,
         os.path.join(bin_dir, "checkpassword"), HASH],
        capture_output=True, text=True, timeout=h.DEADLINE, cwd="/",
        stdin=subprocess.DEVNULL)
    home = os.path.join(scratch, "home/joe")
    assert done.stdout.split("\n") == [
        "4711", "4712", "4712 4719", home, f"joe {home} /bin/x", "joe 0",
        "joe 1", "eve 1", "root 1", "old 1", "out 1", ""], done
