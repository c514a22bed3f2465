"""forward, condredirect, bouncesaying, except, preline, maildirmake."""
import os
import re
import signal
import subprocess

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
