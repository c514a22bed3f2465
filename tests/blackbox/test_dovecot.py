"""Dovecot beside and behind the suite: the same Maildirs, and LMTP."""
import imaplib
import os
import re

import pytest

import home as h
from dovecot_server import DOVECOT, Dovecot

pytestmark = pytest.mark.skipif(DOVECOT is None, reason="needs Dovecot")
MESSAGE = "From: a@x.example\nSubject: %s\n\n.dot\nbody\n"


def imap(dovecot, user="joe"):
    client = imaplib.IMAP4("127.0.0.1", dovecot.imap, timeout=h.DEADLINE)
    client.login(user, "secret")
    client.select()
    return client


def send(home, recipient, subject="x", sender="s@x.example", size=0):
    done = home.inject(MESSAGE % subject + "z" * 70 * size + "\n", "-a",
                       "-f" + sender, recipient)
    assert done.returncode == 0, done


def test_imap_on_our_maildirs(home):
    """Sizes come from the names, also after a move to cur; the quota file is
    shared; what IMAP expunges makes room again."""
    joe = home.add_user("joe")
    quota = os.path.join(joe, "Maildir", "maildirsize")
    h.write_file(quota, "2000S,100C\n")
    home.start()
    dovecot = Dovecot(home, ["joe"])
    send(home, "joe@a.example", "first")
    send(home, "joe@a.example", "second", size=10)
    home.wait_empty()
    client = imap(dovecot)
    assert client.search(None, "ALL")[1] == [b"1 2"]
    for path in os.listdir(os.path.join(joe, "Maildir", "cur")):
        size = os.stat(os.path.join(joe, "Maildir", "cur", path)).st_size
        assert re.search(rf",S={size}\b", path), path
    body = client.fetch("1", "(RFC822)")[1][0][1]
    assert b"Delivered-To: joe@a.example\r\n" in body
    assert body.endswith(b"\r\n\r\n.dot\r\nbody\r\n\r\n")
    shown = client._simple_command("GETQUOTAROOT", "INBOX")
    assert shown[0] == "OK"
    messages = client._untagged_response("OK", [None], "QUOTA")[1]
    assert b"MESSAGE 2 100" in messages[-1], messages
    # 2000 bytes are not enough for a third one like the second.
    send(home, "joe@a.example", "third", size=20, sender="postmaster@a.example")
    home.wait_log("Mailbox_is_full:_its_quota_is_used_up._(#5.2.2)")
    client.store("2", "+FLAGS", r"(\Deleted)")
    client.expunge()
    client.logout()
    send(home, "joe@a.example", "fourth", size=5)
    home.wait_log("success: did_1+0+0/")
    h.wait_for(lambda: any(b"fourth" in m for m in home.user_messages("joe")),
               "the fourth message")


@pytest.mark.parametrize("how", ["socket", "port"])
def test_lmtp_store(home, how):
    """Dovecot stores; its refusal bounces, and full means bounced."""
    home.add_user("joe")
    home.add_user("sender")
    dovecot = Dovecot(home, ["joe", "ann"])
    where = dovecot.socket if how == "socket" else f"localhost:{dovecot.lmtp}"
    line = f"!lmtp:{where}"
    home_dir = home.file("home", "joe")
    h.write_file(os.path.join(home_dir, ".qmail"), line + "\n")
    h.write_file(os.path.join(home_dir, ".qmail-default"),
                 line + " $DEFAULT@$HOST\n")
    home.maildir(os.path.join(h.make_dirs(home.file("home", "ann")),
                              "Maildir"))
    home.start()
    send(home, "joe@a.example", "plain")
    send(home, "joe-ann@a.example", "renamed")
    send(home, "joe-nobody@a.example", "lost", sender="sender@a.example")
    h.wait_for(lambda: home.user_messages("sender"), "a bounce")
    home.wait_empty()
    stored, = home.user_messages("joe")
    assert stored.startswith(b"Return-Path: <s@x.example>\n")
    assert b"\nDelivered-To: joe@a.example\n" in stored
    assert stored.endswith(b"\n\n.dot\nbody\n\n")
    renamed, = home.user_messages("ann")
    assert b"Subject: renamed\n" in renamed
    bounce, = home.user_messages("sender")
    assert b"<joe-nobody@a.example>:\nLMTP server " in bounce
    assert b"said: 550 5.1.1 <nobody@a.example> User doesn't exist" in bounce
    # Away, it defers; back, it delivers.
    h.stop(dovecot.process)
    send(home, "joe@a.example", "late")
    home.wait_log("deferral: Unable_to_connect_to_LMTP_server_")
    assert len(home.user_messages("joe")) == 1


def test_lmtp_quota(home):
    """Over the quota that Dovecot keeps: a permanent 5.2.2."""
    joe = home.add_user("joe")
    home.add_user("sender")
    h.write_file(os.path.join(joe, "Maildir", "maildirsize"), "1000S\n")
    dovecot = Dovecot(home, ["joe"])
    h.write_file(os.path.join(joe, ".qmail"), f"!lmtp:{dovecot.socket}\n")
    home.start()
    send(home, "joe@a.example", "big", sender="sender@a.example", size=30)
    h.wait_for(lambda: home.user_messages("sender"), "a bounce")
    assert b"said: 552 5.2.2 <joe@a.example>" in home.user_messages(
        "sender")[0]
    assert home.user_messages("joe") == []
