"""The qmail-tlsd that qmail-rspawn has for all its qmail-remotes."""
import os
import signal

import pytest

import home as h
from spawn_driver import Spawner, message
from tls_peer import Authority, TlsPeer

KEPT = b"K127.0.0.1 accepted message.\nRemote host said: 250 2.6.0 taken\n"
SENT = KEPT + b"Encrypted with TLSv1.3, TLS_"


@pytest.fixture(scope="module")
def pem(session_dir):
    return Authority(h.make_dirs(os.path.join(session_dir, "helper"))).issue(
        "a.example")


class Bench:
    """Mail for NAME.example goes to a server of its own, which speaks TLS."""

    def __init__(self, home, pem):
        self.home, self.pem = home, pem
        self.peers = {}
        message(home)
        h.make_dirs(home.file("cache", "remote"))
        home.control("timeoutremote", f"{h.OVERLONG}\n")
        home.control("connectionidle", f"{h.OVERLONG}\n")
        home.control("tlsremote", ":encrypt\n")
        for name in "abc":
            self.peers[name] = TlsPeer(pem)
        home.control("smtproutes", "".join(
            f"{name}.example:127.0.0.1:{peer.port}\n"
            for name, peer in self.peers.items()))

    def start(self):
        self.spawner = Spawner(
            self.home, [os.path.join(self.home.bin, "qmail-rspawn")])

    def ask(self, name):
        return self.spawner.ask(7, sender="s@a.example",
                                recipient=f"u@{name}.example")

    def stop(self):
        if self.spawner.process.poll() is None:
            self.spawner.end()
        for peer in self.peers.values():
            peer.stop()

    def helper(self):
        found = [p for p in self.spawner.children() if is_helper(p)]
        return found[0] if found else None

    def busy(self):
        """Those that carry a connection."""
        return children(self.helper())


def is_helper(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as f:
        return f.read() == b"qmail-tlsd\0-M\0"


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(p) for p in f.read().split()]


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def targets(pid):
    where = f"/proc/{pid}/fd"
    return {int(n): os.readlink(f"{where}/{n}") for n in os.listdir(where)}


def status(pid, field):
    with open(f"/proc/{pid}/status") as f:
        return next(line.split()[1] for line in f if
                    line.startswith(field + ":"))


@pytest.fixture
def bench(home, pem):
    b = Bench(home, pem)
    b.start()
    yield b
    b.stop()


def test_one_for_all_and_a_process_for_each_connection(bench):
    assert bench.ask("a").startswith(SENT) and bench.ask("b").startswith(SENT)
    helper, busy = bench.helper(), bench.busy()
    assert len(busy) == 2
    # qmail-remotes start nothing themselves.
    assert [children(p) for p in bench.spawner.children() if p != helper] == [
        [], []]
    # The helper has no connection, and each process but one and its plain end.
    if h.ROOT:
        kinds = [t.split(":")[0] for _, t in sorted(targets(helper).items())]
        assert kinds == ["socket", "pipe", "pipe", "/dev/null"], kinds
    for pid in busy:
        if h.ROOT:
            mine = targets(pid)
            assert mine.pop(2) == "/dev/null"
            assert [t.split(":")[0] for t in mine.values()] == ["socket"] * 2
        if not os.environ.get("SANITIZE"):  # whose runtime it would end
            assert status(pid, "Seccomp") == "2"
            assert status(pid, "NoNewPrivs") == "1"
        assert status(pid, "Uid") == status(bench.spawner.process.pid, "Uid")
        with open(f"/proc/{pid}/limits") as f:
            limits = f.read()
        assert "Max processes             0 " in limits
        assert "Max open files            16 " in limits
    assert bench.ask("a").startswith(SENT)  # the same connection
    assert bench.busy() == busy and bench.peers["a"].sessions == 1
    assert bench.spawner.end() == b""
    for pid in [helper, *busy]:
        h.wait_for(lambda pid=pid: is_gone(pid), "the end of all")
    assert bench.spawner.process.stderr.read() == b""


def test_helper_that_dies(bench):
    """What it has begun goes on; what is new goes by another one, or by
    processes of its own."""
    assert bench.ask("a").startswith(SENT)
    helper, [busy] = bench.helper(), bench.busy()
    os.kill(helper, signal.SIGKILL)
    h.wait_for(lambda: is_gone(helper), "its end")
    assert bench.ask("a").startswith(SENT)
    assert bench.peers["a"].sessions == 1 and not is_gone(busy)
    for name in "bc":
        assert bench.ask(name).startswith(SENT)
        assert bench.peers[name].sessions == 1
    assert bench.spawner.end() == b""
    h.wait_for(lambda: is_gone(busy), "the end of its connection")


def test_process_of_a_connection_that_dies(bench):
    assert bench.ask("a").startswith(SENT)
    [busy] = bench.busy()
    os.kill(busy, signal.SIGKILL)
    h.wait_for(lambda: bench.busy() == [], "its end, seen by the helper")
    assert bench.ask("a").startswith(SENT)
    assert bench.peers["a"].sessions == 2


def test_qmail_remote_that_dies(bench):
    """Nobody carries a connection for nobody."""
    assert bench.ask("a").startswith(SENT)
    helper, [busy] = bench.helper(), bench.busy()
    [remote] = [p for p in bench.spawner.children() if p != helper]
    os.kill(remote, signal.SIGKILL)
    h.wait_for(lambda: is_gone(busy), "the end of its connection")
    h.wait_for(lambda: remote not in bench.spawner.children(), "its own end")
    assert bench.ask("a").startswith(SENT)
    assert bench.helper() == helper


def test_ciphers_of_the_next_connection(bench):
    assert bench.ask("a").startswith(SENT)
    bench.home.control("tlsclientciphers", "NO-SUCH-CIPHER\n")
    assert b"but TLS failed: no cipher match. (#4.7.5)" in bench.ask("b")
    bench.home.control("tlsclientciphers", None)
    assert bench.ask("c").startswith(SENT)
    assert len(bench.busy()) == 2


def test_without_qmail_tlsd(bench):
    """Nobody waits for it, and level may does without."""
    home = bench.home
    home.control("tlsremote", ":may\n")
    bin_dir = os.readlink(home.file("bin"))
    os.unlink(home.file("bin"))
    h.make_dirs(home.file("bin"))
    for name in os.listdir(bin_dir):
        if name != "qmail-tlsd":
            os.symlink(os.path.join(bin_dir, name), home.file("bin", name))
    for name in "abc":
        assert bench.ask(name) == KEPT
        assert bench.peers[name].sessions == 2
    assert bench.spawner.end() == b""
    said = bench.spawner.process.stderr.read()
    assert said.count(b"unable to run bin/qmail-tlsd for qmail-remote") == 1


def test_no_tls_no_process(bench):
    bench.home.control("tlsremote", ":none\n")
    assert bench.ask("a") == KEPT
    assert bench.helper() is None
