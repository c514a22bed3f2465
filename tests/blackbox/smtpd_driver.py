"""qmail-smtpd over a socketpair, with a qmail-queue that only records."""
import os
import re
import select
import shlex
import shutil
import socket
import subprocess
import time

from home import DEADLINE, ids_arguments, make_dirs, own, stop, write_file

# Records what it is given; $QQEXIT, $QQTEXT and $QQSLEEP make it a bad one.
FAKE_QUEUE = """#!/bin/sh
cat >"$QQDIR/message.$$" || exit 53
[ -z "$QQSLEEP" ] || sleep "$QQSLEEP"
cat <&1 >"$QQDIR/envelope.$$" || exit 54
[ -z "$QQTEXT" ] || printf '%b' "$QQTEXT" >&6
exit ${QQEXIT:-0}
"""


class Queue:
    """What the recording qmail-queue has got."""

    def __init__(self, home):
        self.path = make_dirs(home.file("recorded"))
        self.program = write_file(home.file("record"), FAKE_QUEUE, 0o755)
        self.environment = {"QMAILQUEUE": self.program, "QQDIR": self.path}

    def files(self, kind):
        names = [n for n in os.listdir(self.path) if n.startswith(kind + ".")]
        return sorted(names, key=lambda n: os.stat(
            os.path.join(self.path, n)).st_mtime_ns)

    def read(self, name):
        with open(os.path.join(self.path, name), "rb") as f:
            return f.read()

    def messages(self):
        """(sender, recipients, message) of each whole submission."""
        found = []
        for name in self.files("envelope"):
            envelope = self.read(name)
            if not envelope.endswith(b"\0\0"):
                continue
            records = envelope[:-2].split(b"\0")
            assert records[0][:1] == b"F"
            assert all(r[:1] == b"T" for r in records[1:])
            found.append((records[0][1:], [r[1:] for r in records[1:]],
                          self.read(name.replace("envelope", "message"))))
        return found


class Smtpd:
    """One running qmail-smtpd and the client's end of its connection."""

    def __init__(self, home, env=None, greet=True, queue=None, fds=()):
        self.home = home
        self.queue = queue or Queue(home)
        ours, theirs = socket.socketpair()
        self.log_path = home.file("smtpd.log")
        environment = home.environment(
            TCPREMOTEIP="192.0.2.7", TCPREMOTEHOST="client.example",
            TCPLOCALIP="192.0.2.1", TCPLOCALHOST="mx.a.example",
            **self.queue.environment)
        environment.update(env or {})
        checker = shlex.split(environment.pop("CHECKER", None) or "")
        log = open(self.log_path, "ab")
        own(self.log_path)
        self.process = subprocess.Popen(
            [os.path.join(home.bin, "qmail-smtpd"), *checker], stdin=theirs,
            stdout=theirs, stderr=log, cwd=home.path, pass_fds=fds,
            env={k: v for k, v in environment.items() if v is not None},
            **ids_arguments())
        home.processes.append(self.process)
        log.close()
        theirs.close()
        self.socket = ours
        self.socket.settimeout(DEADLINE)
        self.pending = b""
        self.greeting = self.reply() if greet else None

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

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

    def reply(self):
        """One whole reply as text, lines joined by LF; "" at the end."""
        lines = []
        while True:
            line = self.line()
            lines.append(line.decode("latin-1"))
            if line[3:4] != b"-":
                return "\n".join(lines)

    def command(self, *lines):
        """Sends the lines in one write and returns their replies."""
        self.send("".join(line + "\r\n" for line in lines))
        replies = [self.reply() for _ in lines]
        return replies[0] if len(lines) == 1 else replies

    def open_message(self, sender="s@x.example", *recipients):
        recipients = recipients or ("r@a.example",)
        said = self.command(f"MAIL FROM:<{sender}>",
                            *[f"RCPT TO:<{r}>" for r in recipients], "DATA")
        assert said[-1] == "354 go ahead", said
        return said

    def at_end(self):
        """True if the server has closed, saying nothing more."""
        return self.line() == b""

    def exit_code(self, seconds=DEADLINE):
        return self.process.wait(seconds)

    def vanish(self):
        self.socket.close()
        return self.exit_code()

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def peak_memory(self):
        """VmHWM in KiB."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return int(re.search(r"VmHWM:\s+(\d+) kB", f.read()).group(1))

    def close(self):
        self.socket.close()
        stop(self.process)


# -- transcripts ---------------------------------------------------------
def unescape(text):
    return text.encode().decode("unicode_escape").encode("latin-1")


def expected_line(text):
    """<n> stands for a number, all else for itself."""
    return "[0-9]+".join(re.escape(part) for part in text.split("<n>"))


def replay(path, home, smtpd):
    """Plays a transcript; smtpd(greet=False, **env) starts a session."""
    env, steps = {}, []
    for line in open(path):
        line = line.rstrip("\n")
        word, _, rest = line.partition(" ")
        if word == "control":
            name, _, value = rest.partition(" ")
            home.control(name, None if value == "absent"
                         else unescape(value) + b"\n")
        elif word == "env":
            name, _, value = rest.partition("=")
            env[name] = unescape(value).decode()
        elif line and not line.startswith("#"):
            steps.append((word, rest))
    session = smtpd(greet=False, **env)
    waiting = b""
    for word, rest in steps + [("end", "")]:
        if word == "C:":
            waiting += rest.encode() + b"\r\n"
            continue
        if word == "X:":
            waiting += unescape(rest)
            continue
        if waiting:
            session.send(waiting)
        waiting = b""
        if word == "S:":
            said = session.line().decode("latin-1")
            assert re.fullmatch(expected_line(rest), said), (rest, said)
        elif word == "EOF":
            assert session.at_end()
        elif word == "EOF-CLIENT":
            assert session.vanish() == 1
        elif word == "LOG":
            assert re.search(f"^{expected_line(rest)}$", session.log(),
                             re.M), (rest, session.log())
        elif word == "NOLOG":
            assert rest not in session.log(), session.log()
        elif word == "QUEUED":
            got = [" ".join([f"<{s.decode()}>"] + [r.decode() for r in rs])
                   for s, rs, _ in session.queue.messages()]
            assert got == ([] if rest == "nothing" else [rest]), got
