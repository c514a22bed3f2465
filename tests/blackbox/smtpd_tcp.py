"""qmail-smtpd under a real tcpserver, with a qmail-queue that only records."""
import re
import socket

from home import DEADLINE, wait_for
from smtpd_driver import Queue, Smtpd


class TcpSmtpd(Smtpd):
    """One tcpserver with qmail-smtpd and one connection to it."""

    def __init__(self, home, env=None, greet=True):
        self.home = home
        self.queue = Queue(home)
        self.port = home.smtpd(env={**self.queue.environment, **(env or {})})
        self.process = home.processes[-1]
        self.log_path = home.file(f"server-{self.port}.log")
        self.socket = None
        self.greeting = self.connect() if greet else None

    def connect(self):
        """Another connection in place of the last one; its greeting."""
        if self.socket:
            self.socket.close()
        self.socket = socket.create_connection(("127.0.0.1", self.port),
                                               DEADLINE)
        self.pending = b""
        return self.reply()

    def wait_log(self, pattern):
        """The first line of qmail-smtpd's log that holds the pattern."""
        def found():
            return re.search(f"^.*{pattern}.*$", self.log(), re.M)

        return wait_for(found, f"{pattern!r} in the log").group()
