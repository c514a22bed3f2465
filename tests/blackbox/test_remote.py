"""qmail-remote against scripted servers: every text of its report."""
import os
import socket
import threading
import time

import pytest

import home as home_module
from remote_peers import (CLOSE, EHLO, PATIENCE, PLAIN_EHLO, RESET, STALL,
                          Remote, died)

IP = b"127.0.0.1"
KEPT = b"K127.0.0.1 accepted message.\nRemote host said: 250 2.6.0 taken\n"
NO_CONNECTION = (b"ZSorry, I wasn't able to establish an SMTP connection. "
                 b"(#4.4.1)\n")


@pytest.fixture
def remote(scratch, bin_dir):
    made = Remote(os.path.join(scratch, "home"), bin_dir)
    yield made
    made.stop()


# -- the good case -------------------------------------------------------

def test_message_is_accepted(remote):
    peer = remote.routed_peer()
    assert remote.run() == [b"r", KEPT]
    peer.wait_quit()
    assert peer.commands == [
        b"EHLO client.example", b"MAIL FROM:<s@a.example> SIZE=20",
        b"RCPT TO:<r@there.example>", b"DATA", b"QUIT"]
    assert peer.messages == [b"Subject: x\r\n\r\nbody\r\n"]


def test_envelope_leaves_in_one_write(remote):
    peer = remote.routed_peer()
    remote.run("a@x", "b@x", "c@x")
    together = [r for r in peer.reads if r.startswith(b"MAIL")]
    assert together == [b"MAIL FROM:<s@a.example> SIZE=20\r\n"
                        b"RCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\n"
                        b"RCPT TO:<c@x>\r\nDATA\r\n"]


def test_without_pipelining_one_command_at_a_time(remote):
    peer = remote.routed_peer(EHLO=PLAIN_EHLO)
    assert remote.run("a@x", "b@x") == [b"r", b"r", KEPT]
    assert peer.reads[:5] == [
        b"EHLO client.example\r\n", b"MAIL FROM:<s@a.example>\r\n",
        b"RCPT TO:<a@x>\r\n", b"RCPT TO:<b@x>\r\n", b"DATA\r\n"]


def test_helo_after_ehlo_is_refused(remote):
    peer = remote.routed_peer(EHLO=b"502 no such thing\r\n")
    assert remote.run() == [b"r", KEPT]
    assert peer.commands[:3] == [
        b"EHLO client.example", b"HELO client.example",
        b"MAIL FROM:<s@a.example>"]


def test_helo_after_a_server_that_hangs_up_on_ehlo(remote):
    peer = remote.routed_peer(EHLO=CLOSE)
    assert remote.run() == [b"r", KEPT]
    assert peer.sessions == 2
    assert peer.commands[:2] == [b"EHLO client.example",
                                 b"HELO client.example"]


def test_silence_after_ehlo_is_not_waited_for_twice(remote):
    remote.control("timeoutremote", "1\n")
    peer = remote.routed_peer(EHLO=STALL)
    assert remote.run() == [died()]
    assert peer.sessions == 1


def test_helohost(remote):
    peer = remote.routed_peer()
    remote.control("helohost", "mx.client.example\n")
    assert remote.run() == [b"r", KEPT]
    assert peer.commands[0] == b"EHLO mx.client.example"


@pytest.mark.parametrize("ehlo, message, mail", [
    (b"250-x\r\n250-SIZE\r\n250 8BITMIME\r\n", b"a\n",
     b"MAIL FROM:<s@a.example> SIZE=3"),
    (b"250-x\r\n250-size 50\r\n250 8bitmime\r\n", b"\xc3\xa4\n",
     b"MAIL FROM:<s@a.example> SIZE=4 BODY=8BITMIME"),
    (b"250-x\r\n250 8BITMIME\r\n", b"\xff", b"MAIL FROM:<s@a.example> "
     b"BODY=8BITMIME"),
    (b"250-x\r\n250 SIZE 0\r\n", b"a\r\nb\rc\n.\n\r\nd",
     b"MAIL FROM:<s@a.example> SIZE=17"),
    (b"250 SIZE\r\n", b"\xff\n", b"MAIL FROM:<s@a.example>"),
])
def test_parameters_of_mail(remote, ehlo, message, mail):
    peer = remote.routed_peer(EHLO=ehlo)
    assert remote.run(message=message) == [b"r", KEPT]
    assert peer.commands[1] == mail


def test_message_above_the_size_limit_fails_at_once(remote):
    peer = remote.routed_peer(EHLO=b"250-x\r\n250 SIZE 21\r\n")
    [record] = remote.run(message=b"0123456789\n0123456789\n")
    assert record.startswith(b"D127.0.0.1 ")
    assert record.endswith(b"(#5.3.4)\n")
    peer.wait_quit()
    assert peer.commands == [b"EHLO client.example", b"QUIT"]


@pytest.mark.parametrize("given, sent", [
    ("", b""), ("#@[]", b""), ("a@b", b"a@b"), ("a b@c", b'"a b"@c'),
    ('a"b@c', b'"a\\"b"@c'), ("a@b@c", b'"a@b"@c'),
])
def test_sender_is_quoted(remote, given, sent):
    peer = remote.routed_peer(EHLO=PLAIN_EHLO)
    assert remote.run(sender=given) == [b"r", KEPT]
    assert peer.commands[1] == b"MAIL FROM:<" + sent + b">"


@pytest.mark.parametrize("message, wire", [
    (b"", b""), (b"\n", b"\r\n"), (b".\n", b"..\r\n"),
    (b"a\n.\nb\n", b"a\r\n..\r\nb\r\n"), (b"..a\n", b"...a\r\n"),
    (b"a\r\nb\r\n", b"a\r\nb\r\n"), (b"a\r.\r\nb\n", b"a\r\n..\r\nb\r\n"),
    (b"no end", b"no end\r\n"), (b"x\n.", b"x\r\n..\r\n"),
    (b"x\r", b"x\r\n"),
])
def test_lines_and_dots(remote, message, wire):
    peer = remote.routed_peer()
    assert remote.run(message=message) == [b"r", KEPT]
    assert peer.messages == [wire]


def test_large_message_arrives_whole(remote):
    lines = b"".join(b".%07d %s\n" % (i, b"x" * 60) for i in range(20000))
    peer = remote.routed_peer(EHLO=b"250-x\r\n250 PIPELINING\r\n")
    assert remote.run(message=lines) == [b"r", KEPT]
    assert peer.messages[0].replace(b"\r\n", b"\n") == lines.replace(
        b"\n.", b"\n..").replace(b".", b"..", 1)


def test_message_from_a_pipe(remote):
    peer = remote.routed_peer()
    reader, writer = os.pipe()
    os.write(writer, b"a\nb\n")
    os.close(writer)
    assert remote.run_fd(reader) == b"r\0" + KEPT + b"\0"
    assert peer.messages == [b"a\r\nb\r\n"]


# -- the texts of the report ---------------------------------------------

def test_too_few_arguments(remote):
    for args in ((), ("h",), ("h", "s@a")):
        assert remote.run_raw(*args) == [
            b"DI (qmail-remote) was invoked improperly. (#5.3.5)\n"]


def test_no_home(remote):
    home = home_module.write_file(os.path.join(remote.path, "file"), b"x")
    fd = os.open(os.devnull, os.O_RDONLY)
    assert remote.run_fd(fd, home=home) == (
        b"ZUnable to switch to home directory. (#4.3.0)\n\0")


@pytest.mark.parametrize("name, text", [
    ("timeoutremote", "soon\n"), ("timeoutconnect", "0\n"),
    ("helohost", "two words\n"), ("me", None),
    ("smtproutes", ":127.0.0.1:70000\n"), ("smtproutes", ":127.0.0.1:x\n"),
])
def test_controls_that_make_no_sense(remote, name, text):
    remote.routed_peer()
    remote.control(name, text)
    [record] = remote.run()
    assert record.startswith(b"ZUnable to read control files. (#4.3.0)\n"
                             b"control/" + (b"" if name == "me" else
                                            name.encode()))


def test_message_that_cannot_be_read(remote):
    remote.routed_peer()
    fd = os.open(remote.path, os.O_RDONLY)
    assert remote.run_fd(fd) == b"ZUnable to read message. (#4.3.0)\n\0"


def test_nobody_listens(remote):
    port = home_module.free_port()
    remote.control("smtproutes", f":127.0.0.1:{port}\n")
    assert remote.run() == [NO_CONNECTION]


@pytest.mark.parametrize("reply", [
    b"421 go away\r\n", b"554 no mail here\r\n", b"250 early\r\n"])
def test_greeting_failed(remote, reply):
    remote.routed_peer(greeting=reply)
    assert remote.run() == [
        b"ZConnected to 127.0.0.1 but greeting failed.\n"
        b"Remote host said: " + reply.replace(b"\r", b"")]


@pytest.mark.parametrize("ehlo", [b"502 no\r\n", b"421 no\r\n"])
def test_name_rejected(remote, ehlo):
    remote.routed_peer(EHLO=ehlo, HELO=b"501 no\r\n")
    [record] = remote.run()
    assert record.startswith(
        b"ZConnected to 127.0.0.1 but my name was rejected.\n"
        b"Remote host said: ")


@pytest.mark.parametrize("ehlo", [EHLO, PLAIN_EHLO])
@pytest.mark.parametrize("reply, letter", [
    (b"550 5.1.8 no\r\n", b"D"), (b"451 4.1.8 later\r\n", b"Z")])
def test_sender_rejected(remote, ehlo, reply, letter):
    remote.routed_peer(EHLO=ehlo, MAIL=reply)
    assert remote.run() == [
        letter + b"Connected to 127.0.0.1 but sender was rejected.\n"
        b"Remote host said: " + reply.replace(b"\r", b"")]


@pytest.mark.parametrize("ehlo", [EHLO, PLAIN_EHLO])
@pytest.mark.parametrize("reply, letter", [
    (b"550 5.1.1 no such user\r\n", b"h"), (b"450 4.2.1 busy\r\n", b"s")])
def test_only_recipient_refused(remote, ehlo, reply, letter):
    peer = remote.routed_peer(EHLO=ehlo, RCPT=reply, DATA=b"503 nobody\r\n")
    assert remote.run() == [
        letter + b"127.0.0.1 does not like recipient.\n"
        b"Remote host said: " + reply.replace(b"\r", b""),
        b"DGiving up on 127.0.0.1.\n"]
    assert peer.messages == []
    peer.wait_quit()
    assert (b"DATA" in peer.commands) == (ehlo is EHLO)


def test_server_that_wants_data_for_nobody_gets_none(remote):
    peer = remote.routed_peer(RCPT=b"550 no\r\n")
    records = remote.run()
    assert records[-1] == b"DGiving up on 127.0.0.1.\n"
    peer.stop()
    assert peer.messages == [] and b"QUIT" not in peer.commands


@pytest.mark.parametrize("ehlo", [EHLO, PLAIN_EHLO])
def test_mixed_recipients_share_a_transaction(remote, ehlo):
    peer = remote.routed_peer(EHLO=ehlo, RCPT=[
        b"250 ok\r\n", b"550 no\r\n", b"450-not\r\n450 now\r\n",
        b"251 will forward\r\n"])
    no, later = b"127.0.0.1 does not like recipient.\nRemote host said: ", b""
    assert remote.run("a@x", "b@x", "c@x", "d@x") == [
        b"r", b"h" + no + b"550 no\n", b"s" + no + b"450-not\n450 now\n",
        b"r", KEPT]
    assert peer.sessions == 1 and len(peer.messages) == 1


def test_many_recipients(remote):
    peer = remote.routed_peer()
    recipients = [f"{'u' * 60}{i}@there.example" for i in range(1500)]
    assert remote.run(*recipients) == [b"r"] * 1500 + [KEPT]
    assert sum(c.startswith(b"RCPT") for c in peer.commands) == 1500


@pytest.mark.parametrize("ehlo", [EHLO, PLAIN_EHLO])
@pytest.mark.parametrize("reply, letter", [
    (b"554 5.7.1 no\r\n", b"D"), (b"451 4.3.0 later\r\n", b"Z"),
    (b"250 done already\r\n", b"Z")])
def test_data_refused(remote, ehlo, reply, letter):
    remote.routed_peer(EHLO=ehlo, DATA=reply)
    assert remote.run() == [
        b"r", letter + b"127.0.0.1 failed on DATA command.\n"
        b"Remote host said: " + reply.replace(b"\r", b"")]


@pytest.mark.parametrize("reply, letter", [
    (b"554 5.6.0 spam\r\n", b"D"), (b"451 4.3.0 disk full\r\n", b"Z"),
    (b"354 more\r\n", b"Z")])
def test_message_refused(remote, reply, letter):
    remote.routed_peer(dot=reply)
    assert remote.run() == [
        b"r", letter + b"127.0.0.1 failed after I sent the message.\n"
        b"Remote host said: " + reply.replace(b"\r", b"")]


# -- connections that die or stall ---------------------------------------

STEPS = ["greeting", "EHLO", "MAIL", "RCPT", "DATA"]


@pytest.mark.parametrize("how", [CLOSE, RESET, STALL])
@pytest.mark.parametrize("step", STEPS)
def test_connection_dies(remote, step, how):
    answers = {step: how, "EHLO": how if step == "EHLO" else PLAIN_EHLO}
    if step == "EHLO":
        answers["HELO"] = how
    peer = remote.routed_peer(**answers)
    records = remote.run_short(lambda: step in peer.steps)
    # A reset may come before the connection was seen to stand.
    if records != [NO_CONNECTION] or (step, how) != ("greeting", RESET):
        assert records[-1] == died()
    assert records[:-1] == ([b"r"] if step == "DATA" else [])


@pytest.mark.parametrize("how", [CLOSE, RESET, STALL])
def test_connection_dies_after_the_dot(remote, how):
    peer = remote.routed_peer(dot=how)
    assert remote.run_short(lambda: "dot" in peer.steps) == [
        b"r", died(duplicate=True)]
    assert peer.sessions == 1


def test_garbage_after_the_dot(remote):
    remote.routed_peer(dot=b"what?\r\n")
    records = remote.run()
    assert records[0] == b"r"
    assert records[1].startswith(died(duplicate=True))


def test_server_that_stops_reading_the_message(remote):
    tired = threading.Event()

    def read_no_more(connection):
        connection.sendall(b"354 go\r\n")
        tired.wait(PATIENCE)
        return False

    peer = remote.routed_peer(EHLO=PLAIN_EHLO, DATA=read_no_more)

    def run(**more):
        tired.clear()
        records = remote.run(**more)
        tired.set()  # qmail-remote has given up by itself
        return records

    assert remote.run_short(lambda: "DATA" in peer.steps, run=run,
                            message=b"x" * 20_000_000) == [b"r", died()]


def test_server_that_closes_within_the_message(remote):
    def close(connection):
        connection.sendall(b"354 go\r\n")
        connection.recv(100000)
        return False

    remote.routed_peer(EHLO=PLAIN_EHLO, DATA=close)
    assert remote.run(message=b"y\n" * 10_000_000) == [b"r", died()]


@pytest.mark.parametrize("answer", [CLOSE, STALL, RESET, b"500 never\r\n"])
def test_broken_quit_changes_nothing(remote, answer):
    remote.routed_peer(QUIT=answer)
    assert remote.run() == [b"r", KEPT]  # long before any timeout


def test_slow_bytes_do_not_stretch_the_deadline(remote):
    remote.control("timeoutremote", "1\n")

    def drip(connection):
        while True:  # until the client has gone
            connection.sendall(b"2")
            time.sleep(0.1)

    remote.routed_peer(greeting=drip)
    assert remote.run() == [died()]


# -- garbage -------------------------------------------------------------

def endless(piece):
    def send(connection):
        while True:  # until the client has gone
            connection.sendall(piece * 100)
    return send


ENDLESS = (b"ZConnected to 127.0.0.1 but a reply had more than 1000 lines or "
           b"512000 bytes. ")


@pytest.mark.parametrize("piece", [b"x" * 1000, b"250-no end\r\n", b"\0"])
@pytest.mark.parametrize("step", ["greeting", "EHLO", "MAIL", "RCPT", "DATA",
                                  "dot"])
def test_endless_replies(remote, step, piece):
    """Long before any timeout."""
    peer = remote.routed_peer(**{"EHLO": PLAIN_EHLO, step: endless(piece)})
    records = remote.run()
    assert len(records) == {"DATA": 2, "dot": 2}.get(step, 1)
    assert records[-1].startswith(ENDLESS + (
        b"Possible duplicate! " if step == "dot" else b"") + b"(#4.5.0)\n")
    assert len(records[-1]) < 6000
    assert peer.sessions == 1  # no second try with HELO


def test_chatty_server(remote):
    """Long lines and many of them; what is offered in the last one counts."""
    ehlo = b"".join(b"250-X%03d %s\r\n" % (i, b"y" * 500) for i in range(100))
    text = b"".join(b"250-%03d %s\r\n" % (i, b"z" * 500) for i in range(900))
    lines = {"greeting": b"220-hello\r\n" * 500 + b"220 ESMTP\r\n",
             "EHLO": b"250-x\r\n" + ehlo + b"250 SIZE\r\n",
             "MAIL": text + b"250 ok\r\n", "RCPT": text + b"250 ok\r\n",
             "DATA": b"354 " + b"go " * 60000 + b"\r\n",
             "dot": text + b"250 " + b"taken " * 5000 + b"\r\n"}
    peer = remote.routed_peer(**lines)
    first, last = remote.run()
    head = b"K127.0.0.1 accepted message.\nRemote host said: "
    assert first == b"r"
    assert last.startswith(head + b"250-000 zzz") and last.endswith(b"\n")
    assert len(last) == len(head) + 5000
    assert peer.commands[1] == b"MAIL FROM:<s@a.example> SIZE=20"


@pytest.mark.parametrize("step, text", [
    ("greeting", b"ZConnected to 127.0.0.1 but greeting failed.\n"),
    ("EHLO", b"ZConnected to 127.0.0.1 but my name was rejected.\n"),
    ("MAIL", died()), ("RCPT", died()), ("DATA", died())])
@pytest.mark.parametrize("garbage", [
    b"\r\n", b"HTTP/1.0 400 Bad Request\r\n", b"99 low\r\n", b"2500 x\r\n",
    b"\xff\xfe\0\r\n", b"-1 x\r\n"])
def test_garbage(remote, step, text, garbage):
    remote.routed_peer(**{"EHLO": PLAIN_EHLO, step: garbage})
    records = remote.run()
    assert records[-1].startswith(text)
    assert len(records) == (2 if step == "DATA" else 1)


def test_long_reply_is_cut(remote):
    lines = b"".join(b"550-%04d %s\r\n" % (i, b"x" * 90)
                     for i in range(200)) + b"550 end\r\n"
    remote.routed_peer(RCPT=lines, DATA=b"503 no\r\n")
    record, _ = remote.run()
    head = b"h127.0.0.1 does not like recipient.\nRemote host said: "
    assert record.startswith(head + b"550-0000 xx")
    assert record.endswith(b"\n") and len(record) - len(head) <= 5000


def test_reply_with_nul(remote):
    remote.routed_peer(MAIL=b"550 a\0b\r\n")
    [record] = remote.run()
    assert record.endswith(b"Remote host said: 550 a?b\n")


# -- routes --------------------------------------------------------------

@pytest.mark.parametrize("host, key", [
    ("a.b.example", "a.b.example"), ("A.B.Example", ".b.example"),
    ("a.b.example", ".example"), ("a.b.example", "")])
def test_route_keys(remote, host, key):
    peer, other = remote.peer(), remote.peer(greeting=b"554 wrong\r\n")
    remote.control("smtproutes",
                   f"b.example:127.0.0.1:{other.port}\n"
                   f".a.b.example:127.0.0.1:{other.port}\n"
                   f"{key}:127.0.0.1:{peer.port}\n")
    assert remote.run(host=host) == [b"r", KEPT]


def test_ipv6_relay(remote):
    try:
        peer = remote.peer("::1")
    except OSError:
        pytest.skip("no IPv6 on loopback")
    remote.control("smtproutes", f":[::1]:{peer.port}\n")
    assert remote.run()[-1].startswith(b"K::1 accepted message.\n")


def test_relay_needs_no_dns_and_no_own_address_check(remote):
    remote.control("dnsservers", "127.0.0.1:1\n")
    remote.routed_peer()
    assert remote.run(host="[127.0.0.1]") == [b"r", KEPT]


@pytest.mark.parametrize("host", ["127.0.0.1", "[127.0.0.1]", "[127.9.9.9]",
                                  "0.0.0.0", "[IPv6:::1]", "[::]",
                                  "[::ffff:127.0.0.1]"])
def test_own_address_as_a_host(remote, host):
    remote.control("smtproutes", "x:y\n")
    assert remote.run(host=host) == [
        b"DSorry. Although I'm listed as a best-preference MX or A for that "
        b"host,\nit isn't in my control/locals file, so I don't treat it as "
        b"local. (#5.4.6)\n"]


@pytest.mark.parametrize("host, shown", [
    ("", b""), ("a..b", b"a..b"), ("a b", b"a?b"), ("\xe4\x01".encode("latin-1"),
    b"??"), ("x" * 64, b"x" * 64), (".", b".")])
def test_host_that_is_no_name(remote, host, shown):
    remote.control("dnsservers", "127.0.0.1:1\n")
    assert remote.run(host=host) == [
        b"DSorry, I couldn't find any host named " + shown +
        b". (#5.1.2)\n"]


# -- hints about dead hosts ----------------------------------------------

def tcpto_record(ip, count, when):
    return (socket.inet_aton(ip) + bytes([count, 0, 0, 0]) +
            int(when).to_bytes(4, "little") + bytes(4))


def test_tcpto_skips_and_success_clears(remote):
    peer = remote.routed_peer()
    home_module.write_file(remote.tcpto, tcpto_record(
        "127.0.0.1", 2, time.time()) + bytes(1008))
    assert remote.run() == [NO_CONNECTION]
    assert peer.sessions == 0
    home_module.write_file(remote.tcpto, tcpto_record(
        "127.0.0.1", 1, time.time()) + bytes(1008))
    assert remote.run() == [b"r", KEPT]
    with open(remote.tcpto, "rb") as f:
        assert f.read()[4] == 0


def test_refused_connection_is_not_noted(remote):
    remote.control("smtproutes", f":127.0.0.1:{home_module.free_port()}\n")
    remote.run()
    with open(remote.tcpto, "rb") as f:
        assert f.read() == bytes(1024)


# -- poison --------------------------------------------------------------

def test_line_ends_in_addresses_never_reach_the_wire(remote):
    peer = remote.routed_peer()
    records = remote.run("a@x\r\nRSET", "b@x")
    assert records[0].startswith(b"h") and b"5.1.3" in records[0]
    assert records[1:] == [b"r", KEPT]
    [record] = remote.run(sender="a@b\nQUIT")
    assert record.startswith(b"D") and b"5.1.7" in record
    assert not any(b"RSET" in c for c in peer.commands)
    assert peer.sessions == 1


@pytest.mark.parametrize("domain", [
    "b> SIZE=1", "b c", "b\tc", "b<c", 'b"c', "b\\", "b\x7f", "b\x01",
])
def test_domains_never_end_their_path(remote, domain):
    """"a@b> NOTIFY=NEVER" is an address and a parameter to the peer."""
    peer = remote.routed_peer()
    records = remote.run("a@" + domain, "b@x")
    assert records[0].startswith(b"h") and b"5.1.3" in records[0]
    assert records[1:] == [b"r", KEPT]
    [record] = remote.run(sender="a@" + domain)
    assert record.startswith(b"D") and b"5.1.7" in record
    assert peer.sessions == 1
    assert [c for c in peer.commands if c.startswith(b"RCPT")] == [
        b"RCPT TO:<b@x>"]
