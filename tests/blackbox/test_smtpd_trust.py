"""What a client is before it speaks: known spammer, fixed recipient, login."""
import os
import time

import pytest

from home import make_dirs, write_file
from smtpd_driver import Smtpd


@pytest.fixture
def smtpd(home):
    sessions = []

    def start(greet=True, **env):
        sessions.append(Smtpd(home, env, greet))
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


def deliver(s, body="\r\nx\r\n.\r\n"):
    assert s.command("DATA") == "354 go ahead"
    s.send(body)
    return s.reply()


# -- BLACKLISTED ---------------------------------------------------------
def test_all_mail_of_a_spammer_goes_to_one_address(smtpd):
    s = smtpd(BLACKLISTED="<spam@a.example>")
    s.command("HELO x")
    assert s.command("MAIL FROM:<s@x>") == "250 2.1.0 welcome spammer :)"
    for recipient in ("r@a.example", "fnlee11@far.example", "r@a.example"):
        assert s.command(f"RCPT TO:<{recipient}>") == (
            "250 2.1.5 I feed spamassassin now!")
    assert deliver(s).startswith("250 2.6.0 ok ")
    [(sender, recipients, _)] = s.queue.messages()
    assert (sender, recipients) == (b"s@x", [b"spam@a.example"])


def test_second_message_of_a_spammer(smtpd):
    s = smtpd(BLACKLISTED="la")
    s.command("HELO x")
    for _ in range(2):
        s.command("MAIL FROM:<>", "RCPT TO:<a@b>", "RSET")
        s.command("MAIL FROM:<>", "RCPT TO:<a@b>")
        assert deliver(s).startswith("250 2.6.0 ok ")
    assert [m[1] for m in s.queue.messages()] == [[b"la"], [b"la"]]


def test_spammer_meets_no_limit_of_recipients(home, smtpd):
    home.control("maxrcpt", "2\n")
    s = smtpd(BLACKLISTED="la")
    s.command("MAIL FROM:<>")
    said = s.command(*[f"RCPT TO:<u{i}@x>" for i in range(500)])
    assert set(said) == {"250 2.1.5 I feed spamassassin now!"}


def test_spammer_reaches_our_postmaster(smtpd):
    s = smtpd(BLACKLISTED="la")
    s.command("HELO x")
    s.command("MAIL FROM:<s@x>")
    assert s.command("RCPT TO:<Postmaster@a.example>") == "250 2.1.5 ok"
    assert s.command("RCPT TO:<postmaster>") == "250 2.1.5 ok"
    assert s.command("RCPT TO:<postmaster@far.example>") == (
        "250 2.1.5 I feed spamassassin now!")
    deliver(s)
    assert s.queue.messages()[0][1] == [
        b"Postmaster@a.example", b"postmaster", b"la"]


def test_spammer_without_recipient_gets_the_last_word(smtpd):
    s = smtpd(BLACKLISTED="la")
    s.command("MAIL FROM:<s@x>")
    assert s.command("DATA").startswith("221 2.0.0 error: I can break rules")


def test_spammer_has_a_size_limit_of_its_own(home, smtpd):
    home.control("databytes", "1000\n")
    home.control("databytes+", "10\n")
    s = smtpd(BLACKLISTED="la")
    assert "250-SIZE 10\n" in s.command("EHLO x")
    assert s.command("MAIL FROM:<s@x> SIZE=11").startswith("552 5.3.4 ")
    s.command("MAIL FROM:<s@x> SIZE=10", "RCPT TO:<a@b>")
    assert deliver(s, "12345678901\r\n.\r\n").startswith("552 5.3.4 ")
    assert s.queue.messages() == []
    s = smtpd()
    assert "250-SIZE 1000\n" in s.command("EHLO x")


def test_without_databytes_plus_the_limit_is_everybodys(home, smtpd):
    home.control("databytes", "1000\n")
    assert "250-SIZE 1000\n" in smtpd(BLACKLISTED="la").command("EHLO x")
    home.control("databytes+", "0\n")
    assert "250-SIZE\n" in smtpd(BLACKLISTED="la").command("EHLO x")


@pytest.mark.parametrize("value", ["", " ", "<>"])
def test_empty_variable_means_no_spammer(smtpd, value):
    s = smtpd(BLACKLISTED=value, RCPTTOFIXED=value)
    assert s.command("MAIL FROM:<s@x>") == "250 2.1.0 ok"
    assert s.command("RCPT TO:<a@far.example>").startswith("553 5.7.1 ")


@pytest.mark.parametrize("variable", ["BLACKLISTED", "RCPTTOFIXED"])
@pytest.mark.parametrize("value", ["a@b\nc", "a" * 1003])
def test_unusable_address_ends_the_session(smtpd, variable, value):
    s = smtpd(greet=False, **{variable: value})
    assert s.line() == b"421 4.3.0 unable to read controls"
    assert f"${variable}: not an address" in s.log()


@pytest.mark.parametrize("value", ["x", "-1", "99999999999999999999"])
def test_bad_databytes_plus(home, smtpd, value):
    home.control("databytes+", value + "\n")
    s = smtpd(greet=False, BLACKLISTED="la")
    assert s.line() == b"421 4.3.0 unable to read controls"
    assert "control/databytes+ line 1: " in s.log()
    assert smtpd().greeting.startswith("220 ")


# -- RCPTTOFIXED ---------------------------------------------------------
def test_fixed_recipient_takes_every_message(smtpd):
    s = smtpd(RCPTTOFIXED="all@a.example")
    s.command("HELO x")
    assert s.command("MAIL FROM:<s@x>") == "250 2.1.0 ok"
    assert s.command("RCPT TO:<r@far.example>").startswith("553 5.7.1 ")
    assert s.command("RCPT TO:<r@a.example>") == "250 2.1.5 ok"
    assert s.command("RCPT TO:<q@a.example>") == "250 2.1.5 ok"
    assert deliver(s).startswith("250 2.6.0 ok ")
    assert s.queue.messages()[0][1] == [b"all@a.example"]


def test_fixed_recipient_needs_an_accepted_one(smtpd):
    s = smtpd(RCPTTOFIXED="all@a.example")
    s.command("MAIL FROM:<s@x>", "RCPT TO:<r@far.example>")
    assert s.command("DATA").startswith("221 ")
    assert s.queue.messages() == []


def test_spam_does_not_go_to_the_fixed_recipient(smtpd):
    s = smtpd(RCPTTOFIXED="all@a.example", BLACKLISTED="la")
    s.command("MAIL FROM:<s@x>", "RCPT TO:<r@a.example>")
    deliver(s)
    assert s.queue.messages()[0][1] == [b"la"]


# -- open-smtp -----------------------------------------------------------
@pytest.fixture
def logins(home):
    home.control("opensmtp", "logins\n")
    return make_dirs(home.file("logins"))


def login(logins, ip="192.0.2.7", age=0):
    path = write_file(os.path.join(logins, ip), "")
    os.utime(path, (time.time() - age,) * 2)


def may_relay(s):
    s.command("MAIL FROM:<s@x>")
    return s.command("RCPT TO:<r@far.example>") == "250 2.1.5 ok"


def test_login_opens_the_relay_for_its_address(logins, smtpd):
    assert not may_relay(smtpd())
    login(logins)
    assert may_relay(smtpd())
    assert not may_relay(smtpd(TCPREMOTEIP="192.0.2.8"))
    assert may_relay(smtpd(TCPREMOTEIP="::ffff:192.0.2.7"))


def test_login_is_forgotten(home, logins, smtpd):
    login(logins, age=10801)
    assert not may_relay(smtpd())
    login(logins, age=10700)
    assert may_relay(smtpd())
    home.control("opensmtptime", "60\n")
    assert not may_relay(smtpd())


def test_login_ends_the_black_list(logins, smtpd):
    login(logins)
    s = smtpd(BLACKLISTED="la")
    assert s.command("MAIL FROM:<s@x>") == "250 2.1.0 ok"


@pytest.mark.parametrize("ip", [None, "", "unknown", "../logins/192.0.2.7"])
def test_client_without_address_is_nobody(logins, smtpd, ip):
    login(logins)
    assert not may_relay(smtpd(TCPREMOTEIP=ip))


def test_missing_directory_is_logged_and_opens_nothing(home, smtpd):
    home.control("opensmtp", "absent\n")
    s = smtpd()
    assert not may_relay(s)
    assert "control/opensmtp: file does not exist" in s.log()
    home.control("opensmtp", "\n")
    assert not may_relay(smtpd())


def test_bad_opensmtptime(home, logins, smtpd):
    home.control("opensmtptime", "soon\n")
    s = smtpd(greet=False)
    assert s.line() == b"421 4.3.0 unable to read controls"
    assert "control/opensmtptime line 1: not a number" in s.log()
