"""STARTTLS in qmail-smtpd behind qmail-tls: what is offered, what is told,
which certificate is shown, and real clients."""
import os
import re
import shutil
import ssl
import subprocess
import time

import pytest

from home import DEADLINE, make_dirs, wait_for, write_file
from tls import (Service, TlsSmtpd, context, make_certificate, run_client)

MESSAGE = b"Subject: x\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def certificates(session_dir):
    """Two certificates, each as the content of a servercert.pem."""
    where = make_dirs(os.path.join(session_dir, "certificates"))
    return ["".join(make_certificate(where, "a.example")),
            "".join(make_certificate(where, "mail.b.example"))]


def install(home, text, name="control/servercert.pem", mode=0o600):
    """As an administrator would: under another name, then moved."""
    make_dirs(os.path.dirname(home.file(name)))
    write_file(home.file(name) + ".new", text, mode)
    os.rename(home.file(name) + ".new", home.file(name))


@pytest.fixture(params=["front", "direct"])
def service(home, certificates, request):
    install(home, certificates[0])
    return Service(home, direct=request.param == "direct")


def shown(text):
    """The certificate in a servercert.pem, as a client gets it."""
    return text[text.index("-----BEGIN CERT"):]


def test_session(service):
    s = TlsSmtpd(service)
    assert s.command("EHLO c.example") == (
        "250-a.example ESMTP\n250-ENHANCEDSTATUSCODES\n250-PIPELINING\n"
        "250-STARTTLS\n250-SIZE\n250 8BITMIME")
    assert s.command("STARTTLS now") == "501 5.5.4 no parameters allowed"
    s.command("MAIL FROM:<early@x.example>")
    s.starttls()
    # All is forgotten: name, sender, and that it was EHLO.
    assert s.command("RCPT TO:<r@a.example>") == "503 5.5.1 MAIL first"
    assert "STARTTLS" not in s.command("EHLO d.example")
    assert s.command("STARTTLS") == "503 5.5.1 TLS is on already"
    s.open_message()
    s.send("hello\r\n.\r\nQUIT\r\n")
    assert s.reply().startswith("250 2.6.0 ok ")
    assert s.reply().startswith("221 2.0.0")
    assert s.at_end()
    (sender, _, message), = service.queue.messages()
    assert sender == b"s@x.example"
    assert re.match(
        rb"Received: from unknown \(HELO d\.example\) \(127\.0\.0\.1\)\n"
        rb"  by a\.example with ESMTPS \(TLSv1\.3 TLS_[A-Z0-9_]+\); ",
        message), message


def test_client_that_thinks_first(service):
    """The handshake's end is told without a word of the client, too."""
    s = TlsSmtpd(service)
    s.command("EHLO c.example")
    assert s.command("NOOP", "STARTTLS") == [
        "250 2.0.0 ok", "220 2.0.0 ready to start TLS"]
    s.handshake()
    time.sleep(1)
    s.socket.sendall(b"EHLO c.exa")
    time.sleep(0.1)
    s.socket.sendall(b"mple\r\n")
    assert s.reply().startswith("250-a.example")
    assert s.command("QUIT").startswith("221") and s.at_end()


def test_pipelined_mail_is_large(service):
    """Records in both directions at once, and more than any buffer holds."""
    s = TlsSmtpd(service)
    s.command("EHLO c.example")
    s.starttls()
    s.command("EHLO c.example")
    s.open_message()
    body = b"".join(b"%07d %s\r\n" % (i, b"x" * 60) for i in range(60000))
    s.send(body + b".\r\n" + b"NOOP\r\n" * 2000)
    assert s.reply().startswith("250 2.6.0")
    for _ in range(1000):
        assert s.reply() == "250 2.0.0 ok"
    message = service.queue.messages()[0][2]
    assert message.split(b"\n", 2)[2] == body.replace(b"\r\n", b"\n")


def test_offered_when_there_is_a_certificate(home, certificates):
    service = Service(home)
    service.wait_log("no TLS yet: control/servercert.pem")
    s = TlsSmtpd(service)
    assert "STARTTLS" not in s.command("EHLO c.example")
    assert s.command("STARTTLS") == "502 5.5.1 unimplemented"
    # Each new file is taken up by the running service.
    for text in certificates + certificates[:1]:
        install(home, text)
        s = TlsSmtpd(service)
        assert "STARTTLS" in s.command("EHLO c.example")
        assert s.starttls().certificate() == shown(text)
    # One that is of no use leaves the one before in force, and is told once.
    half = shown(certificates[0])[:300]
    for text, why in (("nonsense", "no certificate in it"),
                      (certificates[1] + half, "no certificate in it, or one "
                       "that is damaged"),
                      (certificates[0].split("-----BEGIN CERT")[0] +
                       shown(certificates[1]), "no private key in it")):
        install(home, text)
        for _ in range(2):
            s = TlsSmtpd(service)
            s.command("EHLO c.example")
            assert s.starttls().certificate() == shown(certificates[0])
        service.wait_log(f"servercert.pem cannot be used: {why}")
    install(home, certificates[1], mode=0o604)
    s = TlsSmtpd(service)
    assert s.starttls().certificate() == shown(certificates[0])
    service.wait_log("others may read its key")
    assert service.log().count("cannot be used") == 4
    # The rest of a chain, and words around it.
    install(home, "ours:\n" + certificates[1] + "its issuer:\n" +
            shown(certificates[0]) + "the end\n")
    s = TlsSmtpd(service)
    assert s.starttls().certificate() == shown(certificates[1])
    os.unlink(home.file("control/servercert.pem"))
    assert "STARTTLS" not in TlsSmtpd(service).command("EHLO c.example")


def test_direct_and_no_certificate_of_use(home, certificates):
    """Offered because there is a file; what it is worth is seen too late."""
    install(home, "nonsense")
    service = Service(home, direct=True)
    s = TlsSmtpd(service)
    assert s.command("STARTTLS") == "454 4.7.0 TLS is not available"
    s.command("EHLO c.example")
    s.open_message()
    s.send("hello\r\n.\r\n")
    assert s.reply().startswith("250 2.6.0")
    install(home, certificates[0])
    assert s.starttls().command("NOOP") == "250 2.0.0 ok"
    os.unlink(home.file("control/servercert.pem"))
    assert "STARTTLS" not in TlsSmtpd(service).command("EHLO c.example")


def test_names(home, certificates, service):
    install(home, certificates[1], "control/servercerts/mail.b.example.pem")
    for name, want in (("mail.b.example", 1), ("MAIL.b.Example", 1),
                       ("other.example", 0), ("x" * 60, 0), (None, 0)):
        s = TlsSmtpd(service).starttls(name=name)
        assert s.certificate() == shown(certificates[want]), name
        s.close()
    install(home, certificates[0], "control/servercerts/mail.b.example.pem")
    s = TlsSmtpd(service).starttls(name="mail.b.example")
    assert s.certificate() == shown(certificates[0])


def test_client_certificate(home, session_dir, certificates):
    where = make_dirs(os.path.join(session_dir, "clients"))
    ca = make_certificate(where, "ca.example")
    good = make_certificate(where, "Joe", issuer=ca, client=True)
    strange = make_certificate(where, "Eve", client=True)
    install(home, certificates[0])
    write_file(home.file("control/clientca.pem"), ca[1])
    program = write_file(home.file("show"), "#!/bin/sh\n"
                         'echo "$SSL_PROTOCOL|$SSL_CIPHER|'
                         '$SSL_TLS_SNI_SERVERNAME|$SSL_CLIENT_S_DN|$SMTPS|'
                         '$SSLCTLFD"\n', 0o755)
    service = Service(home, program, front=["-s"])
    for pair, subject in ((good, "CN=Joe"), (strange, ""), (None, "")):
        ctx = context()
        if pair:
            path = write_file(os.path.join(where, "pair.pem"), "".join(pair))
            ctx.load_cert_chain(path)
        s = TlsSmtpd(service, greet=False)
        s.handshake(ctx, name="n.example")
        assert re.match(rf"TLSv1\.3\|TLS_\w+\|n\.example\|{subject}\|1\|\n$",
                        s.socket.recv(1000).decode()), subject


@pytest.mark.parametrize("front,env", [(["-s"], {}), ([], {"SMTPS": "1"})])
def test_implicit(home, certificates, front, env):
    install(home, certificates[0])
    service = Service(home, front=front, env=env)
    s = TlsSmtpd(service, greet=False).handshake()
    assert s.reply() == "220 a.example ESMTP"
    assert "STARTTLS" not in s.command("EHLO c.example")
    s.open_message()
    s.send("hello\r\n.\r\nQUIT\r\n")
    assert [s.reply()[:3], s.reply()[:3]] == ["250", "221"]
    assert s.at_end()
    assert b"with ESMTPS (TLSv1.3" in service.queue.messages()[0][2]


def test_implicit_without_a_certificate(home):
    service = Service(home, front=["-s"])
    s = TlsSmtpd(service, greet=False)
    assert s.at_end()
    service.wait_log("no TLS for this client: there is no certificate")


def test_one_process_for_each_connection(home, certificates):
    """Without -r: no resident process, the same behaviour."""
    install(home, certificates[0])
    service = Service(home, resident=False)
    first = TlsSmtpd(service)
    second = TlsSmtpd(service)
    second.starttls()
    assert second.command("EHLO c.example").startswith("250")
    session = second.socket.session
    assert first.command("QUIT").startswith("221") and first.at_end()
    third = TlsSmtpd(service)
    third.starttls(ctx=second.socket.context, session=session)
    assert third.socket.session_reused


def test_sessions_are_resumed(home, certificates):
    """On another service of the home, and after a restart."""
    install(home, certificates[0])
    first, other = Service(home), Service(home, front=["-s"])
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        ctx = context(maximum=version)
        s = TlsSmtpd(first).starttls(ctx=ctx)
        s.command("NOOP")
        session = s.socket.session
        again = TlsSmtpd(first).starttls(ctx=ctx, session=session)
        assert again.socket.session_reused, version
        # With TLS 1.3 each connection gets a ticket of its own.
        again.command("NOOP")
        fresh = again.socket.session.id != session.id
        assert fresh == (version == ssl.TLSVersion.TLSv1_3)
        s = TlsSmtpd(other, greet=False).handshake(ctx, session=session)
        assert s.socket.session_reused, version
    path = home.file("run/tls/tickets")
    assert os.stat(path).st_mode & 0o7777 == 0o600
    first.process.terminate()
    first.process.wait(DEADLINE)
    first.start()
    s = TlsSmtpd(first).starttls(ctx=ctx, session=session)
    assert s.socket.session_reused
    assert s.command("NOOP") == "250 2.0.0 ok"


@pytest.fixture
def mail_file(home):
    return write_file(home.file("mail"), "Subject: x\n\nhello\n")


# Says the message when it is wanted, by way of the program in its arguments.
BY_HAND = """
import subprocess, sys
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE)
def say(text):
    p.stdin.write(text.replace("\\n", "\\r\\n").encode())
    p.stdin.flush()
say("EHLO c\\nMAIL FROM:<s@x.example>\\nRCPT TO:<r@a.example>\\nDATA\\n")
for line in p.stdout:
    if line.startswith(b"354"):
        say("Subject: x\\n\\nhello\\n.\\nQUIT\\n")
sys.exit(p.wait())
"""
CLIENTS = {
    "openssl": lambda port, mail, home: [
        "/usr/bin/python3", "-c", BY_HAND, "openssl", "s_client", "-quiet",
        "-starttls", "smtp", "-connect", f"127.0.0.1:{port}"],
    "swaks": lambda port, mail, home: [
        "swaks", "--tls", "--server", f"127.0.0.1:{port}", "--from",
        "s@x.example", "--to", "r@a.example", "--helo", "c.example"],
    "msmtp": lambda port, mail, home: [
        "sh", "-c", f"msmtp --host=127.0.0.1 --port={port} --tls=on "
        "--tls-starttls=on --tls-certcheck=off --from=s@x.example "
        f"--domain=c.example r@a.example <{mail}"],
    "curl": lambda port, mail, home: [
        "curl", "-sS", "--crlf", "--ssl-reqd", "-k", f"smtp://127.0.0.1:{port}/c",
        "--mail-from", "s@x.example", "--mail-rcpt", "r@a.example", "-T",
        mail],
}


@pytest.mark.parametrize("name", sorted(CLIENTS))
def test_clients(service, mail_file, name):
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    code, said = run_client(
        CLIENTS[name](service.port, mail_file, service.home),
        env={"HOME": service.home.path, "PATH": os.environ["PATH"]})
    assert code == 0, said
    message = wait_for(service.queue.messages, said)[0][2]
    assert b"with ESMTPS (TLSv1.3 " in message


# Written from the protocol's description, with pipes where qmail-tls has
# sockets, and text around the variables that qmail-smtpd has no use for.
UCSPI_SERVER = '''
import os, select, socket, ssl, sys
client = socket.socket(fileno=0)
ours, theirs = socket.socketpair()
to_server, from_server = os.pipe(), os.pipe()
pid = os.fork()
if pid == 0:
    for fd in (theirs.fileno(), to_server[0], from_server[1]):
        os.set_inheritable(fd, True)
    os.environ.update(UCSPITLS="", SSLCTLFD=str(theirs.fileno()),
                      SSLREADFD=str(to_server[0]),
                      SSLWRITEFD=str(from_server[1]))
    os.dup2(0, 1)
    os.execv(sys.argv[2], sys.argv[2:])
theirs.close()
os.close(to_server[0])
os.close(from_server[1])
order = ours.recv(1)
if order not in (b"y", b"Y"):
    sys.exit(0)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
tls = context.wrap_socket(client, server_side=True)
if order == b"Y":
    for piece in ("SSL_SESSION_ID=" + "7" * 5000, "SSL_PROTOCOL=" +
                  tls.version(), "nonsense", "SSL_CIPHER=" + tls.cipher()[0],
                  "SSL_CLIENT_S_DN=a\\nReceived: b", ""):
        for byte in piece.encode() + b"\\0":
            ours.send(bytes([byte]))
while True:
    ready = [] if tls.pending() else select.select([tls, from_server[0]], [], [])[0]
    if from_server[0] in ready:
        data = os.read(from_server[0], 4096)
        if not data:
            break
        tls.sendall(data)
    elif not ready or tls in ready:
        data = tls.recv(4096)
        if not data:
            break
        os.write(to_server[1], data)
'''


def test_behind_another_front(home, certificates):
    install(home, certificates[0])
    front = write_file(home.file("front.py"), UCSPI_SERVER)
    port = home.server(
        ["/usr/bin/python3", front, home.file("control/servercert.pem"),
         os.path.join(home.bin, "qmail-smtpd")], env={})
    service = Service.__new__(Service)
    service.home, service.port, service.process = home, port, None
    service.log_path = home.file(f"server-{port}.log")
    service.queue = None
    s = TlsSmtpd(service)
    assert "STARTTLS" in s.command("EHLO c.example")
    s.starttls()
    assert "STARTTLS" not in s.command("EHLO c.example")
    assert s.command("NOOP", "RSET", "NOOP") == [
        "250 2.0.0 ok", "250 2.0.0 flushed", "250 2.0.0 ok"]
    assert s.command("QUIT").startswith("221")


MAILFRONT = "/usr/sbin/mailfront"


@pytest.mark.skipif(not os.path.exists(MAILFRONT), reason="needs mailfront")
def test_in_front_of_a_server_of_others(home, certificates):
    """mailfront asks for TLS as UCSPI-TLS has it, and for the variables."""
    install(home, certificates[0])
    service = Service(home, MAILFRONT, arguments=[
        "smtp", "echo", "starttls-ucspi", "accept"])
    s = TlsSmtpd(service)
    assert "250-STARTTLS" in s.command("EHLO c.example").split("\n")
    assert s.command("STARTTLS").startswith("220 ")
    s.handshake(name="a.example")
    assert s.certificate() == shown(certificates[0])
    assert "STARTTLS" not in s.command("EHLO c.example")
    assert s.command("MAIL FROM:<s@x.example>", "RCPT TO:<r@a.example>",
                     "DATA")[-1].startswith("354 ")
    s.send("Subject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n")
    assert s.reply().startswith("250 ") and s.reply().startswith("221 ")
    assert s.at_end()


ASKING_SERVER = """
import os, select
fd = {n: int(os.environ["SSL" + n + "FD"]) for n in ("CTL", "READ", "WRITE")}
os.write(1, b"hello\\r\\n")
os.read(0, 100)
os.write(1, b"ready\\r\\n")
os.write(fd["CTL"], WORD)
said = os.read(fd["READ"], 100)
told = b""
while select.select([fd["CTL"]], [], [], 0)[0]:
    piece = os.read(fd["CTL"], 65536)
    told += piece
    if not piece or told.endswith(bytes(2)):
        break
os.write(fd["WRITE"], said.strip() + b" %d\\r\\n" % told.count(b"="))
"""


@pytest.mark.parametrize("word,variables", [(b"y", 0), (b"Y", 1)])
def test_both_ways_to_ask(home, certificates, word, variables):
    """UCSPI-TLS: with y a server asks for TLS alone, with Y for the variables
    as well."""
    install(home, certificates[0])
    script = write_file(home.file("server.py"),
                        ASKING_SERVER.replace("WORD", repr(word)))
    service = Service(home, "/usr/bin/python3", arguments=[script])
    with service.connect() as plain:
        assert plain.recv(100) == b"hello\r\n"
        plain.sendall(b"TLS\r\n")
        assert plain.recv(100) == b"ready\r\n"
        with context().wrap_socket(plain) as s:
            s.sendall(b"inside\r\n")
            answer = s.recv(100).split()
    assert answer[0] == b"inside"
    assert (int(answer[1]) > 0) == bool(variables)


def test_make_cert(home):
    """The script of "make cert": once, and never over what is there."""
    script = os.path.join(os.path.dirname(__file__),
                          "../../src/install/cert.sh")
    for want in ("is for a.example, signed by nobody", "keeping"):
        done = subprocess.run(
            ["sh", "-s", home.path], stdin=open(script), text=True,
            capture_output=True, timeout=DEADLINE, check=False)
        assert done.returncode == 0 and want in done.stdout, done
    path = home.file("control/servercert.pem")
    assert os.stat(path).st_mode & 0o7777 == 0o600
    if os.geteuid() == 0:
        os.chown(path, os.stat(home.path).st_uid, -1)
    s = TlsSmtpd(Service(home)).starttls()
    with open(path) as f:
        assert s.certificate() == shown(f.read())
