"""For the tests of qmail-remote: a light home and scripted SMTP servers."""
import os
import socket
import subprocess
import threading

import home as home_module

STALL = object()  # answer nothing and wait for the client to go
CLOSE = object()  # hang up
RESET = object()  # hang up with a TCP reset

EHLO = b"250-peer.example\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250 8BITMIME\r\n"
PLAIN_EHLO = b"250 peer.example\r\n"
IPV6_FREEBIND = 78
PATIENCE = 300.0  # seconds a peer waits: longer than any test does


class Peer:
    """An SMTP server whose every reply can be replaced.

    answers maps a step (greeting, EHLO, HELO, MAIL, RCPT, DATA, dot, QUIT) to
    bytes, STALL, CLOSE, RESET, a function of the connection, or a list of
    these, one for each time.
    """

    DEFAULTS = {
        "greeting": b"220 peer.example ESMTP\r\n",
        "EHLO": EHLO,
        "HELO": b"250 peer.example\r\n",
        "MAIL": b"250 2.1.0 ok\r\n",
        "RCPT": b"250 2.1.5 ok\r\n",
        "DATA": b"354 go ahead\r\n",
        "dot": b"250 2.6.0 taken\r\n",
        "QUIT": b"221 bye\r\n",
    }

    def __init__(self, address="127.0.0.1", port=0, **answers):
        self.answers = {**self.DEFAULTS, **answers}
        self.used = {}
        self.commands = []   # lines as they came, without CR LF
        self.reads = []      # chunks of the command phase as they came
        self.messages = []   # bytes between DATA and the end of data
        self.sessions = 0
        self.steps = []      # as they came up, to be answered or not
        self.busy = False
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            self.listener.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        self.listener.bind((address, port))
        self.listener.listen(8)
        self.address = address
        self.port = self.listener.getsockname()[1]
        self.stopping = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopping = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join(home_module.DEADLINE)

    def forget(self):
        """As if nobody had called yet; the last caller is gone."""
        home_module.wait_for(lambda: not self.busy, "the end of a session")
        for book in (self.commands, self.reads, self.messages, self.steps):
            book.clear()
        self.used, self.sessions = {}, 0

    def wait_quit(self):
        """The client does not wait until we have read its QUIT."""
        home_module.wait_for(lambda: self.commands[-1:] == [b"QUIT"],
                             f"QUIT after {self.commands}")

    def serve(self):
        while not self.stopping:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.busy = True
            self.sessions += 1
            connection.settimeout(PATIENCE)
            try:
                self.session(connection)
            except (OSError, EOFError):
                pass
            connection.close()
            self.busy = False

    def answer(self, connection, step):
        """False if the session is over."""
        self.steps.append(step)
        what = self.answers[step]
        if isinstance(what, list):
            n = self.used.get(step, 0)
            self.used[step] = n + 1
            what = what[min(n, len(what) - 1)]
        if what is CLOSE:
            return False
        if what is RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                  b"\1\0\0\0\0\0\0\0")
            return False
        if what is STALL:
            while connection.recv(65536):
                pass
            return False
        if callable(what):
            return what(connection) is not False
        connection.sendall(what)
        return True

    def session(self, connection):
        self.pending = b""
        if self.answer(connection, "greeting"):
            self.converse(connection)

    def converse(self, connection):
        """Commands and their answers, until the session is over."""
        while True:
            line = self.line(connection)
            self.commands.append(line)
            verb = line.split(b" ")[0].decode("latin-1").upper()
            if verb not in self.answers:
                connection.sendall(b"500 what\r\n")
                continue
            if not self.answer(connection, verb) or verb == "QUIT":
                return
            if verb == "DATA" and self.in_data():
                self.messages.append(self.data(connection))
                if not self.answer(connection, "dot"):
                    return

    def in_data(self):
        what = self.answers["DATA"]
        if isinstance(what, list):
            what = what[min(self.used["DATA"] - 1, len(what) - 1)]
        return isinstance(what, bytes) and what.startswith(b"354")

    def more(self, connection):
        chunk = connection.recv(65536)
        if not chunk:
            raise EOFError
        self.reads.append(chunk)
        self.pending += chunk

    def line(self, connection):
        while b"\n" not in self.pending:
            self.more(connection)
        line, _, self.pending = self.pending.partition(b"\n")
        return line.rstrip(b"\r")

    def data(self, connection):
        while not (self.pending.startswith(b".\r\n") or
                   b"\r\n.\r\n" in self.pending):
            self.more(connection)
        if self.pending.startswith(b".\r\n"):
            self.pending = self.pending[3:]
            return b""
        data, _, self.pending = self.pending.partition(b"\r\n.\r\n")
        return data + b"\r\n"


class Remote:
    """A home for qmail-remote alone, with timeouts that no test waits for."""

    def __init__(self, path, bin_dir):
        self.path = path
        self.bin = bin_dir
        self.peers = []
        self.environment = {}
        home_module.make_dirs(os.path.join(path, "control"))
        home_module.make_dirs(os.path.join(path, "queue", "lock"))
        home_module.write_file(self.tcpto, bytes(1024))
        self.control("me", "client.example\n")
        self.control("timeoutconnect", f"{home_module.OVERLONG}\n")
        self.control("timeoutremote", f"{home_module.OVERLONG}\n")

    @property
    def tcpto(self):
        return os.path.join(self.path, "queue", "lock", "tcpto")

    def control(self, name, text):
        path = os.path.join(self.path, "control", name)
        if text is None:
            os.unlink(path)
        else:
            home_module.write_file(path, text)

    def route(self, *peers):
        """All mail goes to the first peer; returns it."""
        peer = peers[0]
        at = f"[{peer.address}]" if ":" in peer.address else peer.address
        self.control("smtproutes", f":{at}:{peer.port}\n")
        return peer

    def peer(self, *args, **answers):
        peer = Peer(*args, **answers)
        self.peers.append(peer)
        return peer

    def routed_peer(self, **answers):
        return self.route(self.peer(**answers))

    @staticmethod
    def sanitizers():
        return {k: v for k, v in os.environ.items()
                if k.startswith(("ASAN_", "UBSAN_", "LSAN_"))}

    def run_raw(self, *args, message=b"Subject: x\n\nbody\n",
                timeout=home_module.DEADLINE):
        """The records qmail-remote wrote, without their NULs."""
        path = os.path.join(self.path, "message")
        home_module.write_file(path, message)
        env = self.sanitizers()
        env.update(self.environment, QMAILHOME=self.path)
        with open(path, "rb") as f:
            done = subprocess.run(
                [os.path.join(self.bin, "qmail-remote"), *args], stdin=f,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
                timeout=timeout, cwd="/", **home_module.ids_arguments())
        assert done.returncode == 0, done
        assert done.stdout.endswith(b"\0"), done
        return done.stdout[:-1].split(b"\0")

    def run_fd(self, fd, home=None):
        """What it writes for a message on fd, which is closed."""
        done = subprocess.run(
            [os.path.join(self.bin, "qmail-remote"), "h", "s@a", "r@h"],
            stdin=fd, capture_output=True, timeout=home_module.DEADLINE,
            env={**self.sanitizers(), "QMAILHOME": home or self.path},
            **home_module.ids_arguments())
        os.close(fd)
        return done.stdout

    def run(self, *recipients, host="there.example", sender="s@a.example",
            message=b"Subject: x\n\nbody\n", timeout=home_module.DEADLINE):
        recipients = recipients or ("r@there.example",)
        return self.run_raw(host, sender, *recipients, message=message,
                            timeout=timeout)

    def run_short(self, reached, *recipients, run=None, **more):
        """run() with a timeoutremote that is to be hit, where reached().

        A slow machine may hit it before; then once more with a longer one.
        """
        for seconds in (1, 6, 30):
            for peer in self.peers:
                peer.forget()
            self.control("timeoutremote", f"{seconds}\n")
            records = (run or self.run)(*recipients, **more)
            if reached():
                break
        return records

    def stop(self):
        for peer in self.peers:
            peer.stop()


def died(ip=b"127.0.0.1", duplicate=False):
    more = b"Possible duplicate! " if duplicate else b""
    return (b"ZConnected to " + ip + b" but connection died. " + more +
            b"(#4.4.2)\n")
