"""POP3 beside Dovecot: opening a large mailbox, fetching small messages."""
import os
import shutil
import socket
import time

import home as lib
from dovecot_peer import Dovecot, usable
from meter import Meter

LARGE = 50_000    # messages of the mailbox that is opened
SMALL = 1_000     # messages that are fetched
ROUNDS = 5
MESSAGE = (b"From: a@x.example\nTo: b@x.example\nSubject: bench\n\n"
           + (b"x" * 70 + b"\n") * 12)  # 0.9 KB
HASH = ("$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDe"
        "hy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1")  # "secret"


def say(text):
    print(text, flush=True)


class Client:
    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), 60)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.line()

    def line(self):
        got = b""
        while not got.endswith(b"\r\n"):
            more = self.s.recv(65536)
            if not more:
                raise EOFError(got)
            got += more
        return got

    def ask(self, command):
        self.s.sendall(command + b"\r\n")
        answer = self.line()
        if not answer.startswith(b"+OK"):
            raise ValueError(answer)
        return answer

    def login(self):
        """Seconds until the number of messages is known."""
        self.ask(b"USER joe")
        started = time.perf_counter()
        self.ask(b"PASS secret")
        count = int(self.ask(b"STAT").split()[1])
        return time.perf_counter() - started, count

    def until_dot(self):
        got = self.s.recv(262144)
        while not got.endswith(b"\r\n.\r\n"):
            more = self.s.recv(262144)
            if not more:
                raise EOFError(got)
            got = got[-8:] + more
        return got

    def multi(self, command):
        started = time.perf_counter()
        self.s.sendall(command + b"\r\n")
        self.until_dot()
        return time.perf_counter() - started

    def one_by_one(self, count):
        """Messages a second, each asked for when the last has come."""
        started = time.perf_counter()
        for n in range(1, count + 1):
            self.s.sendall(b"RETR %d\r\n" % n)
            self.until_dot()
        return count / (time.perf_counter() - started)

    def pipelined(self, count):
        """Messages a second, all asked for at once."""
        wish = b"".join(b"RETR %d\r\n" % n for n in range(1, count + 1))
        started = time.perf_counter()
        self.s.sendall(wish + b"NOOP\r\n")
        dots = 0
        tail = b""
        while dots < count:
            more = self.s.recv(262144)
            if not more:
                raise EOFError(dots)
            dots += (tail + more).count(b"\r\n.\r\n")
            tail = more[-4:]
        return count / (time.perf_counter() - started)

    def quit(self):
        self.ask(b"QUIT")
        self.s.close()


def fill(maildir, count, told=True):
    """Messages as deliveries of the last weeks leave them, seen ones."""
    for sub in ("", "tmp", "new", "cur"):
        lib.make_dirs(os.path.join(maildir, sub), 0o700)
    first = int(time.time()) - count - 1000
    size = f",S={len(MESSAGE)}" if told else ""
    for i in range(count):
        path = os.path.join(
            maildir, "cur", f"{first + i}.M{i % 1000000}P77Q{i}.a{size}:2,S")
        with open(path, "wb") as f:
            f.write(MESSAGE)
        os.utime(path, (first + i, first + i))
        lib.own(path)
    return maildir


def forget(maildir):
    """Dovecot's first opening, again."""
    for name in os.listdir(maildir):
        if name.startswith("dovecot"):
            os.unlink(os.path.join(maildir, name))


class Ours:
    """The same as Dovecot(), with qmail-popup and qmail-pop3d."""

    def __init__(self, base, bin_dir, maildir):
        self.home = lib.Home(base, bin_dir, me="a.example")
        lib.make_dirs(self.home.file("control", "auth"))
        self.home.control("auth/pop3", "63\n")
        os.rename(maildir, self.home.file("home", "Maildir"))
        lib.write_file(self.home.file("users", "poppasswd"),
                       f"joe:{HASH}:home\n", 0o600)

    def start(self):
        self.port = self.home.pop3d()

    def stop(self):
        self.home.stop_all()


def opening(server, maildir=None):
    """Best times of a login, and of all names, in milliseconds."""
    best = [9e9, 9e9]
    for _ in range(ROUNDS):
        if maildir:
            forget(maildir)
        client = Client(server.port)
        seconds, count = client.login()
        if count != LARGE:
            raise ValueError(count)
        best = [min(best[0], seconds), min(best[1], client.multi(b"UIDL"))]
        client.quit()
    return [1000 * b for b in best]


def fetching(servers, how):
    """Best rates, in turns, so that all see the same machine."""
    best = [0.0] * len(servers)
    for _ in range(ROUNDS):
        for i, server in enumerate(servers):
            client = Client(server.port)
            client.login()
            best[i] = max(best[i], getattr(client, how)(SMALL))
            client.quit()
    return best


def bench_large(base, bin_dir):
    ours = Ours(os.path.join(base, "large"), bin_dir,
                fill(os.path.join(base, "box"), LARGE))
    untold = Ours(os.path.join(base, "untold"), bin_dir,
                  fill(os.path.join(base, "box"), LARGE, told=False))
    servers = {"qmail-pop3d, sizes in the names": (ours, None),
               "qmail-pop3d, sizes from the files": (untold, None)}
    if usable():
        box = fill(os.path.join(base, "box"), LARGE)
        servers["Dovecot, first opening"] = (Dovecot(box), box)
    say(f"opening a Maildir of {LARGE} messages, and UIDL, in ms:")
    try:
        for name, (server, box) in servers.items():
            server.start()
            say("  %-36s %8.1f %8.1f" % (name, *opening(server, box)))
    finally:
        for server, _ in servers.values():
            server.stop()


def bench_small(base, bin_dir):
    box = fill(os.path.join(base, "smallbox"), SMALL)
    peer_box = box + "-peer"
    shutil.copytree(box, peer_box)
    for where, dirs, files in os.walk(peer_box):
        for name in dirs + files:
            lib.own(os.path.join(where, name))
    lib.own(peer_box)
    servers = [Ours(os.path.join(base, "small"), bin_dir, box)]
    names = ["qmail-pop3d"]
    if usable():
        servers.append(Dovecot(peer_box))
        names.append("Dovecot")
    say(f"fetching {SMALL} messages of {len(MESSAGE)} bytes, messages a "
        "second:")
    meters = [Meter() for _ in servers]
    try:
        for meter, server in zip(meters, servers):
            if meter:
                meter.start(server.start)
            else:
                server.start()
        rates = [fetching(servers, how) for how in ("one_by_one", "pipelined")]
        used = [meter.seconds() if meter else None for meter in meters]
    finally:
        for server in servers:
            server.stop()
        for meter in meters:
            meter.close()
    for name, fast, faster, cpu in zip(names, *rates, used):
        say("  %-14s one by one %7.0f   pipelined %7.0f   CPU of one %s us"
            % (name, fast, faster, "?" if cpu is None
               else round(cpu / (2 * ROUNDS * SMALL) * 1e6)))
    if len(servers) > 1:
        say("  ratio          one by one %7.2f   pipelined %7.2f   "
            "(goal: at least 1)" % tuple(r[0] / r[1] for r in rates))


def bench_pop3(base, bin_dir):
    bench_small(base, bin_dir)
    bench_large(base, bin_dir)
