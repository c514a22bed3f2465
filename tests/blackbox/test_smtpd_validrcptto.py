"""control/validrcptto.cdb, and qmail-newvrt, which makes it."""
import os

import pytest

from home import write_file
from smtpd_driver import Smtpd

BAD = "550 5.1.1 sorry, no mailbox here by that name."
GOOD = "250 2.1.5 ok"
UNREADABLE = "451 4.3.0 unable to read validrcptto"


@pytest.fixture
def smtpd(home):
    sessions = []

    def start(**env):
        sessions.append(Smtpd(home, env))
        assert sessions[-1].command("MAIL FROM:<s@x>") == "250 2.1.0 ok"
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


def valid(home, text):
    home.control("validrcptto", text)
    done = home.run("qmail-newvrt")
    assert (done.returncode, done.stderr) == (0, b"")


LIST = """# who is there
Joe@A.Example
-list-news@a.example
@all.example
"""


@pytest.mark.parametrize("recipient,reply", [
    ("joe@a.example", GOOD),
    ("JOE@a.EXAMPLE", GOOD),
    ("jo@a.example", BAD),
    ("joe-x@a.example", BAD),
    ("joe@b.example", BAD),
    ("list-news@a.example", BAD),
    ("list-news-@a.example", GOOD),
    ("list-News-sub-a=b@a.example", GOOD),
    ("list-newsx@a.example", BAD),
    ("list@a.example", BAD),
    ("anybody@all.example", GOOD),
    ("x-y-z@all.example", GOOD),
    ("postmaster@a.example", GOOD),
    ("postmaster", GOOD),
    ("joe", GOOD),
    ("jo", BAD),
    ('"a@b"@a.example', BAD),
    ("@a.example", BAD),
])
def test_recipient(home, smtpd, recipient, reply):
    home.control("rcpthosts", "a.example\nb.example\nall.example\n")
    valid(home, LIST)
    assert smtpd().command(f"RCPT TO:<{recipient}>") == reply


def test_without_database_all_are_good(home, smtpd):
    home.control("validrcptto", LIST)
    assert smtpd().command("RCPT TO:<jo@a.example>") == GOOD


def test_empty_database_knows_nobody(home, smtpd):
    valid(home, "# nobody\n")
    assert smtpd().command("RCPT TO:<jo@a.example>") == BAD


def test_trusted_client_is_free_elsewhere_only(home, smtpd):
    valid(home, LIST)
    s = smtpd(RELAYCLIENT="")
    assert s.command("RCPT TO:<any@far.example>") == GOOD
    assert s.command("RCPT TO:<jo@a.example>") == BAD
    assert s.command("RCPT TO:<joe@a.example>") == GOOD


def test_refused_recipient_gets_nothing(home, smtpd):
    valid(home, LIST)
    s = smtpd()
    s.command("RCPT TO:<jo@a.example>", "RCPT TO:<joe@a.example>", "DATA")
    s.send("x\r\n.\r\n")
    assert s.reply().startswith("250 2.6.0 ")
    assert s.queue.messages()[0][1] == [b"joe@a.example"]


@pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "directory"])
def test_damaged_database(home, smtpd, damage):
    valid(home, LIST)
    path = home.file("control", "validrcptto.cdb")
    whole = open(path, "rb").read()
    os.unlink(path)
    if damage == "directory":
        os.mkdir(path)
    else:
        write_file(path, {"cut": whole[:-8], "empty": b"",
                          "garbage": b"x" * 4000}[damage])
    s = smtpd()
    assert s.command("RCPT TO:<joe@a.example>") == UNREADABLE
    assert "unable to read control/validrcptto.cdb" in s.log()
    assert s.command("NOOP") == "250 2.0.0 ok"


def test_unreadable_rcpthosts(home, smtpd):
    valid(home, LIST)
    home.control("rcpthosts", "a\0b\n")
    s = smtpd(RELAYCLIENT="")
    assert s.command("RCPT TO:<joe@a.example>") == UNREADABLE
    assert "control/rcpthosts line 1: NUL byte" in s.log()


def test_off_and_watch(home, smtpd):
    valid(home, LIST)
    home.control("checks", "validrcptto:off\n")
    assert smtpd().command("RCPT TO:<jo@a.example>") == GOOD
    home.control("checks", "validrcptto:watch\n")
    s = smtpd()
    assert s.command("RCPT TO:<jo@a.example>") == GOOD
    assert "WATCH: validrcptto: 550 5.1.1 " in s.log()


# -- qmail-newvrt --------------------------------------------------------
@pytest.mark.parametrize("text,said", [
    (None, "unable to read control/validrcptto: file does not exist"),
    ("a@b\njoe\n", "control/validrcptto line 2: no address, @domain or "
     "-local@domain"),
    ("joe@\n", "control/validrcptto line 1: no address"),
    ("-@a.example\n", "control/validrcptto line 1: no address"),
    ("a@b\r\n", "control/validrcptto line 1: carriage return at the end"),
])
def test_newvrt_trouble_keeps_the_old_one(home, text, said):
    valid(home, "old@a.example\n")
    path = home.file("control", "validrcptto.cdb")
    before = open(path, "rb").read()
    home.control("validrcptto", text)
    done = home.run("qmail-newvrt")
    assert done.returncode == 111
    assert done.stderr.decode().startswith("qmail-newvrt: fatal: " + said)
    assert open(path, "rb").read() == before
    assert not os.path.exists(path + ".tmp")
