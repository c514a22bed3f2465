"""qmail-smtpd with the real clamd, on sockets of its own."""
import os
import shutil
import subprocess

import pytest

import scan_samples as samples
from home import free_port, make_dirs, wait_port, wait_socket, write_file
from smtpd_driver import Smtpd

CLAMD = shutil.which("clamd", path="/usr/sbin:/usr/bin:/sbin:/bin")
pytestmark = pytest.mark.skipif(CLAMD is None, reason="no clamd here")

VIRUS = '554 5.7.7 your email contains the virus "Eicar-Test.UNOFFICIAL"!'


@pytest.fixture
def clamd(home):
    """Listens on a local socket, on 127.0.0.1 and on ::1."""
    port = free_port()
    path = home.file("clamd.sock")
    temporary = make_dirs(home.file("tmp"))
    config = write_file(home.file("clamd.conf"), "\n".join([
        "Foreground yes", f"LocalSocket {path}", "LocalSocketMode 666",
        f"TCPSocket {port}", "TCPAddr 127.0.0.1", "TCPAddr ::1",
        f"DatabaseDirectory {samples.make_database(home.file('signatures'))}",
        f"TemporaryDirectory {temporary}",
        f"LogFile {home.file('clamd.log')}", "StreamMaxLength 1M", ""]))
    with open(home.file("clamd.err"), "wb") as err:
        home.spawn([CLAMD, "-c", config], stdin=subprocess.DEVNULL,
                   stdout=err, stderr=err)
    wait_socket(path)
    for address in ("127.0.0.1", "::1"):
        wait_port(port, address)
    return {"local": path, "IPv4": f"127.0.0.1:{port}", "IPv6": f"[::1]:{port}"}


def test_real_clamd(home, clamd):
    large = samples.mail(("application/x-any", os.urandom(300000)),
                         ("application/zip", samples.zipped(samples.EICAR)))
    messages = [
        (samples.mail(("text/plain", b"hello\n")), "250 2.6.0 ok "),
        (samples.infected_mail(), VIRUS),
        (samples.EICAR + b"\n", "250 2.6.0 ok "),  # a hash of other bytes
        (large, VIRUS),
        (b"", "250 2.6.0 ok "),
        (samples.mail(("application/x-any", bytes(2 << 20))),
         "552 5.3.4 sorry, that message is too large to be scanned"),
    ]
    for where in clamd.values():
        home.control("clamd", where + "\n")
        smtpd = Smtpd(home)
        smtpd.command("EHLO c.example")
        for data, answer in messages:
            smtpd.open_message()
            smtpd.send(data.replace(b"\n", b"\r\n") + b".\r\n")
            assert smtpd.reply().startswith(answer), where
        smtpd.close()
    assert len(smtpd.queue.messages()) == 9
