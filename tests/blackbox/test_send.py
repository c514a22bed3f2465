"""qmail-send, qmail-todo and qmail-start with spawners that follow a script.

The script's spawners decide by the recipient: ...perm... fails, ...temp... is
deferred, ...mangle... is nonsense, ...hold... waits for the file "release";
everything else succeeds.  What they are asked is kept in "requests".
"""
import email
import email.policy
import json
import math
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

import queue_tools
from home import DEADLINE, TEST_UID, stop, wait_for, write_file

SPAWNER = r'''#!/usr/bin/python3
import json, os, select, sys, time
channel = os.path.basename(sys.argv[0])
home = os.environ["QMAILHOME"]
os.write(1, bytes([int(os.environ.get("FAKE_LIMIT", "120"))]))
pending, held, eof = b"", [], False
def verdict(recipient):
    for word, text in (("perm", b"Dbad\n\ntwo\n"), ("temp", b"Zlater\n"),
                       ("mangle", b"Qhm\n"), ("empty", b"")):
        if word in recipient:
            return text
    return b"Kok_%\n"
def answer(number, recipient):
    if "range" in recipient:
        os.write(1, b"\xfdKx\0")
    override = os.path.join(home, "verdict")
    text = verdict(recipient)
    if os.path.exists(override):
        text = open(override, "rb").read()
    os.write(1, bytes([number]) + text + b"\0")
end = None  # of a spawner whose qmail-send is gone, released or not
while not eof or (held and time.monotonic() < end):
    if eof:
        time.sleep(0.02)
    elif select.select([0], [], [], 0.02)[0]:
        data = os.read(0, 65536)
        eof = not data
        end = time.monotonic() + 300
        pending += data
        while pending[1:].count(b"\0") >= 3:
            number = pending[0]
            ident, sender, recipient, pending = pending[1:].split(b"\0", 3)
            r = recipient.decode("latin1")
            with open(os.path.join(home, "requests"), "a") as f:
                f.write(json.dumps([channel, ident.decode(),
                                    sender.decode("latin1"), r]) + "\n")
            if "hold" in r:
                held.append((number, r))
            else:
                answer(number, r)
    if held and os.path.exists(os.path.join(home, "release")):
        for number, r in held:
            answer(number, r)
        held = []
        open(os.path.join(home, "released"), "w").close()
'''


class Bench:
    """A home whose spawners are the script."""

    def __init__(self, home):
        self.home = home
        self.queue = home.file("queue")
        self.fake = home.file("fake")
        os.mkdir(self.fake)
        os.chmod(self.fake, 0o755)
        for name in ("qmail-lspawn", "qmail-rspawn"):
            write_file(os.path.join(self.fake, name), SPAWNER, 0o755)
        self.split = len(os.listdir(os.path.join(self.queue, "mess")))

    def start(self, **env):
        """Its part of the log begins where this start begins."""
        env.setdefault("PATH", f"{self.fake}:{self.home.bin}:/usr/bin:/bin")
        self.mark = len(self.home.log())
        with open(self.home.log_path, "ab") as log:
            self.home.send = self.home.spawn(
                [os.path.join(self.home.bin, "qmail-start"), "./Maildir/"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.home.environment(**env))
        wait_for(lambda: "status: local" in self.log() or
                 self.home.send.poll() is not None, "the start")
        assert "status: local" in self.log(), self.log()
        return self

    def log(self):
        return self.home.log()[self.mark:]

    def wait(self, text, seconds=DEADLINE, count=1):
        try:
            wait_for(lambda: self.log().count(text) >= count, text, seconds)
        except AssertionError:
            raise AssertionError(f"{text!r} * {count}, log:\n{self.log()}")

    def signal(self, number):
        self.home.send.send_signal(number)

    def term(self):
        code = stop(self.home.send)
        assert code == 0
        assert self.log().endswith("status: exiting\n")

    def inject(self, sender, *recipients, body="Subject: x\n\ny\n"):
        """One message through qmail-queue."""
        message = self.home.file("message")
        write_file(message, body)
        read, write = os.pipe()
        envelope = f"F{sender}\0" + "".join(f"T{r}\0" for r in recipients)
        feeder = os.fork()
        if feeder == 0:
            os.close(read)
            os.write(write, envelope.encode("latin1") + b"\0")
            os._exit(0)
        os.close(write)
        with open(message, "rb") as f:
            p = self.home.spawn([self.home.file("bin", "qmail-queue")],
                                stdin=f, stdout=read)
        os.close(read)
        os.waitpid(feeder, 0)
        assert p.wait(DEADLINE) == 0

    def requests(self):
        try:
            with open(self.home.file("requests")) as f:
                return [json.loads(line) for line in f
                        if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def recipients(self):
        return [r[3] for r in self.requests()]

    def path(self, area, ident):
        if area in ("bounce",) or (area in ("todo", "intd") and
                                   not self.todo_split()):
            return os.path.join(self.queue, area, str(ident))
        return os.path.join(self.queue, area, str(int(ident) % self.split),
                            str(ident))

    def todo_split(self):
        return os.path.isdir(os.path.join(self.queue, "todo", "0"))

    def read(self, area, ident):
        with open(self.path(area, ident), "rb") as f:
            return f.read()

    def exists(self, area, ident):
        return os.path.exists(self.path(area, ident))

    def mtime(self, area, ident):
        return int(os.stat(self.path(area, ident)).st_mtime)

    def set_time(self, area, ident, when):
        os.utime(self.path(area, ident), (when, when))

    def ids(self, area="mess"):
        found = []
        for _, _, names in os.walk(os.path.join(self.queue, area)):
            found += [int(n) for n in names if n.isdigit()]
        return sorted(found)

    def only_id(self):
        """The one message there is; others that are ended may be going."""
        wait_for(lambda: len(self.ids()) == 1, "one message alone")
        return self.ids()[0]

    def wait_ids(self, *ids):
        wait_for(lambda: self.ids() == sorted(ids), f"just {ids}")

    def make_message(self, sender, local=b"", remote=b"", born=None,
                     body=b"Subject: x\n\ny\n"):
        """A message in state S5, as some qmail has left it."""
        temporary = os.path.join(self.queue, "pid", "new")
        write_file(temporary, body)
        ident = os.stat(temporary).st_ino
        os.rename(temporary, self.path("mess", ident))
        write_file(self.path("info", ident), f"F{sender}\0", 0o600)
        for area, data in (("local", local), ("remote", remote)):
            if data:
                write_file(self.path(area, ident), data, 0o600)
        if born is not None:
            self.set_time("info", ident, born)
        return ident

    def release(self):
        write_file(self.home.file("release"), "")

    def verdict(self, text):
        temporary = self.home.file("verdict.new")
        write_file(temporary, text)
        os.rename(temporary, self.home.file("verdict"))

    def helper(self, name):
        """The pid of a child of this qmail-send."""
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/stat") as f:
                    text = f.read()
            except OSError:
                continue
            if (text[text.rindex(")") + 2:].split()[1] ==
                    str(self.home.send.pid) and
                    text[text.index("(") + 1:text.rindex(")")] == name):
                return int(entry)
        raise AssertionError(f"no {name}")


@pytest.fixture
def bench(home):
    home.control("virtualdomains", "virt.example:joe-v\n")
    made = Bench(home)
    yield made
    made.release()  # qmail-send waits for what is under way


@pytest.fixture(params=[True, False], ids=["todo-split", "todo-flat"])
def either(request, make_home):
    home = make_home("a", todo_split=request.param)
    home.control("virtualdomains", "virt.example:joe-v\n")
    made = Bench(home)
    yield made
    made.release()


def retries(born, constant):
    """When the next attempt may be, whatever second the last one was in."""
    return {born + (math.isqrt(age) + constant) ** 2 + late
            for age in range(int(time.time()) - born + 1) for late in (0, 1)}


def lines(text):
    """The log with its numbers made plain."""
    return re.sub(r"(msg|bytes|qp|uid|bounce/) ?\d+", r"\1 N",
                  text).splitlines()


# -- the usual way ----------------------------------------------------------

def test_log_of_first_attempt(either):
    b = either.start()
    b.inject("s@x.example", "joe@a.example", "r@far.example")
    b.wait("end msg")
    b.home.wait_empty()
    b.term()
    got = lines(b.log())
    assert got[0] == "status: local 0/10 remote 0/20"
    assert got[1:3] == ["new msg N",
                        "info msg N: bytes N from <s@x.example> qp N uid N"]
    assert got[3:7] == [
        "starting delivery 1: msg N to local joe@a.example",
        "status: local 1/10 remote 0/20",
        "starting delivery 2: msg N to remote r@far.example",
        "status: local 1/10 remote 1/20"]
    for line, after in zip(got, got[1:]):
        if line.startswith(("starting", "delivery")):
            assert after.startswith("status: ")
    assert "delivery 1: success: ok__/" in got
    assert "delivery 2: success: ok__/" in got
    assert got[-2:] == ["end msg N", "status: exiting"] or \
        got[-3] == "end msg N"
    assert re.search(rf"bytes \d+ from <s@x.example> qp \d+ uid {TEST_UID}\n",
                     b.log())


def test_routes_and_verp(bench):
    b = bench.start()
    b.inject("list-@l.example-@[]", "u@virt.example", "Joe@A.EXAMPLE",
             "bare", "r@far.example")
    b.wait("end msg")
    asked = {(r[0], r[2], r[3]) for r in b.requests()}
    assert asked == {
        ("qmail-lspawn", "list-joe-v-u=virt.example@l.example",
         "joe-v-u@virt.example"),
        ("qmail-lspawn", "list-Joe=A.EXAMPLE@l.example", "Joe@A.EXAMPLE"),
        ("qmail-lspawn", "list-bare=a.example@l.example", "bare@a.example"),
        ("qmail-rspawn", "list-r=far.example@l.example", "r@far.example")}
    ident = re.search(r"new msg (\d+)", b.log()).group(1)
    assert all(r[1] == f"{int(ident) % b.split}/{ident}"
               for r in b.requests())


def test_no_recipients(bench):
    b = bench.start()
    b.inject("s@x.example")
    b.wait("end msg")
    b.home.wait_empty()
    assert b.requests() == []


def test_deferral_leaves_records(either):
    b = either.start()
    before = int(time.time())
    b.inject("s@x.example", "ok@a.example", "temp@a.example",
             "temp@far.example")
    b.wait("deferral", count=2)
    ident = b.only_id()
    wait_for(lambda: not b.exists("todo", ident), "todo to go")
    wait_for(lambda: b.exists("remote", ident) and
             b.mtime("remote", ident) > before + 300, "the time of the retry")
    assert b.read("info", ident) == b"Fs@x.example\0"
    wait_for(lambda: b.read("local", ident) ==
             b"Dok@a.example\0Ttemp@a.example\0", "the mark")
    assert b.read("remote", ident) == b"Ttemp@far.example\0"
    born = b.mtime("info", ident)
    assert before <= born <= time.time()
    assert b.mtime("remote", ident) in retries(born, 20)
    wait_for(lambda: b.mtime("local", ident) in retries(born, 10),
             "the time of the local retry")
    assert not b.exists("intd", ident) and not b.exists("bounce", ident)
    b.term()
    # The retry happens when it is due and not before.
    b.start()
    time.sleep(0.3)
    assert len(b.requests()) == 3
    b.verdict("Kfine\n")
    b.signal(signal.SIGALRM)
    b.wait("end msg")
    b.home.wait_empty()
    assert sorted(b.recipients()[3:]) == ["temp@a.example", "temp@far.example"]


def test_large_list_has_records_from_the_start(bench):
    b = bench.start()
    names = [f"u{i}@a.example" for i in range(200)]
    names[100:100] = ["temp@a.example", "hold@far.example"]
    b.inject("s@x.example", *names)
    b.wait("deferral")
    ident = b.only_id()
    wait_for(lambda: b.read("local", ident).count(b"\0D") == 199, "199 marks")
    assert b.read("remote", ident) == b"Thold@far.example\0"
    assert b.read("local", ident).count(b"Ttemp@a.example\0") == 1
    assert [r for r in b.recipients() if r != "hold@far.example"] == [
        n for n in names if n != "hold@far.example"]
    b.release()
    b.wait(f"delivery {len(names)}: ")
    wait_for(lambda: not b.exists("remote", ident), "the list to go")
    b.verdict("K\n")
    b.signal(signal.SIGALRM)
    b.wait("end msg")
    b.home.wait_empty()
    # Concurrency was never exceeded, and was used.
    used = [int(n) for n in re.findall(r"status: local (\d+)/10", b.log())]
    assert max(used) == 10


def test_huge_list_does_not_hold_up_others(bench):
    b = bench
    b.home.control("concurrencylocal", "1\n")
    b.start()
    b.inject("s@x.example", "hold@a.example",
             *[f"u{i}@a.example" for i in range(300)])
    b.wait("starting delivery 1")
    b.inject("s@x.example", "late@a.example")
    b.wait("info msg", count=2)
    b.release()
    b.wait("end msg", count=2)
    assert b.recipients().index("late@a.example") < 20


def test_no_destination_takes_all_places(bench):
    """A slow domain leaves room, and its first attempts go first."""
    now = int(time.time())
    for _ in range(300):
        bench.make_message("s@a.example", remote=b"Thold-old@slow.example\0",
                           born=now - 3600)
    bench.home.control("concurrencyremote", "20\n")
    bench.start()
    bench.wait("starting delivery 16:")
    for n in range(3):
        bench.inject("s@a.example", f"u{n}@fast.example")
    bench.wait("success", count=3)
    assert bench.recipients().count("hold-old@slow.example") == 16
    bench.inject("s@a.example", "hold-new@slow.example")
    bench.inject("s@a.example", "u3@fast.example")
    bench.wait("success", count=4)
    bench.release()
    wait_for(lambda: "hold-new@slow.example" in bench.recipients(),
             "the first attempt")
    assert bench.recipients().index("hold-new@slow.example") < 60
    bench.wait("success", count=305)
    bench.wait_ids()
    bench.term()


def test_lists_that_have_to_wait_end(bench):
    """More lists than are kept open, all for a domain that is full."""
    for n in range(150):
        bench.make_message("s@a.example", remote=(
            f"Tok{n}@b{n}.example\0Thold{n}@slow.example\0".encode()))
    bench.start()
    bench.wait("starting delivery 166:")
    bench.inject("s@a.example", "fast@c.example")
    bench.wait("to remote fast@c.example")
    bench.release()
    bench.wait("success: ok_", count=160)
    bench.signal(signal.SIGALRM)
    bench.wait("success: ok_", count=301)
    bench.wait_ids()
    bench.term()


def test_recipients_of_one_domain_go_together(bench):
    """... so that they can share a transaction: taking turns makes 79 changes."""
    for domain in ("b.example", "c.example"):
        bench.inject("s@a.example",
                     *[f"hold{n}@{domain}" for n in range(40)])
    bench.start()
    # No place becomes free, so how fast the answers are is no matter.
    bench.wait("remote 20/20")
    wait_for(lambda: len(bench.requests()) == 20, "the requests")
    seen = [r[3][-9:] for r in bench.requests()]
    assert len([1 for a, b in zip(seen, seen[1:]) if a != b]) < 5
    bench.release()
    bench.wait("success", count=80)


def test_mangled_and_strange_reports(bench):
    b = bench.start()
    b.inject("s@x.example", "mangle@a.example", "empty@a.example",
             "range@a.example")
    b.wait("will defer", count=2)
    b.wait("warning: internal error: delivery report out of range")
    b.wait("success")
    assert re.search(r"delivery \d: report mangled, will defer\nstatus: ",
                     b.log())


def test_envelope_of_another_kind_stays(bench):
    b = bench
    temporary = os.path.join(b.queue, "pid", "new")
    write_file(temporary, "x\n")
    ident = os.stat(temporary).st_ino
    os.rename(temporary, b.path("mess", ident))
    write_file(b.path("todo", ident), b"u0\0p1\0Xwhat\0Fa@b\0Tc@d\0")
    b.start()
    b.wait("warning: unknown record type in todo/")
    b.inject("s@x.example", "joe@a.example")
    b.wait("end msg")
    b.wait_ids(ident)
    assert b.exists("todo", ident)
    b.term()


# -- failures and bounces -----------------------------------------------------

BOUNCE = """\
Received: (qmail QP invoked by uid UID); DATE
Date: DATE
From: MAILER-DAEMON@a.example
To: SENDER
Subject: failure notice

Hi. This is the qmail-send program at a.example.
TEXT

PARAGRAPHS--- Below this line is SEPARATOR

Return-Path: <RETURN>
"""
SINGLE = ("I'm afraid I wasn't able to deliver your message to the following "
          "addresses.\nThis is a permanent error; I've given up. Sorry it "
          "didn't work out.")
DOUBLE = ("I tried to deliver a bounce message to this address, but the "
          "bounce bounced!")


def plain(text):
    """A message with its dates, uid and process ids made plain."""
    text = re.sub(r"\d+ [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d -0000", "DATE",
                  text)
    return re.sub(r"\(qmail \d+ invoked .*\)", "(qmail QP invoked by uid UID)",
                  text)


def expected(original, **words):
    text = BOUNCE
    for key, value in words.items():
        text = text.replace(key, value)
    return text + original


def test_bounce_byte_for_byte(bench):
    b = bench.start()
    b.inject("hold-me@a.example", "perm@a.example", "ok@a.example",
             "perm-2@virt.example", body="Subject: lost\n\nbody\nno end")
    b.wait("bounce msg")
    b.wait("to local hold-me@a.example")
    assert re.search(r"bounce msg (\d+) qp \d+\nend msg \1\n", b.log())
    assert "failure: bad//two/\n" in b.log()
    first = re.search(r"new msg (\d+)", b.log()).group(1)
    wait_for(lambda: int(first) not in b.ids(), "the first message to go")
    text = plain(b.read("mess", b.only_id()).decode())
    original = plain("Received: (qmail 1 invoked by uid 1); DATE\n"
                     "Subject: lost\n\nbody\nno end")
    assert text == expected(
        original, SENDER="hold-me@a.example", TEXT=SINGLE,
        PARAGRAPHS="<perm@a.example>:\nbad\n/two\n\n"
                   "<perm-2@virt.example>:\nbad\n/two\n\n",
        SEPARATOR="a copy of the message.", RETURN="hold-me@a.example")
    wait_for(lambda: b.requests()[-1][2:] == ["", "hold-me@a.example"],
             "the request")
    assert re.search(r"info msg \d+: bytes \d+ from <> qp \d+", b.log())
    b.release()
    b.wait("end msg", count=2)
    b.home.wait_empty()


def test_double_bounce_byte_for_byte(bench):
    b = bench
    b.home.control("doublebounceto", "hold-master\n")
    b.start()
    b.inject("", "perm@a.example", body="Subject: bounce\n\nbody\n")
    b.wait("to local hold-master@a.example")
    wait_for(lambda: b.requests()[-1][2] == "#@[]", "the request")
    text = plain(b.read("mess", b.ids()[-1]).decode())
    if "original bounce" not in text:
        text = plain(b.read("mess", b.ids()[0]).decode())
    assert text == expected(
        plain("Received: (qmail 1 invoked by uid 1); DATE\n"
              "Subject: bounce\n\nbody\n"), SENDER="hold-master@a.example",
        TEXT=DOUBLE, PARAGRAPHS="<perm@a.example>:\nbad\n/two\n\n",
        SEPARATOR="the original bounce.", RETURN="")
    b.release()
    b.wait("end msg", count=2)
    b.home.wait_empty()


def test_bounce_for_programs(bench):
    """control/bouncestyle dsn: what a mail reader makes of it."""
    b = bench
    b.home.control("bouncestyle", "dsn\n")
    b.verdict("Dno.\nRemote host said: 550 5.1.1 k\u00e4se\n".encode())
    b.start()
    b.inject("hold-me@a.example", "x@a.example", "joe@virt.example",
             body="Subject: lost\n\nk\u00e4se\n.no end")
    b.wait("bounce msg")
    b.wait("to local hold-me@a.example")
    wait_for(lambda: len(b.ids()) == 1, "the first message to go")
    with open(b.path("mess", b.only_id()), "rb") as f:
        m = email.message_from_binary_file(f, policy=email.policy.default)
    assert not m.defects and m.get_content_type() == "multipart/report"
    assert m["auto-submitted"] == "auto-replied"
    assert m["to"] == "hold-me@a.example"
    text, status, original = m.iter_parts()
    assert text.get_content().startswith("Hi. This is the qmail-send program "
                                         "at a.example.\n")
    assert "<x@a.example>:\nno.\n" in text.get_content()
    about, *each = status.get_payload()
    assert about["reporting-mta"] == "dns; a.example" and about["arrival-date"]
    assert [(p["final-recipient"], p["action"], p["status"],
             p["diagnostic-code"]) for p in each] == [
        (f"rfc822; {r}", "failed", "5.1.1", "smtp; 550 5.1.1 k??se")
        for r in ("x@a.example", "joe@virt.example")]
    inner = original.get_content()
    assert inner["return-path"] == "<hold-me@a.example>"
    assert inner["subject"] == "lost"
    assert inner.get_payload(decode=True) == "k\u00e4se\n.no end".encode()


def test_bouncestyle_on_hup_and_wrong(bench):
    bench.home.control("doublebounceto", "perm\n")
    b = bench.start()
    b.home.control("bouncestyle", "html\n")
    b.signal(signal.SIGHUP)
    b.wait("alert: unable to reread control/bouncestyle")
    b.home.control("bouncestyle", "DSN\n")
    b.signal(signal.SIGHUP)
    time.sleep(0.3)
    b.inject("hold-me@a.example", "perm@a.example")
    b.wait("to local hold-me@a.example")
    assert any(b"multipart/report" in b.read("mess", i) for i in b.ids())
    b.inject("", "perm@a.example")  # its bounce fails, too, and that is all
    b.wait("triple bounce: discarding")


def test_triple_bounce_is_discarded(bench):
    b = bench.start()
    b.inject("#@[]", "perm@a.example")
    b.wait("end msg")
    assert re.search(r"triple bounce: discarding bounce/(\d+)\nend msg \1\n",
                     b.log())
    b.home.wait_empty()
    assert "bounce msg" not in b.log()


def test_verp_bounce_goes_to_the_list(bench):
    b = bench.start()
    b.inject("list-@a.example-@[]", "perm@far.example")
    b.wait("end msg", count=2)
    assert b.requests()[-1][2:] == ["", "list-@a.example"]


def test_bounce_and_deferral(bench):
    """The bounce waits until nothing is left to try."""
    b = bench.start()
    b.inject("s@a.example", "perm@a.example", "temp@far.example")
    b.wait("deferral")
    b.wait("failure")
    ident = b.only_id()
    wait_for(lambda: b.exists("bounce", ident) and
             not b.exists("local", ident), "the paragraph")
    assert b.read("bounce", ident) == b"<perm@a.example>:\nbad\n/two\n\n"
    assert "bounce msg" not in b.log()
    b.term()
    b.start()
    b.verdict("Know\n")
    b.signal(signal.SIGALRM)
    b.wait(f"bounce msg {ident} qp ")
    b.wait(f"end msg {ident}")
    b.wait("end msg", count=2)
    b.home.wait_empty()


def test_too_long_in_the_queue(bench):
    b = bench
    b.home.control("queuelifetime", "1000\n")
    now = int(time.time())
    old = b.make_message("s@a.example", local=b"Ttemp@a.example\0",
                         born=now - 1010)
    young = b.make_message("s@a.example", local=b"Ttemp-2@a.example\0",
                           born=now - 900)
    for ident in (old, young):
        b.set_time("local", ident, now - 5)
    b.start()
    b.wait("deferral: later/")
    b.wait("failure: later/I'm_not_going_to_try_again;_this_message_has_been_"
           "in_the_queue_too_long./\n")
    b.wait(f"bounce msg {old}")
    # birth + (isqrt(900) + 10)^2
    wait_for(lambda: abs(b.mtime("local", young) - (now - 900 + 1600)) <= 70,
             "the next time")


def test_bounce_append_failure_blocks_nobody(bench):
    b = bench.start()
    os.chmod(os.path.join(b.queue, "bounce"), 0o500)
    b.inject("s@a.example", "perm@a.example")
    b.wait("alert: unable to append to bounce message; HELP! sleeping...")
    b.inject("s@a.example", "ok@a.example")
    b.wait("end msg")
    ident = b.only_id()
    assert b.read("local", ident) == b"Tperm@a.example\0"
    os.chmod(os.path.join(b.queue, "bounce"), 0o700)
    b.signal(signal.SIGALRM)
    b.wait(f"bounce msg {ident}")
    b.wait("end msg", count=3)
    b.home.wait_empty()


def test_bounce_that_cannot_be_removed_is_sent_once(bench):
    b = bench
    ident = b.make_message("s@a.example")
    write_file(b.path("bounce", ident), "<x@y>:\nbad\n\n", 0o600)
    os.chmod(os.path.join(b.queue, "bounce"), 0o500)
    trouble = f"warning: unable to unlink bounce/{ident}; will try again later"
    b.start()
    for count in range(1, 4):
        b.wait(trouble, count=count)
        b.signal(signal.SIGALRM)
    b.term()
    b.start()
    b.wait(trouble)
    os.chmod(os.path.join(b.queue, "bounce"), 0o700)
    b.signal(signal.SIGALRM)
    b.wait(f"end msg {ident}")
    b.home.wait_empty()
    assert b.recipients() == ["s@a.example"]


def test_paragraphs_do_not_pile_up(bench):
    """A long list that fails while bounce/ takes nothing stops for a while."""
    b = bench.start()
    b.verdict("D" + "x" * 5000 + "\n")
    os.chmod(os.path.join(b.queue, "bounce"), 0o500)
    names = [f"u{i}@a.example" for i in range(300)]
    b.inject("", *names)
    b.wait("alert: unable to append")
    wait_for(lambda: re.findall("status: local (.*?)/", b.log())[-1] == "0",
             "all deliveries to end")
    assert 10 < len(b.requests()) < 250
    os.chmod(os.path.join(b.queue, "bounce"), 0o700)
    b.signal(signal.SIGALRM)
    ident = b.only_id()
    wait_for(lambda: b.exists("bounce", ident), "the paragraphs")
    b.home.control("doublebounceto", "hold-x\n")
    b.signal(signal.SIGHUP)
    b.signal(signal.SIGALRM)
    b.wait(f"bounce msg {ident}")
    assert sorted(b.recipients()[:300]) == sorted(names)
    b.wait("to local hold-x@a.example")
    assert b.read("mess", b.only_id()).count(b">:\n") == 300
    b.release()


def test_bounce_waits_for_qmail_queue(bench):
    b = bench.start(QMAILQUEUE="/bin/false")
    b.inject("s@a.example", "perm@a.example")
    b.wait("warning: trouble injecting bounce message, will try later")
    ident = b.only_id()
    assert b.exists("bounce", ident) and b.exists("info", ident)
    b.term()
    b.start()
    b.wait(f"bounce msg {ident}")
    b.wait("end msg", count=2)
    b.home.wait_empty()


def test_many_bounces_at_once(bench):
    """More than are injected at a time."""
    b = bench.start()
    for _ in range(12):
        b.inject("s@a.example", "perm@a.example")
    b.wait("bounce msg", count=12)
    b.wait("end msg", count=24)
    b.home.wait_empty()


# -- the schedule ---------------------------------------------------------------

def test_times_at_start(bench):
    b = bench
    now = int(time.time())
    due = b.make_message("s@a.example", local=b"Tdue@a.example\0")
    later = b.make_message("s@a.example", local=b"Tlater@a.example\0")
    half = b.make_message("s@a.example", local=b"Dno@a.example\0"
                          b"Tlocal@a.example\0",
                          remote=b"Tremote@far.example\0")
    b.set_time("local", due, now - 1)
    b.set_time("local", later, now + 1000)
    b.set_time("local", half, now + 1000)
    b.set_time("remote", half, now - 1)
    b.start()
    b.wait("success", count=2)
    b.wait(f"end msg {due}")
    assert sorted(b.recipients()) == ["due@a.example", "remote@far.example"]
    wait_for(lambda: not b.exists("remote", half), "the list to go")
    b.term()
    assert b.mtime("local", later) == now + 1000
    b.start()
    b.signal(signal.SIGALRM)
    b.wait(f"end msg {later}")
    b.wait(f"end msg {half}")
    assert sorted(b.recipients()[2:]) == ["later@a.example", "local@a.example"]
    b.home.wait_empty()


def test_held_message_waits(bench):
    """The sticky bit of info holds a message, silently."""
    b = bench
    now = int(time.time())
    ident = b.make_message("s@a.example", local=b"Tx@a.example\0")
    b.set_time("local", ident, now - 1)
    os.chmod(b.path("info", ident), 0o1600)
    b.start()
    b.inject("s@a.example", "ok@a.example")
    b.wait("end msg")
    b.signal(signal.SIGALRM)
    time.sleep(0.3)
    assert b.recipients() == ["ok@a.example"] and "warning" not in b.log()
    os.chmod(b.path("info", ident), 0o600)
    b.signal(signal.SIGALRM)
    b.wait(f"end msg {ident}")


def test_removed_message_is_forgotten(bench):
    """Somebody has taken it away while it waited: said once."""
    b = bench
    then = int(time.time()) + 1000
    ident = b.make_message("s@a.example", local=b"Tx@a.example\0")
    b.set_time("local", ident, then)
    b.start()
    b.inject("s@a.example", "ok@a.example")
    b.wait("end msg")
    os.unlink(b.path("info", ident))
    for _ in range(2):
        b.signal(signal.SIGALRM)
        b.wait("warning: unable to open info/")
        time.sleep(0.2)
    assert b.log().count("warning") == 1
    assert b.recipients() == ["ok@a.example"]


def test_unreadable_list_is_tried_again(bench):
    b = bench
    strange = b.make_message("s@a.example",
                             local=b"Tx@a.example\0Xwhat\0Ty@a.example\0")
    torn = b.make_message("s@a.example", local=b"Tz@a.example\0Tnoend")
    denied = b.make_message("s@a.example", local=b"Tw@a.example\0")
    os.chmod(b.path("local", denied), 0o000)
    for ident in (strange, torn, denied):
        b.set_time("local", ident, 1000)
    b.start()
    b.wait("warning: unknown record type in local/")
    b.wait("warning: trouble reading local/")
    b.wait("warning: trouble opening local/")
    b.wait("success", count=2)
    assert sorted(b.recipients()) == ["x@a.example", "z@a.example"]
    assert b.read("local", strange).startswith(b"Dx@a.example\0X")
    assert b.read("local", torn).startswith(b"Dz@a.example\0T")
    os.chmod(b.path("local", denied), 0o600)
    b.signal(signal.SIGALRM)
    b.wait(f"end msg {denied}")
    b.wait_ids(strange, torn)


def test_list_that_cannot_be_removed_is_done_all_the_same(bench):
    b = bench
    kept = b.make_message("s@a.example",
                          local=b"Tok@a.example\0Tperm@a.example\0")
    b.set_time("local", kept, 1000)
    directory = os.path.dirname(b.path("local", kept))
    os.chmod(directory, 0o500)
    b.start()
    for count in range(1, 4):
        b.wait(f"warning: unable to unlink local/{kept % b.split}/{kept}; "
               "will try again later", count=count)
        b.signal(signal.SIGALRM)
    b.term()
    b.start()
    b.signal(signal.SIGALRM)
    b.wait(f"warning: unable to unlink local/{kept % b.split}/{kept}")
    assert b.recipients() == ["ok@a.example", "perm@a.example"]
    assert b.read("bounce", kept) == b"<perm@a.example>:\nbad\n/two\n\n"
    os.chmod(directory, 0o700)
    b.signal(signal.SIGALRM)
    b.wait("end msg", count=2)
    assert b.recipients()[2:] == ["s@a.example"]
    b.home.wait_empty()


def test_alarm_time_survives_term(bench):
    """What ALRM made due is due after a restart."""
    b = bench
    now = int(time.time())
    b.home.control("concurrencyremote", "0\n")
    ident = b.make_message("s@a.example", remote=b"Tr@far.example\0")
    b.set_time("remote", ident, now + 5000)
    for pause in (0.2, 1, 5):  # the first is enough for most machines
        b.start()
        time.sleep(pause)
        b.signal(signal.SIGALRM)
        time.sleep(pause)
        b.term()
        if b.mtime("remote", ident) <= time.time():
            break
    assert now <= b.mtime("remote", ident) <= time.time()
    b.home.control("concurrencyremote", "5\n")
    b.start()
    b.wait(f"end msg {ident}")


def test_message_without_recipients_left(bench):
    """The other qmail died before it could finish these."""
    b = bench
    plain_one = b.make_message("s@a.example")
    bounced = b.make_message("s@a.example")
    write_file(b.path("bounce", bounced), "<x@y>:\nbad\n\n", 0o600)
    all_done = b.make_message("s@a.example", local=b"Da@a.example\0")
    b.start()
    b.wait(f"end msg {plain_one}")
    b.wait(f"bounce msg {bounced} qp ")
    b.wait(f"end msg {all_done}")
    b.wait("end msg", count=4)
    b.home.wait_empty()


def test_many_messages_do_not_delay_a_new_one(bench):
    b = bench
    then = int(time.time()) + 5000
    for i in range(1500):
        ident = b.make_message("s@a.example", local=b"Tx%d@a.example\0" % i)
        b.set_time("local", ident, then)
    b.start()
    b.inject("s@a.example", "new@a.example")
    b.wait("end msg")
    b.signal(signal.SIGALRM)
    b.wait("end msg", count=1501, seconds=3 * DEADLINE)
    names = b.recipients()
    assert len(names) == len(set(names)) == 1501
    b.home.wait_empty()


# -- signals --------------------------------------------------------------------

def test_hup_rereads(bench):
    b = bench.start()
    b.inject("s@x.example", "one@new.example")
    b.wait("to remote one@new.example")
    b.home.control("locals", "a.example\nnew.example\n")
    b.home.control("concurrencylocal", "33\n")
    b.home.control("concurrencyremote", "500\n")
    b.home.control("envnoathost", "new.example\n")
    b.home.control("percenthack", "hack.example\n")
    b.signal(signal.SIGHUP)
    b.inject("s@x.example", "wake@a.example", "nohost",
             "x%far.example@hack.example")
    b.wait("to local nohost@new.example")
    b.wait("to remote x@far.example")
    b.wait("local 0/33 remote 0/120")
    b.inject("s@x.example", "two@new.example")
    b.wait("to local two@new.example")
    # Neither value changes if one of them is unreadable.
    b.home.control("locals", "a.example\n")
    os.chmod(b.home.file("control", "virtualdomains"), 0)
    b.signal(signal.SIGHUP)
    b.wait("warning: control/virtualdomains: access denied\n"
           "alert: unable to reread control/virtualdomains\n")
    b.inject("s@x.example", "three@new.example")
    b.wait("to local three@new.example")
    os.unlink(b.home.file("control", "virtualdomains"))
    b.home.control("concurrencylocal", "many\n")
    b.signal(signal.SIGHUP)
    b.wait("warning: control/concurrencylocal line 1: not a number\n"
           "alert: unable to reread control/concurrencylocal\n")
    b.inject("s@x.example", "four@new.example")
    b.wait("to remote four@new.example")
    assert b.log().count("alert:") == 2


def test_concurrency_zero_holds(bench):
    b = bench
    b.home.control("concurrencyremote", "0\n")
    b.start()
    b.inject("s@x.example", "r@far.example", "ok@a.example")
    b.wait("success")
    time.sleep(0.2)
    assert b.recipients() == ["ok@a.example"]
    b.home.control("concurrencyremote", "1\n")
    b.signal(signal.SIGHUP)
    b.wait("end msg")


def test_spawner_limits_concurrency(bench):
    b = bench
    b.home.control("concurrencylocal", "200\n")
    b.start(FAKE_LIMIT="3")
    assert "status: local 0/3 remote 0/3\n" in b.log()
    b.inject("s@x.example", *[f"hold{i}@a.example" for i in range(9)])
    b.wait("local 3/3")
    wait_for(lambda: len(b.requests()) >= 3, "the requests")
    time.sleep(0.1)
    assert len(b.requests()) == 3
    b.release()
    b.wait("end msg")


def test_term_waits_and_keeps_what_is_done(bench):
    b = bench.start()
    b.inject("s@x.example", "hold@a.example", "ok@a.example",
             "hold-temp@far.example")
    b.wait("success")
    ident = b.only_id()
    assert b.exists("todo", ident)
    b.signal(signal.SIGTERM)
    b.inject("s@x.example", "late@a.example")
    wait_for(lambda: b.exists("local", ident), "the records")
    time.sleep(0.2)
    assert b.home.send.poll() is None
    assert "late@a.example" not in b.recipients()
    b.release()
    assert b.home.send.wait(DEADLINE) == 0
    assert "status: local 1/10 remote 0/20 exitasap\n" in b.log() or \
        "status: local 0/10 remote 1/20 exitasap\n" in b.log()
    assert b.log().endswith("status: exiting\n")
    assert not b.exists("todo", ident) and not b.exists("local", ident)
    assert b.read("remote", ident) == b"Thold-temp@far.example\0"
    assert b.mtime("remote", ident) > time.time() + 300
    b.start()
    b.wait("to local late@a.example")
    b.wait("end msg")
    b.wait_ids(ident)


def test_term_leaves_untouched_messages_alone(bench):
    b = bench
    b.home.control("concurrencylocal", "1\n")
    b.start()
    b.inject("s@x.example", "hold@a.example")
    b.wait("starting delivery 1")
    b.inject("s@x.example", "waits@a.example")
    b.wait("new msg", count=2)
    # When it looks, there are the report and the signal.
    b.signal(signal.SIGSTOP)
    b.signal(signal.SIGTERM)
    b.release()
    wait_for(lambda: os.path.exists(b.home.file("released")), "the report")
    b.signal(signal.SIGCONT)
    assert b.home.send.wait(DEADLINE) == 0
    ident = b.only_id()
    assert b.exists("todo", ident) and not b.exists("info", ident)
    b.start()
    b.wait(f"end msg {ident}")
    assert b.recipients() == ["hold@a.example", "waits@a.example"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.skipif(bool(os.environ.get("SANITIZE")),
                    reason="sanitizers do not run under strace")
def test_term_is_heard_among_reports(bench):
    """When it waits again something is there to be read, as so often."""
    b = bench
    b.home.control("concurrencylocal", "1\n")
    write_file(os.path.join(b.fake, "qmail-send"),
               "#!/bin/sh\nexec strace -D -o /dev/null -e trace=ppoll "
               "-e inject=ppoll:delay_enter=500000 "
               f'{b.home.bin}/qmail-send "$@"\n', 0o755)
    b.start()
    b.inject("s@x.example", "hold@a.example")
    b.wait("starting delivery 1")
    b.inject("s@x.example", "waits@a.example")
    b.wait("new msg", count=2)
    b.signal(signal.SIGALRM)  # it wakes, and goes to wait again
    time.sleep(0.1)
    b.signal(signal.SIGTERM)
    b.release()
    assert b.home.send.wait(DEADLINE) == 0
    assert b.recipients() == ["hold@a.example"]


def test_term_finishes_bounces(bench):
    b = bench.start()
    b.inject("s@a.example", "hold-perm@a.example")
    b.wait("starting delivery 1")
    b.signal(signal.SIGSTOP)
    b.signal(signal.SIGTERM)
    b.release()
    wait_for(lambda: os.path.exists(b.home.file("released")), "the report")
    b.signal(signal.SIGCONT)
    assert b.home.send.wait(DEADLINE) == 0
    # It may have the report in its hands before it looks at the signal.
    assert re.search(r"failure: .*\nstatus: .*\nbounce msg \d+ qp "
                     r"\d+\nend msg \d+\nstatus: exiting\n$", b.log())


# -- accidents ------------------------------------------------------------------

@pytest.mark.parametrize("name, word", [
    ("qmail-clean", "qmail-clean"), ("qmail-todo", "qmail-todo"),
    ("qmail-lspawn", "spawn"), ("qmail-rspawn", "spawn")])
def test_lost_helper(bench, name, word):
    b = bench.start()
    b.inject("s@x.example", "hold@a.example")
    b.wait("starting delivery 1")
    os.kill(b.helper(name), signal.SIGKILL)
    b.wait(f"alert: oh no! lost {word} connection! dying...\n")
    b.inject("s@x.example", "late@a.example")
    b.release()
    assert b.home.send.wait(DEADLINE) == 0
    assert b.log().endswith("status: exiting\n")
    b.start()
    b.wait("to local late@a.example")
    wait_for(lambda: not b.ids(), "an empty queue")


def test_kill_keeps_the_message(bench):
    b = bench.start()
    b.inject("s@x.example", "hold@a.example", "ok@a.example")
    b.wait("success")
    b.inject("s@x.example", "temp@a.example")
    b.wait("deferral")
    wait_for(lambda: len(b.ids("info")) == 1, "the records")
    wait_for(lambda: len(b.ids("todo")) == 1, "todo to go")
    ident = b.ids("info")[0]
    wait_for(lambda: b.mtime("local", ident) > time.time() + 60, "its time")
    stop(b.home.send, signal.SIGKILL)
    b.release()
    wait_for(lambda: starts(b), "the next start")
    b.wait("end msg")
    time.sleep(0.2)
    assert b.recipients().count("hold@a.example") == 2
    assert b.recipients().count("temp@a.example") == 1
    b.verdict("K\n")
    b.signal(signal.SIGALRM)
    b.wait("end msg", count=2)
    b.home.wait_empty()


def starts(b):
    """False while the old qmail-todo still holds the lock."""
    try:
        b.start()
    except AssertionError:
        return False
    return True


def test_second_start_is_refused(bench):
    b = bench.start()
    second = b.home.spawn([b.home.file("bin", "qmail-start"), "./Maildir/"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env=b.home.environment(
                              PATH=f"{b.fake}:{b.home.bin}:/usr/bin:/bin"))
    out, _ = second.communicate(timeout=DEADLINE)
    assert out == b"alert: cannot start: qmail-send is already running\n"
    assert second.returncode == 111
    b.inject("s@x.example", "ok@a.example")
    b.wait("end msg")


@pytest.mark.parametrize("what, text", [
    ("locals", "unable to read controls"),
    ("queue", "unable to switch to queue directory"),
    ("mutex", "unable to open mutex"),
    ("spawn", "hath the daemon spawn no fire?")])
def test_cannot_start(bench, what, text):
    b = bench
    env = {"PATH": f"{b.fake}:{b.home.bin}:/usr/bin:/bin"}
    if what == "locals":
        os.chmod(b.home.file("control", "locals"), 0)
    elif what == "queue":
        os.rename(b.queue, b.queue + ".away")
    elif what == "mutex":
        os.unlink(os.path.join(b.queue, "lock", "sendmutex"))
    else:
        write_file(os.path.join(b.fake, "qmail-lspawn"),
                   "#!/bin/sh\nexit 0\n", 0o755)
    p = b.home.spawn([b.home.file("bin", "qmail-start")],
                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                     env=b.home.environment(**env))
    out, _ = p.communicate(timeout=DEADLINE)
    why = "warning: control/locals: access denied\n"
    assert out.decode() == ((why if what == "locals" else "") +
                            f"alert: cannot start: {text}\n")
    assert p.returncode == 111


def test_records_cannot_be_written(bench):
    """A full disk: deliveries go on from memory, todo/ stays the record."""
    b = bench.start()
    for i in range(b.split):
        os.chmod(os.path.join(b.queue, "info", str(i)), 0o500)
    b.inject("s@x.example", "temp@a.example", "ok@a.example")
    b.wait("warning: unable to create info/")
    b.inject("s@x.example", "ok-2@a.example")
    b.wait("end msg")
    ident = b.only_id()
    assert b.exists("todo", ident) and not b.exists("local", ident)
    b.signal(signal.SIGALRM)
    b.wait("deferral", count=2)
    b.verdict("Kfine\n")
    b.signal(signal.SIGALRM)
    b.wait("end msg", count=2)
    assert b.recipients().count("ok@a.example") == 1
    b.home.wait_empty()


def test_records_are_written_later(bench):
    b = bench.start()
    for i in range(b.split):
        os.chmod(os.path.join(b.queue, "info", str(i)), 0o500)
    b.inject("s@a.example", "temp@a.example", "perm@far.example")
    b.wait("warning: unable to create info/")
    ident = b.only_id()
    for i in range(b.split):
        os.chmod(os.path.join(b.queue, "info", str(i)), 0o700)
    b.signal(signal.SIGALRM)
    wait_for(lambda: not b.exists("todo", ident), "state S5")
    wait_for(lambda: b.exists("bounce", ident), "the paragraph")
    assert b.read("local", ident) == b"Ttemp@a.example\0"
    wait_for(lambda: not b.exists("remote", ident), "the failed one to go")


def test_todo_of_large_list_on_a_full_disk_stays(bench):
    b = bench.start()
    for i in range(b.split):
        os.chmod(os.path.join(b.queue, "info", str(i)), 0o500)
    b.inject("s@x.example", *[f"u{i}@a.example" for i in range(20)])
    b.wait("warning: unable to create info/")
    ident = b.only_id()
    assert b.exists("todo", ident) and not b.exists("local", ident)
    b.inject("s@x.example", "ok@a.example")
    b.wait("end msg")
    for i in range(b.split):
        os.chmod(os.path.join(b.queue, "info", str(i)), 0o700)
    b.term()
    b.start()
    b.wait(f"end msg {ident}")


# -- queues of others -------------------------------------------------------------

def test_leftovers_of_state_s4(either):
    b = either
    b.inject("new@x.example", "ok@a.example", "temp@far.example")
    ident = b.only_id()
    write_file(b.path("info", ident), b"Fold@x.example\0", 0o600)
    write_file(b.path("local", ident), b"Told1@a.example\0Told2@a.ex", 0o600)
    write_file(b.path("remote", ident), b"Dtemp@far.example\0", 0o600)
    b.start()
    b.wait("deferral")
    b.wait("success")
    wait_for(lambda: not b.exists("local", ident), "the local list to go")
    assert b.read("info", ident) == b"Fnew@x.example\0"
    assert b.read("remote", ident) == b"Ttemp@far.example\0"
    assert sorted(b.recipients()) == ["ok@a.example", "temp@far.example"]
    assert {r[2] for r in b.requests()} == {"new@x.example"}
    assert not b.exists("todo", ident)


def test_leftover_list_of_another_channel(bench):
    b = bench
    b.inject("s@x.example", "temp@a.example")
    ident = b.only_id()
    write_file(b.path("remote", ident), b"Told@far.example\0", 0o600)
    b.start()
    b.wait("deferral")
    wait_for(lambda: not b.exists("todo", ident), "state S5")
    assert not b.exists("remote", ident)
    assert b.recipients() == ["temp@a.example"]


def test_term_to_the_preprocessor(bench):
    """As at the shutdown of a host: what is done is remembered all the same."""
    b = bench.start()
    b.inject("s@x.example", "ok@a.example", "hold@a.example")
    b.wait("success")
    os.kill(b.helper("qmail-todo"), signal.SIGTERM)
    b.signal(signal.SIGTERM)
    time.sleep(0.3)
    b.release()
    assert b.home.send.wait(DEADLINE) == 0
    assert "oh no" not in b.log()
    b.start()
    b.home.wait_empty()
    assert sorted(b.recipients()) == ["hold@a.example", "ok@a.example"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.skipif(bool(os.environ.get("SANITIZE")),
                    reason="sanitizers write, too")
@pytest.mark.parametrize("program", [
    "qmail-send", "qmail-todo", "qmail-lspawn"])
def test_pipes_without_memory(bench, program):
    """A pipe may have no page for what is written: it is written later."""
    b = bench
    write_file(os.path.join(b.fake, program),
               "#!/bin/sh\nexec strace -D -o /dev/null -e trace=write "
               "-e inject=write:error=ENOMEM:when=4+3 "
               f'{b.home.bin}/{program} "$@"\n', 0o755)
    b.start()
    for i in range(5):
        b.inject("", "@a.example", "@a.example", "@a.example")
    b.home.wait_empty()
    assert "oh no" not in b.log()
    if program != "qmail-send":  # its log has gaps
        assert b.log().count("success: ") == 15


def test_trigger_that_comes_late(bench):
    """It could not be opened, for want of descriptors, say."""
    b = bench
    trigger = os.path.join(b.queue, "lock", "trigger")
    os.rename(trigger, trigger + ".away")
    b.start()
    b.wait("warning: unable to open lock/trigger")
    time.sleep(0.2)
    os.rename(trigger + ".away", trigger)
    b.inject("s@x.example", "joe@a.example")
    b.wait("end msg")
    b.inject("s@x.example", "joe@a.example")
    b.wait("end msg", count=2)


def test_foreign_puller(bench):
    b = bench.start()
    b.wait("status")
    # A message without a word about it ...
    trigger = os.path.join(b.queue, "lock", "trigger")
    os.chmod(trigger, 0)
    b.inject("s@x.example", "joe@a.example")
    time.sleep(0.3)
    os.chmod(trigger, 0o622)
    assert b.requests() == []
    # ... is found when another qmail-queue pulls.
    with open(trigger, "wb", buffering=0) as f:
        f.write(b"\0")
    b.wait("end msg")


def test_garbage_in_the_trigger(bench):
    b = bench.start()
    trigger = os.path.join(b.queue, "lock", "trigger")
    with open(trigger, "wb", buffering=0) as f:
        f.write(b"99999999\0" b"0\0" b"007\0" b"x" * 3 + os.urandom(3000) +
                b"\0" + b"18446744073709551616\0" + b"\0" * 100)
    b.inject("s@x.example", "joe@a.example")
    b.wait("end msg")
    b.home.wait_empty()
    assert "warning" not in b.log()


def test_trigger_names_a_message_in_hand(bench):
    """Anybody may write to the trigger: no second delivery."""
    b = bench.start()
    b.inject("s@x.example", "hold@a.example")
    b.wait("starting delivery 1")
    ident = b.only_id()
    with open(os.path.join(b.queue, "lock", "trigger"), "wb",
              buffering=0) as f:
        f.write(b"%d\0" % ident * 20 + b"\0")
    time.sleep(0.2)
    b.release()
    b.wait("end msg")
    b.home.wait_empty()
    assert b.recipients() == ["hold@a.example"]
    assert b.log().count("new msg") == 1


def test_empty_envelope_is_cleaned(either):
    """A power cut may leave the name in todo/ without the envelope."""
    b = either
    old = int(time.time()) - 129700
    ids = [b.make_message("s@x.example") for _ in range(3)]
    for ident, envelope, when in ((ids[0], b"", old), (ids[1], b"", None),
                                  (ids[2], b"u1\0p1\0", old)):
        os.unlink(b.path("info", ident))
        write_file(b.path("intd", ident), envelope)
        os.link(b.path("intd", ident), b.path("todo", ident))
        if when is not None:
            os.utime(b.path("mess", ident), (when, when))
    b.start()
    wait_for(lambda: not b.exists("mess", ids[0]), "the leftover to go")
    assert not b.exists("intd", ids[0]) and not b.exists("todo", ids[0])
    time.sleep(0.1)
    assert b.ids() == b.ids("todo") == sorted(ids[1:])


def test_message_that_is_cleaned_while_it_comes_in_is_not_taken(bench):
    """A clock that jumps, after a day of sleep, makes every file old."""
    b = bench
    process, message, envelope = queue_tools.start(b.home)
    queue_tools.feed(message, b"Subject: x\n\n")
    wait_for(lambda: b.ids(), "the message")
    ident = b.only_id()
    old = int(time.time()) - 129700
    os.utime(b.path("mess", ident), (old, old))
    b.start()
    wait_for(lambda: not b.ids(), "the cleaning")
    queue_tools.feed(envelope, queue_tools.ENVELOPE)
    assert process.wait(DEADLINE) == 64
    assert b.ids("todo") == b.ids("intd") == []


def test_leftover_in_mess_is_cleaned(bench):
    b = bench
    old = int(time.time()) - 129700
    ids = []
    for _ in range(3):
        ident = b.make_message("s@x.example")
        os.unlink(b.path("info", ident))
        ids.append(ident)
    os.utime(b.path("mess", ids[0]), (old, old))
    write_file(b.path("intd", ids[0]), b"u1\0")
    os.utime(b.path("mess", ids[1]), (old, old))
    write_file(b.path("info", ids[1]), b"Fs@x.example\0", 0o600)
    write_file(b.path("local", ids[1]), b"Tx@a.example\0", 0o600)
    b.set_time("local", ids[1], int(time.time()) + 1000)
    b.start()
    wait_for(lambda: not b.exists("mess", ids[0]), "the leftover to go")
    assert not b.exists("intd", ids[0])
    time.sleep(0.1)
    assert b.ids() == sorted(ids[1:])


def test_clean_failure_is_said_and_repeated(bench):
    b = bench.start()
    b.inject("s@x.example", "hold@a.example")
    b.wait("starting delivery 1")
    ident = b.only_id()
    os.chmod(os.path.dirname(b.path("todo", ident)), 0o500)
    b.release()
    b.wait(f"warning: qmail-clean unable to clean up todo/{ident}\n")
    assert "end msg" not in b.log()
    os.chmod(os.path.dirname(b.path("todo", ident)), 0o700)
    b.signal(signal.SIGALRM)
    b.wait("end msg")
    b.home.wait_empty()
    assert b.recipients() == ["hold@a.example"]


def test_flood_is_delivered_once_each(bench):
    """Far more than fit in memory, with deferrals among them."""
    b = bench
    b.home.control("concurrencylocal", "100\n")
    for i in range(150):
        word = "temp" if i % 10 == 0 else "ok"
        b.inject("s@x.example", f"{word}{i}@a.example")
    b.start()
    b.wait("end msg", count=135, seconds=3 * DEADLINE)
    b.wait("deferral", count=15)
    wait_for(lambda: len(b.ids("info")) == 15, "15 with records")
    names = b.recipients()
    assert len(names) == len(set(names)) == 150
    b.term()
    b.verdict("K\n")
    b.start()
    b.signal(signal.SIGALRM)
    b.wait("end msg", count=15)
    b.home.wait_empty()


def test_logger_gets_the_log(bench):
    b = bench
    logger = os.path.join(b.fake, "mylog")
    write_file(logger, "#!/bin/sh\nexec sed -u \"s/^/$1 /\"\n", 0o755)
    b.mark = 0
    with open(b.home.log_path, "ab") as log:
        b.home.send = b.home.spawn(
            [b.home.file("bin", "qmail-start"), "./Maildir/", logger, "tag"],
            stdout=log, stderr=log, env=b.home.environment(
                PATH=f"{b.fake}:{b.home.bin}:/usr/bin:/bin"))
    b.wait("tag status: local 0/10 remote 0/20\n")
    b.inject("s@x.example", "ok@a.example")
    wait_for(lambda: not b.ids(), "an empty queue")
    stop(b.home.send)
    wait_for(lambda: "tag status: exiting\n" in b.home.log(), "the log")
    assert "tag status: local 0/10 remote 0/20\n" in b.home.log()
