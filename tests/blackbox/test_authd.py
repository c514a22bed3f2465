"""The services authd, submission and smtps, by their run files as installed."""
import os
import re
import shutil
import smtplib
import subprocess
import threading

import pytest

from auth_home import children, packets
from home import (DEADLINE, REPO, TEST_GID, TEST_UID, free_port, make_dirs,
                  own, stop, wait_for, wait_port, write_file)
from tls import context, make_certificate

D = "hosted.example"
JOE = ("joe@virtual.example", "joe's word")
ANN = (f"ann@{D}", "ann's long word")
SANITIZED = bool(os.environ.get("SANITIZE"))
PORTS = {"submission": "submissionport", "smtps": "smtpsport"}
AWAY = (454, b"4.7.0 unable to authenticate for now, please try again later")
WRONG = (535, b"5.7.8 authentication failed")
OK = (235, b"2.7.0 ok, go ahead")


class Site:
    """A home with the run files in it, one user of each kind, no checkers."""

    def __init__(self, home):
        self.home, self.running = home, {}
        for service in ("authd", *PORTS):
            with open(f"{REPO}/src/service/{service}/run") as f:
                text = f.read().replace("@QMAILHOME@", home.path).replace(
                    "@QMAILD@", "nobody")
            make_dirs(home.file("service", service))
            write_file(home.file("service", service, "run"), text, 0o755)
        key, certificate = make_certificate(home.path, home.me)
        home.control("servercert.pem", key + certificate)
        os.chmod(home.file("control/servercert.pem"), 0o600)
        make_dirs(home.file("run"))
        make_dirs(home.file("run/tls"), 0o700)
        make_dirs(home.file("run/empty"))
        home.control("smtpaddress", "127.0.0.1\n")
        home.control("auth/delay", "0\n")
        home.control("auth/smtps", "127\n")
        home.control("auth/server", "unix:run/authd \n")
        self.ports = {name: free_port() for name in PORTS}
        for name, port in self.ports.items():
            home.control(PORTS[name], f"{port}\n")
        home.run("qpasswd", "-n", home.file("virtual"), TEST_UID, TEST_GID,
                 check=True)
        home.run("qpasswd", "-a", JOE[0], input=JOE[1] + "\n", check=True)
        home.run("qmail-domain", "add", D, check=True)
        home.run("qmail-mailbox", "add", ANN[0], input=ANN[1] + "\n",
                 check=True)

    def start(self, service, wrapper=()):
        with open(self.home.file(f"{service}.log"), "ab") as log:
            own(self.home.file(f"{service}.log"))
            made = self.running[service] = self.home.spawn(
                [*wrapper, self.home.file("service", service, "run")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if service in self.ports:
            wait_port(self.ports[service], process=made)
        else:
            wait_for(self.listens, "qmail-authd")

    def listens(self):
        try:
            packets(self.home.file("run/authd")).close()
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def stop(self, service):
        return stop(self.running.pop(service))

    def log(self, service):
        with open(self.home.file(f"{service}.log"), errors="replace") as f:
            return f.read()

    def client(self, service):
        if service == "smtps":
            return smtplib.SMTP_SSL("127.0.0.1", self.ports[service],
                                    timeout=DEADLINE, context=context())
        made = smtplib.SMTP("127.0.0.1", self.ports[service],
                            timeout=DEADLINE)
        made.starttls(context=context())
        return made

    def login(self, user, mechanism="PLAIN", service="smtps", password=None):
        """The reply to AUTH."""
        with self.client(service) as client:
            client.ehlo()
            client.user, client.password = user[0], password or user[1]
            method = getattr(client, "auth_" + mechanism.lower()
                             .replace("-", "_"))
            try:
                return client.auth(mechanism, method)
            except smtplib.SMTPAuthenticationError as why:
                return why.smtp_code, why.smtp_error


@pytest.fixture(scope="module")
def site(session_dir, bin_dir):
    import home as home_module
    made = Site(home_module.Home(os.path.join(session_dir, "authd-site"),
                                 bin_dir, me="a.example"))
    for service in ("authd", *PORTS):
        made.start(service)
    yield made
    made.home.stop_all()


@pytest.fixture
def mended(site):
    """Changes of files that a test makes are undone."""
    made = []

    def change(path, mode=None, text=None):
        before = os.stat(site.home.file(path))
        copy = f"{site.home.file(path)}.before"
        shutil.copy2(site.home.file(path), copy)
        own(copy)
        made.append((copy, site.home.file(path)))
        if text is not None:
            write_file(site.home.file(path), text, before.st_mode & 0o777)
        if mode is not None:
            os.chmod(site.home.file(path), mode)

    yield change
    for copy, path in reversed(made):
        os.rename(copy, path)


# -- who gets in ---------------------------------------------------------
@pytest.mark.parametrize("service", PORTS)
def test_both_kinds_of_users_log_in(site, service):
    for user, mechanism in ((JOE, "PLAIN"), (JOE, "LOGIN"), (JOE, "CRAM-MD5"),
                            (ANN, "PLAIN"), (ANN, "LOGIN")):
        assert site.login(user, mechanism, service) == OK, (user, mechanism)
        assert site.login(user, mechanism, service,
                          password="not " + user[1]) == WRONG
    # Of a hash there is no proof but the password itself.
    assert site.login(ANN, "CRAM-MD5", service) == WRONG
    assert site.login(("nobody@" + D, ANN[1]), "PLAIN", service) == WRONG
    assert site.login(("", ANN[1]), "PLAIN", service)[0] in (501, 535)


def test_a_login_may_relay(site):
    with site.client("submission") as client:
        client.login(*ANN)
        assert client.mail(ANN[0])[0] == 250
        assert client.rcpt("someone@far.example")[0] == 250
    with site.client("submission") as client:
        client.ehlo()
        assert client.mail(ANN[0])[0] in (250, 530)
        assert client.rcpt("someone@far.example")[0] >= 500


def test_a_mailbox_without_its_domain(site):
    site.home.control("defaulthost", f"{D}\n")
    try:
        assert site.login(("Ann", ANN[1])) == OK
    finally:
        site.home.control("defaulthost", None)
    assert site.login(("Ann", ANN[1])) == WRONG


def test_changes_count_from_the_next_login(site):
    home = site.home
    workers = children(site.running["authd"].pid)
    for i in range(3):
        user = (f"user{i}@virtual.example", f"word {i}")
        home.run("qpasswd", "-a", user[0], input=user[1] + "\n", check=True)
        assert site.login(user) == OK
        box = (f"box{i}@{D}", f"word for the box {i}")
        home.run("qmail-mailbox", "add", box[0], input=box[1] + "\n",
                 check=True)
        assert site.login(box) == OK
        home.run("qpasswd", user[0], input="another\n", check=True)
        assert site.login(user) == WRONG
        home.run("qmail-mailbox", "remove", box[0], check=True)
        assert site.login(box) == WRONG
        home.run("qpasswd", "-d", user[0], check=True)
        assert site.login((user[0], "another")) == WRONG
    assert site.login(JOE) == OK and site.login(ANN) == OK
    # Others have come for those that knew the old files.
    assert children(site.running["authd"].pid) != workers
    assert "died" not in site.log("authd")


def test_changes_cost_nobody_an_answer(site):
    """Whoever asks while files change, and workers with them."""
    question = f"plain\0{JOE[0]}\0{JOE[1]}\0\0".encode()
    answers, changing = [set() for _ in range(3)], [True]

    def ask(into):
        while not into or changing:
            with packets(site.home.file("run/authd")) as s:
                s.send(question)
                into.add(s.recv(9))

    askers = [threading.Thread(target=ask, args=(into,)) for into in answers]
    for asker in askers:
        asker.start()
    try:
        for i in range(5):
            user = f"eve{i}@virtual.example"
            site.home.run("qpasswd", "-a", user, input="x\n", check=True)
            site.home.run("qpasswd", "-d", user, check=True)
    finally:
        changing.clear()
        for asker in askers:
            asker.join(DEADLINE)
    assert answers == [{b"0"}] * 3


@pytest.mark.skipif(bool(os.environ.get("SANITIZE")) or
                    os.uname().machine not in ("x86_64", "aarch64", "riscv64"),
                    reason="no filter of system calls here")
def test_workers_are_shut_in(site):
    for pid in children(site.running["authd"].pid):
        with open(f"/proc/{pid}/status") as f:
            status = f.read()
        assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
        assert re.search(r"^Seccomp:\s+2$", status, re.M)


# -- what is wrong is no answer, and never an acceptance -----------------
def test_without_the_daemon_auth_fails_for_now(site):
    assert site.stop("authd") == 0
    assert not os.path.exists(site.home.file("run/authd"))
    try:
        for service in PORTS:
            for user in (JOE, ANN, ("nobody", "x")):
                assert site.login(user, service=service) == AWAY
            assert re.search("AUTH: unix:run/authd: file does not exist",
                             site.log(service))
        # A name that nobody listens at any more.
        dead = packets_listener(site.home.file("run/authd"))
        dead.close()
        assert site.login(JOE) == AWAY
        assert "AUTH: unix:run/authd: connection refused" in site.log("smtps")
    finally:
        site.start("authd")
    assert site.login(JOE) == OK


def packets_listener(path):
    import socket
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    made.bind(path)
    own(path)
    return made


@pytest.mark.parametrize("path,user,said", [
    ("users/qpasswd", JOE, "users/qpasswd: must be a file of root or its "
     "user, closed to others"),
    (f"virtual/{JOE[0]}/.qpasswd", JOE, r"\.qpasswd: must be a file of its "
     "user, closed to others"),
    ("users/mailboxes.cdb", ANN, "users/mailboxes.cdb: must be a file of root "
     "or its user, closed to others")])
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660])
def test_files_that_are_not_closed(site, mended, path, user, said, mode):
    before = site.log("authd")
    mended(path, mode=mode)
    assert site.login(user) == AWAY
    assert re.search("qmail-authd: warning: " + said,
                     site.log("authd")[len(before):])
    # What is wrong with one kind of users is not with the other.
    assert site.login(ANN if user is JOE else JOE) == OK
    os.chmod(site.home.file(path), 0o640)
    assert site.login(user) == OK


@pytest.mark.parametrize("path,user", [("users/qpasswd", JOE),
                                       ("users/mailboxes.cdb", ANN)])
def test_files_that_make_no_sense(site, mended, path, user):
    mended(path, text="nonsense\n")
    assert site.login(user) == AWAY
    assert f"warning: {path}" in site.log("authd")
    assert site.login(ANN if user is JOE else JOE) == OK


def test_users_of_another_uid(site, mended):
    mended("users/qpasswd", text=f"[{site.home.path}:{TEST_UID + 1}:1]\n"
           f"{JOE[0]}:virtual/{JOE[0]}\n")
    assert site.login(JOE) == AWAY
    assert site.login(("nobody", "x")) == WRONG
    assert "users/qpasswd line 2: another uid than ours" in site.log("authd")


@pytest.mark.skipif(SANITIZED, reason="sanitizers take memory of their own")
def test_hash_without_memory(site):
    """Nobody hears that a password is wrong which was not looked at."""
    site.stop("authd")
    site.start("authd", ("prlimit", "--data=8000000"))
    try:
        assert site.login(ANN) == AWAY
        assert site.login((ANN[0], "wrong")) == AWAY
        assert site.login(("nobody", "x")) == AWAY
        assert "unable to compute a hash: " in site.log("authd")
        assert site.login(JOE) == OK
    finally:
        site.stop("authd")
        site.start("authd")
    assert site.login(ANN) == OK and site.login(("nobody", "x")) == WRONG


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user's rights")
def test_directory_that_workers_may_not_enter(site):
    """They cannot tell whether they are up to date, so they do not say."""
    os.chown(site.home.file("users"), 0, 0)
    os.chmod(site.home.file("users"), 0o700)
    try:
        assert site.login(JOE) == AWAY and site.login(ANN) == AWAY
        assert ("unable to look at users/qpasswd: access denied" in
                site.log("authd"))
    finally:
        own(site.home.file("users"))
        os.chmod(site.home.file("users"), 0o755)
    assert site.login(JOE) == OK and site.login(ANN) == OK


def test_guesses_are_told_of(site):
    """By the daemon itself: who asks may be a server that was taken over."""
    def refused(login):
        with packets(site.home.file("run/authd")) as s:
            s.send(f"cram-md5\0{login}\0challenge\0{'0' * 32}\0".encode())
            assert s.recv(9) == b"1"

    before = len(site.log("authd"))
    for i in range(4 * 249 + 1):  # one of four workers has 250 then
        refused(JOE[0] if i % 2 else f"guess{i}")
    assert re.search(r"^qmail-authd: warning: refused 250 logins in \d+ seconds$",
                     site.log("authd")[before:], re.M)


# -- the socket and the run files ----------------------------------------
def test_socket_is_for_owner_and_group(site):
    assert os.stat(site.home.file("run/authd")).st_mode & 0o777 == 0o660


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user's rights")
def test_socket_that_is_closed_to_the_server(site):
    os.chown(site.home.file("run/authd"), 0, 0)
    try:
        assert site.login(JOE) == AWAY
        assert ("AUTH: unix:run/authd: access denied" in
                site.log("smtps"))
    finally:
        own(site.home.file("run/authd"))
    assert site.login(JOE) == OK


def test_takes_the_place_of_a_dead_socket_only(home):
    make_dirs(home.file("run"))
    write_file(home.file("run/authd"), "precious\n")
    done = home.run("qmail-authd")
    assert done.returncode == 100
    assert b"run/authd: is there, and no socket" in done.stderr
    with open(home.file("run/authd")) as f:
        assert f.read() == "precious\n"
    done = home.run("qmail-authd", "/" + "x" * 200)
    assert done.returncode in (100, 111) and done.stderr
    assert home.run("qmail-authd", "a", "b").returncode == 100


@pytest.mark.parametrize("text", ["", "run/authd\n", "unix:\n", "yes\n"])
@pytest.mark.parametrize("service", PORTS)
def test_control_that_makes_no_sense(site, text, service):
    """Nothing is started: not with programs in place of the daemon."""
    site.home.control("auth/server", text)
    try:
        done = subprocess.run(
            [site.home.file("service", service, "run")], text=True,
            env=site.home.environment(), capture_output=True,
            timeout=DEADLINE)
        assert done.returncode == 111
        assert done.stdout == "control/auth/server: must be unix:socket\n"
        done = site.home.run("qmail-showctl", "--check")
        assert (b"control/auth/server line 1: must be unix:socket" in
                done.stdout)
    finally:
        site.home.control("auth/server", "unix:run/authd\n")
    assert b"auth/server" not in site.home.run("qmail-showctl",
                                               "--check").stdout


def test_without_the_control_programs_are_asked(site):
    site.home.control("auth/server", None)
    site.stop("smtps")
    try:
        site.start("smtps")
        site.stop("authd")
        assert site.login(JOE) == OK
        assert site.login(JOE, password="wrong") != OK
    finally:
        site.home.control("auth/server", "unix:run/authd\n")
        site.start("authd")
        site.stop("smtps")
        site.start("smtps")
    assert site.login(JOE) == OK
