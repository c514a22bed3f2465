"""Benchmarks of local delivery: users/cdb with a million users, and many
messages into one and into a thousand Maildirs beside Postfix."""
import os
import shutil
import statistics
import subprocess
import tempfile
import time

import home as lib
import postfix_peer
from meter import Meter

USERS = 1_000_000
LOOKUP_SECONDS = 3
LOOKUP_GOAL = 20  # microseconds
MESSAGES = 2000
BOXES = 1000
SESSIONS = 20
ROUNDS = 3


def say(text):
    print(text, flush=True)


def build_lookup(base):
    program = os.path.join(base, "lookup")
    archives = [os.path.join(lib.BUILD, "lib", f"{room}.a")
                for room in ("conf", "mail", "base")]
    subprocess.run(["cc", "-O2", "-std=c17", "-D_GNU_SOURCE", "-Isrc", "-o",
                    program, "tests/bench/lookup.c", *archives, "-lcdb"],
                   cwd=lib.REPO, check=True)
    return program


def bench_users(base, bin_dir):
    """qmail-newu and look-ups with a million users, each with extensions."""
    home = lib.Home(os.path.join(base, "users"), bin_dir)
    with open(home.file("users", "assign"), "w") as f:
        for i in range(USERS):
            place = f"user{i}:{1000 + i}:100:/home/user{i}"
            f.write(f"=user{i}:{place}:::\n+user{i}-:{place}:-::\n")
        f.write(".\n")
    begin = time.monotonic()
    home.run("qmail-newu", check=True, timeout=600)
    cdb = home.file("users", "cdb")
    say(f"users/cdb with {USERS:,} users: made in "
        f"{time.monotonic() - begin:.1f} s, "
        f"{os.path.getsize(cdb) / 2**20:.0f} MiB")
    program = build_lookup(base)
    for what, tail in (("a user", ""), ("an extension", "-a-list.of-mine"),
                       ("nobody", "x")):
        words = subprocess.run(
            [program, cdb, str(USERS), str(LOOKUP_SECONDS), tail],
            capture_output=True, text=True, check=True).stdout.split()
        assert int(words[2]) == (0 if tail == "x" else int(words[1])), words
        say(f"  look-up of {what}: {words[0]} us (goal: below "
            f"{LOOKUP_GOAL})")


class Ours:
    """A home with boxes users; numbers of smtp-source -N are mapped to it."""

    def __init__(self, base, bin_dir, boxes):
        self.home = lib.Home(os.path.join(base, f"o{boxes}-{time.time()}"),
                             bin_dir)
        self.home.control("concurrencylocal", f"{SESSIONS}\n")
        self.boxes = []
        for i in range(boxes):
            where = lib.make_dirs(self.home.file("home", f"b{i}"))
            self.boxes.append(self.home.maildir(
                os.path.join(where, "Maildir")))
        for i in range(MESSAGES + 100):
            box = i % boxes
            where = self.home.file("home", f"b{box}")
            self.home.assignments.append(
                f"={i}box:b{box}:{lib.TEST_UID}:{lib.TEST_GID}:{where}:::")
        self.home.write_assignments()

    def start(self):
        self.home.start()
        self.port = self.home.smtpd(options=("-q",))

    def arrived(self):
        return sum(len(os.listdir(os.path.join(b, "new")))
                   for b in self.boxes)

    def stop(self):
        self.home.wait_empty()
        self.home.stop_all()
        shutil.rmtree(self.home.path, ignore_errors=True)


class Theirs(postfix_peer.Postfix):
    """The same boxes; its virtual(8) wants them in a table."""

    def __init__(self, boxes):
        table = tempfile.mkdtemp(prefix="bench-table-", dir="/tmp")
        os.chmod(table, 0o755)
        self.table = table
        with open(f"{table}/boxes", "w") as f:
            for i in range(MESSAGES + 100):
                f.write(f"{i}box@a.example b{i % boxes}/Maildir/\n")
        super().__init__(f"virtual_mailbox_maps = texthash:{table}/boxes")
        for i in range(boxes):
            where = f"{self.base}/mail/b{i}"
            os.makedirs(where)
            shutil.chown(where, 65534)

    def stop(self):
        super().stop()
        shutil.rmtree(self.table, ignore_errors=True)

    def arrived(self):
        found = 0
        for name in os.listdir(f"{self.base}/mail"):
            where = f"{self.base}/mail/{name}/Maildir/new"
            if os.path.isdir(where):
                found += len(os.listdir(where))
        return found


def measure(server):
    """Messages a second, and CPU seconds of one, from nothing to Maildirs."""
    meter = Meter()
    meter.start(server.start)
    try:
        time.sleep(1)
        before, begin = meter.seconds(), time.monotonic()
        subprocess.run(
            ["smtp-source", "-N", "-s", str(SESSIONS), "-l", "4096", "-m",
             str(MESSAGES), "-f", "s@x.example", "-t", "box@a.example",
             f"127.0.0.1:{server.port}"], check=True)
        end = time.monotonic() + 120
        while server.arrived() < MESSAGES:
            assert time.monotonic() < end, server.arrived()
            time.sleep(0.2)
        took = time.monotonic() - begin
        return MESSAGES / took, (meter.seconds() - before) / MESSAGES
    finally:
        server.stop()
        meter.close()


def bench_mailboxes(base, bin_dir):
    if not postfix_peer.usable() or not Meter() or \
            not shutil.which("smtp-source"):
        say("mailboxes: needs root, cgroups and Postfix")
        return
    for boxes in (1, BOXES):
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(measure(Ours(base, bin_dir, boxes)))
            theirs.append(measure(Theirs(boxes)))
        rate, cpu = (statistics.median(c) for c in zip(*ours))
        peer_rate, peer_cpu = (statistics.median(c) for c in zip(*theirs))
        say(f"{MESSAGES} messages of 4 KiB by SMTP into {boxes} Maildir(s), "
            f"medians of {ROUNDS}:")
        say(f"  {rate:.0f} messages/s, Postfix {peer_rate:.0f}; ratio "
            f"{rate / peer_rate:.2f} (goal: above 1)")
        say(f"  CPU of one {cpu * 1e3:.2f} ms, Postfix {peer_cpu * 1e3:.2f}; "
            f"ratio {cpu / peer_cpu:.2f} (goal: below 1)")
