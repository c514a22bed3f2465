"""Every fault of a peer, at every step, on the first message of a connection
and on later ones, through qmail-send, qmail-rspawn and the qmail-remote that
stays alive: each ends in the right report, nothing is lost, and nothing is
sent twice except where the peer left no way to know.

Each fault has a peer and a domain of its own; all of them run side by side.
"""
import collections
import re
import signal
import socket
import threading
import time

import home as h

TIMEOUT = 8          # control/timeoutremote: what a stall costs
PATIENCE = 120.0     # until everything must have happened
LARGE = 8_000_000    # bytes that no socket's buffers hold
CLIENT_GONE = (OSError, EOFError)

DEFAULTS = {
    "greeting": b"220 peer ESMTP\r\n",
    "EHLO": b"250-peer\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    "MAIL": b"250 2.1.0 ok\r\n", "RCPT": b"250 2.1.5 ok\r\n",
    "DATA": b"354 go\r\n", "dot": b"250 2.6.0 taken\r\n"}
ENDLESS = {"line": b"x" * 4096, "reply": b"250-and so on\r\n" * 256,
           "zeros": bytes(4096)}
SAID = {"garbage": b"\xff\xfe what?\r\n", "later": b"451 4.3.0 later\r\n",
        "never": b"550 5.7.1 never\r\n"}
SILENT = ["stall", "close", "reset"]
ANY = [*SILENT, "garbage", *ENDLESS, "drip"]

# "old": only over a connection that has served a message already.
Fault = collections.namedtuple("Fault", "number step how old")


def faults():
    found = [Fault(1, "greeting", how, False) for how in ANY]
    found += [Fault(1, "EHLO", how, False) for how in SILENT + ["line"]]
    for step in ("MAIL", "RCPT", "DATA", "dot"):
        found += [Fault(1, step, how, False) for how in ANY]
        found += [Fault(2, step, how, False)
                  for how in ("stall", "close", "reply", "later", "never")]
        found += [Fault(3, step, how, True)
                  for how in ("stall", "close", "reset", "garbage", "line")]
    found += [Fault(number, "body", how, number == 3)
              for number in (1, 2, 3) for how in SILENT]
    # Those that take longest first.
    return sorted(found, key=lambda f: (f.how != "stall", -f.number))


class Peer:
    """Serves well but for its fault; keeps book of what it has taken."""

    def __init__(self, fault, number):
        self.fault = fault
        self.domain = f"f{number}.example"
        self.address = f"127.1.{number // 200}.{number % 200 + 1}"
        self.mended = False
        self.sessions = 0
        self.accepted = []   # messages that got their 250
        self.uncertain = []  # that were whole, and got no answer
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.listener.bind((self.address, 0))
        self.listener.listen(20)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.sessions += 1
            threading.Thread(target=self.run, args=(connection,),
                             daemon=True).start()

    def run(self, connection):
        connection.settimeout(PATIENCE)
        try:
            self.serve(connection, connection.makefile("rb"))
        except CLIENT_GONE:
            pass
        connection.close()

    def hits(self, step, number, served):
        """Is it now that things go wrong?"""
        f = self.fault
        return (not self.mended and step == f.step and
                (number == f.number or step in ("greeting", "EHLO")) and
                (served > 0 or not f.old))

    def misbehave(self, connection):
        how = self.fault.how
        if how in SAID:
            connection.sendall(SAID[how])
            return
        if how == "stall":
            if self.fault.step == "body":
                time.sleep(TIMEOUT + 2)  # and reads nothing
            else:
                while connection.recv(65536):
                    pass
        elif how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                  b"\1\0\0\0\0\0\0\0")
        elif how == "drip":
            while True:
                connection.sendall(b"2")
                time.sleep(0.5)
        while how in ENDLESS:
            connection.sendall(ENDLESS[how] * 100)
            time.sleep(0.05)
        raise EOFError

    def answer(self, connection, step, number, served):
        """The answer's first digit."""
        if self.hits(step, number, served):
            self.misbehave(connection)
            return SAID[self.fault.how][:1]
        connection.sendall(DEFAULTS[step])
        return DEFAULTS[step][:1]

    def serve(self, connection, lines):
        served = number = 0
        self.answer(connection, "greeting", 0, 0)
        while True:
            line = lines.readline()
            verb = line[:4].decode("latin-1")
            if verb == "QUIT" or not line:
                return
            if verb not in DEFAULTS:
                connection.sendall(b"250 ok\r\n")
                continue
            if verb == "MAIL":
                number = int(re.search(rb"<joe-(\d)-", line).group(1))
            if self.answer(connection, verb, number, served) == b"3":
                self.take(connection, lines, number, served)
                served += 1

    def take(self, connection, lines, number, served):
        if self.hits("body", number, served):
            lines.readline()
            self.misbehave(connection)
        while (line := lines.readline()) != b".\r\n":
            if not line:
                raise EOFError
        self.uncertain.append(number)
        if self.answer(connection, "dot", number, served) == b"2":
            self.accepted.append(number)
        elif self.fault.how not in ("later", "never"):
            return
        self.uncertain.remove(number)


def letter(fault, number):
    """success, deferral or failure, and whether it may be a duplicate."""
    if number != fault.number:
        return "success", False
    refused = fault.how in ("later", "never")
    if fault.step == "EHLO" and fault.how in ("close", "reset"):
        return "success", False  # HELO, over a new connection
    # Where nothing was sent a new connection is tried, and serves well.
    if fault.old and fault.step != "dot":
        return "success", False
    return ("failure" if fault.how == "never" else "deferral",
            fault.step == "dot" and not refused)


class Bench:
    def __init__(self, home):
        self.home = home
        self.peers = [Peer(f, n) for n, f in enumerate(faults())]
        self.by_domain = {p.domain: p for p in self.peers}
        self.outcomes = {}  # (domain, number): [(word, text), ...]
        self.read = 0
        self.messages = {}  # of the log: domain and number by message
        self.deliveries = {}
        where = home.add_user("joe")
        h.write_file(where + "/.qmail-default", "./Maildir/\n")
        for name, text in (("timeoutremote", f"{TIMEOUT}\n"),
                           ("timeoutconnect", "30\n"),
                           ("connectionidle", "100\n"),
                           ("concurrencyremote", "250\n")):
            home.control(name, text)
        home.control("smtproutes", "".join(
            f"{p.domain}:{p.address}:{p.port}\n" for p in self.peers))
        large = "Subject: x\n\n" + "y" * 79 + "\n"
        self.large = large + ("z" * 79 + "\n") * (LARGE // 80)

    def inject(self, peer, number):
        text = self.large if (peer.fault.step, peer.fault.number) == (
            "body", number) else "Subject: x\n\ny\n"
        done = self.home.inject(
            text, f"-fjoe-{number}-{peer.domain}@a.example",
            f"u{number}@{peer.domain}")
        assert done.returncode == 0, done

    def look(self):
        """New lines of the log."""
        with open(self.home.log_path, "rb") as f:
            f.seek(self.read)
            text, cut, _ = f.read().rpartition(b"\n")
        self.read += len(text) + len(cut)
        for line in text.decode("latin-1").split("\n"):
            if m := re.search(r"starting delivery (\d+): msg \d+ to remote "
                              r"u(\d)@(\S+)", line):
                self.deliveries[m[1]] = (m[3], int(m[2]))
            elif m := re.search(r"delivery (\d+): (success|deferral|failure):"
                                r" (.*)", line):
                which = self.deliveries.get(m[1])
                if which is not None:
                    self.outcomes.setdefault(which, []).append((m[2], m[3]))
        return self.outcomes

    def run_all(self):
        """Each peer gets its next message when the last one is done with."""
        current = {}
        for p in self.peers:
            current[p.domain] = 1
            self.inject(p, 1)

        def step():
            outcomes = self.look()
            for domain, number in list(current.items()):
                if (domain, number) not in outcomes:
                    continue
                del current[domain]
                if number < self.by_domain[domain].fault.number:
                    current[domain] = number + 1
                    self.inject(self.by_domain[domain], number + 1)
            return not current

        h.wait_for(step, f"the outcomes of {current}", PATIENCE)

    def mend_all(self):
        for p in self.peers:
            p.mended = True

        def nothing_left():
            if not self.home.queue_files():
                return True
            self.home.send.send_signal(signal.SIGALRM)
            time.sleep(0.5)
            return False

        h.wait_for(nothing_left, "an empty queue", PATIENCE)
        self.look()

    def stop(self):
        for p in self.peers:
            p.listener.close()


def check(bench, peer):
    """The ledger of one peer."""
    fault = peer.fault
    for number in range(1, fault.number + 1):
        outcomes = bench.outcomes[(peer.domain, number)]
        word, duplicate = letter(fault, number)
        first, text = outcomes[0]
        assert (first, "Possible_duplicate!" in text) == (word, duplicate), \
            (fault, number, outcomes)
        assert len(text) < 9500 and text.isprintable(), (fault, text)
        words = [word for word, _ in outcomes]
        final = "failure" if fault.how == "never" and \
            number == fault.number else "success"
        # Deferrals, then one final word.
        assert words[-1] == final and set(words[:-1]) <= {"deferral"}, \
            (fault, number, outcomes)
        assert peer.accepted.count(number) == (final == "success"), \
            (fault, number, peer.accepted)
        assert peer.uncertain.count(number) == duplicate, \
            (fault, number, peer.uncertain)


def test_every_fault_at_every_step(home):
    bench = Bench(home)
    try:
        home.start()
        bench.run_all()
        bench.mend_all()
        for peer in bench.peers:
            check(bench, peer)
    finally:
        bench.stop()
    bounces = collections.Counter(
        re.search(rb"^<u(\d)@(\S+)>:$", m, re.M)[2].decode()
        for m in home.user_messages("joe"))
    assert bounces == {p.domain: 1 for p in bench.peers
                       if p.fault.how == "never"}
    # A good connection was kept for the messages before the fault.
    for peer in bench.peers:
        if peer.fault == Fault(2, "dot", "later", False):
            assert peer.sessions <= 4
