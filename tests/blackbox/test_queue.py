"""qmail-queue: format, exit codes, what it leaves behind, what it refuses."""
import fcntl
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest

import queue_tools as q
from home import DEADLINE, ROOT, TEST_UID, lay_queue, own, stop, wait_for
from powercut import small_disk  # noqa: F401 (a fixture)

STRACE = shutil.which("strace")
SANITIZED = bool(os.environ.get("SANITIZE"))
needs_strace = pytest.mark.skipif(STRACE is None, reason="needs strace")
unsanitized = pytest.mark.skipif(
    SANITIZED, reason="the sanitizers make calls of their own")
RECEIVED = re.compile(
    rb"Received: \(qmail (\d+) invoked by uid (\d+)\); "
    rb"\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d -0000\n")


def strace(home, *options):
    return [STRACE, "-f", "-qq", *options,
            os.path.join(home.bin, "qmail-queue")]


# -- what it writes ----------------------------------------------------------
@pytest.mark.parametrize("split,todo_split", [(23, True), (23, False),
                                              (7, True), (1, False)])
def test_files(make_home, split, todo_split):
    home = make_home("a", split=split, todo_split=todo_split)
    process, message_w, envelope_w = q.start(home)
    q.feed(message_w, q.MESSAGE)
    q.feed(envelope_w, q.ENVELOPE)
    assert process.wait(DEADLINE) == 0
    number, mess, todo = q.only(home)
    found = RECEIVED.match(mess)
    assert found and mess[found.end():] == q.MESSAGE
    assert int(found[1]) == process.pid and int(found[2]) == TEST_UID
    assert todo == b"u%d\0p%d\0Fa@b\0Tc@d\0Te\0" % (TEST_UID, process.pid)
    sub = f"{number % split}/" if todo_split else ""
    assert home.queue_files() == sorted(
        [f"mess/{number % split}/{number}", f"intd/{sub}{number}",
         f"todo/{sub}{number}"])
    for name in home.queue_files():
        st = os.stat(home.file("queue", name))
        assert st.st_mode & 0o7777 == 0o644 and st.st_uid == TEST_UID


@pytest.mark.parametrize("size", [0, 1, 65400, 65449, 65535, 65536, 65537,
                                  131072, 3 << 20])
def test_message_sizes(home, size):
    message = random.Random(size).randbytes(size)
    assert q.run(home, message) == 0
    _, mess, _ = q.only(home)
    assert mess[RECEIVED.match(mess).end():] == message


def test_no_recipients(home):
    assert q.run(home, envelope=b"F\0\0") == 0
    assert q.only(home)[2].endswith(b"\0F\0")


def test_longest_addresses(home):
    envelope = b"F" + b"s" * 1002 + b"\0T" + b"r" * 1002 + b"\0\0"
    assert q.run(home, envelope=envelope) == 0
    assert q.only(home)[2].endswith(envelope[:-1])


def test_what_follows_the_envelope_is_ignored(home):
    assert q.run(home, envelope=q.ENVELOPE + b"more\n") == 0
    assert q.only(home)[2].endswith(q.ENVELOPE[:-1])


def test_byte_by_byte(home):
    process, message_w, envelope_w = q.start(home)
    for byte in q.MESSAGE:
        os.write(message_w, bytes([byte]))
        time.sleep(0.001)
    os.close(message_w)
    for byte in q.ENVELOPE:
        os.write(envelope_w, bytes([byte]))
        time.sleep(0.001)
    assert process.wait(DEADLINE) == 0  # without an end of the envelope pipe
    os.close(envelope_w)
    assert q.only(home)[1].endswith(q.MESSAGE)


def test_non_blocking_descriptors(home):
    message_r, message_w = os.pipe()
    envelope_r, envelope_w = os.pipe()
    for fd in (message_r, envelope_r):
        fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK)
    process = home.spawn([os.path.join(home.bin, "qmail-queue")],
                         stdin=message_r, stdout=envelope_r)
    time.sleep(0.1)
    q.feed(message_w, q.MESSAGE)
    time.sleep(0.1)
    q.feed(envelope_w, q.ENVELOPE)
    assert process.wait(DEADLINE) == 0
    os.close(message_r)
    os.close(envelope_r)
    assert q.only(home)[1].endswith(q.MESSAGE)


def test_trigger(home):
    fd = os.open(home.file("queue/lock/trigger"),
                 os.O_RDONLY | os.O_NONBLOCK)
    assert q.run(home) == 0
    assert os.read(fd, 100) == b"%d\0" % q.only(home)[0]
    assert q.run(home, envelope=b"X") == 91
    assert os.read(fd, 100) == b""  # only for what is queued
    os.close(fd)


def test_trigger_missing(home):
    os.unlink(home.file("queue/lock/trigger"))
    assert q.run(home) == 0


# -- watched addresses -------------------------------------------------------
def test_bigbrother_broken(home):
    """No mail passes unwatched because of a slip of the pen."""
    home.control("bigbrother", "a@b:\n")
    assert q.run(home) == 55
    home.control("bigbrother", "a@b:c@d\n")
    os.chmod(home.file("control/bigbrother"), 0)
    assert q.run(home) == 55
    q.empty(home)


# -- what it refuses ---------------------------------------------------------
@pytest.mark.parametrize("envelope", [
    b"F" + b"s" * 1003 + b"\0\0", b"F\0T" + b"r" * 1003 + b"\0\0",
    b"F" + b"s" * 200000, b"Fa\0T" + b"r" * 70000 + b"\0\0"])
def test_address_too_long(home, envelope):
    assert q.run(home, envelope=envelope) == 11
    q.empty(home)


@pytest.mark.parametrize("envelope", [
    b"\0", b"Ta\0\0", b"fa\0\0", b"Fa\0Fb\0\0", b"Fa\0xb\0\0", b"Fa\0\n",
    b"Fa\nb\0\0", b"Fa\rb\0\0", b"F\0Tb\n\0\0", b"F\0Tb\r\0\0"])
def test_envelope_format(home, envelope):
    assert q.run(home, envelope=envelope) == 91
    q.empty(home)


def test_envelope_format_late(home):
    """The fault stands behind more envelope than fits in memory."""
    many = b"Fs\0" + b"".join(b"Tr%d@d\0" % i for i in range(20000))
    for tail, code in ((b"x", 91), (b"Ta\nb\0\0", 91), (b"", 54),
                       (b"T" + b"x" * 1003 + b"\0\0", 11)):
        assert q.run(home, envelope=many + tail) == code
        q.empty(home)


@pytest.mark.parametrize("cut", range(len(q.ENVELOPE)))
def test_torn_envelope(home, cut):
    assert q.run(home, envelope=q.ENVELOPE[:cut]) == 54
    q.empty(home)


def test_unreadable_message(home):
    fd = os.open("/", os.O_RDONLY)
    process = home.spawn([os.path.join(home.bin, "qmail-queue")], stdin=fd,
                         stdout=subprocess.DEVNULL)
    os.close(fd)
    assert process.wait(DEADLINE) == 54
    q.empty(home)


@pytest.mark.parametrize("missing,code", [((0,), 54), ((1,), 54), ((0, 1), 54),
                                          ((0, 1, 2), 54), ((2,), 0),
                                          ((1, 2), 54)])
def test_missing_descriptors(home, missing, code):
    """Message files never end up as descriptor 0, 1 or 2."""
    with open(home.file("m"), "wb") as f:
        f.write(q.MESSAGE)
    with open(home.file("e"), "wb") as f:
        f.write(q.ENVELOPE)
    words = [f"{fd}<&-" for fd in missing]
    script = (f"exec {home.bin}/qmail-queue <{home.file('m')} "
              f"1<{home.file('e')} {' '.join(words)}")
    process = home.spawn(["/bin/sh", "-c", script])
    assert process.wait(DEADLINE) == code
    if code == 0:
        assert q.only(home)[1].endswith(b"\n\nbody\n")
    else:
        q.empty(home)


def test_stray_descriptors_are_closed(home):
    readers, writers = zip(*(os.pipe() for _ in range(3)))
    process, message_w, envelope_w = q.start(home, pass_fds=writers)
    for fd in writers:
        os.close(fd)
    for fd in readers:  # ends although qmail-queue is running
        assert os.read(fd, 1) == b""
        os.close(fd)
    assert process.poll() is None
    q.feed(message_w, q.MESSAGE)
    q.feed(envelope_w, q.ENVELOPE)
    assert process.wait(DEADLINE) == 0


# -- what it cannot do -------------------------------------------------------
@pytest.mark.parametrize("todo_split", [True, False])
def test_directories_without_permission(make_home, todo_split):
    home = make_home("a", todo_split=todo_split)
    os.chmod(home.file("queue"), 0)
    assert q.run(home) == 62
    os.chmod(home.file("queue"), 0o750)
    for area, code in (("pid", 63), ("mess", 64), ("intd", 65),
                       ("todo", 66)):
        is_split = area == "mess" or (area != "pid" and todo_split)
        paths = [f"queue/{area}" + (f"/{n}" if is_split else "")
                 for n in (range(23) if is_split else [0])]
        for path in paths:
            os.chmod(home.file(path), 0o500)
        assert q.run(home) == code
        for path in paths:
            os.chmod(home.file(path), 0o750)
        q.empty(home)


def test_missing_directories(home):
    assert q.run(home, env={"QMAILHOME": "/nonexistent"}) == 61
    for path, code in (("pid", 63), ("mess", 62), ("intd", 65),
                       ("todo", 66)):
        os.rename(home.file("queue", path), home.file(path))
        assert q.run(home) == code, path
        os.rename(home.file(path), home.file("queue", path))
        q.empty(home)
    os.rename(home.file("queue"), home.file("away"))
    assert q.run(home) == 62


def limit_file_size(soft, hard):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_low_soft_limit_is_raised(home):
    message = b"x" * 300000
    assert q.run(home, message, preexec_fn=limit_file_size(
        100, resource.RLIM_INFINITY)) == 0
    assert q.only(home)[1].endswith(message)


def test_low_hard_limit_fails_cleanly(home):
    assert q.run(home, b"x" * 5000,
                 preexec_fn=limit_file_size(4096, 4096)) == 53
    q.empty(home)
    envelope = b"F\0" + b"Tsomebody@d\0" * 1000 + b"\0"
    assert q.run(home, envelope=envelope,
                 preexec_fn=limit_file_size(4096, 4096)) == 53
    q.empty(home)
    assert q.run(home, preexec_fn=limit_file_size(0, 0)) == 53
    q.empty(home)


@unsanitized
def test_few_descriptors(home):
    """Out of descriptors is a clean failure wherever it happens."""
    for limit in range(3, 7):
        code = q.run(home, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (limit, limit)))
        assert code in (0, 55, 62, 63, 65)
        if code != 0:
            q.empty(home)


def fill(path):
    """Takes every free block of a file system."""
    with open(path, "wb", buffering=0) as f:
        for size in (65536, 4096, 512):
            try:
                while True:
                    f.write(b"x" * size)
            except OSError:
                os.fsync(f.fileno())


@pytest.mark.skipif(not ROOT, reason="needs root to mount a small disk")
def test_full_disk(home, small_disk):
    queue = home.file("queue")
    shutil.rmtree(queue)
    os.mkdir(queue)
    with small_disk("ext4", queue):
        own(queue)
        lay_queue(queue)
        assert q.run(home, b"x" * (40 << 20)) == 53
        q.empty(home)
        filler = os.path.join(queue, "filler")
        fill(filler)
        assert q.run(home) == 53
        q.empty(home)
        # A little more room each time: something fails later each time.
        codes = []
        while 0 not in codes and len(codes) < 20:
            os.truncate(filler, os.path.getsize(filler) - 1024)
            codes.append(q.run(home, b"x" * 6000))
            if codes[-1] != 0:
                q.empty(home)
        assert codes[-1] == 0 and codes[0] == 53, codes
        for files in q.messages(home).values():
            for path in files.values():
                os.unlink(path)
        os.unlink(filler)
        assert q.run(home) == 0
        q.only(home)


# -- signals -----------------------------------------------------------------
def test_signals_ignored(home):
    process, message_w, envelope_w = q.start(home)
    os.write(message_w, q.MESSAGE)
    wait_for(home.queue_files, "the message file")
    for sig in ("HUP", "INT", "QUIT", "PIPE", "PROF", "VTALRM", "XCPU",
                "XFSZ"):
        process.send_signal(getattr(signal, f"SIG{sig}"))
    os.close(message_w)
    q.feed(envelope_w, q.ENVELOPE)
    assert process.wait(DEADLINE) == 0
    q.only(home)


@pytest.mark.parametrize("sig,code", [(signal.SIGTERM, -signal.SIGTERM),
                                      (signal.SIGALRM, 52),
                                      (signal.SIGABRT, 81),
                                      (signal.SIGSEGV, 81)])
def test_signals_that_end_it(home, sig, code):
    """Also when the caller tried to make it deaf."""
    def deaf():
        signal.signal(sig, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {sig})

    process, message_w, envelope_w = q.start(home, preexec_fn=deaf)
    os.write(message_w, q.MESSAGE)
    wait_for(lambda: q.messages(home), "the message file")
    process.send_signal(sig)
    assert process.wait(DEADLINE) == code
    os.close(message_w)
    os.close(envelope_w)
    (files,) = q.messages(home).values()
    assert q.state(files) == "S2"


def test_timer(home):
    if STRACE is None:
        pytest.skip("needs strace")
    trace = home.file("trace")
    assert q.run(home, argv=strace(home, "-o", trace, "-e",
                                   "trace=alarm,setitimer")) == 0
    # One call or the other, as the libc has it.
    with open(trace) as f:
        assert re.search(r"alarm\(86400\)|ITIMER_REAL, .*tv_sec=86400,",
                         f.read())


# -- death at any moment -----------------------------------------------------
def check_states(home, accepted):
    for number, files in q.messages(home).items():
        assert q.state(files), (number, files)
        assert number not in accepted or q.state(files) == "S4"
    for number in accepted:
        assert number in q.messages(home)


def test_kill_at_random(home):
    rng = random.Random(4711)
    codes = []
    for _ in range(60):
        process, message_w, envelope_w = q.start(home)
        os.write(message_w, q.MESSAGE)
        os.close(message_w)
        os.write(envelope_w, q.ENVELOPE)
        os.close(envelope_w)
        time.sleep(rng.random() * 0.004)
        process.kill()
        codes.append(process.wait(DEADLINE))
    assert set(codes) <= {0, -9}
    check_states(home, ())
    whole = [f for f in q.messages(home).values() if q.state(f) == "S4"]
    assert len(whole) >= codes.count(0)


@needs_strace
@unsanitized
def test_kill_at_every_call(home):
    """kill -9 at the n-th call of every kind that changes something."""
    seen = set()
    for call in ("openat", "read", "write", "renameat2", "fsync",
                 "link,linkat", "unlink"):
        for n in range(1, 30):
            before = set(q.messages(home))
            code = q.run(home, argv=strace(
                home, "-o", "/dev/null", "-e", f"trace={call}", "-e",
                f"inject={call}:signal=SIGKILL:when={n}"))
            assert code in (0, -9, 137), code
            new = [f for i, f in q.messages(home).items() if i not in before]
            assert len(new) <= 1
            seen.add(q.state(new[0]) if new else "S1")
            check_states(home, ())
            if code == 0:
                break
        assert code == 0
    assert seen == {"S1", "S2", "S3", "S4"}


@needs_strace
@unsanitized
def test_unwanted_after_all(home):
    """A caller that gave up while the disk was slow: nothing is queued."""
    assert q.run(home, argv=strace(
        home, "-o", "/dev/null", "-e", "trace=fsync", "-e",
        "inject=fsync:signal=SIGTERM:when=1")) == 52
    assert home.queue_files() == []


@needs_strace
@unsanitized
@pytest.mark.parametrize("inject,code", [
    ("fsync:signal=SIGTERM:when=2", 52), ("fsync:error=EIO:when=2", 66)])
def test_number_stays_taken_after_todo(home, inject, code):
    """In todo/ it has been public: qmail-send may deliver it right now, and
    no other message must get the number that its records have."""
    assert q.run(home, argv=strace(
        home, "-o", "/dev/null", "-e", "trace=fsync", "-e",
        f"inject={inject}")) == code
    assert [f.split("/")[0] for f in home.queue_files()] == ["mess"]


# -- failing calls -----------------------------------------------------------
@needs_strace
@pytest.mark.parametrize("inject,code", [
    ("fsync:error=EIO:when=1", 53), ("fsync:error=ENOSPC:when=1", 53),
    ("link,linkat:error=EMLINK", 66), ("link,linkat:error=EEXIST", 66),
    ("link,linkat:error=ENOSPC", 66),
    ("renameat2:error=EEXIST", 64), ("renameat2:error=EXDEV", 64),
    ("write:error=ENOSPC:when=1", 53), ("write:error=EDQUOT:when=2", 53),
    ("write:error=EIO:when=1", 53)])
def test_failing_calls(home, inject, code):
    calls = inject.split(":")[0]
    assert q.run(home, argv=strace(
        home, "-o", "/dev/null", "-e", f"trace={calls}", "-e",
        f"inject={inject}")) == code
    q.empty(home)


@needs_strace
@pytest.mark.parametrize("inject", [
    "renameat2:error=EINVAL", "renameat2:error=ENOSYS",
    "write:error=EINTR:when=1", "fsync:error=EINTR:when=1..2",
    "close_range:error=ENOSYS",
    pytest.param("prlimit64:error=EPERM", marks=unsanitized)])
def test_calls_that_may_fail(home, inject):
    calls = inject.split(":")[0]
    assert q.run(home, argv=strace(
        home, "-o", "/dev/null", "-e", f"trace={calls}", "-e",
        f"inject={inject}")) == 0
    q.only(home)


@needs_strace
def test_flushes(home):
    """Two a message; a third for an envelope that could be torn."""
    flushes = "fsync,fdatasync,sync_file_range,syncfs,sync,msync"
    for envelope, count in ((q.ENVELOPE, 2),
                            (b"F\0" + b"Tsomebody@d\0" * 1000 + b"\0", 3)):
        trace = home.file(f"trace{count}")
        assert q.run(home, b"x" * 200000, envelope, argv=strace(
            home, "-o", trace, "-e", f"trace={flushes}")) == 0
        with open(trace) as f:
            lines = f.read().splitlines()
        assert len([line for line in lines if "fsync(" in line]) == count
        assert len(lines) == count, lines


@needs_strace
@unsanitized
def test_few_system_calls(home):
    trace = home.file("trace")
    assert q.run(home, argv=strace(home, "-o", trace)) == 0
    with open(trace) as f:
        lines = f.read().splitlines()
    assert len([x for x in lines if "write(" in x]) == 2  # mess, intd
    assert len(lines) < 60, lines


@needs_strace
def test_abandoned_message_costs_no_flush(home):
    trace = home.file("trace")
    assert q.run(home, envelope=b"", argv=strace(
        home, "-o", trace, "-e", "trace=fsync")) == 54
    with open(trace) as f:
        assert "fsync" not in f.read()


# -- memory ------------------------------------------------------------------
def test_many_recipients_in_bounded_memory(home):
    count = 100000
    process, message_w, envelope_w = q.start(home)
    q.feed(message_w, b"x" * (8 << 20))
    envelope = b"Flist@example.org\0" + b"".join(
        b"Tsubscriber-%06d@example.net\0" % i for i in range(count))
    view = memoryview(envelope)
    while view:
        view = view[os.write(envelope_w, view[:65536]):]
    with open(f"/proc/{process.pid}/status") as f:
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", f.read())[1])
    q.feed(envelope_w, b"\0")
    assert process.wait(DEADLINE) == 0
    assert SANITIZED or peak < 4096, f"{peak} kB"
    assert q.only(home)[2].endswith(envelope)


# -- many at a time ----------------------------------------------------------
def test_concurrent(home):
    """Twenty at once: twenty messages, none mixed up."""
    running = []
    for i in range(20):
        process, message_w, envelope_w = q.start(home)
        running.append((process, i))
        q.feed(message_w, b"number %d\n" % i)
        q.feed(envelope_w, b"Fs%d\0Tr%d\0\0" % (i, i))
    for process, _ in running:
        assert process.wait(DEADLINE) == 0
    found = set()
    for files in q.messages(home).values():
        with open(files["mess"], "rb") as f:
            number = int(f.read().split()[-1])
        with open(files["todo"], "rb") as f:
            assert f.read().endswith(b"Fs%d\0Tr%d\0" % (number, number))
        found.add(number)
    assert found == set(range(20))


def test_stop_is_possible(home):
    process, message_w, envelope_w = q.start(home)
    assert stop(process) == -signal.SIGTERM
    os.close(message_w)
    os.close(envelope_w)
