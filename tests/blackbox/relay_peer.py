"""An SMTP server that keeps book of connections and transactions."""
import socket
import threading
import time

CLOSE = object()
PATIENCE = 300.0  # seconds: longer than any test waits


class Session:
    """One connection: what the client said, and the transactions."""

    def __init__(self, relay, connection):
        self.relay = relay
        self.connection = connection
        self.commands = []
        self.transactions = []  # [sender, [recipients], data]
        self.pending = b""
        self.closed = False

    def line(self):
        while b"\n" not in self.pending:
            more = self.connection.recv(65536)
            if not more:
                raise EOFError
            self.pending += more
        line, _, self.pending = self.pending.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")

    def data(self):
        lines = []
        while True:
            line = self.line()
            if line == ".":
                return "\n".join(lines) + "\n"
            lines.append(line[1:] if line.startswith(".") else line)

    def reply(self, verb, line, default):
        text = self.relay.answer(self, verb, line)
        if text is CLOSE:
            raise EOFError
        text = default if text is None else text
        self.connection.sendall(text.encode() + b"\r\n")
        return text

    def serve(self):
        self.reply("greeting", "", "220 relay ESMTP")
        while True:
            line = self.line()
            verb = line.split(" ")[0].upper()
            self.commands.append(line)
            if verb == "EHLO":
                self.reply(verb, line, "250-relay\r\n250-PIPELINING\r\n"
                           "250 8BITMIME")
            elif verb == "MAIL":
                if self.reply(verb, line, "250 ok").startswith("2"):
                    self.transactions.append([line, [], None])
            elif verb == "RCPT":
                if self.reply(verb, line, "250 ok").startswith("2"):
                    self.transactions[-1][1].append(line)
            elif verb == "DATA":
                if self.reply(verb, line, "354 go").startswith("3"):
                    self.transactions[-1][2] = self.data()
                    self.reply("dot", line, "250 taken")
            elif verb == "QUIT":
                self.reply(verb, line, "221 bye")
                return
            else:
                self.reply(verb, line, "250 ok")


class Relay:
    """answer(session, verb, line) may return a reply, CLOSE or None."""

    def __init__(self, answer=None):
        self.answer = answer or (lambda session, verb, line: None)
        self.sessions = []
        self.most = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def open(self):
        return sum(not s.closed for s in self.sessions)

    @property
    def transactions(self):
        return [t for s in self.sessions for t in s.transactions]

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE)
            session = Session(self, connection)
            self.sessions.append(session)
            self.most = max(self.most, self.open)
            threading.Thread(target=self.run, args=(session,),
                             daemon=True).start()

    @staticmethod
    def run(session):
        try:
            session.serve()
        except (OSError, EOFError, IndexError):
            pass
        session.closed = True
        session.connection.close()

    def stop(self):
        self.listener.close()
        for session in self.sessions:
            try:
                session.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def stall_at(verb, gate):
    """Answers nothing to verb until the gate (an Event) opens."""
    def answer(_, what, __):
        if what == verb:
            gate.wait(PATIENCE)
    return answer


def seconds(function):
    start = time.monotonic()
    function()
    return time.monotonic() - start
