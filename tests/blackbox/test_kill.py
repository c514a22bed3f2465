"""kill -9 of any program at any moment loses no accepted message."""
import os
import random
import re
import signal
import subprocess
import threading
import time

from home import TEST_UID, stop, wait_for

VICTIMS = ["qmail-send", "qmail-todo", "qmail-lspawn", "qmail-rspawn",
           "qmail-clean", "qmail-queue", "qmail-local", "qmail-smtpd"]
SECONDS = 15
PER_SENDER = 120


def processes_below(root):
    """pid and name of every descendant of a process we started."""
    parents, names = {}, {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as f:
                text = f.read()
        except OSError:
            continue
        pid = int(entry)
        names[pid] = text[text.index("(") + 1:text.rindex(")")]
        parents[pid] = int(text[text.rindex(")") + 2:].split()[1])
    found, frontier = [], [root]
    while frontier:
        top = frontier.pop()
        for pid, parent in parents.items():
            if parent == top:
                found.append((pid, names[pid]))
                frontier.append(pid)
    return found


def test_kill_loses_nothing(home):
    home.add_user("joe")
    home.control("queuelifetime", "604800")
    accepted = set()
    done = threading.Event()
    rng = random.Random(4711)

    def inject(base):
        for i in range(PER_SENDER):
            if done.is_set():
                return
            number = base + i
            text = f"Subject: number {number}\n\nbody of {number}\n"
            try:
                r = home.run("qmail-inject", "-fs@x.example", "joe@a.example",
                             input=text)
            except subprocess.TimeoutExpired:
                continue
            if r.returncode == 0:
                accepted.add(number)
            time.sleep(rng.random() * 0.05)

    home.start()
    senders = [threading.Thread(target=inject, args=(1000 * n,))
               for n in (1, 2)]
    for thread in senders:
        thread.start()
    end = time.monotonic() + SECONDS
    kills = 0
    while time.monotonic() < end and any(t.is_alive() for t in senders):
        time.sleep(rng.random() * 0.15)
        if home.send.poll() is not None:
            # The supervisor's part; helpers may still finish a delivery.
            home.stop_send()
            wait_for(lambda: restart(home), "qmail-send to start again")
            continue
        candidates = [(p, n) for p, n in processes_below(os.getpid())
                      if n in VICTIMS and uid_of(p) == TEST_UID]
        by_name = {}
        for pid, name in candidates:
            by_name.setdefault(name, []).append(pid)
        if not by_name:
            continue
        name = rng.choice(sorted(by_name))
        try:
            os.kill(rng.choice(by_name[name]), signal.SIGKILL)
            kills += 1
        except ProcessLookupError:
            pass
    for thread in senders:
        thread.join(60)
    done.set()
    assert kills > 10
    # A clean start, everything due now.
    stop(home.send, signal.SIGKILL)
    wait_for(lambda: restart(home), "the last start")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = numbers(home)
        if accepted <= found:
            break
        home.send.send_signal(signal.SIGALRM)
        time.sleep(0.5)
    assert accepted <= numbers(home), sorted(accepted - numbers(home))
    assert len(accepted) > 20


def restart(home):
    """One start; False if the old one's lock is still held."""
    with open(home.log_path, "ab") as log:
        mark = log.tell()
        home.send = home.spawn(
            [home.file("bin", "qmail-start"), "./Maildir/"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        with open(home.log_path, "rb") as f:
            f.seek(mark)
            if b"status: local" in f.read():
                return True
        if home.send.poll() is not None:
            return False
        time.sleep(0.02)
    return False


def uid_of(pid):
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1


def numbers(home):
    found = set()
    for text in home.user_messages("joe"):
        match = re.search(rb"^body of (\d+)$", text, re.M)
        assert match, text  # whole or not at all
        found.add(int(match.group(1)))
    return found
