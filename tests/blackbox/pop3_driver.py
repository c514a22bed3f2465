"""qmail-popup over a socketpair, with a checker that goes by the name."""
import os
import socket
import ssl
import subprocess

from home import DEADLINE, free_port, ids_arguments, make_dirs, own, stop
from home import wait_port, write_file

# Who may come in is a matter of the name; what it was told is in "seen".
CHECKER = """#!/bin/sh
tr '\\0' '\\n' <&3 >seen.$$
exec 3<&-
read -r user <seen.$$
echo "$SASL" >>seen.$$
mv seen.$$ seen
case $user in
joe*) cd "$MAILBOX" && exec "$@" ;;
temp) exit 111 ;;
crash) kill -9 $$ ;;
hang) sleep 1000 ;;
esac
exit 1
"""


class Pop3:
    """One running qmail-popup and the client's end of its connection."""

    def __init__(self, home, greet=True, server=None, prefix=(), **env):
        self.home = home
        self.checker = write_file(home.file("checker"), CHECKER, 0o755)
        self.mailbox = make_dirs(home.file("home", "joe"))
        self.log_path = home.file("popup.log")
        ours, theirs = socket.socketpair()
        log = open(self.log_path, "ab")
        own(self.log_path)
        self.process = subprocess.Popen(
            [*prefix, os.path.join(home.bin, "qmail-popup"), home.me,
             self.checker, *(server or [os.path.join(home.bin, "qmail-pop3d"), "Maildir"])],
            stdin=theirs, stdout=theirs, stderr=log, cwd=home.path,
            env=home.environment(**{"TCPREMOTEIP": "192.0.2.7",
                                    "MAILBOX": self.mailbox, **env}),
            **({} if prefix else ids_arguments()))
        home.processes.append(self.process)
        log.close()
        theirs.close()
        self.socket = ours
        self.socket.settimeout(DEADLINE)
        self.pending = b""
        self.greeting = self.line() if greet else None

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        """The next line without its CR LF; b"" at the end."""
        while b"\n" not in self.pending:
            try:
                got = self.socket.recv(65536)
            except ConnectionResetError:
                got = b""
            if not got:
                assert not self.pending, self.pending
                return b""
            self.pending += got
        line, self.pending = self.pending.split(b"\n", 1)
        assert line.endswith(b"\r"), line
        return line[:-1]

    def ask(self, text):
        self.send(text + b"\r\n")
        return self.line()

    def lines(self):
        """A multi-line answer without its status and its dot."""
        found = []
        while True:
            line = self.line()
            if line in (b".", b""):
                return found
            found.append(line.decode())

    def capa(self):
        assert self.ask(b"CAPA") == b"+OK "
        return self.lines()

    def login(self, user=b"joe", password=b"secret"):
        assert self.ask(b"USER " + user) == b"+OK "
        return self.ask(b"PASS " + password)

    def at_end(self):
        """True if the server has closed, saying nothing more."""
        return self.line() == b""

    def vanish(self):
        self.socket.close()
        return self.process.wait(DEADLINE)

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def seen(self):
        """What the checker was told, and by which mechanism."""
        with open(self.home.file("seen")) as f:
            return f.read().split("\n")[:-1]

    def close(self):
        self.socket.close()
        stop(self.process)


class TlsService:
    """qmail-popup as the run files have it, behind qmail-tls and
    qmail-listen."""

    def __init__(self, home, *server, front=(), **env):
        program = os.path.join(home.bin, "qmail-tls")
        self.port = free_port()
        self.log_path = home.file(f"pop3-{self.port}.log")
        make_dirs(home.file("run"))
        make_dirs(home.file("run/tls"), 0o700)
        with open(self.log_path, "ab") as log:
            own(self.log_path)
            home.spawn([program, "-r", "qmail-listen", "-v", "-l", home.me,
                         "127.0.0.1", str(self.port), program, *front,
                        os.path.join(home.bin, "qmail-popup"), home.me,
                        *server], stdin=subprocess.DEVNULL, stdout=log,
                       stderr=log, env=home.environment(**env))
        wait_port(self.port)

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE)


def add_certificate(home):
    """control/servercert.pem, signed by nobody."""
    path = own(make_dirs(home.file("certificate")))
    key, cert = os.path.join(path, "key"), os.path.join(path, "cert")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                    "-out", cert, "-subj", f"/CN={home.me}", "-days", "30"],
                   check=True, capture_output=True, timeout=DEADLINE)
    with open(key) as k, open(cert) as c:
        write_file(home.file("control", "servercert.pem"), k.read() + c.read(),
                   0o600)


def any_certificate():
    """The TLS of a client that believes everybody."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made
