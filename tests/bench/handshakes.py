"""TLS handshakes: CPU of an SMTP connection in clear, with a full and with a
resumed handshake, beside Postfix in the same run; and of a POP3 connection
with TLS from its first byte, beside Dovecot, whose login processes resume no
sessions of others.

All servers have the same ECDSA P-256 certificate, log as they do by default,
and are asked in turn, a few connections at a time, by the same clients; the
clients' CPU is not counted.
"""
import os
import socket
import ssl
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import dovecot_peer
import home as lib
import postfix_peer
from meter import Meter
from sessions import pss

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "blackbox"))
from tls import context, make_certificate, read_until  # noqa: E402

ROUNDS = 15
CONNECTIONS = 60
WARM = 4
CLIENTS = 4
IDLE = 40


def say(text):
    print(text, flush=True)


class Qmail:
    name = "qmail-md"
    directory = "tls"

    @staticmethod
    def program(bin_dir):
        return [os.path.join(bin_dir, "qmail-smtpd")]

    def __init__(self, base, bin_dir, pem):
        self.converse = converse
        self.home = lib.Home(os.path.join(base, self.directory), bin_dir)
        lib.make_dirs(self.home.file("run"))
        lib.make_dirs(self.home.file("run/tls"), 0o700)
        lib.write_file(self.home.file("control/servercert.pem"), pem, 0o600)
        self.meter = Meter()
        self.port = lib.free_port()
        front = os.path.join(bin_dir, "qmail-tls")
        log = open(self.home.file("server.log"), "ab")
        lib.own(self.home.file("server.log"))
        self.meter.start(lambda: self.home.spawn(
            [front, "-r", self.home.listener, "-v", "-H", "-R", "-l", "a.example",
             "-c", "200", "-b", "100", "127.0.0.1", str(self.port),
             *self.program(bin_dir)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        lib.wait_port(self.port)

    def stop(self):
        self.home.stop_all()
        self.meter.close()


class QmailPop(Qmail):
    directory = "tls-pop"

    @staticmethod
    def program(bin_dir):
        return [os.path.join(bin_dir, "qmail-tls"), "-s",
                os.path.join(bin_dir, "qmail-popup"), "a.example", "false",
                os.path.join(bin_dir, "qmail-pop3d"), "Maildir"]

    def __init__(self, base, bin_dir, pem):
        super().__init__(base, bin_dir, pem)
        self.converse = converse_pop


class Dovecot:
    name = "Dovecot"

    def __init__(self, base, bin_dir, pem):
        path = os.path.join(base, "dovecot.pem")
        with open(path, "w") as f:
            f.write(pem)
        os.chmod(path, 0o600)
        self.port = lib.free_port()
        self.peer = dovecot_peer.Dovecot(
            lib.make_dirs(os.path.join(base, "mail")),
            f"ssl = yes\nssl_cert = <{path}\nssl_key = <{path}\n"
            "service pop3-login {\n  inet_listener pop3s {\n"
            f"    port = {self.port}\n    ssl = yes\n  }}\n}}\n")
        self.converse = converse_pop
        self.meter = Meter()
        self.meter.start(self.peer.start)
        lib.wait_port(self.port)

    def stop(self):
        self.peer.stop()
        self.meter.close()


class Postfix:
    name = "Postfix"

    def __init__(self, base, bin_dir, pem):
        self.converse = converse
        path = os.path.join(base, "postfix.pem")
        with open(path, "w") as f:
            f.write(pem)
        os.chmod(path, 0o600)
        # The last word of a parameter counts.
        self.peer = postfix_peer.Postfix(
            "smtpd_tls_security_level = may\n"
            f"smtpd_tls_chain_files = {path}\n"
            "smtpd_client_connection_count_limit = 0\n")
        self.meter = Meter()
        self.meter.start(self.peer.start)
        self.port = self.peer.port

    def stop(self):
        self.peer.stop()
        self.meter.close()


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port), 30)
    read_until(sock, b"\n")
    sock.sendall(b"EHLO c.example\r\n")
    read_until(sock, b"\n250 ")
    return sock


def converse(port, ctx=None, session=None):
    """One connection to its QUIT; the session that could be resumed."""
    sock = connect(port)
    if ctx:
        sock.sendall(b"STARTTLS\r\n")
        read_until(sock, b"\n")
        sock = ctx.wrap_socket(sock, session=session)
        assert sock.session_reused == (session is not None)
        sock.sendall(b"EHLO c.example\r\n")
        read_until(sock, b"\n250 ")
    sock.sendall(b"QUIT\r\n")
    read_until(sock, b"\n")
    found = sock.session if ctx else None
    sock.close()
    return found


def converse_pop(port, ctx, session=None):
    """The same for POP3, with TLS from the first byte."""
    sock = ctx.wrap_socket(
        socket.create_connection(("127.0.0.1", port), 30), session=session)
    read_until(sock, b"\n")
    sock.sendall(b"QUIT\r\n")
    read_until(sock, b"\n")
    sock.close()


def cost(server, kind, version):
    """CPU milliseconds of one connection of that kind."""
    ctx = None if kind == "clear" else context(maximum=version)
    session = server.converse(server.port, ctx) if kind == "resumed" else None
    for _ in range(WARM):
        server.converse(server.port, ctx, session)
    with ThreadPoolExecutor(CLIENTS) as pool:
        before = server.meter.seconds()
        list(pool.map(lambda _: server.converse(server.port, ctx, session),
                      range(CONNECTIONS)))
        return (server.meter.seconds() - before) / CONNECTIONS * 1000


def bench_tls(base, bin_dir):
    if not Meter() or not postfix_peer.usable():
        say("tls: needs root, cgroups and Postfix")
        return
    pem = "".join(make_certificate(base, "a.example"))
    servers = [Qmail(base, bin_dir, pem), Postfix(base, bin_dir, pem)]
    try:
        for kind, version in (("clear", None),
                              ("full", ssl.TLSVersion.TLSv1_3),
                              ("resumed", ssl.TLSVersion.TLSv1_3),
                              ("full", ssl.TLSVersion.TLSv1_2),
                              ("resumed", ssl.TLSVersion.TLSv1_2)):
            compare(servers, kind, version)
        memory(servers[0])
    finally:
        for server in servers:
            server.stop()
    if dovecot_peer.usable():
        bench_pop(base, bin_dir, pem)


def bench_pop(base, bin_dir, pem):
    servers = [QmailPop(base, bin_dir, pem), Dovecot(base, bin_dir, pem)]
    try:
        for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            compare(servers, "full", version, "POP3, ")
    finally:
        for server in servers:
            server.stop()


def compare(servers, kind, version, label=""):
    rounds = []
    for i in range(ROUNDS):
        turn = servers if i % 2 else servers[::-1]
        costs = [cost(s, kind, version) for s in turn]
        rounds.append(costs if i % 2 else costs[::-1])
    ours, theirs = (statistics.median(r[i] for r in rounds) for i in (0, 1))
    ratio = statistics.median(r[1] / r[0] for r in rounds)
    label += kind if version is None else f"{kind}, {version.name}"
    say(f"tls: {label}: {ours:.2f} ms of CPU a connection, "
        f"{1000 / ours:.0f}/s a CPU; {servers[1].name} {theirs:.2f} ms, "
        f"{1000 / theirs:.0f}/s; ratio of rates {ratio:.2f}")


def memory(server):
    """What idle connections cost, all processes together."""
    def processes():
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                exe = os.readlink(f"/proc/{pid}/exe")
            except OSError:
                continue
            if exe.startswith(server.home.bin):
                found.append(int(pid))
        return found

    for kind in ("clear", "TLS"):
        before = sum(map(pss, processes()))
        held = [connect(server.port) for _ in range(IDLE)]
        if kind == "TLS":
            ctx = context()
            for i, sock in enumerate(held):
                sock.sendall(b"STARTTLS\r\n")
                read_until(sock, b"\n")
                held[i] = ctx.wrap_socket(sock)
                held[i].sendall(b"EHLO c\r\n")
                read_until(held[i], b"\n250 ")
        after = sum(map(pss, processes()))
        say(f"tls: an idle connection, {kind}: "
            f"{(after - before) / IDLE:.0f} KiB in all its processes")
        for sock in held:
            sock.close()
        lib.wait_for(lambda: len(processes()) < 5, "the end of sessions")
