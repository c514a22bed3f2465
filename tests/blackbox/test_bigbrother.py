"""control/bigbrother: the copy for the observer, and what nobody sees."""
import os
import shutil

import pytest

import queue_tools as q

STRACE = shutil.which("strace")
needs_strace = pytest.mark.skipif(
    STRACE is None or bool(os.environ.get("SANITIZE")),
    reason="needs strace, no sanitizer")
RULE = "c@D:observer@o.example\n# x\n"


def queued(home):
    """Message and envelope, without its origin, of all in todo/."""
    found = []
    for files in q.messages(home).values():
        if "todo" in files:
            with open(files["mess"], "rb") as f:
                mess = f.read()
            with open(files["todo"], "rb") as f:
                found.append((mess, f.read().split(b"\0", 2)[2]))
    return sorted(found, key=lambda pair: pair[1])


def test_copy(home):
    """Two messages with the same bytes; the copy has no sender, and the
    watched one's envelope says nothing."""
    home.control("bigbrother", RULE)
    assert q.run(home) == 0
    (mess, copy), (same, own) = queued(home)
    assert own == q.ENVELOPE[:-1]
    assert copy == b"F\0Tobserver@o.example\0"
    assert mess == same and b"observer" not in mess
    assert len(q.messages(home)) == 2


def test_nobody_watched(home):
    home.control("bigbrother", RULE)
    assert q.run(home, envelope=b"Fa@b\0Te@f\0\0") == 0
    assert len(queued(home)) == 1


def test_large(home):
    home.control("bigbrother", "r19999@d:o@o\ns:o2@o\nnobody:o3@o\n")
    envelope = b"Fs\0" + b"".join(b"Tr%d@d\0" % i for i in range(20000))
    message = os.urandom(300000)
    assert q.run(home, message, envelope + b"\0") == 0
    (mess, copy), (same, own) = queued(home)
    assert copy == b"F\0To@o\0To2@o\0" and own == envelope
    assert mess == same and mess.endswith(message)


@needs_strace
def test_never_a_message_without_its_copy(home):
    """Killed at every call: what is in todo/ is both, or the copy alone."""
    home.control("bigbrother", RULE)
    seen, before = set(), len(queued(home))
    for call in ("openat", "write", "renameat2", "fsync", "link,linkat"):
        for n in range(1, 30):
            code = q.run(home, argv=[
                STRACE, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                "-e", f"inject={call}:signal=SIGKILL:when={n}",
                os.path.join(home.bin, "qmail-queue")])
            now = queued(home)
            own = sum(e == q.ENVELOPE[:-1] for _, e in now)
            copies = len(now) - own
            assert copies >= own
            assert all(m.endswith(q.MESSAGE) for m, _ in now)
            seen.add(len(now) - before)
            before = len(now)
            if code == 0:
                break
        assert code == 0
    assert seen == {0, 1, 2}


@needs_strace
@pytest.mark.parametrize("inject,code", [
    ("link,linkat:error=ENOSPC:when=1", 66),
    ("link,linkat:error=ENOSPC:when=2", 66),
    ("write:error=ENOSPC:when=2", 53), ("write:error=EDQUOT:when=3", 53),
    ("write:error=ENOSPC:when=4", 53), ("fsync:error=EIO:when=2", 53),
    ("fsync:error=EIO:when=3", 66), ("fsync:error=EIO:when=4", 66),
    ("pread64:error=EIO:when=1", 54)])
def test_both_or_none(home, inject, code):
    home.control("bigbrother", RULE)
    assert q.run(home, argv=[
        STRACE, "-f", "-qq", "-o", "/dev/null", "-e",
        f"trace={inject.split(':')[0]}", "-e", f"inject={inject}",
        os.path.join(home.bin, "qmail-queue")]) == code
    assert queued(home) == []


def test_end_to_end(home):
    """The observer's address bounces: postmaster hears of it, the sender does
    not, and neither header nor report of the watched mail shows anything."""
    home.add_user("sender")
    home.add_user("watched")
    home.add_user("spy")
    home.control("bigbrother", "watched@a.example:spy@a.example\n"
                 "watched@A.example:nobody@a.example\n"
                 "sender@a.example:gone@a.example\n")
    home.start()
    done = home.inject("From: sender@a.example\nSubject: secret\n\nx\n", "-a",
                       "-fsender@a.example", "watched@a.example")
    assert done.returncode == 0
    home.wait_empty()
    seen, = home.user_messages("watched")
    assert b"spy" not in seen and b"nobody" not in seen and b"gone" not in seen
    assert home.user_messages("sender") == []
    # The later line for the same address is the one that counts.
    doubles = home.messages(home.file("alias", "Maildir"))
    assert len(doubles) == 1
    assert b"<nobody@a.example>:" in doubles[0]
    assert b"<gone@a.example>:" in doubles[0]
    assert b"Subject: secret" in doubles[0]


def test_observer_is_copied(home):
    home.add_user("sender")
    home.add_user("watched")
    home.add_user("spy")
    home.control("bigbrother", "watched@a.example:spy@a.example\n"
                 "spy@a.example:sender@a.example\n")
    home.start()
    done = home.inject("From: sender@a.example\nSubject: secret\n\nx\n", "-a",
                       "-fsender@a.example", "watched@a.example")
    assert done.returncode == 0
    home.wait_empty()
    copy, = home.user_messages("spy")
    assert copy.startswith(b"Return-Path: <>\nDelivered-To: spy@a.example\n")
    assert copy.endswith(b"Subject: secret\n\nx\n")
    # Copies are not watched again.
    assert home.user_messages("sender") == []
