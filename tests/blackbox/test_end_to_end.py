"""The whole way: SMTP, queue, delivery, POP3, and between two homes."""
import os
import poplib
import re
import smtplib
import subprocess
import time

import pytest

from home import DEADLINE, free_port, wait_for, write_file


def send(port, sender, recipients, body, **more):
    with smtplib.SMTP("127.0.0.1", port, timeout=DEADLINE) as client:
        return client.sendmail(sender, recipients, body, **more)


def poppasswd(home, name, password):
    """An entry for checkpassword without root."""
    crypt = subprocess.run(["openssl", "passwd", "-6", password],
                           capture_output=True, text=True).stdout.strip()
    path = home.file("users", "poppasswd")
    write_file(path, f"{name}:{crypt}:{home.file('home', name)}\n", 0o600)


@pytest.fixture
def pair(make_home):
    """Two homes, a.example and b.example, that route to each other."""
    homes = []
    ports = {"a": free_port(), "b": free_port()}
    for name, other in (("a", "b"), ("b", "a")):
        home = make_home(name)
        home.control("smtproutes",
                     f"{other}.example:127.0.0.1:{ports[other]}\n:[127.0.0.9]:9\n")
        home.start()
        home.smtpd(port=ports[name], env={
            "RELAYCLIENT": "" if name == "a" else None})
        home.port = ports[name]
        homes.append(home)
    return homes


def test_smtp_to_maildir(home):
    home.add_user("joe")
    home.start()
    port = home.smtpd()
    send(port, "sender@x.example", ["joe@a.example"],
         "Subject: one\r\n\r\nhello\r\n.leading dot\r\n")
    home.wait_log("end msg")
    messages = home.user_messages("joe")
    assert len(messages) == 1
    text = messages[0].decode()
    assert text.startswith("Return-Path: <sender@x.example>\n"
                           "Delivered-To: joe@a.example\n"
                           "Received: (qmail ")
    assert text.endswith("Subject: one\n\nhello\n.leading dot\n")
    home.wait_empty()
    log = home.log()
    order = [line.split(":")[0].split()[0] for line in log.splitlines()]
    assert order[:3] == ["status", "new", "info"]
    assert re.search(r"info msg \d+: bytes \d+ from <sender@x.example> "
                     r"qp \d+ uid \d+\n", log)
    assert re.search(r"starting delivery 1: msg \d+ to local joe@a.example\n"
                     r"status: local 1/10 remote 0/20\n", log)
    assert "delivery 1: success: did_1+0+0/\n" in log


def test_smtp_to_pop3(home):
    home.add_user("joe")
    poppasswd(home, "joe", "secret")
    home.start()
    port = home.smtpd()
    send(port, "s@x.example", ["joe@a.example"], "Subject: pop\r\n\r\nbody\r\n")
    home.wait_log("end msg")
    time.sleep(1.1)  # messages of the current second are not listed yet
    home.control("auth/pop3", "63\n")
    pop = poplib.POP3("127.0.0.1", home.pop3d(), timeout=DEADLINE)
    pop.user("joe")
    pop.pass_("secret")
    assert pop.stat()[0] == 1
    _, lines, _ = pop.retr(1)
    assert b"Subject: pop" in lines and b"body" in lines
    pop.dele(1)
    pop.quit()
    wait_for(lambda: not home.user_messages("joe"), "an empty Maildir")


def test_between_two_homes(pair):
    a, b = pair
    b.add_user("joe")
    send(a.port, "ann@a.example", ["joe@b.example"],
         "Subject: across\r\n\r\nfrom a to b\r\n")
    b.wait_log("end msg")
    a.wait_log("end msg")
    assert b"from a to b\n" in b.user_messages("joe")[0]
    assert re.search(r"delivery 1: success: 127\.0\.0\.1_accepted_message\./"
                     r"Remote_host_said:_250_2\.6\.0_ok_\d+_qp_\d+/", a.log())


def test_bounce_comes_back(pair):
    a, b = pair
    a.add_user("ann")
    send(a.port, "ann@a.example", ["nobody-here@b.example"],
         "Subject: lost\r\nX-Mark: 4711\r\n\r\ntext\r\n")
    a.wait_log("to local ann@a.example")
    wait_for(lambda: a.user_messages("ann"), "the bounce in ann's Maildir")
    text = a.user_messages("ann")[0].decode()
    assert text.startswith("Return-Path: <>\n")
    assert "From: MAILER-DAEMON@b.example" in text
    assert "Hi. This is the qmail-send program at b.example." in text
    assert ("<nobody-here@b.example>:\n"
            "Sorry, no mailbox here by that name. (#5.1.1)\n") in text
    assert "X-Mark: 4711" in text
    b.wait_empty()
    a.wait_empty()


QUEUE_BODIES = [
    b"Subject: s\n\n" + part + b"\n"
    for part in (b"a\r.\n", b"a\r\r\n.\r\n", b"\n.\n", b"\r.\r", b".\r\n.\n",
                 b"a\n.\nMAIL FROM:<evil@x>\n", b"a\r.\rMAIL FROM:<evil@x>\r",
                 b"a\r\n.\r\nRCPT TO:<x@y>\r\n", b"...\r\r\r\n\n\n...")]


@pytest.mark.parametrize("number", range(len(QUEUE_BODIES)))
def test_no_smuggling_through_two_homes(pair, number):
    """Whatever bytes are queued at a, b sees exactly one message."""
    a, b = pair
    b.add_user("joe")
    body = QUEUE_BODIES[number]
    read, write = os.pipe()
    message = a.file("message")
    with open(message, "wb") as f:
        f.write(body)
    os.write(write, b"Fann@a.example\0Tjoe@b.example\0\0")
    os.close(write)
    process = a.spawn([a.file("bin", "qmail-queue")],
                      stdin=open(message, "rb"), stdout=read)
    os.close(read)
    assert process.wait(DEADLINE) == 0
    a.wait_log("end msg")
    b.wait_log("end msg")
    b.wait_empty()
    messages = b.user_messages("joe")
    assert len(messages) == 1
    assert b.log().count("new msg") == 1
    assert b"\r" not in messages[0].split(b"\n\n", 1)[1]


def test_takes_over_a_classic_queue(make_home):
    """Unsplit todo, another split: read from the queue itself."""
    home = make_home("old", split=7, todo_split=False)
    home.add_user("joe")
    home.start()
    port = home.smtpd()
    send(port, "s@x.example", ["joe@old.example"], "Subject: x\r\n\r\ny\r\n")
    home.wait_log("end msg")
    assert len(home.user_messages("joe")) == 1
    home.wait_empty()


def test_alias_and_forward(home):
    home.add_user("joe")
    home.add_user("ann", dot_qmail="&joe\n./Maildir/\n")
    home.start()
    port = home.smtpd()
    send(port, "s@x.example", ["ann@a.example", "postmaster@a.example"],
         "Subject: f\r\n\r\ny\r\n")
    wait_for(lambda: home.user_messages("joe"), "the forwarded message")
    wait_for(lambda: home.messages(home.file("alias", "Maildir")),
             "postmaster's message")
    assert b"Delivered-To: ann@a.example\n" in home.user_messages("joe")[0]
    home.wait_empty()
