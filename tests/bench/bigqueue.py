"""A queue of a million deferred messages: start, memory, a fresh message, the
end.  fill() is the generator; it can be used for any number.

    BIG_QUEUE=100000 tests/bench/run bigqueue
"""
import os
import re
import signal
import smtplib
import statistics
import time

import home as lib

COUNT = int(os.environ.get("BIG_QUEUE", "1000000"))
ROUNDS = 60
BODY = "Subject: fresh\r\n\r\n" + ("x" * 70 + "\r\n") * 56
JOBS = 2


def say(text):
    print(text, flush=True)


def fill(home, count, due=7200, recipient="u@far.example"):
    """Messages as a qmail-send leaves them after a first attempt."""
    children = []
    for job in range(JOBS):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                if lib.ROOT:
                    os.setgroups([])
                    os.setresgid(*[lib.TEST_GID] * 3)
                    os.setresuid(*[lib.TEST_UID] * 3)
                write(home.file("queue"), job, count // JOBS, due, recipient)
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0, "the generator failed"


def write(queue, job, count, due, recipient):
    now = int(time.time())
    list_text = f"T{recipient}\0".encode()
    new = f"{queue}/pid/new{job}"
    for n in range(count):
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(fd, b"Received: x\n\nbody\n")
        inode = os.fstat(fd).st_ino
        os.close(fd)
        at = f"{inode % lib.SPLIT}/{inode}"
        os.rename(new, f"{queue}/mess/{at}")
        for area, text, when in (
                ("info", b"Fs@x.example\0", now - 600 - n % 50),
                ("remote", list_text, now + due + n % 3600)):
            fd = os.open(f"{queue}/{area}/{at}",
                         os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(fd, text)
            os.utime(fd, (when, when))
            os.close(fd)


class Server:
    def __init__(self, base, bin_dir, name):
        self.home = lib.Home(os.path.join(base, name), bin_dir,
                             me="a.example")
        self.home.add_user("joe")
        self.new = self.home.file("home", "joe", "Maildir", "new")

    def start(self):
        """Seconds until a message that comes at once is delivered."""
        self.home.control("smtproutes", f":127.0.0.1:{lib.free_port()}\n")
        self.port = self.home.smtpd(options=("-q",))
        begin = time.monotonic()
        self.home.start()
        self.deliver()
        return time.monotonic() - begin

    def deliver(self):
        """Seconds from the client's first byte to the file in new/."""
        have = len(os.listdir(self.new))
        begin = time.monotonic()
        with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as client:
            client.sendmail("s@y.example", ["joe@a.example"], BODY)
        while len(os.listdir(self.new)) <= have:
            time.sleep(0.0002)
        return time.monotonic() - begin

    def resident(self):
        with open(f"/proc/{self.home.send.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) * 1024

    def peak(self):
        with open(f"/proc/{self.home.send.pid}/status") as f:
            return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)) * 1024

    def wait_loaded(self):
        """Until memory grows no more and nothing uses the processor."""
        last, since = self.used(), time.monotonic()
        while time.monotonic() - since < 3:
            time.sleep(0.5)
            if self.used() - last > 2:
                since = time.monotonic()
            last = self.used()

    def used(self):
        """Clock ticks of qmail-send and its helpers."""
        total = 0
        pids = [self.home.send.pid]
        while pids:
            pid = pids.pop()
            try:
                with open(f"/proc/{pid}/stat") as f:
                    words = f.read().rsplit(")", 1)[1].split()
                with open(f"/proc/{pid}/task/{pid}/children") as f:
                    pids += f.read().split()
            except OSError:
                continue
            total += int(words[11]) + int(words[12])
        return total

    def end(self):
        """Seconds from TERM to the end."""
        begin = time.monotonic()
        self.home.send.send_signal(signal.SIGTERM)
        assert self.home.send.wait(60) == 0
        return time.monotonic() - begin


def bench_bigqueue(base, bin_dir):
    empty, full = Server(base, bin_dir, "small"), Server(base, bin_dir, "big")
    begin = time.monotonic()
    fill(full.home, COUNT)
    say(f"{COUNT:,} deferred messages in the queue (made in "
        f"{time.monotonic() - begin:.0f} s):")
    first = [server.start() for server in (empty, full)]
    say(f"  a message that comes with the start is delivered after: empty "
        f"{first[0]:.2f} s, full {first[1]:.2f} s")
    begin = time.monotonic()
    full.wait_loaded()
    say(f"  all of info/ is read after {time.monotonic() - begin:.0f} s")
    times = {server: [] for server in (empty, full)}
    for _ in range(ROUNDS):
        for server in (empty, full):
            times[server].append(server.deliver())
    a, b = (statistics.median(times[s]) for s in (empty, full))
    say(f"  a fresh message: empty {a * 1e3:.1f} ms, full {b * 1e3:.1f} ms, "
        f"ratio {b / a:.2f} (goal: at most 1.2)")
    say(f"  qmail-send: {(full.resident() - empty.resident()) / COUNT:.0f} "
        f"bytes for each message, {(full.peak() - empty.peak()) / COUNT:.0f} "
        "at most (goal: 200)")
    say(f"  TERM: empty {empty.end():.2f} s, full {full.end():.2f} s")
    again = full.start()
    full.home.send.send_signal(signal.SIGALRM)
    time.sleep(3)
    late = full.deliver()
    say(f"  started again: {again:.2f} s; a fresh message while all are due "
        f"at once: {late * 1e3:.1f} ms; TERM then: {full.end():.2f} s")
    full.home.stop_all()
    empty.home.stop_all()
