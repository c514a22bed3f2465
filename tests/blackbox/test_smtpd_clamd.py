"""control/clamd: what qmail-smtpd makes of a scanner, good or bad."""
import os
import socket
import time

import pytest

from clamd_script import ScriptedClamd
from home import OVERLONG, free_port, make_dirs, own, write_file
from smtpd_driver import Smtpd, replay

BODY = "Subject: x\r\n\r\nhello\r\n..dot\r\n"
ARRIVED = b"Subject: x\n\nhello\n.dot\n"
LATER = "451 4.7.0 virus scanner not available, try again later"
VIRUS = '554 5.7.7 your email contains the virus "{}"!'


@pytest.fixture
def scanner(home):
    """scanner(...) starts a scripted clamd and names it in control/clamd."""
    started = []

    def make(where=None, **more):
        made = ScriptedClamd(where or home.file("clamd.sock"), **more)
        started.append(made)
        home.control("clamd", made.control)
        return made

    yield make
    for made in started:
        made.close()


@pytest.fixture
def start(home):
    sessions = []

    def run(**more):
        sessions.append(Smtpd(home, **more))
        sessions[-1].command("EHLO c.example")
        return sessions[-1]

    yield run
    for session in sessions:
        session.close()


def send(smtpd, body=BODY):
    smtpd.open_message()
    smtpd.send(body)
    smtpd.send(".\r\n")
    return smtpd.reply()


@pytest.mark.parametrize("where", [None, ("127.0.0.1", 0), ("::1", 0)])
def test_clean_and_virus(scanner, start, where):
    clamd = scanner(where, reply=lambda data: b"stream: OK\0"
                    if b"hello" in data else b"stream: Worm.X FOUND\0")
    smtpd = start()
    assert send(smtpd).startswith("250 2.6.0 ok ")
    assert send(smtpd, "\r\n") == VIRUS.format("Worm.X")
    assert send(smtpd).startswith("250 2.6.0 ok ")
    # It gets what the client sent, without our Received.
    assert clamd.messages == [ARRIVED, b"\n", ARRIVED]
    queued = smtpd.queue.messages()
    assert len(queued) == 2 and all(m.endswith(ARRIVED) for _, _, m in queued)
    assert 'CLAMD: virus "Worm.X" was found!' in smtpd.log()


def test_virus_transcript(home, scanner):
    sessions = []

    def begin(greet, **env):
        sessions.append(Smtpd(home, env, greet))
        return sessions[-1]

    scanner(reply=b"stream: Worm.Bagle.Z FOUND\0")
    replay(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        "transcripts", "net", "virus.txt"), home, begin)
    sessions[0].close()


def test_header_only_and_empty_messages(scanner, start):
    clamd = scanner()
    smtpd = start()
    for body in ("", "Subject: x\r\n"):
        assert send(smtpd, body).startswith("250 ")
    assert clamd.messages == [b"", b"Subject: x\n"]


def test_own_users_and_postmaster_are_scanned_too(scanner, start):
    scanner(reply=b"stream: Own FOUND\0")
    relay = start(env={"RELAYCLIENT": ""})
    assert send(relay) == VIRUS.format("Own")
    other = start()
    other.open_message("s@x.example", "postmaster@a.example")
    other.send(".\r\n")
    assert other.reply() == VIRUS.format("Own")
    assert not relay.queue.messages() and not other.queue.messages()


def test_virus_is_tarpitted(home, scanner, start):
    scanner(reply=b"stream: X FOUND\0")
    home.control("tarpitdelay", "1\n")
    home.control("log/tarpitting", "1\n")
    smtpd = start()
    begin = time.monotonic()
    assert send(smtpd) == VIRUS.format("X")
    assert time.monotonic() - begin > 0.95
    log = smtpd.log()
    assert log.index("CLAMD: virus") < log.index("TARPIT: <s@x.example>")


def test_tarpit_ends_with_the_time_for_the_dot(home, scanner, start):
    scanner(reply=b"stream: X FOUND\0")
    home.control("tarpitdelay", "200\n")
    for seconds in (1, 6, 30):  # the first is enough for most scanners
        home.control("dottimeout", f"{seconds}\n")
        smtpd = start()
        said = send(smtpd)
        if "CLAMD: virus" in smtpd.log():
            break
    assert said == VIRUS.format("X")


@pytest.mark.parametrize("name, shown", [
    (b'a"b', "a?b"), (b"a\r\nb\x1b[31m", "a??b?[31m"), (b"\xff\x80", "??"),
    (b"x" * 900, "x" * 200), (b"a FOUND", "a FOUND")])
def test_names_are_made_harmless(scanner, start, name, shown):
    scanner(reply=b"stream: " + name + b" FOUND\0")
    smtpd = start()
    assert send(smtpd) == VIRUS.format(shown)
    assert f'CLAMD: virus "{shown}" was found!' in smtpd.log()


BROKEN = {
    "garbage": b"hello there\0",
    "binary": b"\xff\xfe\0",
    "empty": b"\0",
    "cut": b"stream: O",
    "unended": b"stream: OK",
    "nothing": b"",
    "error": b"stream: Can't allocate memory ERROR\0",
    "endless": b"x" * 5000,
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("open_", [False, True])
def test_broken_answers(home, scanner, start, case, open_):
    scanner(reply=BROKEN[case])
    home.control("clamdfail", "1\n" if open_ else "0\n")
    smtpd = start()
    said = send(smtpd)
    if open_:
        assert said.startswith("250 2.6.0 ")
        assert "accepted unscanned" in smtpd.log()
    else:
        assert said == LATER
        assert "refused" in smtpd.log()
    assert len(smtpd.queue.messages()) == int(open_)
    # The session goes on.
    assert smtpd.command("NOOP").startswith("250 ")


def test_nobody_listens(home, start):
    home.control("clamd", home.file("nowhere") + "\n")
    smtpd = start()
    assert send(smtpd) == LATER
    home.control("clamd", f"127.0.0.1:{free_port()}\n")
    smtpd = start()
    assert send(smtpd, BODY + 100000 * "x\r\n") == LATER
    assert "refused" in smtpd.log()
    assert not smtpd.queue.messages()


def test_answer_before_the_end_is_no_answer(scanner, start):
    def hasty(clamd, connection):
        connection.sendall(b"stream: OK\0")
        clamd.receive(connection)

    scanner(behave=hasty)
    smtpd = start()
    # Large enough to be sent, and answered, before its end.
    assert send(smtpd, 40000 * "0123456789\r\n") == LATER


def test_early_close(scanner, start):
    scanner(behave=lambda clamd, connection: None)
    smtpd = start()
    assert send(smtpd, 40000 * "0123456789\r\n") == LATER
    assert send(smtpd) == LATER


def test_more_than_the_scanner_takes(home, scanner, start):
    def small(clamd, connection):
        clamd.take(connection, 1000)
        connection.sendall(b"INSTREAM size limit exceeded. ERROR\0")

    scanner(behave=small)
    smtpd = start()
    # Sending it again would not help.
    assert send(smtpd, 40000 * "0123456789\r\n").startswith("552 5.3.4 ")
    home.control("clamdfail", "1\n")
    other = start()
    assert send(other, 40000 * "0123456789\r\n").startswith("250 ")


def test_it_gets_the_message_while_it_arrives(scanner, start):
    clamd = scanner()
    smtpd = start()
    smtpd.open_message()
    smtpd.send(3000 * "0123456789\r\n")
    clamd.wait(lambda: clamd.chunks > 0)
    assert not clamd.messages
    smtpd.send(".\r\n")
    assert smtpd.reply().startswith("250 ")
    assert clamd.messages == [3000 * b"0123456789\n"]


def test_scanner_that_does_not_read_holds_nobody_up(home, scanner, start):
    """More than all buffers hold: the message is received all the same."""
    def deaf(clamd, connection):
        smtpd.process.wait()

    scanner(behave=deaf)
    home.control("clamdtimeout", "1\n")
    home.control("clamdfail", "1\n")
    smtpd = start()
    # One second for all waits together: they are many.
    assert send(smtpd, 400000 * "0123456789\r\n").startswith("250 ")
    assert "it took too long: accepted unscanned" in smtpd.log()
    assert len(smtpd.queue.messages()[0][2]) > 400000 * 11


@pytest.mark.parametrize("limit", ["clamdtimeout", "dottimeout"])
def test_scanner_that_never_answers(home, scanner, start, limit):
    def mute(clamd, connection):
        clamd.receive(connection)
        smtpd.process.wait()

    scanner(behave=mute)
    for name in ("clamdtimeout", "dottimeout"):
        home.control(name, "1\n" if name == limit else f"{OVERLONG}\n")
    smtpd = start()
    assert send(smtpd) == LATER
    assert not smtpd.queue.messages()


def test_scanner_too_busy_to_take_the_connection(home, scanner, start):
    clamd = scanner(backlog=0)
    clamd.listener.shutdown(socket.SHUT_RDWR)  # the thread ends
    path = home.file("busy.sock")
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(path)
        os.chmod(own(path), 0o777)
        home.control("clamd", path + "\n")
        busy.listen(0)
        waiting = []
        for _ in range(2):
            waiting.append(socket.socket(socket.AF_UNIX))
            waiting[-1].setblocking(False)
            try:
                waiting[-1].connect(path)
            except BlockingIOError:
                pass
        home.control("clamdtimeout", "1\n")
        smtpd = start()
        assert send(smtpd) == LATER
        for one in waiting:
            one.close()


def test_client_that_gives_up_is_forgotten(scanner, start):
    clamd = scanner()
    smtpd = start()
    smtpd.open_message()
    smtpd.send(3000 * "0123456789\r\n")
    clamd.wait(lambda: clamd.chunks > 0)
    smtpd.vanish()
    assert not clamd.messages and not smtpd.queue.messages()


def test_too_large_and_looping_are_not_scanned(home, scanner, start):
    clamd = scanner()
    home.control("databytes", "1000\n")
    smtpd = start()
    assert send(smtpd, 1000 * "0123456789\r\n").startswith("552 5.3.4 ")
    assert send(smtpd, 101 * "Received: x\r\n").startswith("55")
    assert not clamd.messages


def test_off_and_watch(home, scanner, start):
    clamd = scanner(reply=b"stream: X FOUND\0")
    home.control("checks", "clamd:off\n")
    assert send(start()).startswith("250 ")
    assert not clamd.messages
    home.control("checks", "clamd:watch\n")
    smtpd = start()
    assert send(smtpd).startswith("250 ")
    assert "WATCH: clamd: 554 5.7.7 " in smtpd.log()


@pytest.mark.parametrize("text", ["localhost:3310\n", "run/clamd\n", "\n",
                                  "/" + 200 * "x" + "\n"])
def test_control_that_is_wrong(home, start, text):
    home.control("clamd", text)
    smtpd = start()
    assert send(smtpd).startswith("451 4.3.0 ")
    assert "control/clamd" in smtpd.log()
    assert not smtpd.queue.messages()
    shown = home.run("qmail-showctl", "--check")
    assert shown.returncode != 0 and b"control/clamd" in (
        shown.stdout + shown.stderr)


@pytest.mark.parametrize("reads", [False, True])
def test_wrapper_that_hangs(home, start, reads):
    """$QMAILQUEUE never ends: 451 in time, however large the message is."""
    read = "cat >/dev/null" if reads else ":"
    hang = write_file(home.file("hang"),
                      f"#!/bin/sh\n{read}\nexec sleep {OVERLONG}\n", 0o755)
    home.control("dottimeout", "1\n")
    smtpd = start(env={"QMAILQUEUE": hang})
    for lines in (10, 60000):
        said = send(smtpd, lines * "0123456789\r\n")
        assert said.startswith("451 4.3.0 "), said


STUBBORN = """#!/bin/sh
trap '' TERM
cd "$WORK"
cat >message
cat <&1 >envelope
(while [ ! -e gate ]; do sleep 0.1; done
"$LAST" <message 1<envelope) &
wait $!
"""


@pytest.mark.parametrize("in_time", [True, False])
def test_wrapper_that_ignores_term(home, start, in_time):
    """After our 451 it queues nothing, and nothing that it has started."""
    stubborn = write_file(home.file("stubborn"), STUBBORN, 0o755)
    work = make_dirs(home.file("work"))
    gate = os.path.join(work, "gate")
    if in_time:
        write_file(gate, "")
    else:
        home.control("dottimeout", "1\n")
    smtpd = start(env={"QMAILQUEUE": stubborn, "WORK": work,
                       "LAST": os.path.join(home.bin, "qmail-queue")})
    said = send(smtpd)
    if in_time:
        assert said.startswith("250 "), said
        assert home.queue_files()
        return
    assert said.startswith("451 4.3.0 "), said
    write_file(gate, "")
    time.sleep(2)
    assert not home.queue_files()


def test_last_byte_counts_from_its_arrival(home, start):
    """While the wrapper sleeps the client has sent all: that is its time."""
    slow = write_file(home.file("slow"),
                      "#!/bin/sh\nsleep 1\ncat >/dev/null\ncat <&1 >/dev/null\n"
                      "sleep 1.5\n", 0o755)
    home.control("dottimeout", "2\n")
    smtpd = start(env={"QMAILQUEUE": slow})
    # Fits into the pipe, the buffers of both sides and the socket.
    assert send(smtpd, 9000 * "0123456789\r\n").startswith("451 4.3.0 ")
