"""AUTH with clients that others wrote, by each mechanism."""
import hmac
import os
import shutil
import signal
import smtplib
import subprocess

import pytest

from auth_home import (CHECKER, HASHED, PASSWORDS, add_logins, children,
                       packets, start_authd)
from home import DEADLINE, stop, wait_for, write_file
from smtpd_driver import Queue

TO = "someone@elsewhere.example"
STRACE = shutil.which("strace")


class Site:
    """One server with two checkers, or a resident one, for all tests here."""

    def __init__(self, home, resident):
        self.home = home
        add_logins(home)
        self.queue = Queue(home)
        if resident:
            with open(home.file("authd.log"), "wb") as log:
                self.authd = start_authd(home, log)
        self.port = home.server(
            [os.path.join(home.bin, "qmail-smtpd"),
             *(["unix:authd"] if resident else CHECKER.split())],
            env=self.queue.environment)

    def log(self):
        with open(self.home.file(f"server-{self.port}.log"),
                  errors="replace") as f:
            return f.read()


@pytest.fixture(scope="module", params=["checkers", "resident"])
def site(request, session_dir, bin_dir):
    import home as home_module
    path = os.path.join(session_dir, f"auth-site-{request.param}")
    made = Site(home_module.Home(path, bin_dir, me="a.example"),
                request.param == "resident")
    yield made
    made.home.stop_all()


def run(*argv, input="", env=None):
    done = subprocess.run(argv, input=input, capture_output=True, text=True,
                          timeout=DEADLINE, errors="replace",
                          env=env and {**os.environ, **env})
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5",
                                       "CRAM-SHA1", "DIGEST-MD5"])
def test_swaks(site, mechanism):
    before = len(site.queue.messages())
    argv = ["swaks", "--server", "127.0.0.1", "--port", str(site.port),
            "--from", "joe@a.example", "--to", TO, "--auth", mechanism,
            "--auth-user", "joe"]
    code, said = run(*argv, "--auth-password", PASSWORDS["joe"])
    assert code == 0, said
    assert "235 2.7.0 ok, go ahead" in said
    sender, recipients, message = site.queue.messages()[before]
    assert recipients == [TO.encode()]
    assert b"with ESMTPA;" in message
    code, said = run(*argv, "--auth-password", "wrong")
    assert code != 0 and "535 5.7.8 authentication failed" in said
    assert len(site.queue.messages()) == before + 1


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "DIGEST-MD5",
                                       "CRAM-MD5", "PLAIN", "LOGIN"])
def test_gsasl(site, mechanism):
    argv = ["gsasl", "--client", "--smtp", "--connect",
            f"127.0.0.1:{site.port}", "--mechanism", mechanism,
            "--authentication-id", "jane@a.example", "--authorization-id", "",
            "--no-starttls", "--no-cb", "--service", "smtp", "--hostname",
            "a.example", "--quality-of-protection", "qop-auth"]
    code, said = run(*argv, "--password", PASSWORDS["jane@a.example"])
    assert code == 0 and "235 2.7.0 ok, go ahead" in said, said
    code, said = run(*argv, "--password", "wrong")
    assert code != 0 and "535 5.7.8 authentication failed" in said, said


@pytest.mark.parametrize("mechanism", ["scram-sha-256", "digest-md5",
                                       "cram-md5", "plain"])
def test_msmtp(site, mechanism):
    before = len(site.queue.messages())
    argv = ["msmtp", "--host=127.0.0.1", f"--port={site.port}",
            f"--auth={mechanism}", "--user=joe", "--tls=off",
            "--from=joe@a.example"]
    mail = "Subject: x\n\nhello\n"
    code, said = run(*argv, "--passwordeval=echo s3cret word", TO, input=mail)
    assert code == 0, said
    assert len(site.queue.messages()) == before + 1
    code, said = run(*argv, "--passwordeval=echo wrong", TO, input=mail)
    assert code == 77 and "535" in said, said


@pytest.mark.parametrize("mechanism", ["CRAM-MD5", "DIGEST-MD5", "PLAIN",
                                       "LOGIN"])
def test_curl(site, scratch, mechanism):
    mail = write_file(os.path.join(scratch, "mail"), "Subject: x\r\n\r\nx\r\n")
    argv = ["curl", "-sS", "-v", f"smtp://127.0.0.1:{site.port}/client.example",
            "--mail-from", "last@a.example", "--mail-rcpt", TO,
            "--login-options", f"AUTH={mechanism}", "--upload-file", mail]
    code, said = run(*argv, "--user", f"last:{PASSWORDS['last']}")
    assert code == 0, said
    assert f"AUTH {mechanism}" in said
    code, said = run(*argv, "--user", "last:wrong")
    assert code == 67, said


@pytest.mark.parametrize("mechanism,digest", [
    ("CRAM-MD5", "md5"), ("CRAM-SHA1", "sha1"), ("CRAM-RIPEMD", "ripemd160")])
def test_smtplib(site, mechanism, digest):
    """No mail program knows CRAM-RIPEMD; what it is made of, many do."""
    def login(password):
        with smtplib.SMTP("127.0.0.1", site.port, timeout=DEADLINE) as client:
            client.ehlo("client.example")
            assert mechanism in client.esmtp_features["auth"].split()
            return client.auth(mechanism, lambda challenge: "joe " + hmac.new(
                password.encode(), challenge, digest).hexdigest(),
                initial_response_ok=False)

    assert login(PASSWORDS["joe"]) == (235, b"2.7.0 ok, go ahead")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        login("wrong")


def test_both_kinds_of_passwords(site):
    for login, password in (HASHED, ("joe", PASSWORDS["joe"]),
                            ("joe", "second of joe")):
        argv = ["swaks", "--server", "127.0.0.1", "--port", str(site.port),
                "--quit-after", "AUTH", "--auth", "PLAIN", "--auth-user",
                login, "--auth-password"]
        assert run(*argv, password)[0] == 0
        assert run(*argv, password + "x")[0] != 0


def test_resident_checker_survives(site):
    """Nonsense on its socket, idlers, a worker that dies; and it ends."""
    path = site.home.file("authd")
    if not os.path.exists(path):
        pytest.skip("of the resident one")
    idlers = [packets(path) for _ in range(3)]
    for junk in (b"x", b"\0" * 100, b"plain\0joe\0", os.urandom(4000),
                 b"y" * 60000):
        with packets(path) as s:
            s.send(junk)
            assert s.recv(100) in (b"2", b"1")
    workers = children(site.authd.pid)
    assert len(workers) == 4
    os.kill(workers[0], 9)
    # What it had taken goes down with it; another takes its place.
    wait_for(lambda: not os.path.exists(f"/proc/{workers[0]}"),
             "the end of a worker")
    question = f"plain\0joe\0{PASSWORDS['joe']}\0\0".encode()
    for _ in range(8):
        with packets(path) as s:
            s.send(question)
            assert s.recv(100) == b"0"
    for s in idlers:
        s.close()
    done = site.home.run("qmail-authd", "authd")
    assert done.returncode == 111 and b"there already" in done.stderr
    workers = children(site.authd.pid)
    assert stop(site.authd) == 0
    assert not os.path.exists(path)
    wait_gone(workers)


def wait_gone(pids):
    wait_for(lambda: not [p for p in pids if os.path.exists(f"/proc/{p}")],
             f"the end of {pids}")


@pytest.mark.skipif(STRACE is None, reason="needs strace")
@pytest.mark.skipif(bool(os.environ.get("SANITIZE")),
                    reason="sanitizers do not run under strace")
@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_its_master(home, sig):
    """Not even one that had hardly begun when the master went."""
    tracer = home.spawn(
        [STRACE, "-f", "-qq", "-o", "/dev/null", "-e",
         "inject=prctl:delay_enter=500000", "-e", "trace=prctl",
         os.path.join(home.bin, "qmail-authd"), "authd"],
        stdin=subprocess.DEVNULL)
    master = wait_for(lambda: [p for p in children(tracer.pid)
                               if len(children(p)) == 4], "its workers")[0]
    workers = children(master)
    os.kill(master, sig)
    wait_gone([master] + workers)
    assert tracer.wait(DEADLINE) == (0 if sig == signal.SIGTERM else -sig)
