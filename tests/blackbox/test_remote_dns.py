"""qmail-remote's routing: a real name server, hostile ones, other hosts."""
import os
import struct
import subprocess

import pytest

import home as home_module
from remote_dns import (A, AAAA, CNAME, MX, Dnsmasq, NetThread, ScriptedDns,
                        answer, mx, name, question, record)
from remote_peers import CLOSE, PLAIN_EHLO, STALL, Peer, Remote

TEMPORARY = (b"ZSorry, I couldn't find any host by that name. (#4.1.2)\n")
NO_ADDRESS = (b"DSorry, I couldn't find a mail exchanger or IP address. "
              b"(#5.4.4)\n")
SELF = (b"DSorry. Although I'm listed as a best-preference MX or A for that "
        b"host,\nit isn't in my control/locals file, so I don't treat it as "
        b"local. (#5.4.6)\n")
NO_CONNECTION = (b"ZSorry, I wasn't able to establish an SMTP connection. "
                 b"(#4.4.1)\n")


def no_host(host):
    return (f"DSorry, I couldn't find any host named {host}. "
            f"(#5.1.2)\n").encode()


def null_mx(host):
    return (f"DSorry, {host} says that it accepts no mail. "
            f"(#5.1.10)\n").encode()


ZONE = [
    "--mx-host=self.example,own.example,10",
    "--host-record=own.example,127.0.0.7",
    "--host-record=a-only.example,127.0.0.1",
    "--host-record=v6-only.example,::1",
    "--cname=alias.example,a-only.example",
    "--dns-rr=null.example,15,000000",
    "--txt-record=nothing.example,x",
    "--mx-host=lost.example,nowhere.example,10",
    "--mx-host=both.example,one.example,10",
    "--mx-host=both.example,two.example,20",
    "--host-record=one.example,192.0.2.1",
    "--host-record=two.example,192.0.2.2",
    "--mx-host=equal.example,one.example,10",
    "--mx-host=equal.example,two.example,10",
    "--mx-host=backup.example,one.example,10",
    "--mx-host=backup.example,own.example,20",
    "--mx-host=backup.example,two.example,30",
    "--host-record=dual.example,192.0.2.3,2001:db8::3",
    "--host-record=six.example,2001:db8::6",
    "--dns-rr=mixed.example,15,000000",
    "--mx-host=mixed.example,two.example,10",
    "--mx-host=literal.example,192.0.2.1,5",
    "--cname=mxalias.example,both.example",
] + [f"--mx-host=many.example,one.example,{i}" for i in range(1, 40)]


@pytest.fixture(scope="module")
def dnsmasq():
    if not os.path.exists("/usr/sbin/dnsmasq"):
        pytest.skip("no dnsmasq")
    server = Dnsmasq(*ZONE)
    yield server
    server.stop()


@pytest.fixture
def remote(scratch, bin_dir):
    made = Remote(os.path.join(scratch, "home"), bin_dir)
    yield made
    made.stop()


@pytest.fixture
def scripted(remote):
    """scripted(reply) starts a name server and makes it the only one."""
    servers = []

    def start(reply, address="127.0.0.1"):
        server = ScriptedDns(reply, address)
        servers.append(server)
        at = f"[{address}]" if ":" in address else address
        remote.control("dnsservers", f"{at}:{server.port}\n")
        return server

    yield start
    for server in servers:
        server.stop()


# -- what the DNS says ---------------------------------------------------

@pytest.mark.parametrize("host, record", [
    ("self.example", SELF), ("a-only.example", SELF), ("alias.example", SELF),
    ("v6-only.example", SELF), ("gone.example", no_host("gone.example")),
    ("nothing.example", NO_ADDRESS), ("lost.example", NO_ADDRESS),
    ("null.example", null_mx("null.example")), ("other.test", TEMPORARY)])
def test_verdicts(remote, dnsmasq, host, record):
    remote.control("dnsservers", f"127.0.0.1:{dnsmasq.port}\n")
    assert remote.run(host=host) == [record]


def test_relay_by_name(remote, dnsmasq):
    peer = remote.peer()
    remote.control("dnsservers", f"127.0.0.1:{dnsmasq.port}\n")
    remote.control("smtproutes", f":a-only.example:{peer.port}\n")
    assert remote.run(host="gone.example")[-1][:1] == b"K"
    remote.control("smtproutes", ":gone.example\n")
    assert remote.run() == [no_host("gone.example")]
    remote.control("smtproutes", "self.example:\n:gone.example\n")
    assert remote.run(host="self.example") == [SELF]


@pytest.mark.parametrize("servers", [
    "127.0.0.1:1 127.0.0.1:{}", "[::1]:1 127.0.0.1:{}",
    "127.0.0.1:{silent} 127.0.0.1:{}"])
def test_next_server_is_asked(remote, dnsmasq, scripted, servers):
    silent = scripted(lambda query, tcp: None).port
    remote.control("timeoutconnect", "6\n")  # a part of it for each server
    remote.control("dnsservers",
                   servers.format(dnsmasq.port, silent=silent) + "\n")
    assert remote.run(host="self.example") == [SELF]


def test_dnscacheip_overrides(remote, dnsmasq):
    remote.control("dnsservers", "127.0.0.1:1\n")
    remote.environment["DNSCACHEIP"] = f"127.0.0.1:{dnsmasq.port}"
    assert remote.run(host="self.example") == [SELF]


@pytest.mark.parametrize("servers", ["127.0.0.1:1", "nonsense",
                                     "127.0.0.1:99999"])
def test_no_server_is_temporary(remote, servers):
    remote.control("dnsservers", servers + "\n")
    assert remote.run() == [TEMPORARY]


def test_silence_ends_in_time(remote, scripted):
    remote.control("timeoutconnect", "1\n")
    scripted(lambda query, tcp: None)
    assert remote.run() == [TEMPORARY]


def test_name_server_with_ipv6(remote, scripted):
    try:
        scripted(lambda q, tcp: answer(q, rcode=3), "::1")
    except OSError:
        pytest.skip("no IPv6 on loopback")
    assert remote.run(host="x.example") == [no_host("x.example")]


@pytest.mark.parametrize("rcode", [1, 2, 4, 5, 9])
def test_errors_of_servers_are_temporary(remote, scripted, rcode):
    server = scripted(lambda q, tcp: answer(q, rcode=rcode))
    assert remote.run() == [TEMPORARY]
    assert len(server.queries) <= 2


def test_server_without_edns(remote, scripted):
    def reply(query, tcp):
        if query[11]:
            return query[:2] + b"\x81\x81" + bytes(8)
        return answer(query, rcode=3)

    scripted(reply)
    assert remote.run(host="x.example") == [no_host("x.example")]


def test_lame_server_is_temporary(remote, scripted):
    scripted(lambda q, tcp: answer(q, flags=0x8000))
    assert remote.run() == [TEMPORARY]


def test_truncation_leads_to_tcp(remote, scripted):
    def reply(query, tcp):
        host, kind, _ = question(query)
        if not tcp:
            return answer(query, flags=0x8380)
        if kind == MX:
            return answer(query, [
                record(b"\xc0\x0c", MX, mx(i, f"m{i}.{'x' * 60}.example"))
                for i in range(700)])
        return answer(query, [record(b"\xc0\x0c", A, bytes([127, 0, 0, 1]))])

    server = scripted(reply)
    assert remote.run() == [SELF]
    assert [q[2] for q in server.queries] == [False, True] * (
        len(server.queries) // 2)


# -- hostile answers -----------------------------------------------------

GOOD = bytes([127, 0, 0, 1])


def hostile(kind_of_harm):
    """A reply function: MX is fine or harmed, addresses likewise."""
    def reply(query, tcp):
        host, kind, section = question(query)
        if kind != MX:
            return answer(query, rcode=3)
        return kind_of_harm(query)
    return reply


@pytest.mark.parametrize("harm", [
    lambda q: b"", lambda q: q[:2], lambda q: q[:11], lambda q: bytes(600),
    lambda q: answer(q, query_id=bytes([q[0] ^ 1, q[1]])),
    lambda q: answer(q, asked=name("other.example") + b"\0\x0f\0\1"),
    lambda q: answer(q, asked=question(q)[2][:-1] + b"\3"),
    lambda q: answer(q, flags=0x0180),
    lambda q: answer(q, counts=(0, 0, 0, 0), asked=b"\0")[:12],
    lambda q: answer(q, counts=(2, 0, 0, 0)),
    lambda q: answer(q, counts=(1, 65535, 0, 0)),
    lambda q: answer(q, [record(b"\xc0\x0c", MX, mx(1, "a"))])[:-3],
    lambda q: answer(q, [b"\xc0\xff" + bytes(20)]),
    lambda q: answer(q, [record(b"\xc0\x0c", MX, b"\0\1\xc0\x2c")]),
    lambda q: answer(q, [record(b"\xc0\x0c", MX, b"\0")]),
    lambda q: answer(q, [record(b"\xc0\x0c", MX, mx(1, "a") + b"x")]),
    lambda q: answer(q, [record(
        b"\xc0" + bytes([12 + len(question(q)[2])]), MX, mx(1, "a"))]),
    lambda q: answer(q, [record("l%d.example" % i if i else b"\xc0\x0c",
                                CNAME, name("l%d.example" % (i + 1)))
                         for i in range(30)]),
    lambda q: answer(q, [record(b"\xc0\x0c", CNAME, b"\xc0\x0c")]),
    lambda q: answer(q, [record(b"\xc0\x0c", CNAME, name("b.example")),
                         record("b.example", CNAME, b"\xc0\x0c")]),
])
def test_hostile_answers_are_temporary(remote, scripted, harm):
    remote.control("timeoutconnect", "1\n")
    scripted(hostile(harm))
    assert remote.run(host="there.example") == [TEMPORARY]


def test_foreign_answers_are_passed_over(remote, scripted):
    def reply(query, tcp):
        wrong_id = bytes([query[0], query[1] ^ 1])
        return [answer(query, rcode=3, query_id=wrong_id), b"junk",
                answer(query, [record(b"\xc0\x0c", A, GOOD)]) if
                question(query)[1] == A else answer(query)]

    scripted(reply)
    assert remote.run() == [SELF]


def test_records_of_others_are_not_believed(remote, scripted):
    def reply(query, tcp):
        host, kind, _ = question(query)
        if kind == MX:
            return answer(query, [
                record("evil.example", MX, mx(1, "a.example")),
                record(b"\xc0\x0c", MX, mx(1, "a.example"), cls=3)])
        return answer(query, [record("evil.example", kind, GOOD * (
            1 if kind == A else 4))])

    scripted(reply)
    assert remote.run() == [NO_ADDRESS]


def test_alias_without_its_target_is_asked_again(remote, scripted):
    def reply(query, tcp):
        host, kind, _ = question(query)
        if host == "there.example":
            return answer(query, [record(b"\xc0\x0c", CNAME,
                                         name("real.example"))])
        if kind == MX:
            return answer(query)
        return answer(query, [record(b"\xc0\x0c", A, GOOD)])

    server = scripted(reply)
    assert remote.run(host="there.example") == [SELF]
    assert ("real.example", MX, False) in server.queries


def test_alias_that_never_ends_is_temporary(remote, scripted):
    def reply(query, tcp):
        host, _, _ = question(query)
        return answer(query, [record(b"\xc0\x0c", CNAME,
                                     name("x" + host[-60:]))])

    server = scripted(reply)
    assert remote.run(host="there.example") == [TEMPORARY]
    assert len(server.queries) < 30


def test_exchangers_are_bounded(remote, scripted):
    def reply(query, tcp):
        host, kind, _ = question(query)
        if kind == MX:
            return answer(query, [
                record(b"\xc0\x0c", MX, mx(i, f"m{i}.example"))
                for i in range(60)])
        return answer(query)

    server = scripted(reply)
    assert remote.run() == [NO_ADDRESS]
    assert len({q[0] for q in server.queries}) == 21


# -- other hosts ---------------------------------------------------------

class Net:
    """Peers on port 25 and qmail-remote in a network of their own."""

    def __init__(self, thread, remote):
        self.thread, self.remote = thread, remote

    def peer(self, address, **answers):
        peer = self.thread.run(lambda: Peer(address, 25, **answers))
        self.remote.peers.append(peer)
        return peer

    def run(self, *args, **more):
        return self.thread.run(lambda: self.remote.run(*args, **more))


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


@pytest.fixture
def net(net_thread, remote):
    remote.control("dnsservers", "127.0.0.1:5353\n")
    return Net(net_thread, remote)


def kept(ip):
    return [b"r", f"K{ip} accepted message.\nRemote host said: "
            f"250 2.6.0 taken\n".encode()]


def test_best_exchanger_gets_it(net):
    one, two = net.peer("192.0.2.1"), net.peer("192.0.2.2")
    assert net.run(host="both.example") == kept("192.0.2.1")
    assert two.sessions == 0
    assert net.run(host="mxalias.example") == kept("192.0.2.1")


def test_refused_connection_moves_on(net):
    net.peer("192.0.2.2")
    assert net.run(host="both.example") == kept("192.0.2.2")


@pytest.mark.parametrize("answers", [
    {"greeting": b"421 busy\r\n"}, {"greeting": b"554 no\r\n"},
    {"greeting": CLOSE}, {"greeting": STALL}, {"greeting": b"junk\r\n"},
    {"EHLO": b"421 no\r\n"}, {"EHLO": b"500 x\r\n", "HELO": b"550 x\r\n"},
    {"MAIL": b"451 later\r\n"}, {"MAIL": CLOSE}, {"RCPT": b"450 grey\r\n"},
    {"RCPT": CLOSE}, {"RCPT": STALL}, {"DATA": b"451 no\r\n"},
    {"DATA": CLOSE}, {"dot": b"451 disk\r\n"}])
def test_temporary_failure_moves_on(net, answers):
    stalls = [step for step, what in answers.items() if what is STALL]
    answers.setdefault("EHLO", PLAIN_EHLO)
    one, two = net.peer("192.0.2.1", **answers), net.peer("192.0.2.2")
    records = net.remote.run_short(
        lambda: stalls[0] in one.steps and "dot" in two.steps, run=net.run,
        host="both.example") if stalls else net.run(host="both.example")
    assert records == kept("192.0.2.2")
    assert len(two.messages) == 1


@pytest.mark.parametrize("answers, text", [
    ({"MAIL": b"550 no\r\n"}, b"DConnected to 192.0.2.1 but sender was"),
    ({"RCPT": b"550 no\r\n", "DATA": b"503 x\r\n"},
     b"DGiving up on 192.0.2.1."),
    ({"DATA": b"554 no\r\n"}, b"D192.0.2.1 failed on DATA"),
    ({"dot": b"554 no\r\n"}, b"D192.0.2.1 failed after"),
    ({"dot": CLOSE}, b"ZConnected to 192.0.2.1 but connection died. Possible"),
    ({"dot": b"nonsense\r\n"}, b"ZConnected to 192.0.2.1 but connection"),
    ({"dot": b"300 odd\r\n"}, b"Z192.0.2.1 failed after")])
def test_final_answers_stay_where_they_are(net, answers, text):
    net.peer("192.0.2.1", **answers)
    two = net.peer("192.0.2.2")
    records = net.run(host="both.example")
    assert records[-1].startswith(text)
    assert two.sessions == 0


def test_only_deferred_recipients_are_asked_again(net):
    net.peer("192.0.2.1", RCPT=[b"550 no\r\n", b"450 later\r\n"],
             DATA=b"503 nobody\r\n")
    two = net.peer("192.0.2.2")
    records = net.run("a@x", "b@x", host="both.example")
    assert records[0].startswith(b"h192.0.2.1 does not like")
    assert records[1:] == kept("192.0.2.2")
    assert [c for c in two.commands if c.startswith(b"RCPT")] == [
        b"RCPT TO:<b@x>"]


def test_report_is_of_the_last_that_spoke(net):
    net.peer("192.0.2.1", greeting=b"421 busy\r\n")
    assert net.run(host="both.example") == [
        b"ZConnected to 192.0.2.1 but greeting failed.\n"
        b"Remote host said: 421 busy\n"]


def test_equal_exchangers_share_the_load(net):
    one, two = net.peer("192.0.2.1"), net.peer("192.0.2.2")
    for _ in range(40):
        net.run(host="equal.example")
    assert one.sessions + two.sessions == 40
    assert one.sessions > 3 and two.sessions > 3


def test_own_address_cuts_what_is_behind_it(net):
    two = net.peer("192.0.2.2")
    assert net.run(host="backup.example") == [NO_CONNECTION]
    assert two.sessions == 0
    net.peer("192.0.2.1")
    assert net.run(host="backup.example") == kept("192.0.2.1")


def test_both_families(net):
    net.peer("2001:db8::3")
    assert net.run(host="dual.example")[-1].startswith(
        b"K2001:db8::3 accepted")
    net.peer("192.0.2.3")
    assert net.run(host="dual.example") == kept("192.0.2.3")
    net.peer("2001:db8::6")
    assert net.run(host="six.example")[-1].startswith(
        b"K2001:db8::6 accepted")
    assert net.run(host="[IPv6:2001:db8::6]")[-1].startswith(
        b"K2001:db8::6 accepted")


def test_outgoingip_of_both_families(net):
    """The peer's side of the socket tells; by itself it would be another."""
    seen = []

    def greeting(connection):
        seen.append(connection.getpeername()[0])
        connection.sendall(b"220 hi\r\n")

    net.peer("2001:db8::6", greeting=greeting)
    net.peer("192.0.2.1", greeting=greeting)
    net.thread.run(lambda: subprocess.run(
        ["ip", "-6", "addr", "add", "2001:db8:ffff::2/128", "dev", "lo"],
        check=True))
    net.remote.control("outgoingip", "2001:db8:ffff::1\n192.0.2.77\n"
                       "b.example:2001:db8:ffff::2\nc.example:::\n"
                       "bad.example:2001:db8:1::1\n")
    for sender in ("s@a.example", "s@b.example"):
        for host in ("six.example", "one.example"):
            assert net.run(host=host, sender=sender)[0] == b"r"
    assert seen == ["2001:db8:ffff::1", "192.0.2.77", "2001:db8:ffff::2",
                    "192.0.2.77"]
    assert net.run(host="six.example", sender="s@c.example")[0] == b"r"
    assert len(seen) == 5
    # One that is none of this host's: not sent from another instead.
    [record] = net.run(host="six.example", sender="s@bad.example")
    assert record[:1] == b"Z" and len(seen) == 5


def test_null_mx_among_others_is_ignored(net):
    net.peer("192.0.2.2")
    assert net.run(host="mixed.example") == kept("192.0.2.2")


def test_exchanger_that_is_an_address_is_none(net):
    one = net.peer("192.0.2.1")
    assert net.run(host="literal.example") == [NO_ADDRESS]
    assert one.sessions == 0


def test_targets_are_bounded(net):
    one = net.peer("192.0.2.1", greeting=b"421 busy\r\n")
    assert net.run(host="many.example")[0][:1] == b"Z"
    assert 1 <= one.sessions <= 20
