"""qmail-smtpd: the conversation, its controls, what reaches the queue."""
import glob
import os
import re
import socket
import time

import pytest

from home import OVERLONG, make_dirs, wait_for, write_file
from smtpd_driver import Queue, Smtpd, replay

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture
def smtpd(home):
    """smtpd(NAME="value", ...) starts a session with that environment."""
    sessions = []

    def start(greet=True, **env):
        sessions.append(Smtpd(home, env, greet))
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


# -- transcripts ---------------------------------------------------------
@pytest.mark.parametrize("path", sorted(
    glob.glob(os.path.join(HERE, "transcripts", "*.txt"))),
    ids=os.path.basename)
def test_transcript(path, home, smtpd):
    replay(path, home, smtpd)


# -- the message ---------------------------------------------------------
def test_message_and_envelope_reach_the_queue(smtpd):
    s = smtpd()
    s.command("EHLO client.example")
    s.open_message("s@x.example", "r@a.example", "Q@A.Example")
    s.send("Subject: x\r\n\r\n..dot\r\n.\r\n")
    assert re.fullmatch(r"250 2\.6\.0 ok \d+ qp \d+", s.reply())
    assert s.command("QUIT") == "221 2.0.0 a.example ESMTP"
    assert s.at_end() and s.exit_code() == 0
    [(sender, recipients, message)] = s.queue.messages()
    assert sender == b"s@x.example"
    assert recipients == [b"r@a.example", b"Q@A.Example"]
    assert re.fullmatch(
        rb"Received: from client\.example \(192\.0\.2\.7\)\n"
        rb"  by mx\.a\.example with ESMTP; \d+ \w+ \d+ [0-9:]{8} -0000\n"
        rb"Subject: x\n\n\.dot\n", message), message


def test_received_of_helo_names_smtp_and_the_name(smtpd):
    s = smtpd(TCPREMOTEHOST=None, TCPREMOTEINFO="joe", TCPLOCALHOST=None)
    s.command("HELO other(.example")
    s.open_message()
    s.send("\r\nx\r\n.\r\n")
    assert s.reply().startswith("250 2.6.0 ok ")
    message = s.queue.messages()[0][2]
    assert message.startswith(
        b"Received: from unknown (HELO other?.example) (joe@192.0.2.7)\n"
        b"  by 192.0.2.1 with SMTP; "), message


def test_two_messages_do_not_share_anything(smtpd):
    s = smtpd()
    s.command("EHLO x")
    for sender, recipient in (("one@x", "a@a.example"), ("", "b@a.example")):
        s.open_message(sender, recipient)
        s.send("\r\nx\r\n.\r\n")
        assert s.reply().startswith("250 2.6.0")
    assert s.command("DATA") == "503 5.5.1 MAIL first"
    assert [(m[0], m[1]) for m in s.queue.messages()] == [
        (b"one@x", [b"a@a.example"]), (b"", [b"b@a.example"])]


def test_large_message_passes_unchanged(smtpd):
    s = smtpd()
    lines = [b"%d " % i + bytes(range(32, 256)) * (i % 9)
             for i in range(9000)]
    body = b"".join(line + b"\n" for line in lines)
    s.command("EHLO x")
    s.open_message()
    wire = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n"
                    for line in lines)
    s.send(wire + b".\r\n")
    assert s.reply().startswith("250 2.6.0")
    assert s.queue.messages()[0][2].split(b"\n", 2)[2] == body


def test_databytes_exactly_passes_and_one_more_does_not(home, smtpd):
    home.control("databytes", "10\n")
    for body, code in (("12345678\r\n\r\n", "250 2.6.0"),
                       ("123456789\r\n\r\n", "552 5.3.4")):
        s = smtpd()
        s.command("EHLO x")
        s.open_message()
        s.send(body + ".\r\n")
        reply = s.reply()
        assert reply.startswith(code), reply
        s.close()
    assert len(s.queue.messages()) == 1


def test_hops_at_the_limit_pass_and_one_more_loops(home, smtpd):
    home.control("maxhops", "3\n")
    s = smtpd()
    s.command("EHLO x")
    for hops, code in ((3, "250 2.6.0"),
                       (4, "554 5.4.6 too many hops, this message is looping")):
        s.open_message()
        s.send("ReCeived: x\r\n" * (hops - 1) + "delivered-to: y\r\n"
               "\r\nreceived: in the body\r\n.\r\n")
        assert s.reply().startswith(code)
    assert len(s.queue.messages()) == 1


@pytest.mark.parametrize("code,text,reply", [
    (11, "", "554 5.1.3 envelope address too long for qq"),
    (31, "", "554 5.3.0 mail server permanently rejected message"),
    (51, "", "451 4.3.0 qq out of memory"),
    (53, "", "451 4.3.0 qq write error or disk full"),
    (61, "", "451 4.3.0 qq trouble in home directory"),
    (73, "", "451 4.4.1 connection to mail server rejected"),
    (81, "", "451 4.3.0 qq internal bug"),
    (82, "Dspam here", "554 5.3.0 spam here"),
    (82, "Zlater (#4.7.1)", "451 4.7.1 later"),
    (82, "Dbad\\r\\n250 ok", "554 5.3.0 bad  250 ok"),
    (82, "Dodd (#4.7.1)", "554 5.3.0 odd (#4.7.1)"),
])
def test_queue_failures_become_replies(smtpd, code, text, reply):
    s = smtpd(QQEXIT=str(code), QQTEXT=text)
    s.command("EHLO x")
    s.open_message()
    s.send("\r\nx\r\n.\r\n")
    assert s.reply() == reply
    assert s.command("NOOP") == "250 2.0.0 ok"


def test_client_that_cannot_be_told_to_go_ahead(smtpd):
    s = smtpd()
    s.command("MAIL FROM:<s@x.example>", "RCPT TO:<r@a.example>")
    s.socket.shutdown(socket.SHUT_RD)
    s.send("DATA\r\n")
    assert s.exit_code() == 1 and s.queue.messages() == []


def test_missing_queue_program(home, smtpd):
    s = smtpd(QMAILQUEUE=home.file("absent"))
    s.command("EHLO x")
    s.open_message()
    s.send("\r\nx\r\n.\r\n")
    assert s.reply() == "451 4.3.0 unable to exec qq"


def test_slow_queue_is_given_up_after_dottimeout(home, smtpd):
    home.control("dottimeout", "1\n")
    s = smtpd(QQSLEEP=str(OVERLONG))
    s.command("EHLO x")
    s.open_message()
    s.send("\r\nx\r\n.\r\n")
    assert s.reply() == "451 4.3.0 qq timeout"
    assert s.queue.messages() == []


def test_over_pipes_as_sendmail_bs_does(home):
    queue = Queue(home)
    done = home.run(
        "qmail-smtpd", env={**queue.environment, "RELAYCLIENT": ""},
        input="HELO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<u@far.example>\r\n"
        "DATA\r\nx\r\n.\r\nQUIT\r\n")
    assert done.returncode == 0
    assert done.stdout.endswith(b"221 2.0.0 a.example ESMTP\r\n")
    assert queue.messages()[0][1] == [b"u@far.example"]


# -- pipelining ----------------------------------------------------------
def test_pipelined_commands_are_answered_in_one_write(smtpd):
    s = smtpd()
    s.command("EHLO x")
    s.send("MAIL FROM:<a@b>\r\n" + "RCPT TO:<r@a.example>\r\n" * 50 + "DATA\r\n")
    first = s.socket.recv(65536)
    assert first.endswith(b"354 go ahead\r\n")
    assert first.count(b"\r\n") == 52


def test_half_a_command_does_not_hold_replies_back(smtpd):
    s = smtpd()
    s.send("NOOP\r\nNO")
    assert s.reply() == "250 2.0.0 ok"
    s.send("OP\r\n")
    assert s.reply() == "250 2.0.0 ok"


# -- controls ------------------------------------------------------------
@pytest.mark.parametrize("name,value", [
    ("databytes", "12x"), ("databytes", "-1"), ("timeoutsmtpd", "soon"),
    ("maxcmdlen", "9999999"), ("reqbrackets", "yes"),
    ("log/smtp_in", "on"), ("maxrcpt", "99999999999999999999999")])
def test_bad_control_is_named_in_the_log(home, smtpd, name, value):
    home.control(name, value + "\n")
    s = smtpd(greet=False)
    assert s.line() == b"421 4.3.0 unable to read controls"
    assert s.at_end() and s.exit_code() == 1
    assert f"control/{name} line 1: " in s.log()


def test_bad_databytes_variable_is_named_in_the_log(smtpd):
    for value in ("10k", "-5", "0x10", "x"):
        s = smtpd(greet=False, DATABYTES=value)
        assert s.line() == b"421 4.3.0 unable to read controls"
        assert "$DATABYTES" in s.log()


def test_no_me_and_no_greeting_is_an_error(home, smtpd):
    home.control("me", None)
    s = smtpd(greet=False)
    assert s.line() == b"421 4.3.0 unable to read controls"
    assert "control/me" in s.log()


def test_unreadable_control_is_an_error(home, smtpd):
    home.control("databytes", None)
    make_dirs(home.file("control", "databytes"))
    s = smtpd(greet=False)
    assert s.line() == b"421 4.3.0 unable to read controls"
    assert "control/databytes" in s.log()


def test_control_may_not_exceed_the_ceiling_of_a_line(home, smtpd):
    home.control("maxcmdlen", "65536\n")
    s = smtpd(TARPITDELAY="0")
    assert s.command("HELO " + "x" * 65000) == "250 a.example ESMTP"
    assert s.command("HELO " + "x" * 70000) == "500 5.5.2 line too long"


# -- relaying ------------------------------------------------------------
def rcpt(s, address):
    s.command("MAIL FROM:<a@b>")
    return s.command(f"RCPT TO:<{address}>")[:9]


def test_without_rcpthosts_only_own_names_are_accepted(home, smtpd):
    home.control("rcpthosts", None)
    home.control("locals", "l.example\n")
    home.control("virtualdomains", "v.example:joe\n.w.example:joe\n"
                 "u@x.example:joe\n")
    s = smtpd()
    for domain in ("a.example", "l.example", "V.example", "z.w.example"):
        assert rcpt(s, "u@" + domain) == "250 2.1.5", domain
    for domain in ("x.example", "w.example.org", "", "example"):
        assert rcpt(s, "u@" + domain) == "553 5.7.1", domain
    assert rcpt(s, "u") == "250 2.1.5"


def test_rcpthosts_and_its_suffixes(home, smtpd):
    home.control("rcpthosts", "# ours\nB.example\n.c.example\n")
    s = smtpd()
    for domain in ("b.EXAMPLE", "x.c.example", "y.x.c.example"):
        assert rcpt(s, "u@" + domain) == "250 2.1.5", domain
    for domain in ("c.example", "a.example", "xb.example", "b.example.org",
                   "x@b.example@evil.example"):
        assert rcpt(s, "u@" + domain) == "553 5.7.1", domain


@pytest.mark.parametrize("damage", [b"", b"x" * 100, b"\xff" * 4096, None])
def test_damaged_morercpthosts_is_a_temporary_failure(home, smtpd, damage):
    if damage is None:
        make_dirs(home.file("control", "morercpthosts.cdb"))
    else:
        write_file(home.file("control", "morercpthosts.cdb"), damage)
    s = smtpd()
    assert rcpt(s, "u@other.example") == "451 4.3.0"
    assert "morercpthosts.cdb" in s.log()
    assert rcpt(s, "u@a.example") == "250 2.1.5"
    assert rcpt(s, "postmaster") == "250 2.1.5"


def test_relayclient_appends_only_what_is_not_blank(smtpd):
    for value, recipient in (("", b"u@far.example"), (" ", b"u@far.example"),
                             ("@gate", b"u@far.example@gate")):
        s = smtpd(RELAYCLIENT=value)
        s.command("EHLO x")
        s.open_message("a@b", "u@far.example")
        s.send("\r\nx\r\n.\r\n")
        assert s.reply().startswith("250 2.6.0")
        assert s.queue.messages()[-1][1] == [recipient]


def test_relayclient_may_name_many_recipients(home, smtpd):
    home.control("maxrcpt", "2\n")
    s = smtpd(RELAYCLIENT="")
    said = s.command("MAIL FROM:<a@b>", *["RCPT TO:<u@far.example>"] * 5)
    assert said[1:] == ["250 2.1.5 ok"] * 5


def test_shortest_command_line_and_a_checker(home, smtpd):
    home.control("maxcmdlen", "512\n")
    home.control("auth/smtp", "63\n")
    s = smtpd(CHECKER="true")
    assert s.greeting == "220 a.example ESMTP"
    s.command("EHLO x")
    assert s.command("AUTH PLAIN AGEAYg==") == "235 2.7.0 ok, go ahead"


# -- tarpitting ----------------------------------------------------------
def test_recipients_beyond_tarpitcount_are_delayed(home, smtpd):
    home.control("tarpitcount", "2\n")
    home.control("log/tarpitting", "1\n")
    home.control("tarpitdelay", "1\n")
    s = smtpd()
    s.command("EHLO x", "MAIL FROM:<a@b>", "RCPT TO:<1@a.example>",
              "RCPT TO:<2@a.example>")
    assert "TARPIT" not in s.log()
    began = time.monotonic()
    assert s.command("RCPT TO:<3@a.example>") == "250 2.1.5 ok"
    assert time.monotonic() - began >= 0.9
    assert "TARPIT: <a@b> to <3@a.example> | helo(x)" in s.log()


def test_refusals_beyond_tarpitcount_are_delayed(home, smtpd):
    home.control("log/tarpitting", "1\n")
    s = smtpd(TARPITCOUNT="1", TARPITDELAY="1")
    s.command("MAIL FROM:<a@b>", "RCPT TO:<1@far.example>",
              "RCPT TO:<2@a.example>")
    assert "TARPIT" not in s.log()
    assert s.command("RCPT TO:<3@far.example>").startswith("553 5.7.1 sorry")
    assert re.findall("TARPIT: .*", s.log()) == [
        "TARPIT: <a@b> to <3@far.example> | helo()"]


@pytest.mark.parametrize("more", [{"RELAYCLIENT": ""}, {"NO_TARPITTING": ""}])
def test_who_is_never_tarpitted(smtpd, more):
    s = smtpd(TARPITCOUNT="1", TARPITDELAY=str(OVERLONG), **more)
    said = s.command("MAIL FROM:<a@b>", *["RCPT TO:<u@a.example>"] * 9)
    assert said[1:] == ["250 2.1.5 ok"] * 9


def test_delay_ends_when_the_client_hangs_up(home, smtpd):
    home.control("log/tarpitting", "1\n")
    s = smtpd(TARPITCOUNT="1", TARPITDELAY=str(OVERLONG))
    s.command("MAIL FROM:<a@b>", "RCPT TO:<1@a.example>")
    s.send("RCPT TO:<2@a.example>\r\n")
    wait_for(lambda: "TARPIT: " in s.log(), "the delay")
    assert s.vanish() == 1


def test_replies_before_a_delay_are_not_delayed(smtpd):
    s = smtpd(TARPITCOUNT="1", TARPITDELAY=str(OVERLONG))
    s.send("MAIL FROM:<a@b>\r\nRCPT TO:<1@a.example>\r\n"
           "RCPT TO:<2@a.example>\r\n")
    assert s.reply() == "250 2.1.0 ok" and s.reply() == "250 2.1.5 ok"
    assert s.pending == b"" and s.vanish() == 1


# -- the log -------------------------------------------------------------
def test_log_of_a_session(home, smtpd):
    for name in ("smtp_in", "smtp_out", "orchecks"):
        home.control("log/" + name, "1\n")
    home.control("databytes", "100\n")
    home.control("smtpgreeting", "first\nlast\n")
    s = smtpd()
    s.command("EHLO \x1b[1m\\x")
    s.command("MAIL FROM:<a@b>", "RCPT TO:<u@b.example>")
    s.open_message()
    s.send("0123456789\r\n.\r\n")
    s.reply()
    s.vanish()
    start = f"qmail-smtpd: pid {s.process.pid} "
    log = s.log().splitlines()
    assert all(line.startswith(start) for line in log), log
    said = [line[len(start):] for line in log]
    assert said[:4] == ["S: 220-first", "S: 220 last",
                        "C: EHLO \\033[1m\\134x", "S: 250-last"]
    assert ("OPENRELAY: <a@b> to <u@b.example> | helo(\\033[1m\\134x)"
            in said)
    assert "C: [...]  bytestooverflow=89" in said
    assert said[-1] == "ERROR: eof from client - SPAMMER?"


def test_log_descriptor_and_off(home, smtpd):
    home.control("log/smtp_in", "1\n")
    home.control("log/smtp_fd", "0\n")
    s = smtpd()
    s.command("NOOP")
    assert s.log() == ""
    home.control("databytes", "x\n")
    s = smtpd(greet=False)
    s.line()
    assert "control/databytes line 1" in s.log()


def test_log_goes_into_no_message(home, smtpd):
    """Numbers that nobody has opened are soon those of our pipes."""
    home.control("log/smtp_in", "1\n")
    home.control("log/smtp_out", "1\n")
    for fd in range(3, 11):
        home.control("log/smtp_fd", f"{fd}\n")
        s = smtpd()
        s.open_message()
        s.send("\r\nx\r\n.\r\n")
        assert s.reply().startswith("250 2.6.0 ok "), fd
        assert s.command("QUIT").startswith("221 ") and s.exit_code() == 0
        assert s.log() == "", fd
    said = s.queue.messages()
    assert [m[:2] for m in said] == [(b"s@x.example", [b"r@a.example"])] * 8
    assert all(m[2].startswith(b"Received: from ") for m in said), said
    home.control("log/smtp_fd", "1\n")
    s = smtpd(greet=False)
    assert s.line() == b"421 4.3.0 unable to read controls"
    assert "control/log/smtp_fd line 1: 1 is the client" in s.log()


def test_log_line_has_a_limit(home, smtpd):
    home.control("log/smtp_in", "1\n")
    home.control("maxcmdlen", "65536\n")
    s = smtpd()
    s.command("NOOP " + "\x01" * 60000)
    assert max(len(line) for line in s.log().splitlines()) <= 1000
