"""qmail-queue as it is installed: setuid, its home built in, any caller."""
import glob
import os
import pwd
import re
import resource
import shutil
import subprocess
import tempfile

import pytest

import queue_tools as q
from home import BUILD, DEADLINE, REPO, ROOT, Home

SANITIZED = bool(os.environ.get("SANITIZE"))
pytestmark = [
    pytest.mark.skipif(not ROOT, reason="needs root to make a setuid program"),
    pytest.mark.skipif(SANITIZED, reason="sanitizers listen to their caller"),
]
QUEUE_UID, ALIAS_UID, SEND_UID, CALLER_UID = 64110, 64111, 64112, 64113
GID = 64120


def build(target, home, daemon):
    """qmail-queue with another home and network user built in.

    From copies of the objects, so that only those are compiled which the
    configuration concerns."""
    usual = os.path.relpath(BUILD, REPO)
    where = os.path.join(usual, "setuid")
    shutil.rmtree(os.path.join(REPO, where), ignore_errors=True)
    for part in () if SANITIZED else ("include", "lib", "obj", "small"):
        if os.path.isdir(os.path.join(BUILD, part)):
            shutil.copytree(os.path.join(BUILD, part),
                            os.path.join(REPO, where, part), symlinks=True)
    for path in glob.glob(os.path.join(REPO, where, "**", "*.d"),
                          recursive=True):
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(text.replace(usual + "/", where + "/"))
    subprocess.run(
        ["make", "-s", "-j2", f"B={where}", f"QMAILHOME={home}",
         f"QMAILD={daemon}", f"{where}/bin/qmail-queue"],
        cwd=REPO, check=True, timeout=240)
    shutil.copy(os.path.join(REPO, where, "bin/qmail-queue"), target)


@pytest.fixture(scope="module")
def setuid_program(session_dir):
    """Built once: the home's path, the program, the network user."""
    if os.statvfs(session_dir).f_flag & os.ST_NOSUID:
        pytest.skip("setuid does not work below /tmp")
    base = tempfile.mkdtemp(dir=session_dir)
    os.chmod(base, 0o755)
    daemon = next(e for e in pwd.getpwall()
                  if e.pw_uid not in (0, pwd.getpwnam("nobody").pw_uid))
    os.mkdir(os.path.join(base, "bin"))
    program = os.path.join(base, "bin", "qmail-queue")
    home = os.path.join(base, "home")
    build(program, home, daemon.pw_name)
    os.chown(program, QUEUE_UID, GID)
    os.chmod(program, 0o4711)
    return home, os.path.dirname(program), daemon.pw_uid


@pytest.fixture
def setuid_home(setuid_program):
    """A home with roles of its own; qmail-queue is setuid in its bin/."""
    path, programs, daemon_uid = setuid_program
    home = Home(path, programs)
    home.daemon_uid = daemon_uid
    for where, subs, names in os.walk(os.path.join(path, "queue")):
        for name in ["."] + subs + names:
            os.lchown(os.path.join(where, name), QUEUE_UID, GID)
    os.chown(os.path.join(path, "alias"), ALIAS_UID, GID)
    os.chown(os.path.join(path, "queue/lock/sendmutex"), SEND_UID, GID)
    yield home
    home.stop_all()
    shutil.rmtree(path)


def caller(uid, gid=64130):
    return {"user": uid, "group": gid, "extra_groups": []}


@pytest.mark.parametrize("who,words", [
    ("alias", b"by alias"), ("send", b"for bounce"), ("daemon",
                                                      b"from network"),
    ("other", b"by uid 64113"), ("queue", b"by uid 64110"),
    ("root", b"by uid 0")])
def test_caller(setuid_home, who, words):
    uid = {"alias": ALIAS_UID, "send": SEND_UID, "other": CALLER_UID,
           "daemon": setuid_home.daemon_uid, "queue": QUEUE_UID, "root": 0}[who]
    assert q.run(setuid_home, ids=caller(uid)) == 0
    _, mess, todo = q.only(setuid_home)
    assert re.match(rb"Received: \(qmail \d+ invoked " + words + rb"\); ",
                    mess)
    assert todo.startswith(b"u%d\0p" % uid)


def test_ownership(setuid_home):
    os.umask(0)
    assert q.run(setuid_home, ids=caller(CALLER_UID)) == 0
    os.umask(0o22)
    for files in q.messages(setuid_home).values():
        for path in files.values():
            st = os.stat(path)
            assert (st.st_uid, st.st_mode & 0o7777) == (QUEUE_UID, 0o644)


def test_environment_is_ignored(setuid_home, scratch):
    other = Home(os.path.join(scratch, "other"), setuid_home.bin)
    env = other.environment(
        LD_PRELOAD="/nonexistent", LD_LIBRARY_PATH=".", TZ="/etc/shadow",
        QMAILQUEUE="/nonexistent", MALLOC_CHECK_="3", PATH="",
        LOCPATH="/tmp", GCONV_PATH="/tmp",
        GLIBC_TUNABLES="glibc.malloc.check=3")
    assert q.run(setuid_home, env=env, ids=caller(CALLER_UID)) == 0
    q.empty(other)
    q.only(setuid_home)
    assert q.run(setuid_home, env={}, ids=caller(CALLER_UID)) == 0
    assert len(q.messages(setuid_home)) == 2


@pytest.mark.parametrize("what,amount,codes", [
    ("FSIZE", 0, {53}), ("FSIZE", 50, {53}), ("NOFILE", 3, {55, 62, 63}),
    ("NOFILE", 5, {65, 63}), ("STACK", 16384, {-11, -9, 81, 0}),
    ("DATA", 4096, {0, 51, 81, -11, -6}), ("AS", 1 << 20, {-9, -11, 51, 0}),
    ("CPU", 0, {0, -9}), ("NPROC", 0, {0}), ("CORE", 0, {0})])
def test_limits_of_the_caller(setuid_home, what, amount, codes):
    limit = getattr(resource, f"RLIMIT_{what}")
    code = q.run(setuid_home, ids=caller(CALLER_UID),
                 preexec_fn=lambda: resource.setrlimit(limit,
                                                       (amount, amount)))
    assert code in codes
    for files in q.messages(setuid_home).values():
        # A limit may end it anywhere between two steps, and behind the last.
        assert q.state(files) in (
            ("S4",) if code == 0 else ("S2", "S3", "S4"))
    if code > 0:
        q.empty(setuid_home)


@pytest.mark.parametrize("missing,code", [((0,), 54), ((1,), 54),
                                          ((0, 1, 2), 54), ((2,), 0)])
def test_missing_descriptors(setuid_home, scratch, missing, code):
    for name, data in (("m", q.MESSAGE), ("e", q.ENVELOPE)):
        with open(os.path.join(scratch, name), "wb") as f:
            f.write(data)
    words = " ".join(f"{fd}<&-" for fd in missing)
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {setuid_home.bin}/qmail-queue "
         f"<{scratch}/m 1<{scratch}/e {words}"], timeout=DEADLINE,
        **caller(CALLER_UID))
    assert done.returncode == code
    if code == 0:
        assert q.only(setuid_home)[1].endswith(q.MESSAGE)
    else:
        q.empty(setuid_home)


def test_callers_directory_does_not_matter(setuid_home, scratch):
    """Started where it cannot be, or in a queue that looks like one."""
    fake = os.path.join(scratch, "fake")
    os.mkdir(fake)
    for sub in ("queue", "mess", "pid"):
        os.mkdir(os.path.join(fake, sub))
    done = subprocess.run(
        [f"{setuid_home.bin}/qmail-queue"], cwd=fake, timeout=DEADLINE,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        **caller(CALLER_UID))
    assert done.returncode == 54
    q.empty(setuid_home)
    shutil.rmtree(fake)


def test_caller_cannot_trace_it(setuid_home):
    process, message_w, envelope_w = q.start(setuid_home,
                                             ids=caller(CALLER_UID))
    os.write(message_w, q.MESSAGE)
    try:
        st = os.stat(f"/proc/{process.pid}/mem")
        assert st.st_uid == 0  # not dumpable
    finally:
        q.feed(envelope_w, q.ENVELOPE)
        os.close(message_w)
    assert process.wait(DEADLINE) == 0
