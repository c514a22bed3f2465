"""mfcheck and mxblacklist: a real name server, hostile ones, exchangers."""
import os
import shutil
import smtplib
import stat
import threading
import time

import pytest

import home as home_module
from home import DEADLINE, make_dirs, wait_for, write_file
from remote_dns import (A, MX, Dnsmasq, NetThread, ScriptedDns, answer,
                        mx, question, record)
from remote_peers import CLOSE, RESET, STALL, Peer
from smtpd_driver import Queue, Smtpd, replay

OK = "250 2.1.5 ok"
NO_EXCHANGER = "550 5.1.8 bad sender's system address, no mail exchanger"
DNS_FAILURE = "451 4.4.3 temporary failure in DNS"
LISTED = "451 4.1.8 bad sender's system address, your mx is blacklisted!"
UNREADABLE = "451 4.3.0 unable to read controls"
UNDELAYED = {"NO_TARPITTING": "1"}
MANY = 50
PATIENT = 100  # seconds of mfchecktimeout that no test waits for
HERE = os.path.dirname(os.path.abspath(__file__))

ZONE = [
    "--mx-host=mx.example,one.example,10",
    "--host-record=one.example,192.0.2.1",
    "--host-record=two.example,192.0.2.2",
    "--host-record=three.example,192.0.2.3",
    "--host-record=four.example,192.0.2.4",
    "--host-record=a-only.example,192.0.2.1",
    "--host-record=v6-only.example,2001:db8::6",
    "--mx-host=six.example,v6-only.example,10",
    "--cname=alias.example,a-only.example",
    "--cname=mxalias.example,mx.example",
    "--dns-rr=null.example,15,000000",
    "--dns-rr=mixed.example,15,000000",
    "--mx-host=mixed.example,two.example,10",
    "--txt-record=nothing.example,x",
    "--mx-host=lost.example,nowhere.example,10",
    "--mx-host=order.example,two.example,20",
    "--mx-host=order.example,one.example,10",
    "--mx-host=order.example,three.example,30",
    "--mx-host=order.example,four.example,40",
    "--host-record=loop.example,127.0.0.1",
    "--mx-host=listed.example,loop.example,10",
    "--mx-host=listed.example,ten.example,20",
    "--host-record=ten.example,10.1.2.3,2001:db8:bad::1",
    "--mx-host=half.example,loop.example,10",
    "--mx-host=half.example,two.example,20",
    "--mx-host=zero.example,any.example,10",
    "--host-record=any.example,0.0.0.0",
    "--mx-host=inside.example,loop.example,10",
    "--mx-host=inside.example,private.example,20",
    "--mx-host=inside.example,two.example,30",
    "--host-record=private.example,10.1.2.4",
] + [option for i in range(MANY) for option in (
    # Too much for a datagram: the answer is truncated.
    f"--mx-host=many.example,{'x' * 40}{i}.many.example,{i}",
    f"--host-record={'x' * 40}{i}.many.example,10.9.0.{i}")]


@pytest.fixture(scope="module")
def dnsmasq():
    if not os.path.exists("/usr/sbin/dnsmasq"):
        pytest.skip("no dnsmasq")
    server = Dnsmasq(*ZONE)
    yield server
    server.stop()


@pytest.fixture
def site(home, dnsmasq):
    """A home that checks by the real name server."""
    home.control("mfcheck", "1\n")
    home.control("mfchecktimeout", f"{PATIENT}\n")
    home.control("dnsservers", f"127.0.0.1:{dnsmasq.port}\n")
    return home


@pytest.fixture
def scripted(home):
    servers = []

    def start(reply, seconds=PATIENT):
        servers.append(ScriptedDns(reply))
        home.control("mfcheck", "1\n")
        home.control("mfchecktimeout", f"{seconds}\n")
        home.control("dnsservers", f"127.0.0.1:{servers[-1].port}\n")
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def rcpt(home, sender, recipient="r@a.example", env=None):
    """What RCPT is answered after a MAIL that must be accepted."""
    client = Smtpd(home, {**UNDELAYED, **(env or {})})
    mail, said = client.command(f"MAIL FROM:<{sender}>",
                                f"RCPT TO:<{recipient}>")
    assert mail == "250 2.1.0 ok"
    client.close()
    return said


# -- mfcheck 1: the DNS --------------------------------------------------

@pytest.mark.parametrize("domain, said", [
    ("mx.example", OK), ("MX.Example", OK), ("mx.example.", OK),
    ("a-only.example", OK), ("v6-only.example", OK), ("six.example", OK),
    ("alias.example", OK), ("mxalias.example", OK), ("many.example", OK),
    ("mixed.example", OK), ("lost.example", OK),
    ("[192.0.2.9]", OK), ("[IPv6:2001:db8::9]", OK),
    ("gone.example", NO_EXCHANGER), ("nothing.example", NO_EXCHANGER),
    ("null.example", NO_EXCHANGER), ("[0.0.0.0]", NO_EXCHANGER),
    ("[nonsense]", NO_EXCHANGER), ("..", NO_EXCHANGER),
    ("x" * 64 + ".example", NO_EXCHANGER), ("ö.(example", NO_EXCHANGER),
    ("other.test", DNS_FAILURE)])
def test_domains(site, domain, said):
    assert rcpt(site, f"s@{domain}") == said


def test_sender_without_domain(site):
    assert rcpt(site, "user") == NO_EXCHANGER


def test_off_by_default_and_for_bounces(site):
    assert rcpt(site, "") == OK
    site.control("mfcheck", None)
    assert rcpt(site, "s@gone.example") == OK


def test_environment_overrides(site):
    assert rcpt(site, "s@gone.example", env={"MFCHECK": "0"}) == OK
    site.control("mfcheck", "0\n")
    assert rcpt(site, "s@gone.example", env={"MFCHECK": "1"}) == NO_EXCHANGER


def test_who_is_not_checked(site):
    assert rcpt(site, "s@gone.example", "postmaster") == OK
    assert rcpt(site, "s@gone.example", "PostMaster@a.example") == OK
    assert rcpt(site, "s@gone.example", env={"RELAYCLIENT": ""}) == OK


def test_good_senders_are_not_asked_about(site):
    site.control("goodmailfrom", "@gone\\.example$\n")
    site.control("mxblacklist", NETS)
    assert rcpt(site, "s@gone.example") == OK
    site.control("goodmailfrom", "listed\n")
    assert rcpt(site, "s@gone.example") == NO_EXCHANGER
    assert rcpt(site, "s@listed.example") == OK


def test_relay_is_decided_first(site):
    assert rcpt(site, "s@gone.example", "r@far.example").startswith(
        "553 5.7.1 sorry, that domain")


def test_all_recipients_of_a_message_but_not_the_next(site):
    client = Smtpd(site)
    assert client.command(
        "MAIL FROM:<s@gone.example>", "RCPT TO:<r@a.example>",
        "RCPT TO:<postmaster@a.example>", "RCPT TO:<q@a.example>",
        "MAIL FROM:<s@mx.example>", "RCPT TO:<r@a.example>")[1:] == [
            NO_EXCHANGER, OK, NO_EXCHANGER, "250 2.1.0 ok", OK]
    client.close()


@pytest.mark.parametrize("name, text", [
    ("mfcheck", "yes\n"), ("mfcheck", "3\n"), ("mfchecktimeout", "0\n"),
    ("mxblacklist", "127.0.0.1\n10.0.0.0/33\n"), ("mxblacklist", "host\n"),
    ("mfcheck", b"1\0\n")])
def test_broken_controls(site, name, text):
    site.control(name, text)
    client = Smtpd(site)
    assert client.command("MAIL FROM:<s@mx.example>",
                          "RCPT TO:<r@a.example>")[1] == UNREADABLE
    assert f"control/{name}" in client.log()
    client.close()


def test_broken_server_list(site):
    site.control("dnsservers", "nonsense\n")
    assert rcpt(site, "s@mx.example") == DNS_FAILURE
    assert rcpt(site, "s@[192.0.2.9]") == OK


def test_modes(site):
    site.control("checks", "mfcheck:watch\n")
    client = Smtpd(site)
    assert client.command("MAIL FROM:<s@gone.example>",
                          "RCPT TO:<r@a.example>")[1] == OK
    assert f"WATCH: mfcheck: {NO_EXCHANGER}" in client.log()
    client.close()
    site.control("checks", "mfcheck:off\n")
    assert rcpt(site, "s@gone.example") == OK


# -- what name servers do ------------------------------------------------

@pytest.mark.parametrize("rcode, said", [
    (1, DNS_FAILURE), (2, DNS_FAILURE), (3, NO_EXCHANGER), (4, DNS_FAILURE),
    (5, DNS_FAILURE)])
def test_error_codes(home, scripted, rcode, said):
    scripted(lambda q, tcp: answer(q, rcode=rcode))
    assert rcpt(home, "s@x.example") == said


def test_silence_ends_in_time(home, scripted):
    scripted(lambda q, tcp: None, 1)
    assert rcpt(home, "s@x.example") == DNS_FAILURE


def test_silence_about_addresses(home, scripted):
    scripted(lambda q, tcp: answer(q) if question(q)[1] == MX else None, 1)
    assert rcpt(home, "s@x.example") == DNS_FAILURE


def test_one_question_is_enough(home, scripted):
    server = scripted(lambda q, tcp: answer(
        q, [record(b"\xc0\x0c", MX, mx(1, "m.example"))]))
    assert rcpt(home, "s@x.example") == OK
    assert server.queries == [("x.example", MX, False)]


def test_nobody_is_asked_without_a_recipient_of_ours(home, scripted):
    server = scripted(lambda q, tcp: answer(q, rcode=3))
    rcpt(home, "s@x.example", "r@far.example")
    rcpt(home, "s@x.example", "postmaster@a.example")
    assert server.queries == []


def test_edns_is_offered_and_not_insisted_on(home, scripted):
    asked = []

    def reply(query, tcp):
        asked.append(query[11])
        if query[11]:
            return query[:2] + b"\x81\x81" + bytes(8)
        return answer(query, rcode=3)

    scripted(reply)
    assert rcpt(home, "s@x.example") == NO_EXCHANGER
    assert asked == [1, 0]


@pytest.mark.parametrize("sender", [
    '"a@b>c.example"', '"a@<c.example"', '"a@b> NOTIFY=NEVER"'])
def test_sender_that_does_not_fit_into_smtp(home, scripted, sender):
    server = scripted(lambda q, tcp: answer(
        q, [record(b"\xc0\x0c", MX, mx(1, "m.example"))]))
    assert rcpt(home, sender) == NO_EXCHANGER
    assert server.queries == []


def test_truncation_leads_to_tcp(home, scripted):
    def reply(query, tcp):
        if not tcp:
            return answer(query, flags=0x8380)
        return answer(query, [
            record(b"\xc0\x0c", MX, mx(i, f"m{i}.{'x' * 60}.example"))
            for i in range(200)])

    server = scripted(reply)
    assert rcpt(home, "s@x.example") == OK
    assert [q[2] for q in server.queries] == [False, True]


@pytest.mark.parametrize("harm", [
    lambda q: b"", lambda q: bytes(600), lambda q: q[:11],
    lambda q: answer(q, counts=(1, 65535, 0, 0)),
    lambda q: answer(q, [record(b"\xc0\x0c", MX, b"\0\1\xc0\x2c")]),
    lambda q: answer(q, [record(b"\xc0\x0c", MX, b"\0")]),
    lambda q: answer(q, query_id=bytes([q[0] ^ 1, q[1]]))])
def test_hostile_answers(home, scripted, harm):
    scripted(lambda q, tcp: harm(q), 1)
    assert rcpt(home, "s@x.example") == DNS_FAILURE


# -- mxblacklist ---------------------------------------------------------

NETS = "# nobody's\n127.0.0.0/8\n10.0.0.0/8\n2001:db8:bad::/48\n"


@pytest.mark.parametrize("domain, said", [
    ("listed.example", LISTED), ("loop.example", LISTED),
    ("many.example", LISTED), ("[10.1.1.1]", LISTED),
    ("half.example", OK), ("mx.example", OK), ("six.example", OK),
    ("lost.example", OK), ("other.test", DNS_FAILURE),
    ("gone.example", NO_EXCHANGER)])
def test_blacklist(site, domain, said):
    site.control("mxblacklist", NETS)
    assert rcpt(site, f"s@{domain}") == said


def test_blacklist_alone(site):
    site.control("mfcheck", "0\n")
    site.control("mxblacklist", NETS)
    assert rcpt(site, "s@listed.example") == LISTED
    assert rcpt(site, "s@gone.example") == OK
    assert rcpt(site, "s@gone.example", "postmaster") == OK
    assert rcpt(site, "") == OK
    assert rcpt(site, "s@listed.example", env={"RELAYCLIENT": ""}) == OK
    site.control("mxblacklist", "# nothing\n\n")
    site.control("dnsservers", "127.0.0.1:1\n")
    assert rcpt(site, "s@listed.example") == OK


def test_blacklist_of_one_address_and_one_net(site):
    site.control("mxblacklist", "127.0.0.1\n10.1.2.3/32\n")
    assert rcpt(site, "s@loop.example") == LISTED
    # ten.example has an IPv6 address that is not listed.
    assert rcpt(site, "s@listed.example") == OK
    site.control("mxblacklist", "127.0.0.1\n10.1.2.3/32\n::/0\n")
    assert rcpt(site, "s@listed.example") == LISTED


def test_blacklist_modes(site):
    site.control("mxblacklist", NETS)
    site.control("checks", "mxblacklist:watch\n")
    client = Smtpd(site)
    assert client.command("MAIL FROM:<s@listed.example>",
                          "RCPT TO:<r@a.example>")[1] == OK
    assert f"WATCH: mxblacklist: {LISTED}" in client.log()
    client.close()
    site.control("checks", "mxblacklist:off\n")
    assert rcpt(site, "s@listed.example") == OK


def test_blacklist_with_half_an_answer(home, scripted):
    """What the DNS does not tell may be an address that is not listed."""
    def reply(query, tcp):
        host, kind, _ = question(query)
        if kind == MX:
            return answer(query, [
                record(b"\xc0\x0c", MX, mx(1, "a.example")),
                record(b"\xc0\x0c", MX, mx(2, "b.example"))])
        if host == "a.example" and kind == A:
            return answer(query, [record(b"\xc0\x0c", A, b"\x7f\0\0\1")])
        return answer(query, rcode=0 if host == "a.example" else 2)

    scripted(reply)
    home.control("mxblacklist", "127.0.0.1\n")
    assert rcpt(home, "s@x.example") == DNS_FAILURE


# -- mfcheck 2: the callback ---------------------------------------------

@pytest.fixture(scope="module")
def net_thread():
    if not home_module.ROOT or not os.path.exists("/usr/sbin/dnsmasq"):
        pytest.skip("needs root and dnsmasq")
    thread = NetThread()
    if thread.error is not None:
        pytest.skip(thread.error)
    server = thread.run(lambda: Dnsmasq(*ZONE, port=5353))
    yield thread
    server.stop()
    thread.stop()


class Net:
    """qmail-smtpd and exchangers on port 25 in a network of their own."""

    def __init__(self, thread, home):
        self.thread, self.home, self.peers = thread, home, []
        self.cache = home.file("cache", "mfcheck")

    def peer(self, address="192.0.2.1", **answers):
        peer = self.thread.run(lambda: Peer(address, 25, **answers))
        self.peers.append(peer)
        return peer

    def client(self, env=None):
        return self.thread.run(lambda: Smtpd(
            self.home, UNDELAYED if env is None else env))

    def rcpt(self, sender, env=None):
        return self.thread.run(lambda: rcpt(self.home, sender, env=env))

    def entries(self):
        return sorted(n for n in os.listdir(self.cache) if "." not in n)

    def age(self, seconds):
        """As if so many seconds had gone by."""
        for name in self.entries():
            path = os.path.join(self.cache, name)
            when = os.stat(path).st_mtime - seconds
            os.utime(path, (when, when))


@pytest.fixture
def net(net_thread, home):
    home.control("mfcheck", "2\n")
    home.control("mfchecktimeout", f"{PATIENT}\n")
    home.control("dnsservers", "127.0.0.1:5353\n")
    home.control("helohost", "checker.example\n")
    make_dirs(home.file("cache", "mfcheck"), 0o700)
    made = Net(net_thread, home)
    yield made
    for peer in made.peers:
        peer.stop()


def failed(sender):
    return ("550 5.1.8 bad sender's mailbox address, "
            f"RCPT TO:<{sender}> failed")


def test_conversation(net):
    peer = net.peer()
    assert net.rcpt("s@mx.example") == OK
    peer.wait_quit()
    assert peer.commands == [b"HELO checker.example", b"MAIL FROM:<>",
                             b"RCPT TO:<s@mx.example>", b"QUIT"]
    assert peer.messages == []


@pytest.mark.parametrize("answers, refused", [
    ({"RCPT": b"250 2.1.5 ok\r\n"}, False),
    ({"RCPT": b"251 will forward\r\n"}, False),
    ({"RCPT": b"450 4.2.0 greylisted\r\n"}, False),
    ({"RCPT": b"354 odd\r\n"}, False),
    ({"RCPT": b"550 no such user\r\n"}, True),
    ({"RCPT": b"554-no\r\n554 never\r\n"}, True),
    ({"RCPT": b"599 no\n"}, True),
    ({"RCPT": b"550\r\n"}, True),
    ({"RCPT": b"what?\r\n"}, False),
    ({"RCPT": b"5500 no\r\n"}, False),
    ({"RCPT": b"650 no\r\n"}, False),
    ({"RCPT": b"550-no\r\n"}, False),
    ({"RCPT": bytes(range(256)) * 40 + b"\r\n"}, False),
    ({"RCPT": CLOSE}, False), ({"RCPT": RESET}, False),
    ({"MAIL": b"550 no bounces\r\n"}, False),
    ({"MAIL": b"451 later\r\n"}, False), ({"MAIL": CLOSE}, False),
    ({"HELO": b"550 who?\r\n"}, False), ({"HELO": CLOSE}, False),
    ({"greeting": b"554 no\r\n"}, False), ({"greeting": b"junk\r\n"}, False),
    ({"greeting": CLOSE}, False), ({"greeting": RESET}, False)],
    ids=range(24))
def test_answers(net, answers, refused):
    if not refused:  # some of these leave us waiting for more
        net.home.control("mfchecktimeout", "2\n")
    net.peer(**answers)
    assert net.rcpt("s@mx.example") == (
        failed("s@mx.example") if refused else OK)


@pytest.mark.parametrize("step", ["greeting", "HELO", "MAIL", "RCPT"])
def test_hanging_exchanger(net, step):
    net.home.control("mfchecktimeout", "2\n")
    net.peer(**{step: STALL})
    assert net.rcpt("s@mx.example") == OK


def test_dripping_and_endless_exchangers(net):
    net.home.control("mfchecktimeout", "2\n")

    def drip(connection):
        while True:  # until the client has gone
            connection.sendall(b"2")
            time.sleep(0.1)

    def flood(connection):
        while True:
            connection.sendall(b"550-x\r\n" * 1000)

    net.peer(greeting=drip)
    net.peer("192.0.2.2", RCPT=flood)
    client = net.client()
    assert client.command("MAIL FROM:<s@order.example>",
                          "RCPT TO:<r@a.example>")[1] == OK
    if not os.environ.get("SANITIZE"):
        assert client.peak_memory() < 4096
    client.close()


def test_nobody_there(net):
    assert net.rcpt("s@mx.example") == OK
    assert net.rcpt("s@lost.example") == OK
    assert net.rcpt("s@zero.example") == OK


def test_next_exchanger_is_asked(net):
    one = net.peer("192.0.2.1", greeting=b"421 busy\r\n")
    two = net.peer("192.0.2.2", RCPT=b"550 no\r\n")
    assert net.rcpt("s@order.example") == failed("s@order.example")
    assert one.sessions == two.sessions == 1


def test_next_exchanger_has_time_left(net):
    net.peer("192.0.2.1", greeting=STALL)
    two = net.peer("192.0.2.2", RCPT=b"550 no\r\n")
    for seconds in (4, 20, PATIENT):  # a slow machine may need more
        sender = f"s{seconds}@order.example"
        net.home.control("mfchecktimeout", f"{seconds}\n")
        said = net.rcpt(sender)
        if "RCPT" in two.steps:
            break
    assert said == failed(sender)


def test_first_answer_is_final(net):
    net.peer("192.0.2.1", RCPT=b"450 later\r\n")
    two = net.peer("192.0.2.2", RCPT=b"550 no\r\n")
    assert net.rcpt("s@order.example") == OK
    assert two.sessions == 0


def test_exchangers_called_are_few(net):
    peers = [net.peer(f"192.0.2.{i}", greeting=b"421 no\r\n")
             for i in (1, 2, 3, 4)]
    assert net.rcpt("s@order.example") == OK
    assert [p.sessions for p in peers] == [1, 1, 1, 0]


def test_listed_exchanger_is_never_called(net):
    net.home.control("mxblacklist", "192.0.2.1\n")
    one = net.peer("192.0.2.1")
    two = net.peer("192.0.2.2", RCPT=b"550 no\r\n")
    assert net.rcpt("s@order.example") == failed("s@order.example")
    assert (one.sessions, two.sessions) == (0, 1)
    assert net.rcpt("s@mx.example") == LISTED
    net.home.control("checks", "mxblacklist:off\n")
    assert net.rcpt("s@mx.example") == OK
    assert one.sessions == 0


def test_nobody_calls_inside(net):
    """Strangers must not make us talk to our own network."""
    inside = [net.peer(ip) for ip in ("127.0.0.1", "127.0.0.2", "fd00::1")]
    senders = ("s@loop.example", "s@[127.0.0.2]", "s@[IPv6:fd00::1]")
    assert [net.rcpt(s) for s in senders] == [OK, OK, OK]
    assert [p.sessions for p in inside] == [0, 0, 0]
    net.peer("192.0.2.2", RCPT=b"550 no\r\n")
    assert net.rcpt("s@inside.example") == failed("s@inside.example")
    assert [p.sessions for p in inside] == [0, 0, 0]


def test_ipv6_only_exchanger_and_literal(net):
    six = net.peer("2001:db8::6", RCPT=b"550 no\r\n")
    net.peer("192.0.2.2", RCPT=b"550 no\r\n")
    assert net.rcpt("s@six.example") == failed("s@six.example")
    assert net.rcpt("s@[IPv6:2001:db8::6]") == failed("s@[IPv6:2001:db8::6]")
    assert six.sessions == 2
    assert net.rcpt("s@[192.0.2.2]") == failed("s@[192.0.2.2]")


def test_sender_is_quoted_or_not_asked_for(net):
    peer = net.peer()
    assert net.rcpt('"a b> c"@mx.example') == OK
    peer.wait_quit()
    assert peer.commands[2] == b'RCPT TO:<"a b> c"@mx.example>'
    assert net.rcpt("ü@mx.example") == OK
    assert peer.sessions == 1


def test_broken_helohost(net):
    net.home.control("helohost", " \n")
    assert net.rcpt("s@mx.example") == UNREADABLE
    net.home.control("helohost", None)
    peer = net.peer()
    assert net.rcpt("s@mx.example") == OK
    peer.wait_quit()
    assert peer.commands[0] == b"HELO a.example"


def test_no_domain_is_not_called(net):
    assert net.rcpt("s@gone.example") == NO_EXCHANGER
    assert net.rcpt("") == OK
    assert net.entries() == []


def test_refusal_is_logged_and_tarpitted(net):
    net.home.control("log/tarpitting", "1\n")
    net.home.control("log/smtp_out", "1\n")
    net.home.control("log/smtp_in", "1\n")
    net.home.control("tarpitdelay", "1\n")
    net.peer(RCPT=b"550-This account doesn't exist or isn't currently\r\n"
             b"550-functioning\x1b[2J\r\n550 so there.\r\n")
    client = net.client({})
    start = time.monotonic()
    client.command("HELO h.example", "MAIL FROM:<s@mx.example>",
                   "RCPT TO:<r@a.example>")
    assert time.monotonic() - start >= 1
    pid = client.process.pid
    # log lines from "RCPT" on
    lines = client.log().split("RCPT TO:<r@a.example>\n")[1].splitlines()
    assert lines == [f"qmail-smtpd: pid {pid} {text}" for text in (
        "BounceTest: 550-This account doesn't exist or isn't currently",
        "BounceTest: 550-functioning\\033[2J",
        "BounceTest: 550 so there.",
        "TARPIT: <s@mx.example> to <r@a.example> | helo(h.example)",
        "S: " + failed("s@mx.example"))]
    client.close()


# -- the cache -----------------------------------------------------------

@pytest.mark.parametrize("reply, said", [
    (b"250 ok\r\n", OK), (b"550 no\r\n", failed("s@mx.example")),
    (b"450 later\r\n", OK), (CLOSE, OK)])
def test_outcomes_are_kept(net, reply, said):
    peer = net.peer(RCPT=reply)
    for sender in ("s@mx.example", "s@MX.EXAMPLE", "s@mx.example"):
        assert net.rcpt(sender).lower() == said.lower()
    assert peer.sessions == 1
    [name] = net.entries()
    assert stat.S_IMODE(os.stat(os.path.join(net.cache, name)).st_mode) == (
        0o600)
    net.rcpt("S@mx.example")
    assert peer.sessions == 2


def test_bounce_test_transcript(net):
    clients = []

    def start(greet, **env):
        clients.append(net.thread.run(lambda: Smtpd(
            net.home, {**UNDELAYED, **env}, greet)))
        return clients[-1]

    net.peer(RCPT=b"550 no such user\r\n")
    replay(os.path.join(HERE, "transcripts", "net", "bounce_test.txt"),
           net.home, start)
    clients[0].close()


def test_kept_refusal_is_logged_again(net):
    net.peer(RCPT=b"550 no such user\r\n")
    net.rcpt("s@mx.example")
    client = net.client()
    assert client.command("MAIL FROM:<s@mx.example>", "RCPT TO:<r@a.example>"
                          )[1] == failed("s@mx.example")
    assert f"pid {client.process.pid} BounceTest: 550 no such user\n" in (
        client.log())
    client.close()


@pytest.mark.parametrize("reply, life", [
    (b"250 ok\r\n", 3600), (b"550 no\r\n", 600), (b"450 later\r\n", 600)])
def test_lifetimes(net, reply, life):
    peer = net.peer(RCPT=reply)
    net.rcpt("s@mx.example")
    net.age(life - 60)
    net.rcpt("s@mx.example")
    assert peer.sessions == 1
    net.age(61)
    net.rcpt("s@mx.example")
    assert peer.sessions == 2
    net.age(-3600)  # from the future
    net.rcpt("s@mx.example")
    assert peer.sessions == 3


def test_mfchecktime(net):
    peer = net.peer(RCPT=b"550 no\r\n")
    net.home.control("mfchecktime", "100 10\n")
    net.rcpt("s@mx.example")
    net.age(11)
    net.rcpt("s@mx.example")
    assert peer.sessions == 2
    net.home.control("mfchecktime", "500 # seconds\n")
    net.age(300)
    net.rcpt("s@mx.example")
    assert peer.sessions == 2
    net.home.control("mfchecktime", "0\n")
    net.rcpt("s@mx.example")
    assert peer.sessions == 3
    net.home.control("mfchecktime", "soon\n")
    assert net.rcpt("s@mx.example") == UNREADABLE


def test_without_a_directory(net):
    shutil.rmtree(net.cache)
    peer = net.peer(RCPT=b"550 no\r\n")
    for _ in range(2):
        assert net.rcpt("s@mx.example") == failed("s@mx.example")
    assert peer.sessions == 2
    assert not os.path.exists(net.cache)


@pytest.mark.parametrize("damage", [
    b"", b"A", b"A 0 t@mx.example\n", b"A 5 s@mx.example\n", b"\0" * 4096,
    b"A 0 s@mx.example", b"X 0 s@mx.example\n", b"A 3 s@mx.example\nabc",
    b"A 0 s@mx.example\nmore\n", b"A " + b"9" * 30 + b" s@mx.example\n",
    b"x" * 100000], ids=range(11))
def test_damaged_entry_tells_nothing(net, damage):
    peer = net.peer(RCPT=b"550 no\r\n")
    net.rcpt("s@mx.example")
    [name] = net.entries()
    path = write_file(os.path.join(net.cache, name), damage, 0o600)
    assert net.rcpt("s@mx.example") == failed("s@mx.example")
    assert peer.sessions == 2
    assert os.stat(path).st_size < 100
    assert net.rcpt("s@mx.example") == failed("s@mx.example")
    assert peer.sessions == 2


@pytest.mark.parametrize("make", [
    os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_strange_entry_is_left_alone(net, make):
    peer = net.peer(RCPT=b"550 no\r\n")
    net.rcpt("s@mx.example")
    [name] = net.entries()
    path = os.path.join(net.cache, name)
    os.unlink(path)
    make(path)
    for _ in range(2):
        assert net.rcpt("s@mx.example") == failed("s@mx.example")
    assert peer.sessions == 3


# -- protection ----------------------------------------------------------

def test_burst_of_one_sender_is_one_callback(net):
    def slowly(connection):
        time.sleep(0.7)
        connection.sendall(b"550 no\r\n")

    peer = net.peer(RCPT=slowly)
    clients = [net.client() for _ in range(6)]
    for client in clients:
        client.send("MAIL FROM:<s@mx.example>\r\nRCPT TO:<r@a.example>\r\n")
    for client in clients:
        assert client.reply() == "250 2.1.0 ok"
        assert client.reply() == failed("s@mx.example")
        client.close()
    assert peer.sessions == 1


def test_callbacks_of_a_session_are_limited(net):
    shutil.rmtree(net.cache)
    peer = net.peer()
    client = net.client()
    for i in range(25):
        assert client.command(f"MAIL FROM:<s{i}@mx.example>",
                              "RCPT TO:<r@a.example>")[1] == OK
    assert peer.sessions == 20
    assert client.log().count("BounceTest: not made, too many") == 5
    client.close()


def test_callbacks_to_an_address_are_limited(net):
    peer = net.peer(RCPT=b"550 no\r\n")
    said = []
    for i in range(4):
        client = net.client()
        for j in range(10):
            said.append(client.command(f"MAIL FROM:<s{i}-{j}@mx.example>",
                                       "RCPT TO:<r@a.example>")[1])
        client.close()
    assert peer.sessions == 30
    assert [s[:3] for s in said] == ["550"] * 30 + ["250"] * 10
    # What was not asked is not remembered.
    for name in os.listdir(net.cache):
        if name.startswith("count."):
            os.unlink(os.path.join(net.cache, name))
    assert net.rcpt("s3-9@mx.example") == failed("s3-9@mx.example")


def test_callbacks_at_once_are_limited(net):
    shutil.rmtree(net.cache)
    make_dirs(net.cache, 0o700)
    gate = threading.Event()

    def stall(connection):
        gate.wait(PATIENT)
        return False

    peers = [net.peer(f"192.0.2.{i}", greeting=stall) for i in (3, 4)]
    clients = [net.client() for _ in range(20)]
    for i, client in enumerate(clients):
        client.send(f"MAIL FROM:<s{i}@[192.0.2.{3 + i % 2}]>\r\n"
                    "RCPT TO:<r@a.example>\r\n")
    made_not = "BounceTest: not made"
    wait_for(lambda: clients[0].log().count(made_not) >= 4, "the others")
    gate.set()
    for client in clients:
        assert client.reply() == "250 2.1.0 ok"
        assert client.reply() == OK
    assert clients[0].log().count(made_not) == 4
    for client in clients:
        client.close()
    assert sum(p.sessions for p in peers) <= 16


def test_files_of_the_cache_are_bounded(net):
    net.peer(RCPT=b"550 no\r\n")
    for i in range(15):
        net.rcpt(f"s{i}@mx.example")
    names = os.listdir(net.cache)
    assert all(len(n.split(".")[-1]) <= 3 for n in names)
    assert all(os.stat(os.path.join(net.cache, n)).st_size <= 3072
               for n in names)


# -- under tcpserver -----------------------------------------------------

@pytest.mark.skipif(shutil.which("tcpserver") is None,
                    reason="tcpserver is not installed")
def test_whole_messages_under_tcpserver(net):
    net.peer("192.0.2.1", RCPT=b"550 no\r\n")
    net.peer("192.0.2.2")
    queue = Queue(net.home)

    def talk():
        port = net.home.smtpd(env={**queue.environment, **UNDELAYED})
        with smtplib.SMTP("127.0.0.1", port, "c.example",
                          timeout=DEADLINE) as client:
            for sender in ("s@mx.example", "s@gone.example"):
                with pytest.raises(smtplib.SMTPRecipientsRefused):
                    client.sendmail(sender, ["r@a.example"], "Subject: no\n")
            assert list(client.sendmail(
                "t@mx.example", ["r@a.example", "postmaster@a.example"],
                "Subject: half\n")) == ["r@a.example"]
            assert client.sendmail("s@mixed.example", ["r@a.example"],
                                   "Subject: yes\n") == {}

    net.thread.run(talk)
    assert [(m[0], m[1]) for m in queue.messages()] == [
        (b"t@mx.example", [b"postmaster@a.example"]),
        (b"s@mixed.example", [b"r@a.example"])]


def test_showctl_names_what_is_broken(home):
    home.control("mxblacklist", "127.0.0.1\n10.0.0.0/33\n")
    home.control("mfchecktime", "soon\n")
    home.control("mfcheck", "3\n")
    said = home.run("qmail-showctl", "--check").stdout.decode()
    for text in ("control/mxblacklist line 2: no IP address",
                 "control/mfchecktime line 1: not one or two numbers",
                 "control/mfcheck line 1: out of range"):
        assert text in said, said
