"""Recipients judged by a whole mail server: under a real tcpserver, whose
rules say who the client is, what is accepted is delivered, once, and what is
refused is not."""
import os
import shutil
import smtplib
import socket
import subprocess
import time

import pytest

from home import (DEADLINE, ids_arguments, make_dirs, wait_for, write_file)
from smtpd_driver import Smtpd

pytestmark = pytest.mark.skipif(
    shutil.which("tcpserver") is None, reason="tcpserver is not installed")

MEMORY_MAX = 4096  # KiB


def rules(home, text):
    """A tcprules database; the options that make tcpserver use it."""
    path = home.file("control", "smtpd.cdb")
    subprocess.run(["tcprules", path, path + ".tmp"], input=text.encode(),
                   check=True, timeout=DEADLINE, **ids_arguments())
    return ("-x", path)


def session(port):
    s = smtplib.SMTP("127.0.0.1", port, "client.example", timeout=DEADLINE)
    s.ehlo()
    return s


def send(port, sender, *recipients):
    """Reply codes and texts of MAIL, each RCPT and the message."""
    with session(port) as s:
        said = [s.mail(sender)]
        said += [s.rcpt(r) for r in recipients]
        said.append(s.data("Subject: x\r\n\r\nhello\r\n")
                    if any(c == 250 for c, _ in said[1:]) else None)
    return [x if x is None else f"{x[0]} {x[1].decode()}" for x in said]


def deliveries(home, name="joe"):
    return len(home.user_messages(name))


@pytest.fixture
def served(home):
    """A home that delivers to joe, spam and all, and refuses the rest."""
    for name in ("joe", "spam", "all"):
        home.add_user(name, "./Maildir/\n")
    write_file(home.file("home", "joe", ".qmail-yes"), "./Maildir/\n")
    home.control("realrcptto", "1\n")
    home.start()
    home.spawn([os.path.join(home.bin, "qmail-realrcpt")])
    wait_for(lambda: answers(home), "qmail-realrcpt")
    return home


def answers(home):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        try:
            s.connect(home.file("run", "realrcpt"))
            return True
        except ConnectionRefusedError:  # it does not listen yet
            return False


def test_only_real_mailboxes_get_mail(served):
    port = served.smtpd()
    said = send(port, "s@x.example", "joe@a.example", "joe-yes@a.example",
                "joe-no@a.example", "nobody@a.example", "joe@far.example")
    bad = "550 5.1.1 sorry, no mailbox here by that name."
    assert said[1:3] == ["250 2.1.5 ok"] * 2
    assert said[3:5] == [bad, bad]
    assert said[5].startswith("553 5.7.1 ")
    assert said[6].startswith("250 2.6.0 ok ")
    served.wait_log("end msg")
    served.wait_empty()
    assert deliveries(served) == 2
    assert "failure" not in served.log()
    assert "bounce" not in served.log()


def test_spammers_feed_one_mailbox(served):
    options = rules(served, '127.:allow,BLACKLISTED="<spam@a.example>"\n')
    port = served.smtpd(options=options)
    said = send(port, "s@x.example", "joe@a.example", "x@far.example")
    assert said[:3] == ["250 2.1.0 welcome spammer :)",
                        "250 2.1.5 I feed spamassassin now!",
                        "250 2.1.5 I feed spamassassin now!"]
    served.wait_log("end msg")
    served.wait_empty()
    assert (deliveries(served, "spam"), deliveries(served)) == (1, 0)


def test_one_mailbox_for_all(served):
    options = rules(served, '127.:allow,RCPTTOFIXED="all@a.example"\n')
    port = served.smtpd(options=options)
    said = send(port, "s@x.example", "joe@a.example", "joe-no@a.example")
    assert said[1] == "250 2.1.5 ok" and said[2].startswith("550 5.1.1 ")
    served.wait_log("end msg")
    served.wait_empty()
    assert (deliveries(served, "all"), deliveries(served)) == (1, 0)


def test_login_by_pop3_opens_the_relay(served):
    served.control("opensmtp", "logins\n")
    logins = make_dirs(served.file("logins"))
    port = served.smtpd()
    with session(port) as s:
        s.mail("s@x.example")
        assert s.rcpt("x@far.example")[0] == 553
    write_file(os.path.join(logins, "127.0.0.1"), "")
    with session(port) as s:
        s.mail("s@x.example")
        assert s.rcpt("x@far.example")[0] == 250
    os.utime(os.path.join(logins, "127.0.0.1"), (time.time() - 20000,) * 2)
    with session(port) as s:
        s.mail("s@x.example")
        assert s.rcpt("x@far.example")[0] == 553


def test_program_judges_recipients(served):
    judge = write_file(
        served.file("judge"), "#!/bin/sh\n"
        'case $SENDER/$RECIPIENT in\ngrey@*) exit 112;;\n'
        '*/joe-yes@*) exit 22;;\n*/spam@*) exit 111;;\nesac\n', 0o755)
    served.control("rcptcheck", judge + "\n")
    port = served.smtpd()
    said = send(port, "s@x.example", "joe-yes@a.example", "joe@a.example")
    assert said[1:3] == ["452 4.2.2 mailbox full", "250 2.1.5 ok"]
    served.wait_log("end msg")
    with session(port) as s:
        s.mail("grey@x.example")
        assert s.rcpt("joe@a.example") == (
            421, b"4.3.0 unable to verify recipient/sender (greylisting)")
        assert s.noop()[0] == 250
    with session(port) as s:
        s.mail("s@x.example")
        assert s.rcpt("spam@a.example")[0] == 421
        with pytest.raises(smtplib.SMTPServerDisconnected):
            s.noop()
    served.wait_empty()
    assert deliveries(served) == 1


# -- memory --------------------------------------------------------------
@pytest.mark.skipif(bool(os.environ.get("SANITIZE")),
                    reason="sanitizers need memory of their own")
def test_memory_with_all_recipient_checks(home):
    home.add_user("joe")
    home.assignments += [f"+:alias:{os.stat(home.path).st_uid}:"
                         f"{os.stat(home.path).st_gid}:"
                         f"{home.file('alias')}:-::"]
    home.write_assignments()
    home.control("validrcptto", "@a.example\n")
    home.control("realrcptto", "1\n")
    home.control("rcptcheck", "true\n")
    home.run("qmail-newvrt", check=True)
    s = Smtpd(home)
    s.command("MAIL FROM:<a@b>")
    for block in range(20):
        said = s.command(*[f"RCPT TO:<{'x-' * 300}{block}-{i}@a.example>"
                           for i in range(100)])
        assert {r[:3] for r in said} == {"550"}
    for i in range(100):
        assert s.command("RCPT TO:<joe@a.example>")[:3] == "250"
    assert s.peak_memory() < MEMORY_MAX
    s.close()
