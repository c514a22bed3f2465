"""control/rcptcheck: a program judges recipients by its exit code."""
import os
import time

import pytest

from home import OVERLONG, wait_for, write_file
from smtpd_driver import Smtpd

ANSWERS = [
    (1, "553 5.1.1 sorry, no mailbox here by that name."),
    (2, "421 4.3.0 unable to verify recipient/sender (misuse)"),
    (3, "421 4.3.0 unable to verify recipient/sender (internal)"),
    (11, "451 4.1.1 bad destination mailbox address"),
    (12, "451 4.1.2 bad destination system address"),
    (13, "451 4.1.3 bad destination mailbox address syntax"),
    (14, "451 4.1.4 destination mailbox address ambiguous"),
    (16, "451 4.1.6 mailbox has moved"),
    (17, "451 4.1.7 bad sender's mailbox address syntax"),
    (18, "451 4.1.8 bad sender's system address"),
    (21, "452 4.2.1 mailbox disabled, not accepting messages"),
    (22, "452 4.2.2 mailbox full"),
    (111, "421 4.3.0 unable to verify recipient/sender (temporary)"),
    (112, "421 4.3.0 unable to verify recipient/sender (greylisting)"),
]
INTERNAL = ANSWERS[2][1]


@pytest.fixture
def smtpd(home):
    sessions = []

    def start(**env):
        sessions.append(Smtpd(home, env))
        s = sessions[-1]
        s.command("HELO x")
        assert s.command("MAIL FROM:<s d@x>") == "250 2.1.0 ok"
        return s

    yield start
    for session in sessions:
        session.close()


def checker(home, script):
    path = write_file(home.file("judge"), "#!/bin/sh\n" + script, 0o755)
    home.control("rcptcheck", path + " one  two\t\n")
    return path


@pytest.mark.parametrize("code,reply", ANSWERS,
                         ids=[str(a[0]) for a in ANSWERS])
def test_exit_code(home, smtpd, code, reply):
    checker(home, f'case $RECIPIENT in bad*) exit {code};; esac\nexit 0\n')
    s = smtpd()
    assert s.command("RCPT TO:<good@a.example>") == "250 2.1.5 ok"
    assert s.command("RCPT TO:<bad@a.example>") == reply
    if reply.startswith("421") and code != 112:
        assert s.at_end()
        assert s.queue.messages() == []
        return
    assert s.command("DATA") == "354 go ahead"
    s.send("\r\nx\r\n.\r\n")
    assert s.reply().startswith("250 2.6.0 ok ")
    assert s.queue.messages()[0][1] == [b"good@a.example"]


@pytest.mark.parametrize("script,said", [
    ("exit 99\n", "unknown exit code 99"),
    ("exit 4\n", "unknown exit code 4"),
    ("kill -9 $$\n", "crashed"),
])
def test_other_ends_are_internal(home, smtpd, script, said):
    checker(home, script)
    s = smtpd()
    assert s.command("RCPT TO:<r@a.example>") == INTERNAL
    assert s.at_end()
    assert said in s.log()


def test_program_that_is_not_there(home, smtpd):
    home.control("rcptcheck", "/absent/program\n")
    s = smtpd()
    assert s.command("RCPT TO:<r@a.example>") == INTERNAL
    assert "rcptcheck: unable to run /absent/program: file does not exist" \
        in s.log()


def test_program_that_does_not_end(home, smtpd):
    pid_file = home.file("recorded", "sleeper")
    checker(home, f"sleep {OVERLONG} &\necho $! >{pid_file}.new\n"
            f"mv {pid_file}.new {pid_file}\nwait\n")
    for seconds in (1, 6, 30):  # the first is enough for most machines
        home.control("rcptchecktime", f"{seconds}\n")
        s = smtpd()
        assert s.command("RCPT TO:<r@a.example>") == INTERNAL
        assert "no end in time" in s.log()
        if os.path.exists(pid_file):
            break
    pid = open(pid_file).read().strip()

    def gone():
        try:
            with open(f"/proc/{pid}/stat") as f:
                return f.read().split(") ")[1][0] in "ZX"
        except FileNotFoundError:
            return True

    wait_for(gone, "the end of all that the program started")


def test_program_gets_addresses_words_and_no_conversation(home, smtpd):
    seen = home.file("recorded", "seen")
    checker(home, f'{{ echo "$SENDER|$RECIPIENT|$#|$1|$2"; readlink '
            f'/proc/self/fd/0; ls /proc/self/fd; }} >{seen}\n'
            'echo "spoke: $RECIPIENT"\nexit 0\n')
    s = smtpd()
    assert s.command('RCPT TO:<"$(id);a b"@a.example>') == "250 2.1.5 ok"
    lines = open(seen).read().split("\n")
    assert lines[0] == "s d@x|$(id);a b@a.example|2|one|two"
    assert lines[1] == "/dev/null"
    assert "spoke: $(id);a b@a.example" in s.log()
    assert s.command("NOOP") == "250 2.0.0 ok"


def test_program_is_found_in_path_and_in_the_home(home, smtpd):
    home.control("rcptcheck", "false\n")
    assert smtpd().command("RCPT TO:<r@a.example>").startswith("553 5.1.1")
    checker(home, "exit 22\n")
    home.control("rcptcheck", "./judge\n")
    assert smtpd().command("RCPT TO:<r@a.example>") == "452 4.2.2 mailbox full"


def test_its_variables_do_not_reach_the_queue(home, smtpd):
    checker(home, "exit 0\n")
    write_file(home.file("spy"), '#!/bin/sh\ncat >/dev/null\n'
               'echo "${SENDER-unset} ${RECIPIENT-unset}" '
               '>"$QQDIR/spied"\ncat <&1 >/dev/null\nexit 0\n', 0o755)
    s = smtpd(QMAILQUEUE=home.file("spy"))
    s.command("RCPT TO:<r@a.example>", "DATA")
    s.send("x\r\n.\r\n")
    assert s.reply().startswith("250 ")
    assert open(home.file("recorded", "spied")).read() == "unset unset\n"


def test_override_by_environment(home, smtpd):
    checker(home, "exit 1\n")
    s = smtpd(RCPTCHECK="true")
    assert s.command("RCPT TO:<r@a.example>") == "250 2.1.5 ok"
    s = smtpd(RCPTCHECK="")
    assert s.command("RCPT TO:<r@a.example>") == "250 2.1.5 ok"


def test_not_for_postmaster_and_trusted_clients(home, smtpd):
    checker(home, "exit 1\n")
    s = smtpd()
    assert s.command("RCPT TO:<postmaster@a.example>") == "250 2.1.5 ok"
    s = smtpd(RELAYCLIENT="")
    assert s.command("RCPT TO:<r@a.example>") == "250 2.1.5 ok"


def test_not_run_for_what_may_not_be_relayed(home, smtpd):
    mark = home.file("recorded", "mark")
    checker(home, f"touch {mark}\nexit 0\n")
    s = smtpd()
    assert s.command("RCPT TO:<r@far.example>").startswith("553 5.7.1 ")
    assert not os.path.exists(mark)


def test_off_and_watch(home, smtpd):
    checker(home, "exit 1\n")
    home.control("checks", "rcptcheck:off\n")
    s = smtpd()
    assert s.command("RCPT TO:<r@a.example>") == "250 2.1.5 ok"
    home.control("checks", "rcptcheck:watch\n")
    s = smtpd()
    assert s.command("RCPT TO:<r@a.example>") == "250 2.1.5 ok"
    assert "WATCH: rcptcheck: 553 5.1.1 sorry, no mailbox" in s.log()


@pytest.mark.parametrize("name,text,said", [
    ("rcptcheck", "a\0b\n", "control/rcptcheck line 1: NUL byte"),
    ("rcptcheck", "x\r\n", "control/rcptcheck line 1: carriage return"),
    ("rcptcheck", "x " * 65 + "\n", "control/rcptcheck: too long"),
    ("rcptcheck", "x" * 5000 + "\n", "control/rcptcheck"),
    ("rcptchecktime", "long\n", "control/rcptchecktime line 1: not a number"),
])
def test_broken_control(home, smtpd, name, text, said):
    checker(home, "exit 0\n")
    home.control(name, text)
    s = smtpd()
    assert s.command("RCPT TO:<r@a.example>") == (
        "451 4.3.0 unable to read rcptcheck")
    assert said in s.log()
    assert s.command("NOOP") == "250 2.0.0 ok"


def test_rejections_are_delayed_if_the_operator_says_so(home, smtpd):
    checker(home, "exit 1\n")
    home.control("tarpitdelay", "1\n")
    s = smtpd()
    began = time.monotonic()
    assert s.command("RCPT TO:<r@a.example>").startswith("553 ")
    assert time.monotonic() - began >= 1
