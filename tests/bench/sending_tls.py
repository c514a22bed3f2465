"""Mail out over TLS: in by SMTP, out by STARTTLS (opportunistic, any
certificate) to one relay, beside Postfix in the same run.

The sink is ours, as smtp-sink knows no TLS; its CPU is not counted.  Twice:
as both send by default, qmail-remote over connections that it keeps, Postfix
over a new one for each message; and with a connection for each message from
both.
"""
import os
import signal
import socket
import statistics
import sys
import threading

import home as lib
import postfix_peer
import relaying

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "blackbox"))
from tls import make_certificate  # noqa: E402
from tls_peer import context  # noqa: E402

ROUNDS = 3
MESSAGES = 500
PROCESSES = 4
SAID = {b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
        b"MAIL": b"250 ok\r\n", b"RCPT": b"250 ok\r\n",
        b"RSET": b"250 ok\r\n", b"DATA": b"354 go\r\n", b"QUIT": b"221 bye\r\n"}


def say(text):
    print(text, flush=True)


class TlsSink:
    """Takes messages from clients that ask for TLS, and refuses others."""

    def __init__(self, base, pem):
        path = os.path.join(base, "sink.pem")
        with open(path, "w") as f:
            f.write(pem)
        self.context = context(path)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        # Messages, sessions of TLS, and how many of them have ended.
        self.counts = [os.pipe() for _ in range(3)]
        self.open = 0
        self.pids = [self.start() for _ in range(PROCESSES)]

    def start(self):
        pid = os.fork()
        if pid:
            return pid
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.run, args=(connection,),
                             daemon=True).start()

    def run(self, connection):
        try:
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY,
                                      1)
                connection.sendall(b"220 sink ESMTP\r\n")
                self.in_clear(connection)
                os.write(self.counts[1][1], b".")
                try:
                    with self.context.wrap_socket(
                            connection, server_side=True) as wrapped:
                        self.in_tls(wrapped)
                finally:
                    os.write(self.counts[2][1], b".")
        except (OSError, EOFError):
            pass

    @staticmethod
    def in_clear(connection):
        for verb, answer in ((b"EHLO", b"250-sink\r\n250 STARTTLS\r\n"),
                             (b"STARTTLS", b"220 go\r\n")):
            if not connection.recv(4096).startswith(verb):
                raise EOFError
            connection.sendall(answer)

    def in_tls(self, wrapped):
        lines = wrapped.makefile("rb")
        while line := lines.readline():
            verb = line[:4].upper()
            wrapped.sendall(SAID[verb])
            if verb == b"QUIT":
                return
            if verb != b"DATA":
                continue
            while (line := lines.readline()) != b".\r\n":
                if not line:
                    return
            os.write(self.counts[0][1], b".")
            wrapped.sendall(b"250 taken\r\n")

    def figures(self):
        """Messages and TLS sessions since the last call."""
        found = []
        for reader, _ in self.counts:
            os.set_blocking(reader, False)
            n = 0
            while True:
                try:
                    n += len(os.read(reader, 65536))
                except BlockingIOError:
                    break
            found.append(n)
        self.open += found[1] - found[2]
        return found[:2]

    def is_quiet(self):
        self.figures()
        return self.open == 0

    def stop(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
        self.listener.close()


def compare(label, servers, sink):
    runs = {server.name: [] for server in servers}
    for i in range(ROUNDS):
        for server in servers if i % 2 else servers[::-1]:
            lib.wait_for(sink.is_quiet, "the end of old connections")
            _, seconds, cpu = relaying.one_run(server, sink, MESSAGES, 1)
            messages, sessions = sink.figures()
            assert messages == MESSAGES, (server.name, messages)
            runs[server.name].append((MESSAGES / seconds,
                                      cpu / MESSAGES * 1e3, sessions))
    say(f"sendtls, {label}: {MESSAGES} messages, medians of {ROUNDS} rounds "
        "in turn:")
    for server in servers:
        rate, cpu, sessions = map(statistics.median, zip(*runs[server.name]))
        say(f"  {server.name:9} {rate:6.0f} messages/s through, {cpu:.2f} ms of "
            f"CPU for each, {sessions:.0f} connections")
    pairs = list(zip(*(runs[s.name] for s in servers)))
    say("  ratio: messages/s "
        f"{statistics.median(a[0] / b[0] for a, b in pairs):.2f}, CPU "
        f"{statistics.median(a[1] / b[1] for a, b in pairs):.2f}")


def bench_sendtls(base, bin_dir):
    if not postfix_peer.usable():
        say("sendtls: needs root and Postfix")
        return
    sink = TlsSink(base, "".join(make_certificate(base, "a.example")))
    ways = (("connections as by default", ()),
            ("a connection each", (("connectionmessages", "1\n"),)))
    try:
        for n, (label, controls) in enumerate(ways):
            servers = [
                relaying.Qmail(lib.make_dirs(os.path.join(base, f"way{n}")),
                               bin_dir, sink, controls),
                relaying.Postfix(base, bin_dir, sink,
                                 "smtp_tls_security_level = may\n")]
            try:
                for server in servers:
                    relaying.one_run(server, sink, 20, 1)
                compare(label, servers, sink)
            finally:
                for server in servers:
                    server.stop()
    finally:
        sink.stop()
