"""control/hangupmemory: a client that hangs up and sends again."""
import os
import re
import struct
import time

import pytest

import queue_tools
from home import make_dirs, wait_for, write_file
from smtpd_driver import Smtpd

RECORD = struct.Struct("16sqq")
HEADER = 64
MESSAGE = ("Received: from a by b; {when}\r\nMessage-ID:\r\n <1@x.example>\r\n"
           "Subject: {subject}\r\n\r\n{body}\r\n.\r\n")
# Takes the message, waits to be told, and only then queues it: a filter that
# needs longer than the client has patience for.
SLOW = """#!/bin/sh
cat >"$WORK/message.$$"
cat <&1 >"$WORK/envelope.$$"
if [ -e "$WORK/slow" ]; then
	touch "$WORK/taken"
	read -r go <"$WORK/fifo"
fi
bin/qmail-queue <"$WORK/message.$$" 1<"$WORK/envelope.$$"
exit $?
"""


class Site:
    def __init__(self, home):
        self.home = home
        self.work = make_dirs(home.file("work"))
        os.mkfifo(os.path.join(self.work, "fifo"))
        os.chmod(os.path.join(self.work, "fifo"), 0o666)
        self.env = {"QMAILQUEUE": write_file(home.file("slow"), SLOW, 0o755),
                    "WORK": self.work, "QQDIR": None}
        make_dirs(home.file("cache", "hangup"), 0o700)
        self.table = home.file("cache", "hangup", "messages")
        home.control("hangupmemory", "3600\n")
        home.control("dottimeout", "300\n")

    def client(self, env=None):
        return Smtpd(self.home, {**self.env, **(env or {})})

    def begin(self, client, sender="s@x.example", rcpts=("r@a.example",),
              when="now", subject="x", body="text", message=MESSAGE):
        client.open_message(sender, *rcpts)
        client.send(message.format(when=when, subject=subject, body=body))

    def send(self, env=None, **more):
        """Another session, to its good end."""
        client = self.client(env)
        self.begin(client, **more)
        said = client.reply()
        client.command("QUIT")
        client.exit_code()
        self.log = client.log()
        client.close()
        return said

    def hang_up(self, env=None, **more):
        """The client goes when its patience ends, and then it is queued."""
        slow = os.path.join(self.work, "slow")
        write_file(slow, "")
        client = self.client(env)
        self.begin(client, **more)
        wait_for(lambda: os.path.exists(os.path.join(self.work, "taken")),
                 "the slow filter")
        client.socket.close()
        os.unlink(slow)
        os.unlink(os.path.join(self.work, "taken"))
        with open(os.path.join(self.work, "fifo"), "w") as f:
            f.write("go\n")
        client.exit_code()

    def queued(self):
        return len(queue_tools.messages(self.home))

    def records(self):
        if not os.path.exists(self.table):
            return []
        with open(self.table, "rb") as f:
            data = f.read()[HEADER:]
        return [(HEADER + i, *r[1:]) for i, r in zip(
            range(0, len(data), RECORD.size), RECORD.iter_unpack(data))
            if r[1] or r[2]]

    def age(self, seconds):
        with open(self.table, "r+b") as f:
            for at, qp, when in self.records():
                f.seek(at + 16)
                f.write(struct.pack("qq", qp, when - seconds))


@pytest.fixture
def site(home):
    return Site(home)


def test_client_that_hangs_up_is_served_once(site):
    """As after 240 s: gone before the commit, and here again 5 min later."""
    site.hang_up()
    assert site.queued() == 1
    (_, qp, when), = site.records()
    assert abs(when - time.time()) < 3600
    site.age(300)
    said = site.send(when="later")
    assert re.fullmatch(rf"250 2\.6\.0 ok \d+ qp {qp}", said)
    assert f"hangupmemory: queued before as qp {qp}, not again" in site.log
    assert site.queued() == 1
    # It has heard now: once more is meant so.
    assert site.records() == []
    assert site.send() != said
    assert site.queued() == 2


def test_again_and_again(site):
    site.hang_up()
    for _ in range(2):
        client = site.client()
        site.begin(client)
        wait_for(lambda: "not again" in client.log(), "the second attempt")
        client.vanish()
    assert site.queued() == 1 and len(site.records()) == 1
    site.send()
    assert site.queued() == 1 and site.records() == []


def test_off_by_default(site):
    site.home.control("hangupmemory", None)
    site.hang_up()
    site.send()
    assert site.queued() == 2
    assert not os.path.exists(site.table)


def test_what_makes_another_message(site):
    site.hang_up()
    others = [{"sender": "t@x.example"}, {"rcpts": ("q@a.example",)},
              {"rcpts": ("r@a.example", "q@a.example")}, {"body": "text "},
              {"message": MESSAGE.replace("1@x", "2@x")},
              {"message": MESSAGE.replace("Message-ID", "X-ID")}]
    for number, more in enumerate(others, 2):
        site.send(**more)
        assert site.queued() == number, more
    site.send(when="other", subject="other")
    assert site.queued() == len(others) + 1


def test_delivered_elsewhere_is_another_message(site):
    """$RCPTTOFIXED: those who were named have not got the first one."""
    site.hang_up(env={"RCPTTOFIXED": "fixed@a.example"})
    site.send()
    assert site.queued() == 2
    site.send(env={"RCPTTOFIXED": "fixed@a.example"})
    assert site.queued() == 2


def test_without_message_id_nothing_is_remembered(site):
    for message in ("Subject: x\r\n\r\ntext\r\n.\r\n", ".\r\n",
                    "\r\nMessage-ID: <1@x>\r\n.\r\n"):
        before = site.queued()
        site.hang_up(message=message)
        assert site.records() == []
        site.send(message=message)
        assert site.queued() == before + 2


def test_memory_ends(site):
    site.hang_up()
    site.age(3601)
    site.send()
    assert site.queued() == 2
    site.hang_up()
    site.age(-3600)  # the clock was put back: nothing is known
    site.send()
    assert site.queued() == 4


def test_clients_that_have_heard_are_forgotten(site):
    client = site.client()
    for _ in range(2):
        site.begin(client)
        assert client.reply().startswith("250 2.6.0")
        wait_for(site.records, "the record")
        assert client.command("NOOP") == "250 2.0.0 ok"
        assert site.records() == []
    client.close()
    assert site.queued() == 2


def test_commands_sent_ahead_prove_nothing(site):
    client = site.client()
    site.begin(client, message=MESSAGE + "QUIT\r\n")
    assert client.reply().startswith("250 2.6.0")
    client.exit_code()
    client.close()
    assert len(site.records()) == 1
    site.send()
    assert site.queued() == 1


def test_refused_messages_are_not_remembered(site):
    site.home.control("databytes", "100\n")
    assert site.send(body="x" * 200).startswith("552")
    assert site.records() == []
    site.home.control("databytes", None)
    site.env["QMAILQUEUE"] = "/bin/false"
    assert site.send().startswith("451")
    assert site.records() == []


def test_table_that_is_none_costs_the_protection_only(site):
    for harm in (lambda: write_file(site.table, "x" * 100),
                 lambda: os.rmdir(os.path.dirname(site.table))):
        harm()
        before = site.queued()
        site.hang_up()
        assert site.send().startswith("250 2.6.0")
        assert "hangupmemory: cache/hangup/messages: " in site.log
        assert site.queued() == before + 2
        if os.path.exists(site.table):
            os.unlink(site.table)


def test_broken_control_is_logged(site):
    site.home.control("hangupmemory", "soon\n")
    assert site.send().startswith("250 2.6.0")
    assert "control/hangupmemory line 1: not a number" in site.log


def test_table_is_bounded(site):
    site.hang_up()
    assert os.stat(site.table).st_size == HEADER + 4096 * RECORD.size
    assert os.stat(site.table).st_mode & 0o777 == 0o600
