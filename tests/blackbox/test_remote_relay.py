"""qmail-remote by relays: routes, passwords, own addresses, QMTP, its log."""
import os
import socket
import threading

import pytest

import home as home_module
from remote_peers import CLOSE, EHLO, PATIENCE, STALL, Remote, died
from sasl_peer import Auth

KEPT = b"K127.0.0.1 accepted message.\nRemote host said: 250 2.6.0 taken\n"
METHODS = ["plain", "login", "cram-md5", "cram-sha1", "cram-ripemd",
           "scram-sha-256"]


@pytest.fixture
def remote(scratch, bin_dir):
    made = Remote(os.path.join(scratch, "home"), bin_dir)
    os.symlink(bin_dir, os.path.join(made.path, "bin"))
    yield made
    made.stop()


def relays(remote, text, mode=0o640):
    path = os.path.join(remote.path, "control", "smtprelays")
    home_module.write_file(path, text, mode)


def auth_peer(remote, offer, **more):
    peer = remote.peer(EHLO=b"250-x\r\n250-AUTH " + offer +
                       b"\r\n250 PIPELINING\r\n", AUTH=CLOSE, **more)
    peer.auth = peer.answers["AUTH"] = Auth(peer)
    return peer


# -- which relay ---------------------------------------------------------

def test_virtual_relay_of_three_files(remote):
    peer = auth_peer(remote, b"CRAM-MD5")
    relays(remote, "a.example:virtual|ann|se|cret|\n")
    remote.control("smtproutes", f"virtual:127.0.0.1:{peer.port}\n"
                   ":127.0.0.1:1\n")
    assert remote.run(host="a.example") == [b"r", KEPT]
    assert peer.auth.outcomes == [("CRAM-MD5", True)]


def test_route_for_a_sender(remote):
    ours, others = remote.peer(), remote.peer()
    remote.control("smtproutes",
                   f"<@ours.example>:127.0.0.1:{ours.port}\n"
                   f"<boss@x.example>:127.0.0.1:{ours.port}\n"
                   f":127.0.0.1:{others.port}\n")
    assert remote.run(sender="s@ours.example") == [b"r", KEPT]
    assert remote.run(sender="boss@x.example") == [b"r", KEPT]
    assert (ours.sessions, others.sessions) == (2, 0)
    assert remote.run(sender="s@x.example") == [b"r", KEPT]
    assert remote.run(sender="") == [b"r", KEPT]
    assert (ours.sessions, others.sessions) == (2, 2)


def test_routes_for_recipients_part_a_message(remote):
    one, two = remote.peer(), remote.peer(RCPT=b"450 later\r\n",
                                          DATA=b"503 no\r\n")
    remote.control("smtproutes", f"b@x:127.0.0.1:{two.port}\n"
                   f":127.0.0.1:{one.port}\n")
    records = remote.run("a@x", "b@x", "c@x", host="x")
    assert records[0] == records[2] == b"r" and records[3] == KEPT
    assert records[1].startswith(b"s127.0.0.1 does not like recipient.\n")
    assert one.sessions == 1 and len(one.messages) == 1
    assert [c for c in one.commands if c.startswith(b"RCPT")] == [
        b"RCPT TO:<a@x>", b"RCPT TO:<c@x>"]


def test_part_that_fails_as_a_whole(remote):
    one, two = remote.peer(), remote.peer(MAIL=b"550 not you\r\n")
    remote.control("smtproutes", f"b@x:127.0.0.1:{two.port}\n"
                   f":127.0.0.1:{one.port}\n")
    records = remote.run("a@x", "b@x", host="x")
    assert records[0] == b"r" and records[2] == KEPT
    assert records[1].startswith(
        b"hConnected to 127.0.0.1 but sender was rejected.\n")


def test_relays_that_others_can_read_are_refused(remote):
    peer = auth_peer(remote, b"PLAIN")
    line = f":127.0.0.1:{peer.port}|ann|se|cret|plain\n"
    for mode in (0o644, 0o604, 0o642):
        relays(remote, line, mode)
        [record] = remote.run()
        assert record.startswith(b"ZUnable to read control files. (#4.3.0)\n"
                                 b"control/smtprelays: ")
        assert b"chmod o=" in record and b"cret" not in record
    assert peer.sessions == 0
    relays(remote, line, 0o640)
    assert remote.run() == [b"r", KEPT]


@pytest.mark.parametrize("name", ["", "there.example ", "*.example:"])
def test_relay_line_without_a_name_is_no_way_around_it(remote, name):
    peer, direct = auth_peer(remote, b"PLAIN"), remote.peer()
    relays(remote, f"{name} 127.0.0.1|ann|se|cret|plain\n")
    remote.control("smtproutes", f":127.0.0.1:{direct.port}\n")
    [record] = remote.run()
    assert record.startswith(b"ZUnable to read control files. (#4.3.0)\n"
                             b"control/smtprelays line 1: ")
    assert (peer.sessions, direct.sessions) == (0, 0)


# -- passwords -----------------------------------------------------------

@pytest.mark.parametrize("method", METHODS)
def test_methods(remote, method):
    peer = auth_peer(remote, b"PLAIN LOGIN CRAM-MD5 CRAM-SHA1 CRAM-RIPEMD "
                     b"SCRAM-SHA-256")
    relays(remote, f":127.0.0.1:{peer.port}|ann|se|cret|{method}\n")
    assert remote.run() == [b"r", KEPT]
    assert peer.auth.outcomes == [(method.upper(), True)]
    assert peer.commands[-1] == b"QUIT" or peer.wait_quit() is None


def test_best_method_is_taken_and_no_clear_one(remote):
    peer = auth_peer(remote, b"LOGIN PLAIN CRAM-MD5 CRAM-SHA1")
    relays(remote, f":127.0.0.1:{peer.port}|ann|se|cret|\n")
    assert remote.run() == [b"r", KEPT]
    assert peer.auth.outcomes == [("CRAM-SHA1", True)]
    peer = auth_peer(remote, b"LOGIN PLAIN")
    relays(remote, f":127.0.0.1:{peer.port}|ann|se|cret|\n")
    assert remote.run() == [
        b"ZConnected to 127.0.0.1 but it offers no AUTH method that keeps the "
        b"password from others. (#4.7.4)\n"]
    assert peer.auth.outcomes == [] and peer.messages == []


@pytest.mark.parametrize("method", METHODS)
def test_wrong_password(remote, method):
    peer = auth_peer(remote, method.upper().encode())
    relays(remote, f":127.0.0.1:{peer.port}|ann|wrong|{method}\n")
    assert remote.run() == [
        b"ZConnected to 127.0.0.1 but it did not accept my password. "
        b"(#4.7.8)\nRemote host said: 535 5.7.8 no\n"]
    assert peer.auth.outcomes == [(method.upper(), False)]
    assert not any(c.startswith(b"MAIL") for c in peer.commands)


def test_server_that_only_pretends(remote):
    peer = auth_peer(remote, b"SCRAM-SHA-256")
    peer.auth.bad_signature = True
    relays(remote, f":127.0.0.1:{peer.port}|ann|se|cret|\n")
    assert remote.run() == [
        b"ZConnected to 127.0.0.1 but it does not know my password itself. "
        b"(#4.7.0)\n"]
    peer.answers["AUTH"] = b"235 welcome, whoever you are\r\n"
    assert b"does not know my password" in remote.run()[0]


@pytest.mark.parametrize("answer, text", [
    (b"334 not base64!\r\n", b"makes no sense"), (CLOSE, b"died"),
    (STALL, b"died"), (b"334 \r\n", b"makes no sense"),
    (b"235 2.7.0 already\r\n", b"does not know"),
    (b"what\r\n", b"died"), (b"504 5.5.4 no\r\n", b"did not accept"),
    (b"334 " + b"QUJD" * 1300 + b"\r\n", b"makes no sense"),
])
def test_broken_auth(remote, answer, text):
    if answer is STALL:
        remote.control("timeoutremote", "1\n")
    peer = auth_peer(remote, b"CRAM-MD5")
    peer.answers["AUTH"] = answer
    peer.answers["*"] = b"501 cancelled\r\n"
    if b"QUJD" in (answer if isinstance(answer, bytes) else b""):
        peer.answers["EHLO"] = b"250-x\r\n250 AUTH SCRAM-SHA-256\r\n"
    relays(remote, f":127.0.0.1:{peer.port}|ann|se|cret|\n")
    [record] = remote.run()
    assert record.startswith(b"ZConnected to 127.0.0.1 but ")
    assert text in record
    assert peer.messages == []


def test_endless_challenges(remote):
    peer = auth_peer(remote, b"LOGIN")
    peer.answers["AUTH"] = peer.answers["YW5U"] = b"334 VXNlcg==\r\n"

    def again(connection):
        for _ in range(20):
            connection.sendall(b"334 VXNlcg==\r\n")
            if peer.line(connection) == b"*":
                connection.sendall(b"501 no\r\n")
                return True
        return False
    peer.answers["AUTH"] = again
    relays(remote, f":127.0.0.1:{peer.port}|ann|se|cret|login\n")
    [record] = remote.run()
    assert record.startswith(b"ZConnected to 127.0.0.1 but ")
    assert peer.messages == []


def test_password_is_in_no_process(remote):
    """Neither qmail-remote nor its helper shows it to ps."""
    seen = []

    def look(connection):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            for name in ("cmdline", "environ"):
                try:
                    with open(f"/proc/{pid}/{name}", "rb") as f:
                        seen.append(f.read())
                except OSError:
                    pass
        return peer.auth(connection)

    peer = auth_peer(remote, b"CRAM-MD5")
    peer.answers["AUTH"] = look
    relays(remote, f":127.0.0.1:{peer.port}|ann|se|cret|\n")
    assert remote.run() == [b"r", KEPT]
    assert seen and not any(b"se|cret" in text for text in seen)


# -- the log -------------------------------------------------------------

def logged(remote, fd=25):
    """Runs with a log on fd and returns its lines without the pid."""
    path = os.path.join(remote.path, "log")
    home_module.write_file(path, b"")
    message = home_module.write_file(os.path.join(remote.path, "message"),
                                     b"Subject: x\n\nbody\n")
    done = home_module.subprocess.run(
        ["bash", "-c", f"exec {fd}>>{path} && exec \"$0\" \"$@\" < {message}",
         os.path.join(remote.bin, "qmail-remote"), "h", "s@a", "r@h"],
        capture_output=True, timeout=home_module.DEADLINE,
        env={**remote.sanitizers(), "QMAILHOME": remote.path},
        **home_module.ids_arguments())
    with open(path) as f:
        lines = [line.split(" ", 3) for line in f.read().splitlines()]
    assert all(line[:2] == ["qmail-remote:", "pid"] for line in lines)
    return done.stdout, [line[3] for line in lines]


def test_dialogue_is_logged_without_secrets(remote):
    home_module.make_dirs(os.path.join(remote.path, "control", "log"))
    remote.control("log/remote_fd", "25\n")
    peer = auth_peer(remote, b"PLAIN CRAM-MD5")
    relays(remote, f":127.0.0.1:{peer.port}|ann|se|cret|cram-md5\n")
    out, lines = logged(remote)
    assert out.endswith(KEPT + b"\0")
    assert lines == [
        "S: 220 peer.example ESMTP", "C: EHLO client.example", "S: 250-x",
        "S: 250-AUTH PLAIN CRAM-MD5", "S: 250 PIPELINING",
        "C: AUTH CRAM-MD5", "S: 334 [...]", "C: [...]", "S: 235 2.7.0 ok",
        "C: MAIL FROM:<s@a>", "C: RCPT TO:<r@h>", "C: DATA",
        "S: 250 2.1.0 ok", "S: 250 2.1.5 ok", "S: 354 go ahead", "C: [...]",
        "S: 250 2.6.0 taken"]
    relays(remote, f":127.0.0.1:{peer.port}|ann|se|cret|plain\n")
    _, lines = logged(remote)
    assert "C: AUTH PLAIN [...]" in lines


@pytest.mark.parametrize("number", ["0", "24"])
def test_no_log_on_a_descriptor_that_is_not_open(remote, number):
    home_module.make_dirs(os.path.join(remote.path, "control", "log"))
    remote.control("log/remote_fd", number + "\n")
    remote.routed_peer()
    out, lines = logged(remote)
    assert out == b"r\0" + KEPT + b"\0" and lines == []


def test_report_is_no_log(remote):
    home_module.make_dirs(os.path.join(remote.path, "control", "log"))
    remote.control("log/remote_fd", "1\n")
    remote.routed_peer()
    [record] = remote.run()
    assert record.startswith(b"ZUnable to read control files. (#4.3.0)\n"
                             b"control/log/remote_fd")


# -- own addresses -------------------------------------------------------

def test_outgoingip(remote):
    seen = []

    def greeting(connection):
        seen.append(connection.getpeername()[0])
        connection.sendall(b"220 hi\r\n")

    remote.routed_peer(greeting=greeting)
    remote.control("outgoingip", "127.0.0.7\na.example:127.0.0.8\n"
                   ".b.example:127.0.0.9\nc.example:0.0.0.0\n"
                   "bad.example:192.0.2.200\n")
    for sender in ("", "s@x", "s@A.example", "s@x.b.example", "s@c.example"):
        assert remote.run(sender=sender) == [b"r", KEPT]
    assert seen == ["127.0.0.7", "127.0.0.7", "127.0.0.8", "127.0.0.9",
                    "127.0.0.1"]
    [record] = remote.run(sender="s@bad.example")
    assert record[:1] == b"Z"
    assert len(seen) == 5


# -- a peer that fails in the middle of a group of replies ---------------

@pytest.mark.parametrize("answers, states, text", [
    ({"RCPT": [b"250 ok\r\n", CLOSE]}, b"r", died()),
    ({"RCPT": [b"550 no\r\n", b"250 ok\r\n", STALL]}, b"hr", died()),
    ({"DATA": CLOSE}, b"rrr", died()),
    ({"RCPT": [b"250 ok\r\n250 twice\r\n"]}, None, None),
    ({"MAIL": [b"250 ok\r\n550 and no\r\n"]}, None, None),
    ({"RCPT": [b"250 ok\r\n", b"25"]}, b"r", died()),
])
def test_pipelined_replies_that_break_off(remote, answers, states, text):
    peer = remote.routed_peer(**answers)
    last = answers.get("RCPT", [])[-1:]
    records = remote.run_short(
        lambda: peer.steps.count("RCPT") >= len(answers["RCPT"]),
        "a@x", "b@x", "c@x") if last in ([STALL], [b"25"]) else remote.run(
            "a@x", "b@x", "c@x")
    if states is None:
        # More replies than commands: whatever it means, one outcome only, and
        # nothing is taken for accepted that was not.
        assert (records[-1][:1] == b"K") == (len(peer.messages) > 0)
        return
    assert b"".join(r[:1] for r in records[:-1]) == states
    assert records[-1].startswith(text)
    assert peer.messages == []


# -- QMTP ----------------------------------------------------------------

class QmtpPeer:
    """Takes messages by QMTP; reply(message, sender, recipients) answers."""

    def __init__(self, reply):
        self.reply = reply
        self.packets = []
        self.sessions = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(home_module.DEADLINE)

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.sessions += 1
            connection.settimeout(PATIENCE)
            with connection, connection.makefile("rb") as f:
                try:
                    while True:
                        self.one(connection, f)
                except (OSError, EOFError, ValueError):
                    pass

    @staticmethod
    def netstring(f):
        length = b""
        while not length.endswith(b":"):
            c = f.read(1)
            if not c:
                raise EOFError
            length += c
        data = f.read(int(length[:-1]))
        if f.read(1) != b",":
            raise ValueError(length)
        return data

    def one(self, connection, f):
        message, sender, all = (self.netstring(f) for _ in range(3))
        recipients = []
        while all:
            length, _, all = all.partition(b":")
            recipients.append(all[:int(length)])
            assert all[int(length):int(length) + 1] == b","
            all = all[int(length) + 1:]
        self.packets.append((message, sender, recipients))
        said = self.reply(message, sender, recipients)
        if said is None:
            raise EOFError
        if said is STALL:
            while f.read(4096):
                pass
            raise EOFError
        connection.sendall(said)


def ns(text):
    return b"%d:%s," % (len(text), text)


@pytest.fixture
def qmtp(remote):
    made = []

    def start(reply):
        peer = QmtpPeer(reply)
        made.append(peer)
        remote.control("qmtproutes", f":127.0.0.1:{peer.port}\n")
        return peer

    yield start
    for peer in made:
        peer.stop()


def test_qmtp(remote, qmtp):
    peer = qmtp(lambda m, s, r: b"".join(
        ns(b"Kok 1 qp 2" if x == b"a@x" else
           b"Zlater (#4.2.0)" if x == b"b@x" else b"Dno (#5.1.1)")
        for x in r))
    assert remote.run("a@x", "b@x", "c@x", message=b".a\r\nb\n\xffc") == [
        b"r", b"s127.0.0.1 does not like recipient.\n"
        b"Remote host said: later (#4.2.0)\n",
        b"h127.0.0.1 does not like recipient.\n"
        b"Remote host said: no (#5.1.1)\n",
        b"K127.0.0.1 accepted message.\nRemote host said: ok 1 qp 2\n"]
    assert peer.packets == [(b"\n.a\r\nb\n\xffc", b"s@a.example",
                             [b"a@x", b"b@x", b"c@x"])]


def test_qmtp_empty_and_large(remote, qmtp):
    peer = qmtp(lambda m, s, r: ns(b"Kok") * len(r))
    for message in (b"", b"x", b"line\n" * 300000):
        assert remote.run("a@x", sender="", message=message)[-1] == (
            b"K127.0.0.1 accepted message.\nRemote host said: ok\n")
        assert peer.packets[-1] == (b"\n" + message, b"", [b"a@x"])


@pytest.mark.parametrize("said, many", [
    (None, False), (STALL, False), (b"7:Kok", False), (b"x", False),
    (b"0:,", False), (b"99999999:K", False), (b"3:Xok,", False),
    (b"3:Kok;", False), (b"03:Kok,", False), (ns(b"Kok"), True),
    (ns(b"Kok") + b"3:K", True),
])
def test_qmtp_broken_answers(remote, qmtp, said, many):
    remote.control("timeoutremote", "3\n" if many else "1\n")
    first = [said]
    peer = qmtp(lambda m, s, r: first.pop() if first else None)
    records = remote.run("a@x", "b@x")
    lost = died(duplicate=True)
    assert records[1] == b"s" + lost[1:]
    assert records[0] == (b"r" if many else b"s" + lost[1:])
    assert records[2] == (b"K127.0.0.1 accepted message.\n"
                          b"Remote host said: ok\n" if many else lost)
    assert peer.sessions == 1


@pytest.mark.parametrize("said", [b"1" * 4096, b"10001:K" + b"x" * 20000])
def test_qmtp_endless_answers(remote, qmtp, said):
    """Long before any timeout."""
    peer = qmtp(lambda m, s, r: said * 256)
    lost = died(duplicate=True)
    assert remote.run("a@x") == [b"s" + lost[1:], lost]
    assert peer.sessions == 1


def test_qmtp_refused_for_all(remote, qmtp):
    qmtp(lambda m, s, r: ns(b"Dno") * len(r))
    assert remote.run("a@x") == [
        b"h127.0.0.1 does not like recipient.\nRemote host said: no\n",
        b"DGiving up on 127.0.0.1.\n"]


def test_qmtp_where_tls_is_asked_for(remote, qmtp):
    peer = qmtp(lambda m, s, r: ns(b"Kok"))
    remote.control("tlsremote", "127.0.0.1:encrypt\n")
    [record] = remote.run("a@x")
    assert record.startswith(b"ZUnable to read control files. (#4.3.0)\n"
                             b"control/tlsremote ")
    assert peer.sessions == 0


def test_smtp_route_named_by_a_virtual_relay_to_qmtp(remote, qmtp):
    peer = qmtp(lambda m, s, r: ns(b"Kok") * len(r))
    remote.control("smtproutes", "x.example:virtual\n")
    remote.control("qmtproutes", f"virtual:127.0.0.1:{peer.port}\n")
    assert remote.run("a@x", host="x.example")[0] == b"r"
    assert len(peer.packets) == 1
