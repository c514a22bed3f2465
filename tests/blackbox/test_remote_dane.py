"""qmail-remote and DANE (RFC 7672): a signed zone, a validating resolver."""
import os
import shutil

import pytest

import home as home_module
from remote_dns import NetThread
from remote_peers import Remote
from remote_resident import HelperRemote
from signed_dns import UNBOUND_PORT, SignedDns
from tls_peer import Authority, TlsPeer, tlsa_311

KEPT = b" accepted message.\nRemote host said: 250 2.6.0 taken\n"
VERIFIED, NOT = b", certificate verified.\n", b", certificate not verified.\n"
WRONG = "00" * 32


def zone(name, port, tlsa):
    """Mail for the zone goes to mx.<zone> at 192.0.2.<port>."""
    return f"@ MX 10 mx\nmx A 192.0.2.{port}\n" + "".join(
        f"_25._tcp.mx TLSA {t}\n" for t in tlsa)


@pytest.fixture(scope="module")
def authority(session_dir):
    made = Authority(home_module.make_dirs(os.path.join(session_dir, "dane")))
    made.good = made.issue("mx.good.example")
    return made


@pytest.fixture(scope="module")
def thread(session_dir, authority):
    if not home_module.ROOT or not shutil.which("knotd") or not shutil.which(
            "unbound"):
        pytest.skip("needs root, knot and unbound")
    made = NetThread()
    if made.error is not None:
        pytest.skip(made.error)
    right = f"3 1 1 {tlsa_311(authority.good)}"
    zones = {
        "good.example": (zone("good", 1, [f"3 1 1 {WRONG}", right]),
                         "signed"),
        "wrong.example": (zone("wrong", 2, [f"3 1 1 {WRONG}"]), "signed"),
        "none.example": (zone("none", 3, []), "signed"),
        "plain.example": (zone("plain", 4, [right]), "plain"),
        "bogus.example": (zone("bogus", 5, [right]), "bogus"),
        # An exchanger that DNSSEC vouches for, in a zone that it does not.
        "via.example": ("@ MX 10 mx.good.example.\n", "plain"),
        "useless.example": (zone("useless", 6, ["1 1 1 " + WRONG]), "signed"),
        "bare.example": (f"@ A 192.0.2.7\n_25._tcp TLSA {right}\n", "signed"),
    }
    dns = made.run(lambda: SignedDns(os.path.join(session_dir, "signed"),
                                     zones))
    yield made
    made.run(dns.stop)
    made.stop()


class Net:
    def __init__(self, thread, remote, authority):
        self.thread, self.remote = thread, remote
        self.authority = authority

    def peer(self, number, **answers):
        peer = self.thread.run(lambda: TlsPeer(
            self.authority.good, f"192.0.2.{number}", 25, **answers))
        self.remote.peers.append(peer)
        return peer

    def run(self, host, level):
        self.remote.control("tlsremote", f":{level}\n")
        return self.thread.run(lambda: self.remote.run(host=host))


@pytest.fixture(params=[Remote, HelperRemote])
def net(request, thread, scratch, bin_dir, authority):
    remote = request.param(os.path.join(scratch, "home"), bin_dir)
    if request.param is Remote:
        os.symlink(bin_dir, os.path.join(remote.path, "bin"))
    home_module.make_dirs(os.path.join(remote.path, "cache", "remote"))
    remote.control("dnsservers", f"127.0.0.1:{UNBOUND_PORT}\n")
    yield Net(thread, remote, authority)
    remote.stop()


@pytest.mark.parametrize("level", ["dane", "dane-may"])
@pytest.mark.parametrize("host, number", [("good.example", 1),
                                          ("bare.example", 7)])
def test_a_record_that_matches(net, level, host, number):
    net.peer(number)
    record = net.run(host, level)[-1]
    assert record.startswith(b"K192.0.2.%d" % number + KEPT)
    assert record.endswith(VERIFIED)


@pytest.mark.parametrize("level", ["dane", "dane-may"])
def test_records_that_do_not_match(net, level):
    peer = net.peer(2)
    [record] = net.run("wrong.example", level)
    assert record.startswith(b"ZConnected to 192.0.2.2 but TLS failed: ")
    assert peer.messages == [] and peer.sessions == 1


@pytest.mark.parametrize("level", ["dane", "dane-may"])
def test_no_clear_text_where_there_are_records(net, level):
    peer = net.peer(1, EHLO=b"250 no TLS here\r\n")
    assert net.run("good.example", level) == [
        b"ZConnected to 192.0.2.1 but TLS is not offered there. (#4.7.4)\n"]
    assert peer.messages == []


@pytest.mark.parametrize("host, number, name", [
    ("none.example", 3, b"mx.none.example"),
    ("plain.example", 4, b"mx.plain.example"),
    ("via.example", 1, b"mx.good.example"),
    ("useless.example", 6, b"mx.useless.example")])
def test_nothing_that_dnssec_vouches_for(net, host, number, name):
    peer = net.peer(number)
    assert net.run(host, "dane") == [
        b"Z" + name + b" has no TLSA record that DNSSEC vouches for, and "
        b"control/tlsremote asks for one. (#4.7.5)\n"]
    assert peer.sessions == 0
    record = net.run(host, "dane-may")[-1]
    assert record.startswith(b"K192.0.2.%d" % number + KEPT)
    assert record.endswith(NOT)


def test_records_of_no_use_forbid_clear_text(net):
    net.peer(6, EHLO=b"250 no TLS here\r\n")
    assert b"TLS is not offered there" in net.run("useless.example",
                                                  "dane-may")[0]


@pytest.mark.parametrize("level", ["dane", "dane-may", "may"])
def test_forged_answers_are_no_answers(net, level):
    peer = net.peer(5)
    assert net.run("bogus.example", level) == [
        b"ZSorry, I couldn't find any host by that name. (#4.1.2)\n"]
    assert peer.sessions == 0


def test_other_levels_ask_for_no_records(net):
    net.peer(2)
    assert net.run("wrong.example", "may")[-1].endswith(NOT)
