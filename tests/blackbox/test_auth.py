"""AUTH with clients that others wrote, by each mechanism."""
import os
import subprocess

import pytest

from auth_home import PASSWORDS, add_logins
from home import DEADLINE, ROOT, ids_arguments, make_dirs, wait_for, write_file
from smtpd_driver import Queue

TO = "someone@elsewhere.example"


class Site:
    """One server with two checkers, for all tests of this file."""

    def __init__(self, home):
        self.home = home
        add_logins(home)
        self.queue = Queue(home)
        self.port = home.server(
            [os.path.join(home.bin, "qmail-smtpd"), "multicheckpw", "2",
             "checkqpasswd", "checkpassword", "true"],
            env=self.queue.environment)

    def log(self):
        with open(self.home.file(f"server-{self.port}.log"),
                  errors="replace") as f:
            return f.read()


@pytest.fixture(scope="module")
def site(session_dir, bin_dir):
    import home as home_module
    path = os.path.join(session_dir, "auth-site")
    made = Site(home_module.Home(path, bin_dir))
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
