"""POP3 with the clients that people use, with and without TLS."""
import base64
import hashlib
import hmac
import os
import re
import socket
import subprocess

import pytest

import home as h
from auth_home import Scram, add_logins, cram
from pop3_driver import TlsService, add_certificate, any_certificate
from test_tls import UCSPI_SERVER

JOE = "s3cret word"
HASHED = "of the system"
MAIL = "From: a@x.example\nSubject: hello\n\n.dot\n..two\nlast line\n"
ALL = ["LOGIN", "PLAIN", "CRAM-MD5", "CRAM-SHA1", "CRAM-RIPEMD", "DIGEST-MD5",
       "SCRAM-SHA-256"]


def server_of(home):
    return [os.path.join(home.bin, "multicheckpw"), "2", "checkqpasswd",
            "checkpassword", os.path.join(home.bin, "qmail-pop3d"), "Maildir"]


@pytest.fixture(scope="module")
def served(session_dir, bin_dir):
    """A home with a service on self.port, and one with TLS at once."""
    home = h.Home(os.path.join(session_dir, "pop3-clients"), bin_dir,
                  me="a.example")
    add_logins(home)
    home.control("auth/pop3", "127\n")
    home.control("auth/spop3", "127\n")
    home.control("log/pop3_in", "1\n")
    home.control("log/pop3_out", "1\n")
    add_certificate(home)
    for name in ("joe", "hashed"):
        box = home.file("virtual", name, "Maildir")
        path = h.write_file(os.path.join(box, "cur", "1:2,S"), MAIL)
        os.utime(path, (1600000000, 1600000000))
    server = server_of(home)
    home.tls = TlsService(home, *server)
    home.tls_at_once = TlsService(home, *server, front=["-s"])
    home.tls_required = TlsService(home, *server, UCSPITLS="!")
    yield home
    home.stop_all()


def run(argv, **more):
    return subprocess.run(
        argv, capture_output=True, timeout=h.DEADLINE, text=True,
        env={"PATH": os.environ["PATH"], "HOME": "/tmp"},
        **{"stdin": subprocess.DEVNULL, **more})


def expect_login(service, said):
    """The line may come a moment after the client's answer."""
    h.wait_for(lambda: re.findall(r"LOGIN: (.*)", service.log())[-1:]
               == [said], f"{said} in {service.log()}")


# -- curl ------------------------------------------------------------------
@pytest.mark.parametrize("option, said", [
    ("AUTH=PLAIN", "plain"), ("AUTH=LOGIN", "plain"), ("AUTH=+APOP", "apop"),
    ("AUTH=CRAM-MD5", "cram-md5"), ("AUTH=DIGEST-MD5", "digest-md5")])
def test_curl_with_stls(served, option, said):
    done = run(["curl", "-sS", "-k", "--ssl-reqd", "--login-options", option,
                "-u", f"joe:{JOE}", f"pop3://127.0.0.1:{served.tls.port}/1"])
    assert done.returncode == 0, done
    assert done.stdout.replace("\r", "").rstrip("\n") == MAIL.rstrip("\n")
    expect_login(served.tls, f"127.0.0.1 {said} tls <joe>")


def test_curl_with_tls_at_once(served):
    done = run(["curl", "-sS", "-k", "-u", f"hashed:{HASHED}", "-l",
                "--login-options", "AUTH=PLAIN",
                f"pop3s://127.0.0.1:{served.tls_at_once.port}/"])
    assert done.stdout.split() == ["1", str(len(MAIL))], done
    expect_login(served.tls_at_once, "127.0.0.1 plain tls <hashed>")


def test_curl_in_clear_where_tls_is_required(served):
    url = f"pop3://127.0.0.1:{served.tls_required.port}/1"
    done = run(["curl", "-sS", "-u", f"joe:{JOE}", url])
    assert done.returncode != 0 and "Subject" not in done.stdout
    done = run(["curl", "-sS", "-k", "--ssl-reqd", "-u", f"joe:{JOE}", url])
    assert done.returncode == 0 and "Subject: hello" in done.stdout, done


# -- mpop ------------------------------------------------------------------
@pytest.mark.parametrize("auth, said", [
    ("user", "plain"), ("plain", "plain"), ("login", "plain"),
    ("cram-md5", "cram-md5"), ("apop", "apop"),
    ("scram-sha-256", "scram-sha-256"), ("digest-md5", "digest-md5")])
def test_mpop(served, tmp_path, auth, said):
    mbox = tmp_path / "mbox"
    tls = ["--tls=on", "--tls-starttls=on", "--tls-certcheck=off"]
    done = run(["mpop", "--host=127.0.0.1", f"--port={served.tls.port}",
                "--user=joe", f"--auth={auth}", "--keep=on",
                f"--passwordeval=echo '{JOE}'", f"--delivery=mbox,{mbox}",
                f"--uidls-file={tmp_path}/uidls", *tls])
    if "not supported" in done.stderr or "not available" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done
    assert "Subject: hello" in mbox.read_text()
    expect_login(served.tls, f"127.0.0.1 {said} tls <joe>")


def test_mpop_finds_the_best(served):
    done = run(["mpop", "--serverinfo", "--host=127.0.0.1",
                f"--port={served.tls.port}"])
    for what in ("STLS", "PIPELINING", "UIDL", "TOP", "SCRAM-SHA-256"):
        assert what in done.stdout, done


# -- fetchmail and getmail -------------------------------------------------
@pytest.mark.parametrize("proto, more, said", [
    ("POP3", ["--sslproto", "tls1.2+", "--auth", "password"], "plain tls"),
    ("POP3", ["--sslproto", "", "--auth", "password"], "plain"),
    ("APOP", ["--sslproto", ""], "apop")])
def test_fetchmail(served, tmp_path, proto, more, said):
    rc = tmp_path / "rc"
    rc.write_text(f"poll 127.0.0.1 proto {proto} port {served.tls.port} "
                  f'user joe password "{JOE}" keep\n')
    rc.chmod(0o600)
    done = run(["fetchmail", "-f", str(rc), "--nodetach", "--nosslcertck",
                "-i", str(tmp_path / "ids"), "--pidfile",
                str(tmp_path / "pid"), "--all", "--mda",
                f"cat >>{tmp_path}/mail", *more])
    assert done.returncode == 0, done
    assert "Subject: hello" in (tmp_path / "mail").read_text()
    expect_login(served.tls, f"127.0.0.1 {said} <joe>")


def test_getmail_with_tls_at_once(served):
    """It delivers nothing as root."""
    base = h.make_dirs(served.file("getmail"))
    h.write_file(os.path.join(base, "rc"), f"""[retriever]
type = SimplePOP3SSLRetriever
server = 127.0.0.1
port = {served.tls_at_once.port}
username = joe
password = {JOE}
[destination]
type = Maildir
path = {served.maildir(os.path.join(base, "box"))}/
[options]
read_all = true
delete = false
""")
    done = run(["getmail", f"--getmaildir={base}", "--rcfile=rc"],
               **h.ids_arguments())
    assert len(os.listdir(os.path.join(base, "box", "new"))) == 1, done
    expect_login(served.tls_at_once, "127.0.0.1 plain tls <joe>")


# -- openssl, gsasl, and by hand -------------------------------------------
def test_openssl_s_client(served):
    done = run(["openssl", "s_client", "-starttls", "pop3", "-crlf", "-quiet",
                "-connect", f"127.0.0.1:{served.tls.port}"],
               stdin=None, input=f"CAPA\nSTLS\nUSER joe\nPASS {JOE}\n"
               "STAT\nretr 1\nQUIT\n")
    lines = done.stdout.split("\n")
    assert "SASL " + " ".join(ALL) in lines
    assert "STLS" not in lines  # not twice
    assert "-ERR TLS is on already" in lines
    assert f"+OK 1 {len(MAIL)}" in lines and "..dot" in lines


class Hand:
    """A client that is told every line."""

    def __init__(self, service):
        self.socket = (service if isinstance(service, socket.socket)
                       else service.connect())
        self.pending = b""
        self.greeting = self.line()

    def line(self):
        while b"\n" not in self.pending:
            got = self.socket.recv(65536)
            if not got:
                return b""
            self.pending += got
        line, self.pending = self.pending.split(b"\n", 1)
        return line.rstrip(b"\r")

    def ask(self, text):
        self.socket.sendall(text.encode() + b"\r\n")
        return self.line().decode()

    def stls(self):
        assert self.ask("STLS") == "+OK begin TLS negotiation"
        self.socket = any_certificate().wrap_socket(self.socket)
        return self

    def capa(self):
        assert self.ask("CAPA") == "+OK "
        lines = []
        while not lines or lines[-1] != ".":
            lines.append(self.line().decode())
        return lines[:-1]


@pytest.mark.parametrize("mechanism, digest", [
    ("CRAM-MD5", "md5"), ("CRAM-SHA1", "sha1"), ("CRAM-RIPEMD", "ripemd160")])
def test_cram_by_hand(served, mechanism, digest):
    hand = Hand(served.tls).stls()
    if digest not in hashlib.algorithms_available:
        pytest.skip(f"no {digest} in Python")
    try:
        hmac.new(b"", b"", digest)
    except ValueError:
        pytest.skip(f"no {digest} in this Python's libcrypto")
    challenge = hand.ask(f"AUTH {mechanism}")[2:]
    assert hand.ask(cram(digest, challenge, "joe", "wrong")) == (
        "-ERR [AUTH] authorization failed")
    challenge = hand.ask(f"AUTH {mechanism}")[2:]
    assert hand.ask(cram(digest, challenge, "joe", JOE)) == "+OK "
    assert hand.ask("STAT") == f"+OK 1 {len(MAIL)}"
    expect_login(served.tls, f"127.0.0.1 {mechanism.lower()} tls <joe>")


def test_scram_proves_the_server(served):
    hand = Hand(served.tls).stls()
    client = Scram("joe", JOE)
    challenge = hand.ask("AUTH SCRAM-SHA-256 " + client.first())[2:]
    last = hand.ask(client.final(challenge))
    assert last == "+ " + client.signature
    assert hand.ask("") == "+OK "
    assert hand.ask("STAT") == f"+OK 1 {len(MAIL)}"


def test_client_that_does_not_believe_the_server(served):
    hand = Hand(served.tls).stls()
    client = Scram("joe", JOE)
    challenge = hand.ask("AUTH SCRAM-SHA-256 " + client.first())[2:]
    hand.ask(client.final(challenge))
    assert hand.ask("*") == "-ERR authorization cancelled"
    assert hand.line() == b""


def gsasl(mechanism, hand):
    """gsasl makes the responses; the last line of the server."""
    process = subprocess.Popen(
        ["timeout", "60", "stdbuf", "-oL", "gsasl", "--client", f"--mechanism={mechanism}", "--quiet",
         "--authentication-id=joe", f"--password={JOE}",
         "--service=pop", "--hostname=a.example", "--realm=a.example"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL)
    try:
        assert process.stdout.readline() == mechanism + "\n"
        first = process.stdout.readline().strip()
        said = hand.ask(f"AUTH {mechanism}")
        if first:  # the client begins
            assert said == "+ "
            said = hand.ask(first)
        while said.startswith("+ "):
            process.stdin.write(said[2:] + "\n")
            process.stdin.flush()
            said = hand.ask(process.stdout.readline().strip())
        return said
    finally:
        process.kill()
        process.communicate(timeout=h.DEADLINE)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "CRAM-MD5", "PLAIN"])
def test_gsasl(served, mechanism):
    hand = Hand(served.tls).stls()
    assert gsasl(mechanism, hand) == "+OK "
    assert hand.ask("STAT") == f"+OK 1 {len(MAIL)}"
    expect_login(served.tls, f"127.0.0.1 {mechanism.lower()} tls <joe>")


# -- TLS and the state of the session --------------------------------------
def test_capa_in_all_states(served):
    hand = Hand(served.tls)
    clear = hand.capa()
    assert "STLS" in clear and "USER" in clear
    hand.stls()
    inside = hand.capa()
    assert [line for line in clear if line != "STLS"] == inside
    hand.ask("USER joe")
    assert hand.ask(f"PASS {JOE}") == "+OK "
    assert hand.capa() == inside
    required = Hand(served.tls_required)
    assert "STLS" in required.capa()
    assert not any(line.startswith(("SASL", "USER"))
                   for line in required.capa())
    for command in ("USER joe", "APOP joe x", "AUTH PLAIN", "PASS x"):
        assert required.ask(command) == "-ERR STLS first"
    required.stls()
    assert required.capa() == inside
    assert required.ask("USER joe") == "+OK "


def test_masks_hold_for_the_state(served):
    served.control("auth/pop3", "4\n")
    served.control("auth/spop3", "3\n")
    try:
        hand = Hand(served.tls)
        assert "SASL CRAM-MD5" in hand.capa() and "USER" not in hand.capa()
        assert hand.ask("AUTH PLAIN") == "-ERR no such mechanism here"
        hand.stls()
        assert "SASL LOGIN PLAIN" in hand.capa() and "USER" in hand.capa()
        assert hand.ask("AUTH CRAM-MD5") == "-ERR no such mechanism here"
    finally:
        served.control("auth/pop3", "127\n")
        served.control("auth/spop3", "127\n")


def test_clear_state_is_forgotten(served):
    hand = Hand(served.tls)
    assert hand.ask("USER joe") == "+OK "
    hand.stls()
    assert hand.ask(f"PASS {JOE}") == "-ERR USER first"
    assert hand.ask("STLS") == "-ERR TLS is on already"


@pytest.mark.parametrize("injected", [b"USER eve\r\n", b"NOOP\r\n" * 400,
                                      b"QUIT\r\n", b"U"])
def test_injected_commands_are_never_obeyed(served, injected):
    """Sent in clear behind STLS, in one packet with it."""
    hand = Hand(served.tls)
    hand.socket.sendall(b"STLS\r\n" + injected)
    assert hand.line() == b"+OK begin TLS negotiation"
    try:
        hand.socket = any_certificate().wrap_socket(hand.socket)
        said = hand.ask(f"PASS {JOE}")
    except OSError:  # the handshake fails: the front took it for TLS
        said = ""
    assert said in ("", "-ERR USER first")
    log = served.tls.log()
    last = log[log.rindex("S: +OK begin TLS"):]
    assert "C: USER eve" not in last and "C: NOOP" not in last
    assert "C: QUIT" not in last


def test_stls_has_no_argument_and_pipelines_nothing(served):
    hand = Hand(served.tls)
    assert hand.ask("STLS now") == "-ERR syntax error"
    assert hand.ask("NOOP") == "+OK "


def test_behind_another_front(served):
    """Pipes where qmail-tls has sockets; what follows a login in one packet
    is the mail server's all the same."""
    front = h.write_file(served.file("front.py"), UCSPI_SERVER)
    port = served.server(
        ["/usr/bin/python3", front, served.file("control/servercert.pem"),
         os.path.join(served.bin, "qmail-popup"), served.me, *server_of(served)])
    hand = Hand(socket.create_connection(("127.0.0.1", port), h.DEADLINE))
    assert "STLS" in hand.capa()
    assert hand.ask("USER eve") == "+OK "
    hand.stls()
    assert hand.ask(f"PASS {JOE}") == "-ERR USER first"
    assert "STLS" not in hand.capa()
    assert hand.ask(f"USER joe\r\nPASS {JOE}\r\nSTAT\r\nQUIT") == "+OK "
    assert [hand.line() for _ in range(4)] == [
        b"+OK ", b"+OK 1 %d" % len(MAIL), b"+OK ", b""]
    with open(served.file(f"server-{port}.log")) as f:
        assert "LOGIN: 127.0.0.1 plain tls <joe>" in f.read()


def test_nothing_secret_is_logged(served):
    """What all the tests above have said to the servers."""
    for service in (served.tls, served.tls_at_once, served.tls_required):
        log = service.log()
        for secret in (JOE, HASHED, base64.b64encode(
                f"\0joe\0{JOE}".encode()).decode()):
            assert secret not in log
        assert not re.search(r"C: APOP \S+ [0-9a-f]{32}", log)
        assert not re.search(r"C: [A-Za-z0-9+/]{20,}=*$", log, re.M)
