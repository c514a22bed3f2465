"""qmail-smtpd under a real tcpserver, spoken to by real clients."""
import os
import shutil
import smtplib
import socket
import subprocess

import pytest

from home import DEADLINE, wait_for
from smtpd_driver import Queue

pytestmark = pytest.mark.skipif(
    shutil.which("tcpserver") is None, reason="tcpserver is not installed")


@pytest.fixture
def server(home):
    queue = Queue(home)

    def start(**env):
        return home.smtpd(env={**queue.environment, **env}), queue

    return start


def test_smtplib(server):
    port, queue = server()
    with smtplib.SMTP("127.0.0.1", port, "client.example",
                      timeout=DEADLINE) as client:
        client.ehlo()
        assert client.has_extn("pipelining") and client.has_extn("8bitmime")
        refused = client.sendmail(
            "s@x.example", ["u@a.example", "u@far.example"],
            "Subject: x\r\n\r\n.\r\nhello\r\n")
        assert list(refused) == ["u@far.example"]
        assert client.quit()[0] == 221
    [(sender, recipients, message)] = queue.messages()
    assert (sender, recipients) == (b"s@x.example", [b"u@a.example"])
    assert message.startswith(
        b"Received: from unknown (HELO client.example) (127.0.0.1)\n"
        b"  by a.example with ESMTP; ")
    assert message.endswith(b"Subject: x\n\n.\nhello\n")


@pytest.mark.skipif(shutil.which("swaks") is None,
                    reason="swaks is not installed")
def test_swaks(server):
    port, queue = server()
    done = subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", str(port), "--from",
         "s@x.example", "--to", "u@a.example", "--helo", "client.example",
         "--pipeline", "--body", "hello"],
        capture_output=True, text=True, timeout=DEADLINE,
        stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert queue.messages()[0][1] == [b"u@a.example"]


def test_reset_connection_in_data_leaves_nothing(server):
    port, queue = server()
    client = socket.create_connection(("127.0.0.1", port), DEADLINE)
    client.sendall(b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<u@a.example>\r\n"
                   b"DATA\r\n")
    said = b""
    while b"354" not in said:
        said += client.recv(4096)
    client.sendall(b"Subject: x\r\n\r\nhalf a li")
    # Linger of 0 seconds: close sends a reset.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                      b"\1\0\0\0\0\0\0\0")
    client.close()
    wait_for(lambda: queue.files("envelope"), "the end of the queue program")
    assert queue.messages() == []


def test_refusal_is_not_lost_to_a_reset(server):
    port, _ = server()
    for _ in range(10):
        client = socket.create_connection(("127.0.0.1", port), DEADLINE)
        client.sendall(b"MAIL FROM:<a@b>\r\nDATA\r\n" + b"x\r\n" * 30000)
        said = b""
        while True:
            got = client.recv(4096)
            if not got:
                break
            said += got
        assert b"221 2.0.0 error: I can break rules, too. goodbye!" in said
        client.close()


def test_real_queue(home, bin_dir):
    if not os.path.exists(os.path.join(bin_dir, "qmail-queue")):
        pytest.skip("qmail-queue is not built")
    port = home.smtpd()
    with smtplib.SMTP("127.0.0.1", port, "c.example", timeout=DEADLINE) as c:
        c.sendmail("s@x.example", ["u@a.example"], "Subject: x\r\n\r\nhi\r\n")
    files = home.queue_files()
    assert len([f for f in files if f.startswith("mess/")]) == 1, files
    assert len([f for f in files if f.startswith("todo/")]) == 1, files
