"""forward, condredirect, bouncesaying, except, preline, maildirmake,
qreceipt, qbiff, maildir2mbox, maildirwatch."""
import os
import re
import signal
import struct
import subprocess
import tty

import pytest

import home as h
from local_user import MESSAGE, LocalUser

LINES = {"NEWSENDER": "new@x", "SENDER": "old@x",
         "DTLINE": "Delivered-To: joe@h\n",
         "RPLINE": "Return-Path: <old@x>\n",
         "UFLINE": "From old@x Sun Nov 22 01:18:25 2026\n"}


@pytest.fixture
def joe(scratch, bin_dir):
    return LocalUser(scratch, bin_dir)


def run(joe, *argv, env=None, **more):
    return joe.run(*argv, env={**LINES, **(env or {})}, **more)


def expect(done, code, stderr=b""):
    assert done.returncode == code, done
    assert re.fullmatch(stderr, done.stderr), done


# -- forward -----------------------------------------------------------------

def test_forward(joe):
    done = run(joe, "forward", "a@b", "c", "-x@y")
    expect(done, 0, rb"forward: qp \d+\n")
    assert joe.queued() == b"Delivered-To: joe@h\n" + MESSAGE
    assert joe.queued("envelope") == b"Fnew@x\0Ta@b\0Tc\0T-x@y\0\0"


@pytest.mark.parametrize("name", ["NEWSENDER", "DTLINE"])
def test_forward_outside_qmail_local(joe, name):
    done = run(joe, "forward", "a@b", env={name: None})
    expect(done, 100, f"forward: fatal: {name} not set\n".encode())
    assert joe.queued() is None


def test_forward_usage(joe):
    expect(run(joe, "forward"), 100, rb"forward: usage: forward .*\n")


@pytest.mark.parametrize("status,code,text", [
    (31, 100, rb"mail server permanently rejected message \(#5\.3\.0\)"),
    (53, 111, rb"qq write error or disk full \(#4\.3\.0\)")])
def test_forward_refused(joe, status, code, text):
    joe.fake_queue(f"exit {status}\n")
    expect(run(joe, "forward", "a@b"), code, b"forward: fatal: " + text +
           b"\n")


def test_forward_unreadable_message(joe):
    fd = os.open(joe.home, os.O_RDONLY)
    done = subprocess.run(
        [os.path.join(joe.bin, "forward"), "a@b"], stdin=fd,
        capture_output=True, timeout=h.DEADLINE,
        env=joe.environment(**LINES), **h.ids_arguments())
    os.close(fd)
    expect(done, 111, rb"forward: fatal: unable to read message: is a "
           rb"directory\n")
    assert joe.queued("envelope") in (None, b"")


# -- condredirect, bouncesaying, except --------------------------------------

def test_condredirect_yes(joe):
    done = run(joe, "condredirect", "a@b", "sh", "-c", "cat >/dev/null")
    expect(done, 99, rb"condredirect: qp \d+\n")
    assert joe.queued() == b"Delivered-To: joe@h\n" + MESSAGE
    assert joe.queued("envelope") == b"Fold@x\0Ta@b\0\0"


CONDITIONS = [("exit 1", 0), ("exit 99", 0), ("exit 100", 0),
              ("exit 111", 111), ("kill -9 $$", 111)]


@pytest.mark.parametrize("script,code", CONDITIONS)
def test_condredirect_no(joe, script, code):
    assert run(joe, "condredirect", "a@b", "sh", "-c",
               script).returncode == code
    assert joe.queued() is None


@pytest.mark.parametrize("script,code", CONDITIONS + [("exit 0", 100)])
def test_bouncesaying(joe, script, code):
    done = run(joe, "bouncesaying", "No such  user, 100%s", "sh", "-c", script)
    assert done.returncode == code
    assert (done.stderr == b"No such  user, 100%s\n") == (code == 100)


def test_bouncesaying_without_program(joe):
    expect(run(joe, "bouncesaying", "go away"), 100, b"go away\n")


@pytest.mark.parametrize("script,code", CONDITIONS + [("exit 0", 100)])
def test_except(joe, script, code):
    assert run(joe, "except", "sh", "-c", script).returncode == code


@pytest.mark.parametrize("argv", [
    ["condredirect", "a@b"], ["condredirect"], ["bouncesaying"], ["except"],
    ["preline"], ["maildirmake"]])
def test_usage(joe, argv):
    name = argv[0].encode()
    expect(run(joe, *argv), 100, name + rb": usage: " + name + rb" .*\n")


@pytest.mark.parametrize("argv", [
    ["condredirect", "a@b"], ["bouncesaying", "x"], ["except"], ["preline"]])
def test_program_that_is_not_there(joe, argv):
    """In doubt temporary: it may be there again tomorrow."""
    expect(run(joe, *argv, "no-such-program"), 111,
           argv[0].encode() + b": fatal: unable to run no-such-program: "
           b"file does not exist\n")
    assert joe.queued() is None


def test_condredirect_in_a_dot_qmail_file(joe):
    joe.put(".qmail", "|condredirect x@y grep -q '^Subject: test'\n"
            "./Mailbox\n")
    done = joe.deliver(sender="s@r")
    assert done.returncode == 0
    assert re.fullmatch(rb"did 0\+0\+1\n", done.stdout)
    assert joe.queued("envelope") == b"Fs@r\0Tx@y\0\0"
    assert not os.path.exists(joe.file("Mailbox"))


# -- preline -----------------------------------------------------------------

UF, RP, DT = (LINES[k].encode() for k in ("UFLINE", "RPLINE", "DTLINE"))


@pytest.mark.parametrize("options,prefix", [
    ([], UF + RP + DT), (["-f"], RP + DT), (["-r"], UF + DT),
    (["-d"], UF + RP), (["-frd"], b""), (["-frdFRD"], UF + RP + DT),
    (["-f", "-F", "-p", "--"], UF + RP + DT)])
def test_preline(joe, options, prefix):
    done = run(joe, "preline", *options, "cat")
    expect(done, 0)
    assert done.stdout == prefix + MESSAGE


def test_preline_big(joe):
    message = MESSAGE + b"x" * 1000000
    done = run(joe, "preline", "cat", stdin=message)
    assert done.stdout == UF + RP + DT + message


@pytest.mark.parametrize("status", [0, 1, 99, 100, 111])
def test_preline_exit_code(joe, status):
    done = run(joe, "preline", "sh", "-c", f"cat >/dev/null; exit {status}")
    expect(done, status)


def test_preline_crash(joe):
    expect(run(joe, "preline", "sh", "-c", "cat >/dev/null; kill -9 $$"), 111,
           b"preline: fatal: child crashed\n")


def test_preline_needs_only_what_it_writes(joe):
    expect(run(joe, "preline", "cat", env={"RPLINE": None}), 100,
           b"preline: fatal: RPLINE not set\n")
    expect(run(joe, "preline", "-r", "cat", env={"RPLINE": None}), 0)


def test_preline_reader_that_stops_early(joe):
    message = MESSAGE + b"x" * 1000000
    expect(run(joe, "preline", "true", stdin=message), 111,
           b"preline: fatal: unable to write to program: broken pipe\n")
    expect(run(joe, "preline", "-p", "true", stdin=message), 0)
    expect(run(joe, "preline", "-p", "sh", "-c", "exit 100", stdin=message),
           100)
    expect(run(joe, "preline", "sh", "-c", "exit 99", stdin=message), 99)


def test_preline_illegal_option(joe):
    expect(run(joe, "preline", "-x", "cat"), 100,
           rb"preline: illegal option -- x\npreline: usage: .*\n")


def test_preline_program_dies_of_a_closed_pipe(joe):
    """SIGPIPE is at its default in what we start."""
    done = run(joe, "preline", "grep", "SigIgn", "/proc/self/status",
               stdin=b"")
    ignored = int(done.stdout.split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1))


# -- maildirmake -------------------------------------------------------------

def test_maildirmake(joe):
    expect(joe.run("maildirmake", joe.file("M")), 0)
    for sub in ("", "tmp", "new", "cur"):
        mode = os.stat(os.path.join(joe.file("M"), sub)).st_mode
        assert mode & 0o7777 == 0o700
    expect(joe.run("maildirmake", joe.file("M")), 111,
           rb"maildirmake: fatal: unable to mkdir .*: file already exists\n")
    expect(joe.run("maildirmake", joe.file("no/M")), 111,
           rb"maildirmake: fatal: unable to mkdir .*: file does not exist\n")


# -- qreceipt ----------------------------------------------------------------

ASKING = (b"Received: x\nMessage-ID: <1@x>\nNotice-Requested-Upon-Delivery-To: "
          b"b@c,\n joe@h (Joe)\n\nbody\n")
NOTICE = (b"From: DELIVERY NOTICE SYSTEM <old@x>\nTo: <old@x>\n"
          b"Subject: success notice\n\n"
          b"Hi! This is the qreceipt program. Your message was delivered to "
          b"the\nfollowing address: joe@h. Thanks for asking.\n")


def test_qreceipt(joe):
    expect(run(joe, "qreceipt", "joe@h", stdin=ASKING), 0)
    assert joe.queued() == NOTICE + b"Your Message-ID: <1@x>\n"
    assert joe.queued("envelope") == b"F\0Told@x\0\0"


def test_qreceipt_without_message_id(joe):
    expect(run(joe, "qreceipt", "joe@h", stdin=ASKING.replace(
        b"Message-ID", b"X")), 0)
    assert joe.queued() == NOTICE


@pytest.mark.parametrize("address,sender,message", [
    ("joe@h", "", ASKING), ("joe@h", "#@[]", ASKING), ("joe", "a@b", ASKING),
    ("oe@h", "a@b", ASKING), ("joe@h", "a@b\nBcc: c@d", ASKING),
    ("joe@h", "a@b", MESSAGE),
    ("joe@h", "a@b", b"X: y\n\nNotice-Requested-Upon-Delivery-To: joe@h\n"),
    ("joe@h", "a@b", b"Notice-Requested-Upon-Delivery-To: <joe@h\n\n")])
def test_qreceipt_says_nothing(joe, address, sender, message):
    expect(run(joe, "qreceipt", address, stdin=message,
               env={"SENDER": sender}), 0)
    assert joe.queued() is None


def test_qreceipt_errors(joe):
    expect(run(joe, "qreceipt"), 100, rb"qreceipt: usage: .*\n")
    expect(run(joe, "qreceipt", "joe@h", env={"SENDER": None}), 100,
           b"qreceipt: fatal: SENDER not set\n")
    joe.fake_queue("exit 53\n")
    expect(run(joe, "qreceipt", "joe@h", stdin=ASKING), 111,
           rb"qreceipt: fatal: qq write error .*\n")


# -- qbiff -------------------------------------------------------------------

UTMP = "/var/run/utmp"


def utmp_entry(user, line):
    """struct utmpx of a user process."""
    return struct.pack("=hxxi32s4s32s256s", 7, os.getpid(), line.encode(),
                       b"qm", user.encode(), b"").ljust(384, b"\0")


@pytest.mark.skipif(not h.ROOT, reason="needs root: writes to utmp")
@pytest.mark.parametrize("mode,told", [(0o720, True), (0o620, False)])
def test_qbiff(joe, mode, told):
    master, slave = os.openpty()
    name = os.ttyname(slave)
    tty.setraw(slave)
    os.chown(name, h.TEST_UID, h.TEST_GID)
    os.chmod(name, mode)
    before = open(UTMP, "rb").read() if os.path.exists(UTMP) else None
    try:
        with open(UTMP, "ab") as f:
            f.write(utmp_entry("qmtester", name.removeprefix("/dev/")))
        done = run(joe, "qbiff", env={
            "USER": "qmtester", "LOCAL": "joe-\x1b[2J", "SENDER": "a@b"},
            stdin=b"X: y\nSubject: hello\x07\n you\n\nsome\n\n text " +
            b"word " * 40)
    finally:
        if before is None:
            os.unlink(UTMP)
        else:
            os.truncate(UTMP, len(before))
    expect(done, 0)
    os.set_blocking(master, False)
    try:
        got = os.read(master, 4096)
    except BlockingIOError:
        got = b""
    os.close(master)
    os.close(slave)
    if not told:
        assert got == b""
        return
    first, second, third, rest = got.split(b"\r\n")
    assert (first, rest) == (b"", b"")
    assert second == b"\a*** TO <joe-_[2J> FROM <a@b>"
    assert third.startswith(b"    hello_ you some text word word ")
    assert len(third) == 78


def test_qbiff_never_fails(joe):
    for env in ({}, {"USER": None}, {"USER": "no such user"}):
        expect(run(joe, "qbiff", env=env), 0)
    expect(run(joe, "qbiff", stdin=b""), 0)


# -- maildir2mbox, maildirwatch ----------------------------------------------

def fill(joe):
    """Three messages, in an order that is not that of their names."""
    where = joe.maildir()
    joe.put("Maildir/new/3.x", b"Return-Path: <a b@c>\nX: 1\n\nFrom me\nlast")
    joe.put("Maildir/cur/2.x:2,S", b"X: 2\n\n>From\n")
    joe.put("Maildir/new/1.x", b"Return-Path: <>\nX: 3\n\n")
    joe.put("Maildir/new/.hidden", b"x")
    for seconds, name in enumerate(("new/3.x", "cur/2.x:2,S", "new/1.x")):
        os.utime(os.path.join(where, name), (0, 1795310305 + seconds))
    return {"MAILDIR": where, "MAIL": joe.file("Mailbox"),
            "MAILTMP": joe.file("tmp")}


MOVED = (b"From a-b@c Sun Nov 22 01:18:25 2026\nReturn-Path: <a b@c>\nX: 1\n\n"
         b">From me\nlast\n\n"
         b"From XXX Sun Nov 22 01:18:26 2026\nX: 2\n\n>From\n\n"
         b"From MAILER-DAEMON Sun Nov 22 01:18:27 2026\nReturn-Path: <>\n"
         b"X: 3\n\n\n")


@pytest.mark.parametrize("old", [None, b"From x\n\nold\n\n", b"torn"])
def test_maildir2mbox(joe, old):
    env = fill(joe)
    if old is not None:
        joe.put("Mailbox", old, 0o640)
    expect(run(joe, "maildir2mbox", env=env), 0)
    text = joe.get("Mailbox")
    start = (old or b"") + (b"\n\n" if old == b"torn" else b"")
    assert text == start + MOVED
    assert os.listdir(joe.file("Maildir/cur")) == []
    assert os.listdir(joe.file("Maildir/new")) == [".hidden"]
    assert not os.path.exists(joe.file("tmp"))
    mode = os.stat(joe.file("Mailbox")).st_mode & 0o777
    assert mode == (0o600 if old is None else 0o640)
    expect(run(joe, "maildir2mbox", env=env), 0)
    assert joe.get("Mailbox") == text


def test_maildir2mbox_errors(joe):
    env = fill(joe)
    for name in env:
        expect(run(joe, "maildir2mbox", env={**env, name: None}), 100,
               f"maildir2mbox: fatal: {name} not set\n".encode())
    expect(run(joe, "maildir2mbox", env={**env, "MAIL": "Mailbox"}), 100,
           rb"maildir2mbox: fatal: MAIL and MAILTMP .*\n")
    expect(run(joe, "maildir2mbox", env={**env, "MAILTMP": "/dev/full"}), 111,
           rb"maildir2mbox: fatal: unable to write /dev/full: .*\n")
    expect(run(joe, "maildir2mbox", env={
        **env, "MAILDIR": joe.file("none")}), 111,
        rb"maildir2mbox: fatal: unable to chdir to .*\n")
    assert len(os.listdir(joe.file("Maildir/new"))) == 3


def test_maildirwatch(joe):
    env = fill(joe)
    joe.put("Maildir/new/9.x", b"Return-Path: <s@x>\nDelivered-To: joe@h\n"
            b"From: S <s@x>\nSubject: \x1b[2J\n\none\ntwo\nthree\nfour\n")
    process = subprocess.Popen(
        [os.path.join(joe.bin, "maildirwatch")], stdout=subprocess.PIPE,
        env=joe.environment(**env), **h.ids_arguments())
    text = b""
    while b"three\n" not in text:
        text += os.read(process.stdout.fileno(), 4096)
    process.kill()
    process.communicate(timeout=h.DEADLINE)
    assert text.startswith(b"\033[;H\033[;JFROM <a b@c> TO <>\n")
    assert text.endswith(
        b"FROM <s@x> TO <joe@h>\nFrom: S <s@x>\nSubject: ?[2J\n"
        b"one\ntwo\nthree\n\n")
    assert b"X: 2" not in text


def test_qail_reads_after_moving(joe):
    env = fill(joe)
    stub = h.make_dirs(os.path.join(joe.scratch, "stub"))
    for name in ("Mail", "elm", "pine"):
        h.write_file(os.path.join(stub, name),
                     f'#!/bin/sh\necho {name} "$@"\n', 0o755)
    os.symlink(joe.bin, os.path.join(joe.scratch, "bin"))
    env["PATH"] = f"{stub}:/usr/bin:/bin"
    for name, reader in (("qail", "Mail"), ("elq", "elm"), ("pinq", "pine")):
        done = run(joe, name, "-f", "x y", env=env)
        assert (done.returncode, done.stdout) == (
            0, f"{reader} -f x y\n".encode())
    assert joe.get("Mailbox") == MOVED
    assert run(joe, "qail", env={**env, "MAIL": None}).returncode == 100
