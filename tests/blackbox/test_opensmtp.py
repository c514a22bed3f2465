"""SMTP after POP3: a login lets its client relay for a while."""
import collections
import os
import smtplib
import subprocess
import time

import pytest

import home as h
from pop3_driver import CHECKER, Pop3

WAITING = {"flock", "fsync", "fdatasync", "syncfs", "getdents64", "lockf",
           "F_SETLK", "F_SETLKW", "F_OFD_SETLK", "F_OFD_SETLKW"}
# A client that is known: one utimensat and a look at it.
FILES = {"utimensat", "open", "openat", "lstat", "newfstatat", "unlink"}


@pytest.fixture
def logins(home):
    """The directory of control/opensmtp."""
    path = h.make_dirs(home.file("opensmtp"))
    home.maildir(home.file("home", "joe", "Maildir"))
    home.control("opensmtp", path + "\n")
    home.control("auth/pop3", "63\n")
    home.control("auth/delay", "0\n")
    return path


@pytest.fixture
def popup(home, logins):
    sessions = []

    def start(**more):
        sessions.append(Pop3(home, **more))
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


def may_relay(port):
    with smtplib.SMTP("127.0.0.1", port, timeout=h.DEADLINE) as client:
        client.ehlo("x")
        client.mail("s@x.example")
        code, _ = client.rcpt("r@elsewhere.example")
    assert code in (250, 553)
    return code == 250


def test_relays_right_after_a_login(home, logins, popup):
    """The first thing that a client hears of its login is late enough."""
    port = home.smtpd()
    assert not may_relay(port)
    for _ in range(10):
        s = popup(TCPREMOTEIP="127.0.0.1")
        assert s.login() == b"+OK "
        assert may_relay(port)
        assert os.listdir(logins) == ["127.0.0.1"]
        os.unlink(os.path.join(logins, "127.0.0.1"))
        assert not may_relay(port)
        s.close()


def test_a_login_renews_it(home, logins, popup):
    path = h.write_file(os.path.join(logins, "192.0.2.7"), "")
    os.utime(path, (1, 1))
    s = popup()
    assert s.login() == b"+OK "
    assert time.time() - os.stat(path).st_mtime < 86400


def test_refused_logins_open_nothing(logins, popup):
    s = popup()
    assert s.login(b"eve").startswith(b"-ERR")
    assert s.login(b"temp").startswith(b"-ERR")
    assert os.listdir(logins) == []


def test_logins_that_may_not_send(home, logins, popup):
    """control/auth/norelay holds for this way to relay as for AUTH."""
    home.control("auth/norelay", "joey\n")
    home.run("qmail-newnorelay", check=True)
    home.control("auth/norelay", "JOE\n")
    for login in (b"joe", b"joey"):
        s = popup()
        assert s.login(login) == b"+OK "
        assert os.listdir(logins) == []
    s = popup()
    assert s.login(b"joe.other") == b"+OK "
    assert os.listdir(logins) == ["192.0.2.7"]
    os.unlink(os.path.join(logins, "192.0.2.7"))
    h.write_file(home.file("control/auth/norelay.cdb"), "broken")
    s = popup()
    assert s.login(b"joe.other") == b"+OK "
    assert os.listdir(logins) == []
    assert "login of 192.0.2.7 is not noted" in s.log()


def test_any_other_server_too(home, logins, popup):
    """It does not speak to us: its good end shows that the login was right."""
    s = popup(server=["/bin/echo", "+OK hello"])
    s.ask(b"USER joe")
    s.send(b"PASS x\r\n")
    assert s.socket.recv(100) == b"+OK hello\n"
    assert s.at_end()
    assert s.process.wait(h.DEADLINE) == 1
    assert os.listdir(logins) == ["192.0.2.7"]


def test_trouble_does_not_stop_mail(home, logins, popup):
    os.rmdir(logins)
    s = popup()
    assert s.login() == b"+OK "
    assert f"unable to note a login of 192.0.2.7 in {logins}" in s.log()
    h.write_file(logins, "")
    s = popup(TCPREMOTEIP="not-an-ip")
    assert s.login() == b"+OK "


def test_ipv6_and_relative_directory(home, logins, popup):
    home.control("opensmtp", "opensmtp\n")
    s = popup(TCPREMOTEIP="2001:DB8:0::7")
    assert s.login() == b"+OK "
    assert os.listdir(logins) == ["2001:db8::7"]


def calls_of_a_login(home, ip):
    """(name, line) of each system call of qmail-popup and its children."""
    checker = h.write_file(home.file("checker"), CHECKER, 0o755)
    trace = home.file("trace")
    subprocess.run(
        ["strace", "-f", "-o", trace,
         os.path.join(home.bin, "qmail-popup"),
         "x", checker, os.path.join(home.bin, "qmail-pop3d"), "Maildir"],
        input=b"USER joe\r\nPASS x\r\nQUIT\r\n", cwd=home.path,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=home.environment(TCPREMOTEIP=ip, MAILBOX=home.file("home/joe")),
        timeout=h.DEADLINE, **h.ids_arguments())
    with open(trace) as f:
        lines = [line.split(None, 1) for line in f]
    os.unlink(trace)
    first = lines[0][0]  # the keeper, which touches the file
    return [(call.split("(")[0], call) for pid, call in lines
            if pid == first and "(" in call]


def test_logins_do_not_wait_for_each_other(home, logins):
    """Counted: no lock, no flush, and the same calls whoever was there."""
    if subprocess.run(["strace", "-f", "true"], capture_output=True,
                      **h.ids_arguments()).returncode != 0:
        pytest.skip("no strace here")
    calls_of_a_login(home, "192.0.2.1")
    alone = calls_of_a_login(home, "192.0.2.1")
    for i in range(10000):
        os.mknod(os.path.join(logins, f"10.0.{i // 250}.{i % 250}"))
    crowd = calls_of_a_login(home, "192.0.2.1")
    for name, call in alone + crowd:
        assert name not in WAITING, call
        assert not any(word in call for word in WAITING), call
    counts = [collections.Counter(name for name, _ in calls if name in FILES)
              for calls in (alone, crowd)]
    assert counts[0] == counts[1]
    assert counts[0]["utimensat"] == 1
    assert not any("O_CREAT" in call for _, call in alone + crowd)


# -- the sweeper -----------------------------------------------------------
def test_sweeper(home, logins):
    for name, age in (("192.0.2.1", 100), ("192.0.2.2", 20000),
                      ("2001:db8::1", 20000), ("README", 20000)):
        path = h.write_file(os.path.join(logins, name), "")
        os.utime(path, (time.time() - age,) * 2)
    done = home.run("qmail-opensmtp", "-v", check=True)
    assert done.stdout == b"removed 2\n"
    assert sorted(os.listdir(logins)) == ["192.0.2.1", "README"]
    home.control("opensmtptime", "50\n")
    done = home.run("qmail-opensmtp", check=True)
    assert done.stdout == b"" and os.listdir(logins) == ["README"]


def test_sweeper_without_anything_to_do(home):
    assert home.run("qmail-opensmtp", "-v", check=True).stdout == (
        b"removed 0\n")


def test_sweeper_as_a_service(home, logins):
    process = home.spawn([os.path.join(home.bin, "qmail-opensmtp"), "-w1"])
    for _ in range(2):
        path = h.write_file(os.path.join(logins, "192.0.2.2"), "")
        os.utime(path, (1, 1))
        h.wait_for(lambda: os.listdir(logins) == [], "a sweep")
    assert process.poll() is None


@pytest.mark.parametrize("args, code", [
    (["-x"], 100), (["-w"], 100), (["-w", "0"], 100), (["-w", "1s"], 100),
    (["more"], 100)])
def test_sweeper_usage(home, args, code):
    assert home.run("qmail-opensmtp", *args).returncode == code


def test_sweeper_trouble(home):
    home.control("opensmtp", "/nonexistent\n")
    done = home.run("qmail-opensmtp")
    assert done.returncode == 111
    assert b"unable to read /nonexistent: file does not exist" in done.stderr
    home.control("opensmtptime", "long\n")
    done = home.run("qmail-opensmtp")
    assert done.returncode == 111 and b"control/opensmtptime" in done.stderr
