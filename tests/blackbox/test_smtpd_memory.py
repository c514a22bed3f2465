"""A session's memory, whatever it is sent: below 4 MiB resident.

The amounts are real ones.  Expressions are in force, as they are the largest
thing that a session may hold; qmail-queue throws away what it gets.
"""
import os
import threading

import pytest

from home import write_file
from smtpd_driver import Smtpd

# KiB; a sanitizer needs a lot for itself, and its time
SANITIZED = bool(os.environ.get("SANITIZE"))
MEMORY_MAX = 1 << 30 if SANITIZED else 4096
SCALE = 16 if SANITIZED else 1
GIGABYTE = (1 << 30) // SCALE
MILLION = 1_000_000 // SCALE
BLOCK = 1 << 20


@pytest.fixture
def session(home):
    home.control("maxrcpt", "0\n")
    for name in ("badhelo", "badmailfrom", "badmailto"):
        # Some of them have to be matched with each address.
        home.control(name, "".join(f"^.*spam{i}@[a-z]+\\.example$\n"
                                   for i in range(950)) +
                     "".join(f"^[a-z]*[0-9]{{{i},}}(a|b|ab)+@.*\\.com$\n"
                             for i in range(50)))
    sink = write_file(home.file("sink"), "#!/bin/sh\ncat >/dev/null\n"
                      "cat <&1 >/dev/null\n", 0o755)
    s = Smtpd(home, {"QMAILQUEUE": sink, "NO_TARPITTING": ""})
    s.command("EHLO client.example")
    yield s
    s.close()


def pour(s, chunk, total):
    """Sends chunk until so many bytes are gone."""
    sent = 0
    while sent < total:
        s.send(chunk)
        sent += len(chunk)


def count_codes(s, replies):
    """Codes of so many replies of one line each."""
    codes, rest = {}, b""
    while replies > 0:
        got = s.socket.recv(1 << 18)
        assert got, (codes, replies)
        *lines, rest = (rest + got).split(b"\r\n")
        replies -= len(lines)
        for line in lines:
            codes[line[:3]] = codes.get(line[:3], 0) + 1
    assert (replies, rest) == (0, b"")
    return codes


def test_gigabyte_of_command_line(session):
    session.send(b"MAIL FROM:<")
    pour(session, b"x" * BLOCK, GIGABYTE)
    assert session.peak_memory() < MEMORY_MAX
    session.send(b">\r\n")
    assert session.reply() == "500 5.5.2 line too long"
    assert session.command("MAIL FROM:<a@b.example>") == "250 2.1.0 ok"
    assert session.peak_memory() < MEMORY_MAX


def test_million_recipients(session):
    session.command("MAIL FROM:<a@b.example>")
    commands = "".join(f"RCPT TO:<some.body{i}@a.example>\r\n"
                       for i in range(1000)).encode()
    writer = threading.Thread(
        target=pour, args=(session, commands, MILLION // 1000 * len(commands)))
    writer.start()
    codes = count_codes(session, MILLION // 1000 * 1000)
    writer.join()
    assert session.peak_memory() < MEMORY_MAX
    assert set(codes) <= {b"250", b"452"}
    assert codes[b"250"] <= 100000
    assert session.command("DATA") == "354 go ahead"
    session.send(b"\r\nx\r\n.\r\n")
    assert session.reply().startswith("250 2.6.0")
    assert session.peak_memory() < MEMORY_MAX


def test_gigabyte_of_header_line(session):
    session.open_message("a@b.example", "u@a.example")
    session.send(b"Subject: ")
    pour(session, b"x" * BLOCK, GIGABYTE)
    assert session.peak_memory() < MEMORY_MAX
    session.send(b"\r\n.\r\n")
    assert session.reply().startswith("250 2.6.0")
    assert session.peak_memory() < MEMORY_MAX


def test_endless_message(session):
    """As far as it went, there was no sign of an end."""
    session.open_message("a@b.example", "u@a.example")
    line = b"Received: from everywhere; and back\r\n .\r\n..\r\n"
    pour(session, b"\r\n" + line * (BLOCK // len(line)), GIGABYTE // 2)
    assert session.peak_memory() < MEMORY_MAX
    assert session.vanish() == 1
