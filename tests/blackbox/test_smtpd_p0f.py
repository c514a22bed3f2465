"""control/p0fsock: what p0f says of a client, and when it says nothing."""
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from home import DEADLINE, OVERLONG, REPO, ROOT, own, write_file
from smtpd_driver import Smtpd

P0F = shutil.which("p0f", path="/usr/sbin:/usr/bin:/sbin:/bin")


def answer(status=0x10, name=b"Linux", flavor=b"3.11 and newer",
           link=b"DSL", magic=0x50304602):
    return struct.pack("=9IhBB32s32s32s32s32s32s", magic, status, 1, 2, 3, 0,
                       5, 0, 0, 4, 0, 0, name, flavor, b"", b"", link, b"")


class ScriptedP0f:
    """Gives every question the same answer, in pieces, or none at all."""

    def __init__(self, path, said, pieces=1):
        self.said, self.pieces, self.questions = said, pieces, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(own(path), 0o777)
        self.listener.listen(5)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            connection.settimeout(OVERLONG)
            try:
                self.questions.append(connection.recv(100))
                if self.said is None:
                    connection.recv(1)  # until the client has gone
                size = len(self.said or b"") // self.pieces + 1
                for i in range(0, len(self.said or b""), size):
                    connection.sendall(self.said[i:i + size])
                    time.sleep(0.02)
            except OSError:
                pass
            connection.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def p0f(home):
    started = []

    def start(said, **more):
        path = home.file("p0f.sock")
        home.control("p0fsock", path + "\n")
        started.append(ScriptedP0f(path, said, **more))
        return started[-1]

    yield start
    for one in started:
        one.close()


def ask(home, **env):
    """A session that p0f was in time for, if it ever is."""
    for _ in range(5):
        smtpd = Smtpd(home, env=env)
        lines = send(smtpd)
        if not smtpd.log().endswith("P0F: no answer: timed out\n"):
            break
    return smtpd, lines


def send(smtpd):
    smtpd.command("EHLO c.example")
    smtpd.open_message()
    smtpd.send("X-P0f: of my own\r\n\r\nx\r\n.\r\n")
    assert smtpd.reply().startswith("250 ")
    smtpd.command("QUIT")
    return smtpd.queue.messages()[-1][2].split(b"\n")


@pytest.mark.parametrize("address, bytes_", [
    ("192.0.2.7", b"\4" + bytes([192, 0, 2, 7]) + bytes(12)),
    ("2001:db8::7", b"\6" + socket.inet_pton(socket.AF_INET6,
                                             "2001:db8::7"))])
def test_guess(home, p0f, address, bytes_):
    asked = p0f(answer(), pieces=5)
    tell = write_file(home.file("tell"), "#!/bin/sh\necho \"OS=$P0F_OS\" >&2\n",
                      0o755)
    home.control("smtpplugins", f"[connection]\n{tell}\n")
    smtpd, lines = ask(home, TCPREMOTEIP=address, P0F_OS="stale")
    assert set(asked.questions) == {struct.pack("=I", 0x50304601) + bytes_}
    # Ours stands before what the client claims.
    assert lines[2] == b"X-P0f: Linux 3.11 and newer (distance 4, DSL)"
    assert lines[3] == b"X-P0f: of my own"
    assert (f"P0F: {address} is Linux 3.11 and newer (distance 4, DSL)"
            in smtpd.log())
    assert "OS=Linux 3.11 and newer" in smtpd.log()


@pytest.mark.parametrize("case, said, logged", [
    ("no match", answer(status=0x20), None),
    ("no name", answer(name=b""), None),
    ("bad question", answer(status=0), "P0F: the answer makes no sense"),
    ("garbage", b"x" * 232, "P0F: the answer makes no sense"),
    ("short", answer()[:100], "P0F: no answer"),
    ("silent", None, "P0F: no answer: timed out"),
    ("nobody", b"", "P0F: no answer")])
def test_no_guess(home, p0f, case, said, logged):
    if case == "nobody":
        home.control("p0fsock", home.file("nowhere") + "\n")
    else:
        p0f(said)
    if case == "silent":
        smtpd = Smtpd(home, env={"P0F_OS": "stale"})
        lines = send(smtpd)
    else:
        smtpd, lines = ask(home, P0F_OS="stale")
    assert lines[2] == b"X-P0f: of my own"
    log = smtpd.log()
    if case != "silent":
        log = log.replace("P0F: no answer: timed out", "")
    if logged:
        assert logged in log
    else:
        assert "P0F" not in log


def test_strange_texts(home, p0f):
    p0f(answer(name=b"a\r\nX: y" + b"z" * 40, flavor=b"\xff"))
    _, lines = ask(home)
    assert lines[2].startswith(b"X-P0f: a??X: yzzz")
    assert lines[2].endswith(b" ? (distance 4, DSL)")


def test_no_address(home, p0f):
    asked = p0f(answer())
    assert send(Smtpd(home, env={"TCPREMOTEIP": "unknown"}))[2] == (
        b"X-P0f: of my own")
    assert not asked.questions


def test_control_that_is_wrong(home):
    home.control("p0fsock", "run/p0f\n")
    smtpd = Smtpd(home, greet=False)
    assert smtpd.reply() == "421 4.3.0 unable to read controls"
    assert "control/p0fsock" in smtpd.log()


REAL = """
import os, socket, subprocess, sys
sys.path.insert(0, sys.argv[1])
import home as h
base, bin_dir = sys.argv[2], sys.argv[3]
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
home = h.Home(os.path.join(base, "a"), bin_dir)
path = home.file("p0f.sock")
p0f = subprocess.Popen([sys.argv[4], "-i", "lo", "-s", path],
                       stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
try:
    h.wait_for(lambda: os.path.exists(path), "p0f's socket")
    os.chmod(path, 0o777)
    home.control("p0fsock", path + "\\n")
    port = home.smtpd()
    # It knows a host when it has seen a connection of it.
    def known():
        with socket.create_connection(("127.0.0.1", port), h.DEADLINE) as s:
            s.recv(1000)
        with open(home.file(f"server-{port}.log")) as log:
            return "P0F: 127.0.0.1 is " in log.read()

    h.wait_for(known, "p0f to know us")
    print(open(home.file(f"server-{port}.log")).read())
finally:
    home.stop_all()
    p0f.kill()
    p0f.wait()
"""


@pytest.mark.skipif(not ROOT or P0F is None,
                    reason="needs p0f, and root to let it listen")
def test_real_p0f(scratch, bin_dir):
    """In a network of its own, where nobody but us is heard."""
    done = subprocess.run(
        ["unshare", "-n", "--", sys.executable, "-c", REAL,
         os.path.join(REPO, "tests", "blackbox"), scratch, bin_dir, P0F],
        capture_output=True, text=True, timeout=3 * DEADLINE, cwd="/",
        stdin=subprocess.DEVNULL)
    if "Operation not permitted" in done.stderr:
        pytest.skip("no network namespaces here")
    assert "P0F: 127.0.0.1 is Linux" in done.stdout, (done.stdout, done.stderr)
