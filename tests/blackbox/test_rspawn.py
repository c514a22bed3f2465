"""qmail-rspawn and the qmail-remote that stays alive behind it."""
import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import threading
import time

import pytest

import home as h
from relay_peer import CLOSE, Relay, seconds, stall_at
from spawn_driver import Spawner, message

ACCEPTED = b"K127.0.0.1 accepted message.\nRemote host said: 250 taken\n"
STRACE = shutil.which("strace")
CRASHED = b"Zqmail-remote crashed.\n"


class Bench:
    """A home whose mail for NAME.example goes to a relay of its own."""

    def __init__(self, home):
        self.home = home
        self.relays = []
        self.routes = ""
        message(home)
        home.control("timeoutremote", f"{h.OVERLONG}\n")
        home.control("connectionidle", f"{h.OVERLONG}\n")

    def relay(self, name="there", answer=None):
        relay = Relay(answer)
        self.relays.append(relay)
        self.routes += f"{name}.example:127.0.0.1:{relay.port}\n"
        self.home.control("smtproutes", self.routes)
        return relay

    def start(self, env=None, wrapper=()):
        program = os.path.join(self.home.bin, "qmail-rspawn")
        self.spawner = Spawner(self.home, [*wrapper, program], env=env)
        return self.spawner

    def stop(self):
        for relay in self.relays:
            relay.stop()


@pytest.fixture
def bench(home):
    b = Bench(home)
    yield b
    b.stop()


def group(s, numbers, sender="s@a.example", name="there"):
    """Requests that are there together."""
    s.write(b"".join(
        s.request(n, "1/12", sender, f"u{n}@{name}.example")
        for n in numbers))


def ask(s, number=7, name="there", **more):
    return s.ask(number, sender="s@a.example",
                 recipient=f"u{number}@{name}.example", **more)


# -- sharing -----------------------------------------------------------------

def test_recipients_share_a_transaction(bench):
    relay = bench.relay()
    s = bench.start()
    group(s, range(5))
    assert [s.wait(n) for n in range(5)] == [ACCEPTED] * 5
    assert relay.transactions == [
        ["MAIL FROM:<s@a.example>",
         [f"RCPT TO:<u{n}@there.example>" for n in range(5)],
         "Subject: x\n\nbody\n"]]


def test_each_recipient_has_its_own_report(bench):
    def answer(_, verb, line):
        if verb == "RCPT" and "u1@" in line:
            return "550 5.1.1 never heard of"
        if verb == "RCPT" and "u2@" in line:
            return "450 4.2.1 later"
        return None

    bench.relay(answer=answer)
    s = bench.start()
    group(s, range(4))
    assert s.wait(0) == ACCEPTED and s.wait(3) == ACCEPTED
    assert s.wait(1) == (b"D127.0.0.1 does not like recipient.\n"
                         b"Remote host said: 550 5.1.1 never heard of\n")
    assert s.wait(2) == (b"Z127.0.0.1 does not like recipient.\n"
                         b"Remote host said: 450 4.2.1 later\n")


def test_what_differs_shares_nothing_but_the_connection(bench):
    """Other senders (VERP), other messages, other hosts."""
    relay, other = bench.relay(), bench.relay("other")
    message(bench.home, "1/13", b"Subject: y\n\nbody\n")
    bench.home.control("destinations", "there.example:1\n")
    s = bench.start()
    s.write(s.request(0, "1/12", "s0@a", "u0@there.example") +
            s.request(1, "1/12", "s1@a", "u1@there.example") +
            s.request(2, "1/13", "s1@a", "u2@there.example") +
            s.request(3, "1/12", "s1@a", "u3@other.example"))
    assert [s.wait(n) for n in range(4)] == [ACCEPTED] * 4
    assert len(relay.sessions) == 1 and len(relay.transactions) == 3
    assert len(other.transactions) == 1
    assert relay.transactions[2][2] == "Subject: y\n\nbody\n"


def test_more_recipients_than_a_transaction_takes(bench):
    relay = bench.relay()
    s = bench.start()
    group(s, range(120))
    assert [s.wait(n) for n in range(120)] == [ACCEPTED] * 120
    assert sorted(len(t[1]) for t in relay.transactions) == [20, 100]


def test_messages_share_a_connection(bench):
    relay = bench.relay()
    s = bench.start()
    for n in range(5):
        assert ask(s, n) == ACCEPTED
    assert len(relay.sessions) == 1 and len(relay.transactions) == 5
    assert len(s.children()) == 1


def test_another_host_takes_the_process_over(bench):
    bench.home.control("connectionidle", "1\n")
    first, names = bench.relay(), (f"other{n}" for n in itertools.count())
    s = bench.start()
    assert ask(s) == ACCEPTED
    h.wait_for(lambda: first.sessions[0].closed, "the end of the first")

    def taken_over():  # if it has told of the end by now
        name = next(names)
        relay, before = bench.relay(name), s.children()
        assert ask(s, name=name) == ACCEPTED and len(relay.sessions) == 1
        return s.children() == before

    h.wait_for(taken_over, "a process for another host")


# -- the end of a connection -------------------------------------------------

def test_idle_connection_is_closed(bench):
    bench.home.control("connectionidle", "1\n")
    relay = bench.relay()
    s = bench.start()
    assert ask(s) == ACCEPTED
    h.wait_for(lambda: relay.sessions[0].closed, "QUIT")
    assert relay.sessions[0].commands[-1] == "QUIT"
    assert ask(s) == ACCEPTED and len(relay.sessions) == 2


@pytest.mark.parametrize("name,value,sessions", [
    ("connectionmessages", "2", 3), ("connectionidle", "0", 5),
    ("connectionmessages", "nonsense", 5)])
def test_bounds_of_a_connection(bench, name, value, sessions):
    bench.home.control(name, value + "\n")
    relay = bench.relay()
    s = bench.start()
    for n in range(5):
        assert ask(s, n) == ACCEPTED
    assert len(relay.sessions) == sessions
    h.wait_for(lambda: relay.sessions[0].commands[-1] == "QUIT", "QUIT")


def test_peer_that_hangs_up_between_messages(bench):
    relay = bench.relay()
    s = bench.start()
    assert ask(s) == ACCEPTED
    relay.sessions[0].connection.shutdown(2)
    assert ask(s) == ACCEPTED and len(relay.sessions) == 2


def test_peer_that_hangs_up_at_the_second_message(bench):
    """Nothing was accepted: it is tried again over a new connection."""
    def answer(session, verb, _):
        return CLOSE if verb == "MAIL" and session.transactions else None

    relay = bench.relay(answer=answer)
    s = bench.start()
    for n in range(3):
        assert ask(s, n) == ACCEPTED
    assert len(relay.sessions) == 3


def test_peer_that_says_421_while_it_waits(bench):
    relay = bench.relay()
    s = bench.start()
    assert ask(s) == ACCEPTED
    relay.sessions[0].connection.sendall(b"421 4.3.2 good night\r\n")
    h.wait_for(lambda: relay.sessions[0].closed, "the end")
    assert ask(s) == ACCEPTED and len(relay.sessions) == 2


def test_routes_are_read_again_for_a_new_connection(bench):
    bench.home.control("connectionidle", "0\n")
    first = bench.relay()
    s = bench.start()
    assert ask(s) == ACCEPTED
    bench.routes = ""
    second = bench.relay()
    assert ask(s) == ACCEPTED
    assert len(first.transactions) == len(second.transactions) == 1


def test_routes_are_read_again_though_there_is_always_a_connection(bench):
    def answer(session, verb, _):
        return CLOSE if verb == "MAIL" and session.transactions else None

    bench.home.control("connectiontime", "1\n")
    first = bench.relay(answer=answer)
    s = bench.start()
    assert ask(s) == ACCEPTED and len(first.transactions) == 1
    bench.routes = ""
    second = bench.relay()
    h.wait_for(lambda: ask(s) == ACCEPTED and second.transactions,
               "a message by the new route")


def test_end_of_requests_ends_the_processes(bench):
    relay = bench.relay()
    s = bench.start()
    assert ask(s) == ACCEPTED
    child = s.children()[0]
    s.end()
    h.wait_for(lambda: not os.path.exists(f"/proc/{child}"), "its end")
    h.wait_for(lambda: relay.sessions[0].commands[-1] == "QUIT", "QUIT")


# -- processes ---------------------------------------------------------------

def test_crash_takes_only_its_own_deliveries(bench):
    gate = threading.Event()
    bench.relay(answer=stall_at("DATA", gate))
    other = bench.relay("other", stall_at("DATA", gate))
    s = bench.start()
    group(s, range(3))
    h.wait_for(lambda: len(s.children()) == 1, "a process")
    victim = s.children()[0]
    s.send(9, sender="s@a", recipient="u@other.example")
    h.wait_for(lambda: other.transactions, "the other one")
    os.kill(victim, signal.SIGKILL)
    assert [s.wait(n) for n in range(3)] == [CRASHED] * 3
    gate.set()
    assert s.wait(9) == ACCEPTED
    assert ask(s) == ACCEPTED


def test_idle_process_that_dies_harms_nobody(bench):
    relay = bench.relay()
    s = bench.start()
    assert ask(s) == ACCEPTED
    os.kill(s.children()[0], signal.SIGKILL)
    h.wait_for(lambda: not s.children(), "its end")
    assert ask(s) == ACCEPTED and len(relay.sessions) == 2


def copy_descriptor(pid, number):
    """A descriptor of another process, as a child before its exec has it."""
    getfd = 438  # pidfd_getfd: the same number everywhere
    with open(os.pidfd_open(pid), "rb", buffering=0) as process:
        copy = ctypes.CDLL(None, use_errno=True).syscall(
            getfd, process.fileno(), number, 0)
    if copy < 0:
        pytest.skip(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
    return open(copy, "rb", buffering=0)


@pytest.mark.skipif(not h.ROOT, reason="needs root")
def test_link_that_another_process_still_has_open(bench):
    """epoll(7) goes on with a closed descriptor while a copy of it is open,
    and a child has one for a moment, after its vfork is over."""
    relay = bench.relay()
    s = bench.start()
    assert ask(s) == ACCEPTED
    where = f"/proc/{s.process.pid}/fd"
    links = [int(n) for n in os.listdir(where)
             if os.readlink(f"{where}/{n}").startswith("socket:")]
    copies = [copy_descriptor(s.process.pid, n) for n in links]
    assert len(copies) == 2  # and that of orders for TLS
    os.kill(s.children()[0], signal.SIGKILL)
    h.wait_for(lambda: not s.children(), "its end")
    for n in range(3):
        assert ask(s) == ACCEPTED
    assert len(relay.sessions) == 2 and len(s.children()) == 1
    assert s.end() == b""
    assert s.process.stderr.read() == b""
    for copy in copies:
        copy.close()


def test_descriptors_are_few(bench):
    bench.relay()
    s = bench.start()
    for n in range(3):
        group(s, range(10))
        assert [s.wait(m) for m in range(10)] == [ACCEPTED] * 10

    def targets(pid):
        where = f"/proc/{pid}/fd"
        return sorted(os.readlink(f"{where}/{n}") for n in os.listdir(where))

    # A report may be there a moment before all is closed.
    def kinds(pid):
        return ["place" if "/orders." in t else t.split(":")[0]
                for t in targets(pid)]

    h.wait_for(lambda: kinds(s.children()[0]) ==
               ["/dev/null"] * 3 + ["place"] + ["socket"] * 2,
               "few descriptors")
    h.wait_for(lambda: not [t for t in targets(s.process.pid)
                            if "/mess/1/" in t], "no messages")


def test_message_that_goes_away(bench):
    bench.relay()
    s = bench.start()
    assert ask(s) == ACCEPTED
    os.unlink(bench.home.file("queue", "mess", "1", "12"))
    assert ask(s) == b"Zqmail-spawn unable to open message. (#4.3.0)\n"


FAKE = ("#!/bin/sh\nprintf 'r\\0K'; printf '%s|' \"$#\" \"$@\"; cat; "
        "printf '\\0'\n")


def test_program_in_its_place(bench):
    """Classic call, once for each delivery; and back again."""
    relay = bench.relay()
    fake = h.write_file(bench.home.file("fake"), FAKE, 0o755)
    bench.home.control("qmailremote", fake + "\n")
    s = bench.start()
    group(s, range(3))
    for n in range(3):
        assert s.wait(n) == (f"K3|there.example|s@a.example|u{n}@there."
                             "example|Subject: x\n\nbody\n").encode()
    assert relay.sessions == []
    bench.home.control("qmailremote", None)
    h.wait_for(lambda: ask(s) == ACCEPTED, "qmail-remote again")
    bench.home.control("qmailremote", fake + "\n")
    h.wait_for(lambda: ask(s).startswith(b"K3|"), "the other again")


def break_by_mode(home):
    os.chmod(home.file("control", "qmailremote"), 0)


def break_by_bytes(home):
    home.control("qmailremote", "/bin/fil\0ter\n")


def break_by_emptiness(home):
    home.control("qmailremote", "")


def break_by_kind(home):
    home.control("qmailremote", None)
    h.make_dirs(home.file("control", "qmailremote"))


def mend(home):
    path = home.file("control", "qmailremote")
    if os.path.isdir(path):
        os.rmdir(path)
    else:
        os.unlink(path)


@pytest.mark.parametrize("break_it", [
    break_by_mode, break_by_bytes, break_by_kind,
    break_by_emptiness])
def test_program_in_its_place_that_nobody_can_tell(bench, break_it):
    """What a filter was to see does not go around it, ever."""
    relay = bench.relay()
    fake = h.write_file(bench.home.file("fake"), FAKE, 0o755)
    bench.home.control("qmailremote", fake + "\n")
    s = bench.start()
    assert ask(s).startswith(b"K3|")
    break_it(bench.home)
    h.wait_for(lambda: not ask(s).startswith(b"K3|"), "the broken file")
    for n in range(3):
        report = ask(s, n)
        assert report.startswith(b"Zcontrol/qmailremote"), report
        assert report.endswith(b"(#4.3.5)\n")
    assert relay.sessions == []
    mend(bench.home)
    h.wait_for(lambda: ask(s) == ACCEPTED, "qmail-remote again")
    s.process.kill()
    log = s.process.stderr.read()
    # Said when it changes (an empty file may have been seen first).
    assert 1 <= log.count(b"warning: control/qmailremote") <= 2, log


def test_program_named_by_the_environment_needs_no_file(bench):
    fake = h.write_file(bench.home.file("fake"), FAKE, 0o755)
    bench.home.control("qmailremote", "x\0\n")
    s = bench.start(env={"QMAILREMOTE": fake})
    assert ask(s).startswith(b"K3|")


def test_program_of_that_name_that_does_not_stay(bench):
    """Every recipient of a group is then run for itself."""
    where = h.make_dirs(bench.home.file("first"))
    shutil.copy("/bin/true", os.path.join(where, "qmail-remote"))
    s = bench.start(env={"PATH": where + ":/usr/bin:/bin"})
    group(s, range(4))
    for n in range(4):
        assert s.wait(n) == b"Zqmail-remote produced no output.\n"


def test_program_of_that_name_that_says_nothing(bench):
    """cat(1) reads from the socket for ever."""
    where = h.make_dirs(bench.home.file("first"))
    shutil.copy("/bin/cat", os.path.join(where, "qmail-remote"))
    s = bench.start(env={"PATH": where + ":/usr/bin:/bin"})
    group(s, range(3))
    for n in range(3):
        assert s.wait(n) == b"DUnable to run qmail-remote.\n"


# -- limits ------------------------------------------------------------------

def test_concurrency_of_a_destination(bench):
    gate = threading.Event()
    relay = bench.relay(answer=stall_at("DATA", gate))
    other = bench.relay("other")
    bench.home.control("destinations", ".example:2\n")
    s = bench.start()
    for n in range(6):  # different senders: nothing is shared
        s.send(n, sender=f"s{n}@a", recipient="u@there.example")
    s.send(9, sender="s@a", recipient="u@other.example")
    assert s.wait(9) == ACCEPTED
    h.wait_for(lambda: relay.most == 2, "two of them")
    gate.set()
    assert [s.wait(n) for n in range(6)] == [ACCEPTED] * 6
    assert relay.most == 2 and len(other.transactions) == 1


@pytest.mark.skipif(STRACE is None, reason="needs strace")
@pytest.mark.skipif(bool(os.environ.get("SANITIZE")),
                    reason="sanitizers do not run under strace")
def test_delivery_that_finds_no_process_is_tried_again(bench):
    """... though nothing else happens: the first one waits for its peer."""
    gate = threading.Event()
    there = bench.relay(answer=stall_at("DATA", gate))
    bench.relay("other")
    s = bench.start(wrapper=[
        STRACE, "-D", "-o", os.devnull, "-e",
        "inject=vfork,fork,clone,clone3:error=EAGAIN:when=2"])
    try:
        s.send(1, recipient="u1@there.example")
        h.wait_for(lambda: there.transactions, "the first")
        assert s.ask(3, messid="x").startswith(b"DInternal")
        s.send(2, recipient="u2@other.example")
        assert s.wait(2) == ACCEPTED
    finally:
        gate.set()
    assert s.wait(1) == ACCEPTED


@pytest.mark.parametrize("verb", ["greeting", "RCPT", "dot"])
def test_slow_peer_does_not_hold_up_the_next_connection(bench, verb):
    """Which exchanger it is, is known before the first one has answered."""
    gate = threading.Event()
    relay = bench.relay(answer=stall_at(verb, gate))
    bench.home.control("destinations", "there.example:4\n127.0.0.1:3\n")
    s = bench.start()
    for n in range(6):
        s.send(n, sender=f"s{n}@a", recipient="u@there.example")
    h.wait_for(lambda: relay.open == 3, "three connections")
    gate.set()
    assert [s.wait(n) for n in range(6)] == [ACCEPTED] * 6
    assert relay.most == 3


def test_long_reports_that_nobody_reads_for_a_while(bench):
    """As when qmail-send waits for its log."""
    gate = threading.Event()
    text = ("250-" + "x" * 90 + "\r\n") * 60 + "250 taken"

    def answer(_, verb, line):
        return text if verb == "dot" and gate.wait(h.DEADLINE) else None

    relay = bench.relay(answer=answer)
    bench.home.control("concurrencyremote", "2000\n")
    bench.home.control("destinations", "there.example:100\n")
    s = Spawner(bench.home, [os.path.join(bench.home.bin, "qmail-rspawn")],
                greeting=b"\0\xd0\7", number_bytes=2)
    group(s, range(2000))
    h.wait_for(lambda: sum(len(t[1]) for t in relay.transactions) == 2000,
               "all of them")
    gate.set()
    h.wait_for(lambda: all(t[2] for t in relay.transactions), "their ends")
    time.sleep(0.5)  # reports gather meanwhile
    for n in range(2000):
        assert len(s.wait(n)) > 5000


def test_hundreds_at_a_time(bench):
    """More than a byte counts; tests/bench/run hold tries thousands."""
    gate = threading.Event()
    relay = bench.relay(answer=stall_at("DATA", gate))
    for name, text in (("concurrencyremote", "300\n"),
                       ("destinations", ":300\n"), ("timeoutremote", f"{h.OVERLONG}\n")):
        bench.home.control(name, text)
    bench.spawner = s = Spawner(
        bench.home, [os.path.join(bench.home.bin, "qmail-rspawn")],
        greeting=b"\0\x2c\1", number_bytes=2)
    for n in range(300):
        s.send(n, sender=f"s{n}@a", recipient="u@there.example")
    h.wait_for(lambda: relay.open == 300, "all of them")
    gate.set()
    assert [s.wait(n) for n in range(300)] == [ACCEPTED] * 300


def test_rate_of_a_destination(bench):
    relay = bench.relay()
    bench.home.control("destinations", "# slow\nthere.example::2\n")
    s = bench.start()

    def six():
        for n in range(6):
            s.send(n, sender=f"s{n}@a", recipient="u@there.example")
        assert [s.wait(n) for n in range(6)] == [ACCEPTED] * 6

    assert seconds(six) >= 2.0
    bench.home.control("destinations", "there.example:2\n")
    h.wait_for(lambda: seconds(six) < 2.0, "a new rule")
    assert len(relay.transactions) >= 12


def test_destination_that_gets_nothing(bench):
    relay = bench.relay()
    bench.home.control("destinations", "there.example:0\nother.example:x:y\n")
    bench.relay("other")
    s = bench.start()
    group(s, range(2))
    for n in range(2):
        assert s.wait(n) == (b"Zthere.example gets no mail for now, says "
                             b"control/destinations. (#4.4.5)\n")
    assert relay.sessions == []
    assert ask(s, name="other") == ACCEPTED
    s.process.kill()
    assert b"control/destinations line 2:" in s.process.stderr.read()


def test_rules_that_could_not_be_read_are_read_later(bench):
    """Even if nothing of the file but its mode has changed."""
    bench.relay()
    bench.home.control("destinations", "there.example:0\n")
    path = bench.home.file("control", "destinations")
    os.chmod(path, 0)
    s = bench.start()
    assert ask(s) == ACCEPTED
    os.chmod(path, 0o644)
    h.wait_for(lambda: ask(s) != ACCEPTED, "the rules")
    s.process.kill()
    assert s.process.stderr.read().count(b"control/destinations") == 1


def test_limit_of_an_exchanger_holds_for_all_its_domains(bench):
    gate = threading.Event()
    relay = bench.relay(answer=stall_at("DATA", gate))
    gate.set()
    for name in "ab":
        bench.routes += f"{name}.example:127.0.0.1:{relay.port}\n"
    bench.home.control("smtproutes", bench.routes)
    bench.home.control("destinations", "127.0.0.1:1\n")
    bench.home.control("connectionidle", "1\n")
    s = bench.start()
    for name in "ab":  # the exchanger becomes known
        assert ask(s, name=name) == ACCEPTED
    # The connection that waits is one, too.
    h.wait_for(lambda: relay.open == 1, "the first to close")
    relay.most = 0
    gate.clear()
    for n in range(4):
        s.send(n, sender=f"s{n}@a", recipient=f"u@{'ab'[n % 2]}.example")
    h.wait_for(lambda: relay.open, "a session")
    gate.set()
    assert [s.wait(n) for n in range(4)] == [ACCEPTED] * 4
    assert relay.most <= 1  # 0: the open connection served both


@pytest.mark.parametrize("verb,text", [
    ("greeting", "421 4.3.2 too many connections"),
    ("MAIL", "452 4.3.1 no room")])
def test_busy_peer_gets_a_pause(bench, verb, text):
    count = [0]

    def answer(_, what, __):
        if what != verb:
            return None
        count[0] += 1
        return text if count[0] == 1 else None

    bench.relay(answer=answer)
    s = bench.start()
    assert ask(s).startswith(b"Z")
    assert seconds(lambda: ask(s)) > 0.8
    assert ask(s) == ACCEPTED


# -- the log of sessions ------------------------------------------------------

def test_descriptor_of_the_log_reaches_qmail_remote_alone(bench):
    home = bench.home
    bench.relay()
    home.control("log/remote_fd", "9\n")
    home.add_user("joe", "|test ! -e /proc/$$/fd/9 || exit 100\n")
    log = home.file("remote.log")
    h.write_file(log, "")
    with open(home.log_path, "ab") as out:
        home.send = home.spawn(
            ["sh", "-c", f"exec 9>>{log}; exec qmail-start ./Maildir/"],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    home.inject("Subject: x\n\ny\n", "-fs@x.example", "u@there.example",
                "joe@a.example")
    home.wait_log("end msg")
    assert home.log().count(": success") == 2, home.log()
    with open(log) as f:
        assert "MAIL FROM:<s@x.example>" in f.read()
    for name in os.listdir(f"/proc/{home.send.pid}/fd"):
        assert name != "9"
