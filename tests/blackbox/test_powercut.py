"""What was acknowledged survives a power cut, on real file systems.

The classic order of calls, carried out by the test itself, must lose its
messages here: that shows that the test would notice.
"""
import contextlib
import os
import shutil
import subprocess
import time

import pytest

import powercut
import queue_tools as q
from home import DEADLINE, ROOT, ids_arguments, lay_queue, own
from powercut import small_disk  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(not ROOT, reason="needs root to mount")
COUNT = 8
KINDS = sorted(powercut.KINDS)
BIG = b"F\0" + b"Tsomebody@example.net\0" * 5000 + b"\0"


def sync(path):
    """What was there before the test begins is on the disk."""
    subprocess.run(["sync", "-f", path], check=True, timeout=120)


@pytest.fixture
def queue_disk(home, small_disk, scratch):
    """queue_disk(kind): the home's queue on a file system of its own."""
    @contextlib.contextmanager
    def make(kind):
        queue = home.file("queue")
        shutil.rmtree(queue)
        os.mkdir(queue)
        with small_disk(kind, queue) as image:
            own(queue)
            lay_queue(queue)
            sync(queue)
            yield image
    return make


def survivors(home, kind, image, scratch):
    """The messages of the queue after a power cut: [(mess, todo)]."""
    snapshot = powercut.cut(image, os.path.join(scratch, "snapshot"))
    found = []
    with powercut.rebooted(kind, snapshot,
                           os.path.join(scratch, "after")) as root:
        for where, _, names in os.walk(os.path.join(root, "todo")):
            for name in names:
                split = os.path.join(root, "mess", str(int(name) % 23), name)
                with open(os.path.join(where, name), "rb") as f:
                    todo = f.read()
                with open(split, "rb") as f:
                    mess = f.read()
                assert os.stat(split).st_ino == int(name)
                found.append((mess, todo))
    os.unlink(snapshot)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_queue_keeps_what_it_took(home, queue_disk, scratch, kind):
    with queue_disk(kind) as image:
        for n in range(COUNT):
            body = b"number %d\n" % n + b"x" * (n * 30000)
            envelope = BIG if n == 3 else b"Fs\0Tr%d\0\0" % n
            assert q.run(home, body, envelope) == 0
            found = survivors(home, kind, image, scratch)
            assert len(found) == n + 1
            assert any(mess.endswith(body) and todo.endswith(envelope[:-1])
                       for mess, todo in found)


def classic_queue(queue, n):
    """File, link, flush, file, flush, link: nothing after the last link."""
    body = b"Received: x\nnumber %d\n" % n
    pid = os.path.join(queue, "pid", str(n))
    fd = os.open(pid, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    number = os.fstat(fd).st_ino
    mess = os.path.join(queue, "mess", str(number % 23), str(number))
    intd = os.path.join(queue, "intd", str(number % 23), str(number))
    os.link(pid, mess)
    os.unlink(pid)
    os.write(fd, body)
    os.fsync(fd)
    os.close(fd)
    fd = os.open(intd, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(fd, b"u0\0p1\0Fs\0Tr\0")
    os.fsync(fd)
    os.close(fd)
    os.link(intd, intd.replace("/intd/", "/todo/"))


@pytest.mark.parametrize("kind", KINDS)
def test_classic_queue_order_loses(home, queue_disk, scratch, kind):
    with queue_disk(kind) as image:
        lost = []
        for n in range(COUNT):
            classic_queue(home.file("queue"), n)
            lost.append(n + 1 - len(survivors(home, kind, image, scratch)))
        expect_losses(lost)


def expect_losses(lost):
    """Each flush saves the messages before it, and nothing the last one: but
    the kernel may write by itself, now and then, on a slow machine."""
    assert set(lost) <= {0, 1} and sum(lost) > COUNT // 2, lost


# -- Maildir -----------------------------------------------------------------
def maildir_survivors(kind, image, scratch):
    snapshot = powercut.cut(image, os.path.join(scratch, "snapshot"))
    found = []
    with powercut.rebooted(kind, snapshot,
                           os.path.join(scratch, "after")) as root:
        new = os.path.join(root, "Maildir", "new")
        for name in os.listdir(new):
            with open(os.path.join(new, name), "rb") as f:
                found.append(f.read())
    os.unlink(snapshot)
    return found


def deliver(home, where, message):
    """qmail-local with ./Maildir/ as its instructions."""
    path = os.path.join(home.bin, "qmail-local")
    if not os.path.exists(path):
        pytest.skip("needs qmail-local")
    mess = home.file("mess")
    with open(mess, "wb") as f:
        f.write(message)
    with open(mess, "rb") as f:
        done = subprocess.run(
            [path, "joe", where, "joe", "", "", "a.example", "s@x.example",
             "./Maildir/"], stdin=f, capture_output=True, timeout=DEADLINE,
            cwd=where, env=home.environment(), **ids_arguments())
    assert done.returncode == 0, done


def lay_maildir(home, where):
    own(where)
    home.maildir(os.path.join(where, "Maildir"))
    sync(where)


@pytest.mark.parametrize("kind", KINDS)
def test_maildir_keeps_what_it_took(home, small_disk, scratch, kind):
    where = home.file("mail")
    os.mkdir(where)
    with small_disk(kind, where) as image:
        lay_maildir(home, where)
        for n in range(COUNT):
            body = b"number %d\n" % n + b"x" * (n * 30000)
            deliver(home, where, body)
            found = maildir_survivors(kind, image, scratch)
            assert len(found) == n + 1
            assert any(text.endswith(body) for text in found)


def classic_maildir(maildir, n):
    """File, flush, link, unlink: nothing after the link."""
    name = f"{int(time.time())}.{n}.test"
    tmp = os.path.join(maildir, "tmp", name)
    fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(fd, b"number %d\n" % n)
    os.fsync(fd)
    os.close(fd)
    os.link(tmp, os.path.join(maildir, "new", name))
    os.unlink(tmp)


@pytest.mark.parametrize("kind", KINDS)
def test_classic_maildir_order_loses(home, small_disk, scratch, kind):
    where = home.file("mail")
    os.mkdir(where)
    with small_disk(kind, where) as image:
        lay_maildir(home, where)
        lost = []
        for n in range(COUNT):
            classic_maildir(os.path.join(where, "Maildir"), n)
            lost.append(n + 1 - len(maildir_survivors(kind, image, scratch)))
        expect_losses(lost)
