"""qmail-remote and TLS: control/tlsremote against servers good and broken."""
import os
import time

import pytest

import home as home_module
from remote_dns import Dnsmasq
from remote_peers import CLOSE, STALL, Remote, died
from remote_resident import HelperRemote
from sasl_peer import Auth
from tls_peer import EHLO_TLS, Authority, TlsPeer

KEPT = b"K127.0.0.1 accepted message.\nRemote host said: 250 2.6.0 taken\n"
SENT = b"Encrypted with TLSv1.3, TLS_"
OWN = pytest.mark.parametrize("remote", ["own"], indirect=True)


@pytest.fixture(scope="module")
def authority(session_dir):
    made = Authority(home_module.make_dirs(
        os.path.join(session_dir, "remote-tls")))
    made.good = made.issue("tls.example")
    made.other = made.issue("other.example")
    made.address = made.issue("127.0.0.1")
    return made


@pytest.fixture(scope="module")
def dnsmasq():
    server = Dnsmasq("--host-record=tls.example,127.0.0.1")
    yield server
    server.stop()


@pytest.fixture(params=["own", "helper"])
def remote(request, scratch, bin_dir, dnsmasq):
    """By a qmail-tlsd of its own, or by one that serves many."""
    kind = Remote if request.param == "own" else HelperRemote
    made = kind(os.path.join(scratch, "home"), bin_dir)
    if kind is Remote:
        os.symlink(bin_dir, os.path.join(made.path, "bin"))
    home_module.make_dirs(os.path.join(made.path, "cache", "remote"))
    made.control("dnsservers", f"127.0.0.1:{dnsmasq.port}\n")
    yield made
    made.stop()


@pytest.fixture
def server(remote, authority):
    """server(pem=..., answers) starts a relay named tls.example."""

    def start(pem=None, name="tls.example", **answers):
        peer = TlsPeer(pem or authority.good, **answers)
        remote.peers.append(peer)
        remote.control("smtproutes", f":{name}:{peer.port}\n")
        return peer

    return start


def level(remote, text):
    remote.control("tlsremote", f"tls.example:{text}\n127.0.0.1:{text}\n")


def without_clear_mail(peer):
    return peer.messages == [] and not any(
        c.startswith((b"MAIL", b"AUTH")) for c in peer.commands)


def broken(connection):
    """Agrees to TLS and then speaks none."""
    connection.sendall(b"220 go\r\n")
    connection.recv(1)
    connection.sendall(b"this is no TLS at all, sorry\r\n" * 20)
    return False


# -- it works ------------------------------------------------------------

@pytest.mark.parametrize("text, verified", [
    (None, b"not verified"), ("may", b"not verified"),
    ("encrypt", b"not verified"), ("verify", b"verified")])
def test_levels(remote, authority, server, text, verified):
    peer = server()
    if text is not None:
        level(remote, text)
    remote.control("cafile", authority.bundle)
    records = remote.run()
    assert records[0] == b"r"
    assert records[1].startswith(KEPT + SENT)
    assert records[1].endswith(b", certificate " + verified + b".\n")
    assert peer.clear_commands == [b"EHLO client.example", b"STARTTLS"]
    assert peer.commands[2:4] == [
        b"EHLO client.example", b"MAIL FROM:<s@a.example> SIZE=20"]
    assert peer.tls_sessions == 1 and len(peer.messages) == 1


def test_large_message(remote, server):
    peer = server(EHLO=[EHLO_TLS, b"250-x\r\n250 PIPELINING\r\n"])
    lines = b"".join(b"%07d %s\n" % (i, b"x" * 60) for i in range(20000))
    assert remote.run(message=lines)[1].startswith(KEPT + SENT)
    assert peer.messages[0].replace(b"\r\n", b"\n") == lines


def test_level_none(remote, server):
    peer = server()
    level(remote, "none")
    assert remote.run() == [b"r", KEPT]
    assert peer.tls_sessions == 0


def test_address_in_a_certificate(remote, authority, server):
    server(authority.address, name="127.0.0.1")
    level(remote, "verify")
    remote.control("cafile", authority.bundle)
    assert remote.run()[-1].endswith(b", certificate verified.\n")


def test_auth_in_tls(remote, authority, server):
    ehlo = b"250-x\r\n250 AUTH LOGIN PLAIN\r\n"
    peer = server(EHLO=[b"250-x\r\n250 STARTTLS\r\n", ehlo], AUTH=CLOSE)
    auth = peer.answers["AUTH"] = Auth(peer)
    home_module.write_file(
        os.path.join(remote.path, "control", "smtprelays"),
        f":tls.example:{peer.port}|ann|se|cret|\n", 0o640)
    assert remote.run()[1].startswith(KEPT + SENT)
    assert auth.outcomes == [("PLAIN", True)]
    assert not any(c.startswith(b"AUTH") for c in peer.clear_commands)


@OWN
def test_outcome_is_logged(remote, server):
    server()
    home_module.make_dirs(os.path.join(remote.path, "control", "log"))
    remote.control("log/remote_fd", "25\n")
    log = home_module.write_file(os.path.join(remote.path, "log"), b"")
    message = home_module.write_file(os.path.join(remote.path, "m"), b"x\n")
    home_module.subprocess.run(
        ["bash", "-c", f"exec 25>>{log} && exec \"$0\" \"$@\" < {message}",
         os.path.join(remote.bin, "qmail-remote"), "h", "s@a", "r@h"],
        capture_output=True, timeout=home_module.DEADLINE,
        env={**remote.sanitizers(), "QMAILHOME": remote.path},
        **home_module.ids_arguments())
    with open(log) as f:
        text = f.read()
    assert " TLS: TLSv1.3 TLS_" in text
    assert text.count("certificate not verified") == 1
    assert "C: STARTTLS" in text and text.count("C: EHLO") == 2


# -- it does not ---------------------------------------------------------

@pytest.mark.parametrize("pem, why", [
    ("other", b"hostname mismatch"),
    ("unknown", b"unable to get local issuer certificate")])
def test_certificates_that_do_not_verify(remote, authority, server, pem, why):
    peer = server(authority.other if pem == "other" else authority.good)
    level(remote, "verify")
    if pem == "other":
        remote.control("cafile", authority.bundle)
    [record] = remote.run()
    assert record.startswith(b"ZConnected to 127.0.0.1 but TLS failed: ")
    assert record.endswith(b": " + why + b". (#4.7.5)\n"), record
    assert without_clear_mail(peer)


@pytest.mark.parametrize("text", ["encrypt", "verify"])
@pytest.mark.parametrize("answers, said", [
    ({"EHLO": b"250 x\r\n"}, b"but TLS is not offered there. (#4.7.4)\n"),
    ({"STARTTLS": b"454 4.7.0 no\r\n"},
     b"but TLS was refused. (#4.7.4)\nRemote host said: 454 4.7.0 no\n"),
    ({"STARTTLS": broken}, b"but TLS failed: "),
    ({"STARTTLS": STALL}, b"but TLS was refused. (#4.7.4)\n"),
    ({"STARTTLS": b"220 go\r\n250 injected\r\n"}, b"but TLS was refused"),
    ({"STARTTLS": CLOSE}, b"but TLS was refused. (#4.7.4)\n"),
])
def test_no_clear_text_where_tls_is_asked_for(remote, authority, server, text,
                                              answers, said):
    peer = server(**answers)
    level(remote, text)
    remote.control("cafile", authority.bundle)
    [record] = remote.run_short(
        lambda: "STARTTLS" in peer.steps) if STALL in answers.values() else (
            remote.run())
    assert record.startswith(b"ZConnected to 127.0.0.1 " + said)
    assert without_clear_mail(peer)


def test_broken_tls_falls_back_and_is_remembered(remote, server):
    peer = server(STARTTLS=broken)
    assert remote.run() == [b"r", KEPT]
    assert peer.sessions == 2
    assert peer.commands.count(b"STARTTLS") == 1
    assert remote.run() == [b"r", KEPT]
    assert peer.sessions == 3
    assert peer.commands.count(b"STARTTLS") == 1
    path = os.path.join(remote.path, "cache", "remote", "notls")
    with open(path, "r+b") as f:  # an hour later
        f.seek(16)
        f.write(int(time.time() - 3700).to_bytes(8, "little"))
    assert remote.run() == [b"r", KEPT]
    assert peer.commands.count(b"STARTTLS") == 2


def test_what_is_remembered_does_not_weaken_other_levels(remote, server):
    peer = server(STARTTLS=broken)
    assert remote.run() == [b"r", KEPT]
    level(remote, "encrypt")
    assert b"TLS failed" in remote.run()[0]
    assert len(peer.messages) == 1


@pytest.mark.parametrize("answer, sessions", [
    (b"454 4.7.0 no\r\n", 1), (b"501 what\r\n", 1), (CLOSE, 2), (STALL, 2),
    (b"220 go\r\n250 injected\r\n", 2)])
def test_may_goes_on_in_clear_text(remote, server, answer, sessions):
    peer = server(STARTTLS=answer)

    def run():
        remembered = os.path.join(remote.path, "cache", "remote", "notls")
        if os.path.exists(remembered):  # of a try that was too short
            os.unlink(remembered)
        return remote.run()

    records = remote.run_short(lambda: "dot" in peer.steps, run=run) if (
        answer is STALL) else run()
    assert records == [b"r", KEPT]
    assert peer.sessions == sessions and peer.tls_sessions == 0


def test_handshake_that_stalls(remote, server):
    def stall(connection):
        connection.sendall(b"220 go\r\n")
        while connection.recv(4096):
            pass
        return False

    peer = server(STARTTLS=stall)
    level(remote, "encrypt")
    [record] = remote.run_short(lambda: "STARTTLS" in peer.steps)
    assert record.startswith(b"ZConnected to 127.0.0.1 but TLS failed: ")
    assert without_clear_mail(peer)


@pytest.mark.parametrize("step", ["STARTTLS", "MAIL"])
def test_endless_reply(remote, server, step):
    """Before TLS and in it, long before any timeout."""
    def send(connection):
        while True:  # until the client has gone
            connection.sendall(b"220-no end\r\n" * 100)

    peer = server(**{step: send})
    level(remote, "encrypt")
    [record] = remote.run()
    assert record.startswith(
        b"ZConnected to 127.0.0.1 but a reply had more than 1000 lines or "
        b"512000 bytes. (#4.5.0)\n")
    assert peer.messages == []


@pytest.mark.parametrize("step", ["MAIL", "DATA", "dot"])
@pytest.mark.parametrize("how", [CLOSE, STALL])
def test_connection_dies_in_tls(remote, server, step, how):
    peer = server(**{step: how})
    records = remote.run_short(lambda: step in peer.steps) if (
        how is STALL) else remote.run()
    assert records[-1].startswith(died(duplicate=step == "dot"))
    assert SENT in records[-1]


@OWN
def test_missing_qmail_tls_is_temporary(remote, server):
    os.unlink(os.path.join(remote.path, "bin"))
    peer = server()
    level(remote, "encrypt")
    [record] = remote.run()
    assert record.startswith(b"ZConnected to 127.0.0.1 but TLS failed: ")
    assert b"bin/qmail-tls" in record
    level(remote, "may")
    assert remote.run() == [b"r", KEPT]
    assert not os.path.exists(
        os.path.join(remote.path, "cache", "remote", "notls"))


def test_level_that_is_none(remote, server):
    peer = server()
    remote.control("tlsremote", ":always\n")
    [record] = remote.run()
    assert record.startswith(b"ZUnable to read control files. (#4.3.0)\n"
                             b"control/tlsremote line 1: ")
    assert peer.sessions == 0


@pytest.mark.parametrize("text", [
    "127.0.0.1 verify\n", "127.0.0.1 :verify\n", "*.0.0.1:verify\n",
    "2001:db8::1:verify\n", "other.example:verfy\n"])
def test_lines_that_could_be_meant_for_this_host(remote, server, text):
    peer = server()
    remote.control("tlsremote", "# levels\n" + text)
    [record] = remote.run()
    assert record.startswith(b"ZUnable to read control files. (#4.3.0)\n"
                             b"control/tlsremote line 2: ")
    assert peer.sessions == 0
