"""kill -9 of any program at any moment loses no accepted message.

Numbered messages come in by qmail-inject and by SMTP and go to a Maildir here
and, by SMTP, to one in a second home, while the first home's programs die.
"""
import os
import random
import re
import signal
import smtplib
import subprocess
import threading
import time

from home import DEADLINE, TEST_UID, stop, wait_for

VICTIMS = ["qmail-send", "qmail-todo", "qmail-lspawn", "qmail-rspawn",
           "qmail-clean", "qmail-queue", "qmail-local", "qmail-smtpd",
           "qmail-inject", "qmail-remote"]
SECONDS = 15  # at least, and until there were enough of these:
KILLS, MESSAGES = 10, 20
PER_SENDER = 120


def processes_below(root, spared):
    """pid and name of every descendant of root, but for whole families."""
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
            if parent == top and pid not in spared:
                found.append((pid, names[pid]))
                frontier.append(pid)
    return found


def submit_by_inject(home, recipient, text):
    try:
        return home.run("qmail-inject", "-fs@x.example", recipient,
                        input=text).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def submit_by_smtp(port, recipient, text):
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=DEADLINE) as client:
            client.sendmail("s@x.example", [recipient],
                            text.replace("\n", "\r\n"))
        return True
    except (smtplib.SMTPException, OSError):
        return False


def test_kill_loses_nothing(make_home):
    home, other = make_home("a"), make_home("b")
    other.add_user("joe")
    other.start()
    home.control("smtproutes", f"b.example:127.0.0.1:{other.smtpd()}\n")
    home.control("timeoutconnect", "5")
    home.add_user("joe")
    port = home.smtpd(env={"RELAYCLIENT": ""})
    accepted = set()
    done = threading.Event()
    rng = random.Random(4711)

    def inject(base, submit):
        for number in range(base, base + PER_SENDER):
            if done.is_set():
                return
            recipient = ("joe@a.example", "joe@b.example")[number % 2]
            text = f"Subject: number {number}\n\nbody of {number}\n"
            if submit(recipient, text):
                accepted.add(number)
            time.sleep(rng.random() * 0.05)

    home.start()
    senders = [
        threading.Thread(target=inject, args=(
            1000, lambda *a: submit_by_inject(home, *a))),
        threading.Thread(target=inject, args=(
            2000, lambda *a: submit_by_smtp(port, *a)))]
    for thread in senders:
        thread.start()
    begin = time.monotonic()
    kills = 0
    while any(t.is_alive() for t in senders):
        age = time.monotonic() - begin
        if age > 3 * DEADLINE or (age > SECONDS and kills > KILLS and
                                  len(accepted) > MESSAGES):
            break
        time.sleep(rng.random() * 0.15)
        if home.send.poll() is not None:
            # The supervisor's part; helpers may still finish a delivery.
            home.stop_send()
            wait_for(lambda: restart(home), "qmail-send to start again")
            continue
        spared = {process.pid for process in other.processes}
        candidates = [(p, n) for p, n in processes_below(os.getpid(), spared)
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
    done.set()
    for thread in senders:
        thread.join(2 * DEADLINE)
    assert kills > KILLS
    # A clean start, everything due now.
    stop(home.send, signal.SIGKILL)
    wait_for(lambda: restart(home), "the last start")
    found, end = None, 0
    while not found or not accepted <= found:
        before, found = found, numbers(home, other)
        if found != before:  # as long as something comes
            end = time.monotonic() + DEADLINE
        if time.monotonic() > end:
            break
        home.send.send_signal(signal.SIGALRM)
        other.send.send_signal(signal.SIGALRM)
        time.sleep(0.5)
    found = numbers(home, other)
    assert accepted <= found, (
        sorted(accepted - found), home.queue_files(), home.log()[-3000:],
        other.queue_files(), other.log()[-500:])
    assert len(accepted) > MESSAGES


def restart(home):
    """One start; False if the old one's lock is still held."""
    with open(home.log_path, "ab") as log:
        mark = log.tell()
        home.send = home.spawn(
            [home.file("bin", "qmail-start"), "./Maildir/"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    end = time.monotonic() + DEADLINE
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


def numbers(*homes):
    found = set()
    for text in [m for h in homes for m in h.user_messages("joe")]:
        match = re.search(rb"^body of (\d+)$", text, re.M)
        assert match, text  # whole or not at all
        found.add(int(match.group(1)))
    return found
