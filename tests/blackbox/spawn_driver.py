"""Speaks qmail-send's side of the spawners' pipes; writes users/cdb."""
import os
import select
import struct
import subprocess
import time

import home as h


class Spawner:
    """A running spawner; send requests, wait for reports."""

    def __init__(self, home, argv, env=None, ids=None, greeting=b"x",
                 number_bytes=1):
        self.number_bytes = number_bytes
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, cwd="/",
            env=home.environment(**(env or {})),
            **(h.ids_arguments() if ids is None else ids))
        home.processes.append(self.process)
        self.buffer = b""
        self.reports = {}
        assert self.read(len(greeting)) == greeting

    def read(self, n, seconds=h.DEADLINE):
        """Exactly n bytes; fails after a while."""
        end = time.monotonic() + seconds
        while len(self.buffer) < n:
            left = end - time.monotonic()
            assert left > 0, (self.buffer, self.reports)
            ready, _, _ = select.select([self.process.stdout], [], [], left)
            if ready:
                got = os.read(self.process.stdout.fileno(), 65536)
                assert got, ("end of reports", self.buffer,
                             self.process.stderr.read())
                self.buffer += got
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken

    def request(self, number, messid, sender, recipient):
        return (number.to_bytes(self.number_bytes, "little") +
                messid.encode() + b"\0" + sender.encode() + b"\0" +
                recipient.encode() + b"\0")

    def send(self, number, messid="1/12", sender="s@x",
             recipient="joe@h.example"):
        self.write(self.request(number, messid, sender, recipient))

    def write(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def report(self, seconds=h.DEADLINE):
        """The next report: number and text."""
        number = int.from_bytes(self.read(self.number_bytes, seconds),
                                "little")
        size = self.buffer.find(b"\0")
        while size < 0:
            self.buffer = self.read(len(self.buffer) + 1, seconds) + \
                self.buffer
            size = self.buffer.find(b"\0")
        return number, self.read(size + 1)[:-1]

    def wait(self, number, seconds=h.DEADLINE):
        """The report of one delivery; others are kept."""
        while number not in self.reports:
            other, text = self.report(seconds)
            assert other not in self.reports
            self.reports[other] = text
        return self.reports.pop(number)

    def ask(self, number=7, seconds=h.DEADLINE, **request):
        self.send(number, **request)
        return self.wait(number, seconds)

    def end(self, seconds=h.DEADLINE):
        """Closes the request pipe; returns what was still to come."""
        self.process.stdin.close()
        rest = self.buffer + self.process.stdout.read()
        assert self.process.wait(seconds) == 0
        return rest

    def children(self):
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(p) for p in f.read().split()]


def message(home, name="1/12", text=b"Subject: x\n\nbody\n"):
    path = home.file("queue", "mess", name)
    h.make_dirs(os.path.dirname(path), 0o750)
    return h.write_file(path, text, 0o644)


def cdb_hash(key):
    value = 5381
    for byte in key:
        value = ((value * 33) & 0xffffffff) ^ byte
    return value


def write_cdb(path, records):
    """A constant database; records are pairs of bytes."""
    body, tables, position = b"", [[] for _ in range(256)], 2048
    for key, value in records:
        value_hash = cdb_hash(key)
        tables[value_hash & 255].append((value_hash, position))
        entry = struct.pack("<II", len(key), len(value)) + key + value
        body += entry
        position += len(entry)
    header, ends = b"", b""
    for table in tables:
        slots = [(0, 0)] * (2 * len(table))
        for value_hash, place in table:
            slot = (value_hash >> 8) % len(slots)
            while slots[slot][1]:
                slot = (slot + 1) % len(slots)
            slots[slot] = (value_hash, place)
        header += struct.pack("<II", position, len(slots))
        for pair in slots:
            ends += struct.pack("<II", *pair)
        position += 8 * len(slots)
    temporary = path + ".tmp"
    h.write_file(temporary, header + body + ends)
    os.rename(temporary, path)


def assign(home, entries, wildcards=b"-"):
    """users/cdb from {key: (user, uid, gid, home, dash, ext)}; keys as in the
    file without the '!': "joe\\0" or "joe-"."""
    write_cdb(home.file("users", "cdb"), [(b"", wildcards)] + [
        (b"!" + key.encode(), b"\0".join(str(f).encode() for f in value))
        for key, value in entries.items()])
