"""What the tests of qmail-inject and sendmail share: a queue that records."""
import os

import home as h

RECORDER = """#!/bin/sh
cat > "$RECORD/message"
cat <&1 > "$RECORD/envelope"
env > "$RECORD/env"
[ -z "$SAY" ] || printf %s "$SAY" >&6
exit ${CODE:-0}
"""


class Queue:
    """Stands in for qmail-queue and keeps what it was given."""

    def __init__(self, home):
        self.home = home
        self.program = h.write_file(home.file("recorder"), RECORDER, 0o755)
        home.control("me", "a.example\n")
        home.control("defaultdomain", "dom.example\n")
        home.control("defaulthost", "host\n")
        home.control("plusdomain", "plus.example\n")
        home.control("idhost", "id.example\n")

    def env(self, more=None):
        env = {"QMAILQUEUE": self.program, "RECORD": self.home.path,
               "USER": "joe"}
        env.update(more or {})
        return env

    def run(self, program, *args, input="", env=None, **more):
        for name in ("message", "envelope", "env"):
            if os.path.exists(self.home.file(name)):
                os.unlink(self.home.file(name))
        return self.home.run(program, *args, input=input,
                             env=self.env(env), **more)

    def read(self, name):
        with open(self.home.file(name), "rb") as f:
            return f.read()

    def queued(self):
        return os.path.exists(self.home.file("envelope"))

    def message(self):
        return self.read("message").decode("latin-1")

    def envelope(self):
        """Sender and list of recipients."""
        records = self.read("envelope").split(b"\0")
        assert records[-2:] == [b"", b""], records
        assert records[0][:1] == b"F"
        assert all(r[:1] == b"T" for r in records[1:-2])
        return (records[0][1:].decode("latin-1"),
                [r[1:].decode("latin-1") for r in records[1:-2]])
