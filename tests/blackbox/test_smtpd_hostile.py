"""qmail-smtpd against clients that mean no good: bytes, time and memory."""
import os
import signal
import time

import pytest

from home import DEADLINE
from smtpd_driver import Smtpd

# KiB; a sanitizer needs a lot for itself
MEMORY_MAX = 1 << 30 if os.environ.get("SANITIZE") else 4096
BARE = "451 4.6.0 See https://cr.yp.to/docs/smtplf.html."
FOREIGN = "550 5.6.0 NUL and bare CR are not allowed, goodbye"


@pytest.fixture
def smtpd(home):
    sessions = []

    def start(greet=True, **env):
        sessions.append(Smtpd(home, env, greet))
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


# -- smuggling -----------------------------------------------------------
@pytest.mark.parametrize("end", [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n",
    b"\r\n\0.\r\n", b"\0\r\n.\r\n", b"\r\r\n.\r\n", b"\n\r\n.\r\n",
    b"\r\n.\0\r\n", b"\r\n.\r\r\n"], ids=repr)
def test_only_crlf_dot_crlf_ends_a_message(smtpd, end):
    s = smtpd()
    s.command("EHLO x")
    s.open_message()
    smuggled = b"MAIL FROM:<evil@x>\r\nRCPT TO:<v@a.example>\r\nDATA\r\n"
    s.send(b"first" + end + smuggled + b"second\r\n.\r\nQUIT\r\n")
    assert s.reply() in (BARE, FOREIGN)
    assert s.at_end() and s.exit_code() == 1
    assert s.queue.messages() == []


def test_every_place_of_a_bad_byte_in_data(smtpd):
    for bad in (b"\n", b"\r", b"\0"):
        for body in (b"%sx\r\n", b"x%sy\r\n", b"x\r\n%s\r\n", b".%s\r\n",
                     b"..%s\r\n", b"x" * 16380 + b"%s" + b"yyyyyyyy\r\n"):
            s = smtpd()
            s.command("EHLO x")
            s.open_message()
            s.send(body.replace(b"%s", bad) + b".\r\nQUIT\r\n")
            assert s.reply() in (BARE, FOREIGN), (bad, body[:20])
            assert s.at_end()
            assert s.queue.messages() == []
            s.close()


def test_message_split_into_single_bytes(smtpd):
    s = smtpd()
    s.command("EHLO x")
    s.open_message()
    for byte in b"..a\r\n.b\r\n\r\n.\r\n":
        s.send(bytes([byte]))
        time.sleep(0.002)
    assert s.reply().startswith("250 2.6.0")
    assert s.queue.messages()[0][2].endswith(b"\n.a\nb\n\n")


# -- clients that vanish -------------------------------------------------
STEPS = [b"", b"EHLO x\r\n", b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<u@a.example>\r\n",
         b"DATA\r\n", b"Subject: x\r\n\r\nbody\r\n", b"."]


@pytest.mark.parametrize("steps", range(len(STEPS) + 1))
@pytest.mark.parametrize("pipelined", [True, False])
def test_vanishing_leaves_nothing(smtpd, steps, pipelined):
    s = smtpd()
    if pipelined:
        s.send(b"".join(STEPS[:steps]))
    else:
        for step in STEPS[:steps]:
            s.send(step)
            if step.endswith(b"\r\n") and not step.startswith(b"Sub"):
                s.reply()
    assert s.vanish() == 1
    assert s.queue.messages() == []


def test_vanishing_in_mid_command(smtpd):
    s = smtpd()
    s.send("MAIL FROM:<a@b>\r\nRCPT TO:<u@a.exam")
    assert s.vanish() == 1


def test_vanishing_before_the_commit_leaves_nothing(smtpd):
    s = smtpd()
    s.command("EHLO x")
    s.open_message()
    # Dot and end of the connection are both there when the server looks.
    os.kill(s.process.pid, signal.SIGSTOP)
    s.send("x\r\n.\r\n")
    s.socket.close()
    os.kill(s.process.pid, signal.SIGCONT)
    assert s.exit_code() == 1
    assert s.queue.messages() == []


def test_commands_behind_the_final_dot_are_a_client_too(smtpd):
    s = smtpd()
    s.command("EHLO x")
    s.open_message()
    s.send("x\r\n.\r\nQUIT\r\n")
    s.socket.shutdown(1)
    assert s.reply().startswith("250 2.6.0")
    assert s.reply().startswith("221 2.0.0")
    assert len(s.queue.messages()) == 1


# -- time ----------------------------------------------------------------
def test_timeout_of_a_silent_client(home, smtpd):
    home.control("timeoutsmtpd", "1\n")
    s = smtpd()
    assert s.reply() == "451 4.4.2 timeout"
    assert s.at_end() and s.exit_code() == 1


def drip(s, data):
    """Sends bytes slowly until the server has had enough, or much longer."""
    end = time.monotonic() + DEADLINE
    try:
        while time.monotonic() < end and s.process.poll() is None:
            s.send(data)
            time.sleep(0.1)
    except OSError:
        pass


@pytest.mark.parametrize("in_data", [False, True])
def test_slow_bytes_do_not_move_the_deadline(home, smtpd, in_data):
    home.control("timeoutsmtpd", "2\n")
    s = smtpd()
    if in_data:
        s.command("EHLO x")
        s.open_message()
    drip(s, b"x")
    assert s.process.poll() is not None or s.exit_code(1) is not None
    assert s.exit_code() == 1
    assert s.queue.messages() == []


def test_client_that_reads_nothing_is_left(home, smtpd):
    home.control("timeoutsmtpd", "1\n")
    s = smtpd(greet=False, RELAYCLIENT="")
    s.socket.setblocking(False)
    chunk = b"MAIL FROM:<a@b>\r\n" + b"RCPT TO:<u@b.example>\r\n" * 1000
    began = time.monotonic()
    while s.process.poll() is None:
        assert time.monotonic() - began < DEADLINE
        try:
            s.socket.send(chunk)
        except OSError:
            time.sleep(0.05)
    assert s.exit_code() == 1


# -- memory and work -----------------------------------------------------
def test_endless_line(home, smtpd):
    s = smtpd(TARPITDELAY="0")
    s.send(b"EHLO ")
    for _ in range(1024):
        s.send(b"x" * 65536)
    assert s.peak_memory() < MEMORY_MAX
    s.send(b"\r\n")
    assert s.reply() == "500 5.5.2 line too long"
    assert s.command("NOOP") == "250 2.0.0 ok"


def count_replies(s, total):
    """Codes of so many single-line replies."""
    codes = {}
    for _ in range(total):
        code = s.line()[:3]
        codes[code] = codes.get(code, 0) + 1
    return codes


@pytest.mark.parametrize("long", [False, True])
def test_a_hundred_thousand_recipients(home, smtpd, long):
    home.control("maxrcpt", "0\n")
    s = smtpd()
    s.command("EHLO x", "MAIL FROM:<a@b>")
    name = "n" * 850 if long else ""
    sent, accepted = 0, 0
    while sent < 100500:
        block = range(sent, min(sent + 500, 100500))
        s.send("".join(f"RCPT TO:<{name}{i}@a.example>\r\n" for i in block))
        codes = count_replies(s, len(block))
        assert set(codes) <= {b"250", b"452"}
        accepted += codes.get(b"250", 0)
        sent = block.stop
    assert s.peak_memory() < MEMORY_MAX
    assert 2000 < accepted <= 100000
    assert s.command("DATA") == "354 go ahead"
    s.send("\r\nx\r\n.\r\n")
    assert s.reply().startswith("250 2.6.0")
    assert len(s.queue.messages()[0][1]) == accepted
    assert s.peak_memory() < MEMORY_MAX


def test_endless_message_is_not_held(home, smtpd):
    home.control("databytes", "100000\n")
    s = smtpd()
    s.command("EHLO x")
    s.open_message()
    block = (b"y" * 998 + b"\r\n") * 64
    for _ in range(600):
        s.send(block)
    # The queue has been told to forget it long ago.
    assert all(len(s.queue.read(n)) < 200000
               for n in s.queue.files("message"))
    s.send(b"\r\n.\r\n")
    assert s.reply().startswith("552 5.3.4")
    assert s.peak_memory() < MEMORY_MAX
    assert s.queue.messages() == []


def test_line_of_data_without_end(smtpd):
    s = smtpd()
    s.command("EHLO x")
    s.open_message()
    for _ in range(300):
        s.send(b"z" * 65536)
    assert s.peak_memory() < MEMORY_MAX
    s.send(b"\r\n.\r\n")
    assert s.reply().startswith("250 2.6.0")
    assert len(s.queue.messages()[0][2]) > 300 * 65536


def test_junk_commands_end_the_session(smtpd):
    s = smtpd()
    s.send("GET / HTTP/1.1\r\n" * 200)
    assert [s.reply() for _ in range(20)] == ["502 5.5.1 unimplemented"] * 20
    assert s.reply() == "421 4.7.0 too many bad commands, goodbye"
    assert s.at_end() and s.exit_code() == 1


def test_idle_commands_end_the_session(smtpd):
    s = smtpd()
    s.send("NOOP\r\n" * 1001)
    assert count_replies(s, 1001) == {b"250": 1000, b"421": 1}
    assert s.at_end()


def test_refusal_arrives_although_input_is_left(smtpd):
    s = smtpd()
    s.send("MAIL FROM:<a@b>\r\nDATA\r\n" + "spam\r\n" * 20000)
    assert s.reply() == "250 2.1.0 ok"
    assert s.reply().startswith("221 2.0.0 error: I can break rules, too.")
    assert s.at_end()


def test_no_descriptors(home):
    for fds in ({"stdin": None}, {"stdout": None}):
        argv = ["sh", "-c", f"exec {os.path.join(home.bin, 'qmail-smtpd')} "
                + ("<&-" if "stdin" in fds else ">&-")]
        process = home.spawn(argv, stderr=open(home.file("err"), "wb"))
        assert process.wait(DEADLINE) == 111


def test_home_that_does_not_exist(home):
    done = home.run("qmail-smtpd", env={"QMAILHOME": "/nonexistent"})
    assert done.returncode == 111
    assert b"unable to switch to home directory" in done.stderr
