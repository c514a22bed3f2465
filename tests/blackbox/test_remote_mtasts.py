"""MTA-STS (RFC 8461): qmail-mtasts with a real HTTPS server, qmail-remote."""
import http.server
import os
import subprocess
import threading
import time

import pytest

import home as home_module
from remote_dns import Dnsmasq, NetThread
from remote_peers import Remote
from tls_peer import Authority, TlsPeer, context

POLICY = "version: STSv1\r\nmode: {}\r\nmx: {}\r\nmax_age: {}\r\n"
TYPE = "text/plain; charset=utf-8"

ZONE = [f"--mx-host={d}.example,mx.{d}.example,10" for d in "ab"] + [
    f"--host-record=mx.{d}.example,192.0.2.1" for d in "ab"] + [
    "--host-record=mta-sts.a.example,192.0.2.80",
    "--host-record=mta-sts.b.example,192.0.2.80",
    "--host-record=mta-sts.own.example,127.0.0.1",
    "--host-record=mta-sts.dead.example,192.0.2.81",
    '--txt-record=_mta-sts.a.example,v=STSv1; id=a1;',
    '--txt-record=_mta-sts.own.example,v=STSv1; id=a1;',
    '--txt-record=_mta-sts.dead.example,v=STSv1; id=a1;',
    "--txt-record=_mta-sts.b.example,some other text",
]


class Web:
    """https://mta-sts.a.example/ at 192.0.2.80."""

    def __init__(self, pem):
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                web.asked.append((self.headers["Host"], self.path))
                self.send_response(web.status)
                self.send_header("Content-Type", web.type)
                if web.status // 100 == 3:
                    self.send_header("Location", "https://mta-sts.a.example/"
                                     ".well-known/other")
                self.end_headers()
                try:
                    self.wfile.write(web.body.encode())
                except OSError:
                    pass

            def log_message(self, *args):
                pass

        self.asked = []
        self.reset()
        self.server = http.server.ThreadingHTTPServer(("192.0.2.80", 443),
                                                      Handler)
        self.server.socket = context(pem).wrap_socket(self.server.socket,
                                                      server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       daemon=True)
        self.thread.start()

    def reset(self):
        self.asked.clear()
        self.status, self.type = 200, TYPE
        self.body = POLICY.format("enforce", "mx.a.example", 86400)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(home_module.DEADLINE)


@pytest.fixture(scope="module")
def authority(session_dir):
    made = Authority(home_module.make_dirs(os.path.join(session_dir, "sts")))
    made.web = made.issue("mta-sts.a.example")
    made.mx = made.issue("mx.a.example")
    made.wrong = made.issue("mx.wrong.example")
    return made


@pytest.fixture(scope="module")
def place(authority):
    if not home_module.ROOT or not os.path.exists("/usr/sbin/dnsmasq"):
        pytest.skip("needs root and dnsmasq")
    thread = NetThread()
    if thread.error is not None:
        pytest.skip(thread.error)
    thread.dns = thread.run(lambda: Dnsmasq(*ZONE, port=5353))
    thread.web = thread.run(lambda: Web(authority.web))
    yield thread
    thread.web.stop()
    thread.dns.stop()
    thread.stop()


class Sts:
    def __init__(self, place, remote, authority):
        self.place, self.remote, self.authority = place, remote, authority
        self.web = place.web
        self.web.reset()

    def peer(self, pem=None, **answers):
        peer = self.place.run(lambda: TlsPeer(
            pem or self.authority.mx, "192.0.2.1", 25, **answers))
        self.remote.peers.append(peer)
        return peer

    def run(self, host="a.example"):
        return self.place.run(lambda: self.remote.run(host=host))

    def look(self, domain="a.example"):
        """qmail-mtasts by hand: exit code, output, messages."""
        done = self.place.run(lambda: subprocess.run(
            [os.path.join(self.remote.bin, "qmail-mtasts"), domain],
            capture_output=True, text=True,
            timeout=home_module.DEADLINE,
            env={**self.remote.sanitizers(), "QMAILHOME": self.remote.path},
            **home_module.ids_arguments()))
        return done.returncode, done.stdout, done.stderr

    def path(self, domain="a.example"):
        return os.path.join(self.remote.path, "cache", "remote", "mtasts",
                            domain)

    def kept(self, domain="a.example"):
        with open(self.path(domain)) as f:
            return f.read()

    def age(self, seconds):
        """Makes what is kept so much older."""
        head, _, policy = self.kept().partition("\n\n")
        lines = []
        for line in head.strip().split("\n"):
            key, value = line.split(": ")
            if key != "id":
                value = int(value) - seconds
            lines.append(f"{key}: {value}")
        home_module.write_file(self.path(), "\n".join(lines) + "\n\n" + policy
                               if policy else "\n".join(lines))


@pytest.fixture
def sts(place, scratch, bin_dir, authority):
    remote = Remote(os.path.join(scratch, "home"), bin_dir)
    os.symlink(bin_dir, os.path.join(remote.path, "bin"))
    home_module.make_dirs(os.path.join(remote.path, "cache", "remote"))
    remote.control("dnsservers", "127.0.0.1:5353\n")
    remote.control("cafile", authority.bundle)
    remote.control("mtasts", "1\n")
    yield Sts(place, remote, authority)
    remote.stop()


# -- qmail-mtasts --------------------------------------------------------

def test_policy_is_fetched_and_kept(sts):
    assert sts.look() == (0, sts.web.body.replace("\r\n", "\n"), "")
    assert sts.web.asked == [("mta-sts.a.example",
                              "/.well-known/mta-sts.txt")]
    head, _, policy = sts.kept().partition("\n\n")
    assert "id: a1" in head and "mode: enforce" in policy
    assert sts.look()[0] == 0  # the same id: not fetched again
    assert len(sts.web.asked) == 1
    sts.age(50000)  # more than half of its life is over
    assert sts.look()[0] == 0
    assert len(sts.web.asked) == 2


def test_domain_without_policy(sts):
    assert sts.look("b.example") == (0, "", "")
    assert sts.kept("b.example").startswith("checked: ")
    assert "fetched" not in sts.kept("b.example")
    assert sts.web.asked == []


@pytest.mark.parametrize("change, text", [
    ({"status": 404}, "status 404"), ({"status": 301}, "status 301"),
    ({"type": "text/html"}, "not text/plain"),
    ({"body": "<html>"}, "makes no sense"), ({"body": ""}, "makes no sense"),
    ({"body": "x" * 70000}, "unable to fetch")])
def test_answers_that_are_no_policy(sts, change, text):
    for key, value in change.items():
        setattr(sts.web, key, value)
    code, out, err = sts.look()
    assert (code, out) == (111, "") and text in err
    assert "fetched" not in sts.kept()
    assert len(sts.web.asked) == 1


def test_old_policy_holds_while_none_can_be_fetched(sts):
    assert sts.look()[0] == 0
    sts.age(50000)
    sts.web.status = 500
    code, out, _ = sts.look()
    assert code == 111 and "mode: enforce" in out
    assert "id: a1" in sts.kept()
    sts.age(50000)  # and now it is over
    assert sts.look()[:2] == (111, "")


def test_certificate_must_be_good(sts):
    os.unlink(os.path.join(sts.remote.path, "control", "cafile"))
    code, out, err = sts.look()
    assert (code, out) == (111, "") and "certificate" in err
    assert sts.web.asked == []


@pytest.mark.parametrize("domain", ["own.example", "dead.example"])
def test_hosts_that_are_not_asked(sts, domain):
    code, out, err = sts.look(domain)
    assert (code, out) == (111, "") and "unable to fetch" in err


@pytest.mark.parametrize("domain", ["", "../a", ".a", "A.example", "a b"])
def test_names_that_are_none(sts, domain):
    code, _, err = sts.look(domain)
    assert code == 100 and "usage" in err


def test_root_is_refused(sts):
    done = subprocess.run(
        [os.path.join(sts.remote.bin, "qmail-mtasts"), "a.example"],
        capture_output=True, text=True,
        env={**sts.remote.sanitizers(), "QMAILHOME": sts.remote.path})
    assert done.returncode == 100 and "root" in done.stderr


# -- qmail-remote --------------------------------------------------------

def test_enforced_policy_is_kept_to(sts):
    peer = sts.peer()
    record = sts.run()[-1]
    assert record.startswith(b"K192.0.2.1 accepted")
    assert record.endswith(b", certificate verified.\n")
    assert len(sts.web.asked) == 1
    assert sts.run()[-1].startswith(b"K")  # from the file
    assert len(sts.web.asked) == 1 and peer.tls_sessions == 2


def test_exchanger_with_another_certificate(sts):
    peer = sts.peer(sts.authority.wrong)
    [record] = sts.run()
    assert record.startswith(b"ZConnected to 192.0.2.1 but TLS failed: ")
    assert peer.messages == []


def test_exchanger_without_tls(sts):
    peer = sts.peer(EHLO=b"250 plain\r\n")
    assert sts.run() == [
        b"ZConnected to 192.0.2.1 but TLS is not offered there. (#4.7.4)\n"]
    assert peer.messages == []


@pytest.mark.parametrize("level", ["may", "encrypt", "verify", "dane-may"])
def test_exchanger_that_the_policy_does_not_know(sts, level):
    sts.remote.control("tlsremote", f"a.example:{level}\n")
    sts.web.body = POLICY.format("enforce", "*.other.example", 86400)
    peer = sts.peer()
    assert sts.run() == [
        b"Zmx.a.example is not among the exchangers of the MTA-STS policy. "
        b"(#4.7.5)\n"]
    assert peer.sessions == 0


@pytest.mark.parametrize("mode", ["testing", "none"])
def test_policies_that_are_not_enforced(sts, mode):
    sts.web.body = POLICY.format(mode, "*.other.example", 86400)
    sts.peer(sts.authority.wrong)
    assert sts.run()[-1].startswith(b"K")


def test_without_a_policy_nothing_changes(sts):
    sts.peer(sts.authority.wrong)
    assert sts.run("b.example")[-1].startswith(b"K")
    sts.web.status = 404
    assert sts.run()[-1].startswith(b"K")
    assert len(sts.web.asked) == 1
    assert sts.run()[-1].startswith(b"K")  # not asked again for an hour
    assert len(sts.web.asked) == 1
    sts.age(3700)
    sts.web.reset()
    assert sts.run()[-1][:1] == b"Z"
    assert len(sts.web.asked) == 1


def test_switched_off(sts):
    sts.remote.control("mtasts", "0\n")
    sts.peer(sts.authority.wrong)
    assert sts.run()[-1].startswith(b"K")
    assert sts.web.asked == [] and not os.path.exists(sts.path())


def test_damaged_file_is_made_anew(sts):
    assert sts.look()[0] == 0
    home_module.write_file(sts.path(), "checked: 1\nfet\0ched\n")
    sts.peer()
    assert sts.run()[-1].endswith(b", certificate verified.\n")
    assert "fetched: " in sts.kept()
