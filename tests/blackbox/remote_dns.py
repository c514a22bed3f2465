"""For the tests of qmail-remote's routing: name servers, a network of its own.

NetThread runs functions in a fresh network namespace in which 192.0.2.0/24
and 2001:db8::/32 lead back to it without being addresses of an interface, so
that servers on port 25 there are other hosts to qmail-remote.
"""
import ctypes
import queue
import socket
import struct
import subprocess
import threading

import home as home_module

CLONE_NEWNET = 0x40000000
A, CNAME, MX, AAAA, OPT = 1, 5, 15, 28, 41


class NetThread:
    """A thread in a network namespace; what it starts lives there, too."""

    def __init__(self):
        self.jobs = queue.Queue()
        self.results = queue.Queue()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()
        self.error = self.results.get()

    def enter(self):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET) != 0:
            return "no network namespaces here"
        for command in ("link set lo up",
                        "route add local 192.0.2.0/24 dev lo",
                        "-6 addr add 2001:db8:ffff::1/128 dev lo",
                        "-6 route add local 2001:db8::/64 dev lo"):
            done = subprocess.run(["ip", *command.split()],
                                  capture_output=True)
            if done.returncode != 0:
                return f"ip {command}: {done.stderr}"
        return None

    def work(self):
        try:
            error = self.enter()
        except OSError as problem:
            error = str(problem)
        self.results.put(error)
        while error is None:
            job = self.jobs.get()
            if job is None:
                return
            try:
                self.results.put((job(), None))
            except BaseException as problem:  # handed to the caller
                self.results.put((None, problem))

    def run(self, job):
        self.jobs.put(job)
        value, problem = self.results.get(timeout=2 * home_module.DEADLINE)
        if problem is not None:
            raise problem
        return value

    def stop(self):
        self.jobs.put(None)
        self.thread.join(home_module.DEADLINE)


class Dnsmasq:
    """A real name server for the given options on a port of loopback."""

    def __init__(self, *options, port=None):
        self.port = port or home_module.free_port()
        self.process = subprocess.Popen(
            ["/usr/sbin/dnsmasq", "--keep-in-foreground", "--no-resolv",
             "--no-hosts", "--conf-file=/dev/null", "--bind-interfaces",
             "--listen-address=127.0.0.1", f"--port={self.port}",
             "--local=/example/", "--pid-file=", "--user=nobody", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        home_module.wait_port(self.port)

    def stop(self):
        home_module.stop(self.process)


def name(text):
    """The wire form of a name."""
    return b"".join(bytes([len(label)]) + label.encode()
                    for label in text.split(".") if label) + b"\0"


def record(owner, kind, data, ttl=60, cls=1):
    owner = owner if isinstance(owner, bytes) else name(owner)
    return owner + struct.pack(">HHIH", kind, cls, ttl, len(data)) + data


def mx(preference, target):
    return struct.pack(">H", preference) + name(target)


def question(query):
    """Name and type asked for, and the bytes of the question section."""
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    kind = struct.unpack(">H", query[at + 1:at + 3])[0]
    return ".".join(labels).lower(), kind, query[12:at + 5]


def answer(query, records=(), rcode=0, flags=0x8180, counts=None, asked=None,
           query_id=None):
    """A well-formed answer, unless told otherwise."""
    _, _, section = question(query)
    counts = counts or (1, len(records), 0, 0)
    return (query[:2] if query_id is None else query_id) + struct.pack(
        ">HHHHH", flags | rcode, *counts) + (asked or section) + b"".join(
        records)


class ScriptedDns:
    """Answers by UDP and TCP with what reply(query, tcp) returns.

    None: say nothing.  A list: several datagrams.
    """

    def __init__(self, reply, address="127.0.0.1"):
        self.reply = reply
        self.queries = []  # (name, type, by TCP)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.tcp = socket.socket(family)
        self.tcp.bind((address, 0))
        self.tcp.listen(8)
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.udp.bind((address, self.port))
        self.stopping = False
        self.threads = [threading.Thread(target=f, daemon=True)
                        for f in (self.serve_udp, self.serve_tcp)]
        for thread in self.threads:
            thread.start()

    def said(self, query, tcp):
        self.queries.append((*question(query)[:2], tcp))
        said = self.reply(query, tcp)
        return [] if said is None else said if isinstance(said, list) else [
            said]

    def serve_udp(self):
        while not self.stopping:
            try:
                query, client = self.udp.recvfrom(4096)
                if self.stopping:
                    return
                for datagram in self.said(query, False):
                    self.udp.sendto(datagram, client)
            except OSError:
                return

    def serve_tcp(self):
        while not self.stopping:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.settimeout(home_module.DEADLINE)
                    head = connection.recv(2, socket.MSG_WAITALL)
                    query = connection.recv(int.from_bytes(head, "big"),
                                            socket.MSG_WAITALL)
                    for said in self.said(query, True):
                        connection.sendall(
                            len(said).to_bytes(2, "big") + said)
                except (OSError, IndexError):
                    pass

    def stop(self):
        self.stopping = True
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.tcp.close()
        with socket.socket(self.udp.family, socket.SOCK_DGRAM) as s:
            s.sendto(b"", self.udp.getsockname()[:2])
        for thread in self.threads:
            thread.join(home_module.DEADLINE)
        self.udp.close()
