"""A clamd that does what the test tells it, on a socket of its own."""
import os
import socket
import struct
import threading

from home import DEADLINE, own


class ScriptedClamd:
    """Answers each INSTREAM with reply(data); keeps what it was sent.

    behave: None, or a function that gets the connection after its command was
    read, instead of the usual conversation.
    """

    def __init__(self, where, reply=b"stream: OK\0", behave=None, backlog=20):
        if isinstance(where, str):
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(where)
            os.chmod(where, 0o777)
            own(where)
            self.control = where + "\n"
        else:
            family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
            self.listener = socket.socket(family)
            self.listener.bind(where)
            host, port = self.listener.getsockname()[:2]
            host = f"[{host}]" if ":" in host else host
            self.control = f"{host}:{port}\n"
        self.listener.listen(backlog)
        self.reply, self.behave = reply, behave
        self.messages, self.chunks = [], 0
        self.progress = threading.Condition()
        self.open = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            connection.settimeout(DEADLINE)
            self.open.append(connection)
            threading.Thread(target=self.serve, args=(connection,),
                             daemon=True).start()

    def serve(self, connection):
        try:
            assert self.take(connection, 10) == b"zINSTREAM\0"
            if self.behave:
                self.behave(self, connection)
            else:
                self.converse(connection)
        except OSError:
            pass
        finally:
            connection.close()

    def converse(self, connection):
        data = self.receive(connection)
        if data is None:
            return
        answer = self.reply(data) if callable(self.reply) else self.reply
        connection.sendall(answer)
        # Hang up only after the client: its rest must not become a reset.
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    def receive(self, connection):
        """One stream; None if the client has given it up."""
        data = b""
        while True:
            head = self.take(connection, 4)
            if head is None:
                return None
            size = struct.unpack("!I", head)[0]
            if size == 0:
                with self.progress:
                    self.messages.append(data)
                    self.progress.notify_all()
                return data
            piece = self.take(connection, size)
            if piece is None:
                return None
            data += piece
            with self.progress:
                self.chunks += 1
                self.progress.notify_all()

    @staticmethod
    def take(connection, n):
        data = b""
        while len(data) < n:
            got = connection.recv(n - len(data))
            if not got:
                return None
            data += got
        return data

    def wait(self, condition):
        with self.progress:
            assert self.progress.wait_for(condition, DEADLINE)

    def close(self):
        # shutdown wakes the thread in accept, close alone does not.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for connection in self.open:
            connection.close()
