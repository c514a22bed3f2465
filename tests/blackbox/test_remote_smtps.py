"""qmail-remote and relays on port 465: TLS from the first byte (RFC 8314).

Port 465 is that of a network of its own, so this needs root.
"""
import os

import pytest

import home as home_module
from remote_dns import NetThread
from remote_peers import CLOSE, STALL, Peer, Remote
from sasl_peer import Auth
from tls_peer import Authority, TlsPeer

HOST = "192.0.2.65"
KEPT = f"K{HOST} accepted message.\nRemote host said: ".encode()
NO_TLS = f"ZConnected to {HOST} but TLS failed: ".encode()
EHLO = b"250-peer\r\n250-PIPELINING\r\n250 AUTH LOGIN PLAIN\r\n"


@pytest.fixture(scope="module")
def authority(session_dir):
    made = Authority(home_module.make_dirs(
        os.path.join(session_dir, "smtps")))
    made.good = made.issue(HOST)
    made.other = made.issue("192.0.2.66")
    return made


@pytest.fixture(scope="module")
def thread():
    if not home_module.ROOT:
        pytest.skip("needs root")
    made = NetThread()
    if made.error is not None:
        pytest.skip(made.error)
    yield made
    made.stop()


class Net:
    """All mail goes to HOST:465 with a password."""

    def __init__(self, thread, remote):
        self.thread, self.remote = thread, remote
        home_module.write_file(
            os.path.join(remote.path, "control", "smtprelays"),
            f":{HOST}:465|ann|se|cret|\n", 0o640)

    def add(self, make):
        peer = self.thread.run(make)
        self.remote.peers.append(peer)
        return peer

    def peer(self, pem, **answers):
        answers.setdefault("EHLO", EHLO)
        peer = self.add(lambda: TlsPeer(pem, HOST, 465, at_once=True,
                                        **answers))
        peer.auth = peer.answers["AUTH"] = Auth(peer)
        return peer

    def run(self, level=None):
        if level is not None:
            self.remote.control("tlsremote", f":{level}\n")
        return self.thread.run(self.remote.run)


@pytest.fixture
def net(thread, scratch, bin_dir):
    remote = Remote(os.path.join(scratch, "home"), bin_dir)
    os.symlink(bin_dir, os.path.join(remote.path, "bin"))
    home_module.make_dirs(os.path.join(remote.path, "cache", "remote"))
    yield Net(thread, remote)
    remote.stop()


@pytest.mark.parametrize("level, said", [
    (None, b"not verified"), ("none", b"not verified"),
    ("encrypt", b"not verified"), ("verify", b"verified")])
def test_tls_comes_first(net, authority, level, said):
    peer = net.peer(authority.good)
    net.remote.control("cafile", authority.bundle)
    records = net.run(level)
    assert records[0] == b"r" and records[1].startswith(KEPT)
    assert b"Encrypted with TLSv1.3, " in records[1]
    assert records[1].endswith(b", certificate " + said + b".\n")
    assert peer.tls_sessions == 1 and len(peer.messages) == 1
    # One EHLO, no STARTTLS; a clear-text method is fine in here.
    assert [c.split(b" ")[0] for c in peer.commands[:3]] == [
        b"EHLO", b"AUTH", b"MAIL"]
    assert peer.auth.outcomes == [("PLAIN", True)]


def test_wrong_certificate(net, authority):
    peer = net.peer(authority.other)
    net.remote.control("cafile", authority.bundle)
    [record] = net.run("verify")
    assert record.startswith(NO_TLS) and record.endswith(b" (#4.7.5)\n")
    assert peer.commands == []


@pytest.mark.parametrize("level", [None, "none", "encrypt"])
@pytest.mark.parametrize("greeting", [
    Peer.DEFAULTS["greeting"], b"\x15\x03\x01\x00\x02\x02\x28", CLOSE, STALL])
def test_no_clear_text_on_this_port(net, level, greeting):
    """A server that speaks something else gets nothing in clear."""
    peer = net.add(lambda: Peer(HOST, 465, greeting=greeting))
    [record] = net.remote.run_short(
        lambda: "greeting" in peer.steps, run=lambda: net.run(level)) if (
            greeting is STALL) else net.run(level)
    assert record.startswith(NO_TLS) and record.endswith(b" (#4.7.5)\n")
    assert peer.messages == []
    assert not any(c.startswith((b"EHLO", b"MAIL", b"AUTH"))
                   for c in peer.commands)


@pytest.mark.parametrize("step", ["greeting", "MAIL", "dot"])
def test_connection_dies_in_tls(net, authority, step):
    peer = net.peer(authority.good, **{step: CLOSE})
    record = net.run()[-1]
    assert record.startswith(f"ZConnected to {HOST} but connection died. "
                             .encode())
    assert (b"Possible duplicate!" in record) == (step == "dot")
    assert len(peer.messages) == (step == "dot")
