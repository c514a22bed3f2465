"""Certificates, mail servers behind qmail-tls, and clients that can do a
handshake in their own time."""
import os
import re
import select
import socket
import ssl
import subprocess
import time

from home import DEADLINE, ids_arguments, make_dirs, own, wait_for, wait_port
from home import free_port, write_file
from smtpd_driver import Queue, Smtpd


def make_certificate(directory, *names, issuer=None, client=False):
    """key and certificate as PEM text; issuer is (key, certificate)."""
    base = os.path.join(directory, f"{names[0]}-{os.urandom(4).hex()}")
    argv = ["openssl", "req", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-keyout", base + ".key",
            "-out", base + ".crt", "-subj", f"/CN={names[0]}", "-x509",
            "-days", "30"]
    if not client:
        argv += ["-addext", "subjectAltName=" +
                 ",".join("DNS:" + n for n in names)]
    if issuer:
        for part, text in zip(("ca.key", "ca.crt"), issuer):
            write_file(f"{base}.{part}", text, 0o600)
        argv += ["-CA", base + ".ca.crt", "-CAkey", base + ".ca.key",
                 "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(argv, check=True, capture_output=True, timeout=DEADLINE)
    with open(base + ".key") as key, open(base + ".crt") as certificate:
        return key.read(), certificate.read()


def context(maximum=None, minimum=None):
    """A client that takes any certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if maximum:
        made.maximum_version = maximum
    if minimum:
        made.minimum_version = minimum
    return made


class Service:
    """qmail-tls -r qmail-listen ... qmail-tls program, as the run files have it;
    direct: without the second qmail-tls."""

    def __init__(self, home, program="qmail-smtpd", options=(), front=(),
                 env=None, resident=True, limit=400, arguments=(),
                 direct=False):
        self.home, self.env, self.limit = home, env or {}, limit
        self.queue = Queue(home)
        self.port = free_port()
        self.log_path = home.file(f"server-{self.port}.log")
        make_dirs(home.file("run"))
        make_dirs(home.file("run/tls"), 0o700)
        front_program = os.path.join(home.bin, "qmail-tls")
        self.argv = ["qmail-listen", "-v", "-l", home.me, "-c",
                     str(limit), "-b", "200", "127.0.0.1", str(self.port),
                     *([] if direct else [front_program, *front])]
        if resident:
            self.argv = [front_program, "-r", *options] + self.argv
        else:
            self.argv += options
        self.argv += [os.path.join(home.bin, program), *arguments]
        self.start()

    def start(self):
        with open(self.log_path, "ab") as log:
            own(self.log_path)
            self.process = self.home.spawn(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.home.environment(**self.queue.environment,
                                          **self.env))
        wait_port(self.port)

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def wait_log(self, pattern):
        return wait_for(lambda: re.search(pattern, self.log(), re.M),
                        f"{pattern!r} in the log").group()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE)


class TlsSmtpd(Smtpd):
    """One connection to a Service; TLS on demand."""

    def __init__(self, service, greet=True):
        self.service, self.home, self.queue = service, service.home, service.queue
        self.process = service.process
        self.log_path = service.log_path
        self.socket = service.connect()
        self.pending = b""
        self.greeting = self.reply() if greet else None

    def handshake(self, ctx=None, name=None, session=None):
        self.pending = b""
        self.socket = (ctx or context()).wrap_socket(
            self.socket, server_hostname=name, session=session)
        return self

    def starttls(self, **more):
        assert self.command("STARTTLS") == "220 2.0.0 ready to start TLS"
        return self.handshake(**more)

    def certificate(self):
        return ssl.DER_cert_to_PEM_cert(self.socket.getpeercert(True))

    def line(self):
        try:
            return super().line()
        except ssl.SSLError:
            return b""

    def close(self):
        self.socket.close()


class Slow:
    """A handshake whose bytes the test sends itself."""

    def __init__(self, maximum=None):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context(maximum).wrap_bio(self.incoming, self.outgoing)

    def step(self, received=b""):
        """What to send after these bytes, and whether it is all."""
        if received:
            self.incoming.write(received)
        try:
            self.tls.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            done = False
        return self.outgoing.read(), done


def read_until(sock, end, seconds=DEADLINE):
    """Bytes up to and with end, or up to the end of the stream."""
    got = b""
    deadline = time.monotonic() + seconds
    while end not in got:
        left = deadline - time.monotonic()
        assert left > 0 and select.select([sock], [], [], left)[0], got
        try:
            more = sock.recv(65536)
        except ConnectionResetError:
            more = b""
        if not more:
            break
        got += more
    return got


def run_client(argv, input=b"", **more):
    """A client program; its exit code and all that it said."""
    done = subprocess.run(argv, input=input, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=DEADLINE,
                          check=False, **ids_arguments(), **more)
    return done.returncode, done.stdout.decode("latin-1")
