"""kill -9 of qmail-send, qmail-todo or qmail-clean, with deferrals, failures
and long lists under way: every recipient is delivered to or bounced.

The spawners are a script again.  A recipient first fails as often as its name
says (temp2: two deferrals), then succeeds or, with perm in it, fails.
"""
import os
import random
import signal
import threading
import time

import pytest

from home import DEADLINE, stop, wait_for, write_file
from test_send import Bench, starts

SPAWNER = r'''#!/usr/bin/python3
import os, re, sys
home = os.environ["QMAILHOME"]
os.write(1, b"\x40")
tries, pending = os.path.join(home, "tries"), b""
def note(name, line):
    fd = os.open(os.path.join(home, name),
                 os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(fd, line + b"\n")
    os.close(fd)
def verdict(ident, recipient):
    if recipient.startswith(b"sender"):
        with open(os.path.join(home, "queue/mess", ident.decode()), "rb") as f:
            for name in re.findall(rb"^<(\S+)>:$", f.read(), re.M):
                note("bounced", name)
        return b"K\n"
    wanted = int(re.search(rb"temp(\d)", recipient).group(1))
    path = os.path.join(tries, recipient.decode())
    with open(path, "ab") as f:
        f.write(b"x")
    if os.stat(path).st_size <= wanted:
        return b"Zlater\n"
    if b"perm" in recipient:
        return b"Dno\n"
    note("delivered", recipient)
    return b"K\n"
while True:
    data = os.read(0, 65536)
    if not data:
        break
    pending += data
    while pending[1:].count(b"\0") >= 3:
        number = pending[:1]
        ident, sender, recipient, pending = pending[1:].split(b"\0", 3)
        try:
            os.write(1, number + verdict(ident, recipient) + b"\0")
        except BrokenPipeError:
            sys.exit(0)
'''
SECONDS = 8  # at least, and until there were enough of these:
KILLS, RECIPIENTS = 5, 100


@pytest.fixture
def bench(home):
    b = Bench(home)
    for name in ("qmail-lspawn", "qmail-rspawn"):
        write_file(os.path.join(b.fake, name), SPAWNER, 0o755)
    os.mkdir(home.file("tries"))
    os.chmod(home.file("tries"), 0o777)
    home.control("concurrencylocal", "20\n")
    return b


def names_in(b, name):
    try:
        with open(b.home.file(name)) as f:
            return f.read().split()
    except FileNotFoundError:
        return []


def left(b):
    """All that is queued; what is in mess alone is in state S2, going."""
    return [n for n in b.home.queue_files() if not n.startswith("mess/")]


def drain(b):
    """Waits as long as the queue becomes smaller."""
    before, end = None, 0
    while now := left(b):
        if now != before:
            before, end = now, time.monotonic() + DEADLINE
        assert time.monotonic() < end, (len(now), now[:50], b.log()[-3000:])
        b.signal(signal.SIGALRM)
        time.sleep(0.3)


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_with_work_under_way(bench, seed):
    b = bench
    rng = random.Random(seed)
    accepted, done = set(), threading.Event()

    def feed():
        number = 0
        while not done.is_set():
            count = rng.choice([1, 1, 2, 5, 16, 17, 60])
            names = []
            for _ in range(count):
                number += 1
                kind = rng.choice(["ok", "ok", "ok", "perm"])
                host = rng.choice(["a.example", "far.example"])
                names.append(f"{kind}{number}-temp{rng.choice([0, 0, 0, 1, 2])}"
                             f"@{host}")
            b.inject(f"sender{number}@a.example", *names)
            accepted.update(names)
            time.sleep(rng.random() * 0.03)

    assert starts(b)
    feeder = threading.Thread(target=feed)
    feeder.start()
    kills, begin = 0, time.monotonic()
    try:
        while True:
            age = time.monotonic() - begin
            if age > 2 * DEADLINE or (age > SECONDS and kills > KILLS and
                                      len(accepted) > RECIPIENTS):
                break
            time.sleep(rng.random() * 0.3)
            if b.home.send.poll() is not None:
                wait_for(lambda: starts(b), "the next start")
                continue
            victim = rng.choice(["qmail-send", "qmail-send", "qmail-todo",
                                 "qmail-clean", "alarm"])
            try:
                if victim == "alarm":
                    b.signal(signal.SIGALRM)
                elif victim == "qmail-send":
                    stop(b.home.send, signal.SIGKILL)
                    kills += 1
                else:
                    os.kill(b.helper(victim), signal.SIGKILL)
                    kills += 1
            except (AssertionError, ProcessLookupError):
                pass
    finally:
        done.set()
        feeder.join(DEADLINE)
    stop(b.home.send, signal.SIGKILL)
    wait_for(lambda: starts(b), "the last start")
    assert kills > KILLS and len(accepted) > RECIPIENTS
    drain(b)
    delivered, bounced = names_in(b, "delivered"), names_in(b, "bounced")
    missing = {n for n in accepted
               if n not in (bounced if "perm" in n else delivered)}
    assert not missing, b.log()[-3000:]
    # Repeated deliveries are the few that were under way.
    repeated = len(delivered) - len(set(delivered))
    assert repeated <= 40 * kills, (repeated, kills)
    print(f"{kills} kills, {len(accepted)} recipients, {repeated} repeated")
