"""Two homes and a Postfix exchange mail: clear, STARTTLS, with passwords."""
import os
import smtplib
import sys

import pytest

import home as home_module
from auth_home import CHECKER, add_logins
from remote_dns import Dnsmasq
from tls_peer import Authority

sys.path.insert(0, os.path.join(home_module.REPO, "tests", "bench"))
import postfix_peer  # noqa: E402

PASSWORD = "s3cret|pass"

MORE = """
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
smtpd_tls_cert_file = {pem}
smtpd_tls_key_file = {pem}
smtp_tls_security_level = may
smtp_tls_CAfile = {ca}
smtp_tls_policy_maps = inline:{{ {{ [127.0.0.1]:{a} = secure match=a.example }} }}
transport_maps = inline:{{ {{ a.example = smtp:[127.0.0.1]:{a} }}
  {{ far.example = smtp:[127.0.0.1]:{a} }} {{ b.example = smtp:[127.0.0.1]:{b} }} }}
smtp_sasl_auth_enable = yes
smtp_sasl_security_options = noanonymous
smtp_sasl_mechanism_filter = {mechanisms}
smtp_sasl_password_maps = inline:{{ {{ [127.0.0.1]:{a} = joe:{password} }} }}
virtual_mailbox_domains = p.example
myhostname = p.example
"""


def private_postfix(more):
    """An instance with these settings and no other ones of the same names:
    Postfix warns of each in its log, and postlogd may hang on its own."""
    made = postfix_peer.Postfix()
    path = os.path.join(made.conf, "main.cf")
    names = {line.split(" ")[0] for line in more.splitlines() if " = " in line}
    with open(path) as f:
        lines = [line for line in f if line.split(" ")[0] not in names]
    with open(path, "w") as f:
        f.write("".join(lines) + more)
    return made


class World:
    """a.example behind qmail-tls, b.example in clear text, p.example."""

    def __init__(self, base, bin_dir):
        self.base, self.bin = base, bin_dir
        self.ports = {n: home_module.free_port() for n in "abq"}
        self.authority = Authority(home_module.make_dirs(
            os.path.join(base, "ca")))
        self.dns = Dnsmasq(*(f"--host-record={n}.example,127.0.0.1"
                             for n in "abp"))
        self.postfix = private_postfix(MORE.format(
            pem=self.authority.issue("p.example"), ca=self.authority.ca,
            mechanisms="plain", password=PASSWORD, **self.ports))
        self.postfix.start()
        self.a, self.b = self.home("a"), self.home("b")
        self.start_a()
        self.start_b()

    def home(self, name):
        made = home_module.Home(os.path.join(self.base, name), self.bin,
                                me=f"{name}.example")
        made.add_user("joe")
        made.control("dnsservers", f"127.0.0.1:{self.dns.port}\n")
        made.control("cafile", self.authority.bundle)
        home_module.make_dirs(made.file("cache", "remote"))
        return made

    def start_a(self):
        """STARTTLS and logins; p.example's certificate must verify."""
        a = self.a
        add_logins(a, {"joe": PASSWORD})
        a.control("auth/smtp", "0\n")  # none without TLS
        for name in ("locals", "rcpthosts"):
            a.control(name, "a.example\nq.example\n")
        with open(self.authority.issue("a.example")) as f:
            home_module.write_file(a.file("control", "servercert.pem"),
                                   f.read(), 0o600)
        home_module.make_dirs(a.file("run"))
        home_module.make_dirs(a.file("run", "tls"), 0o700)
        a.control("smtproutes", f"p.example:p.example:{self.postfix.port}\n"
                  f"far.example:127.0.0.1:{self.ports['b']}\n"
                  f"b.example:127.0.0.1:{self.ports['b']}\n")
        a.control("tlsremote", "p.example:verify\n")
        a.start()
        a.server([os.path.join(a.bin, "qmail-tls"),
                  os.path.join(a.bin, "qmail-smtpd"), *CHECKER.split()],
                 port=self.ports["a"])
        a.server([os.path.join(a.bin, "qmail-qmtpd")], port=self.ports["q"])

    def start_b(self):
        """No TLS here; far.example's mail ends here, too."""
        b = self.b
        for name in ("locals", "rcpthosts"):
            b.control(name, "b.example\nfar.example\n")
        b.control("smtproutes", f"p.example:p.example:{self.postfix.port}\n")
        b.control("qmtproutes", f"q.example:127.0.0.1:{self.ports['q']}\n")
        b.control("tlsremote", "p.example:none\n")
        home_module.write_file(
            b.file("control", "smtprelays"),
            f"a.example:a.example:{self.ports['a']}\n"
            f"<boss@b.example>:a.example:{self.ports['a']}|joe|{PASSWORD}|\n",
            0o640)
        b.start()
        b.smtpd(port=self.ports["b"])

    def inject(self, home, sender, recipient, subject):
        home.run("qmail-inject", "-f", sender, recipient, check=True,
                 input=f"Subject: {subject}\n\nhello\n.dot\n")

    def submit(self, recipient, subject):
        """By SMTP to Postfix, which takes anything from here."""
        with smtplib.SMTP("127.0.0.1", self.postfix.port,
                          timeout=home_module.DEADLINE) as client:
            client.sendmail("joe@p.example", [recipient],
                            f"Subject: {subject}\r\n\r\nhello\r\n.dot\r\n")

    def messages_of_postfix(self):
        where = os.path.join(self.postfix.base, "mail", "joe", "Maildir",
                             "new")
        found = []
        for name in sorted(os.listdir(where)) if os.path.isdir(where) else ():
            with open(os.path.join(where, name), "rb") as f:
                found.append(f.read())
        return found

    def wait(self, messages, subject):
        """The one message with this subject, wherever messages() looks."""
        wanted = f"Subject: {subject}\n".encode()

        def look():
            return [m for m in messages() if wanted in m]

        try:
            [found] = home_module.wait_for(look, subject)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.logs()}") from None
        assert found.replace(b"\r", b"").endswith(b"\n\nhello\n.dot\n")
        return found

    def logs(self):
        with open(f"{self.postfix.base}/log/mail.log") as f:
            return "\n".join((self.a.log(), self.b.log(), f.read()))

    def stop(self):
        self.a.stop_all()
        self.b.stop_all()
        self.postfix.stop()
        self.dns.stop()


@pytest.fixture(scope="module")
def world(session_dir, bin_dir):
    if not postfix_peer.usable():
        pytest.skip("needs root and Postfix")
    base = home_module.make_dirs(os.path.join(session_dir, "exchange"))
    made = World(base, bin_dir)
    yield made
    made.stop()


def test_home_to_postfix_in_verified_tls(world):
    world.inject(world.a, "joe@a.example", "joe@p.example", "a-to-p")
    found = world.wait(world.messages_of_postfix, "a-to-p")
    assert b"(using TLSv1.3 with cipher " in found
    world.a.wait_log("accepted_message./Remote_host_said:_250_2.0.0_Ok:_")
    world.a.wait_log("/Encrypted_with_TLSv1.3,_")
    world.a.wait_log(",_certificate_verified./")


def test_home_to_postfix_in_clear_text(world):
    world.inject(world.b, "joe@b.example", "joe@p.example", "b-to-p")
    found = world.wait(world.messages_of_postfix, "b-to-p")
    assert b"using TLS" not in found
    assert b"with ESMTP id" in found.replace(b"\n\t", b" ")


def test_postfix_to_home_in_tls(world):
    world.submit("joe@a.example", "p-to-a")
    found = world.wait(lambda: world.a.user_messages("joe"), "p-to-a")
    assert b"ESMTPS" in found and b"TLSv1.3" in found


def test_postfix_to_home_in_clear_text(world):
    world.submit("joe@b.example", "p-to-b")
    found = world.wait(lambda: world.b.user_messages("joe"), "p-to-b")
    assert b"with ESMTP;" in found and b"TLSv1.3" not in found


def test_home_to_home(world):
    world.inject(world.b, "joe@b.example", "joe@a.example", "b-to-a")
    found = world.wait(lambda: world.a.user_messages("joe"), "b-to-a")
    assert b"ESMTPS" in found
    world.inject(world.a, "joe@a.example", "joe@b.example", "a-to-b")
    world.wait(lambda: world.b.user_messages("joe"), "a-to-b")


def test_submission_by_a_home(world):
    """Only the boss has a password, and it opens the way to p.example."""
    world.inject(world.b, "boss@b.example", "joe@p.example", "boss-to-p")
    found = world.wait(world.messages_of_postfix, "boss-to-p")
    assert b"ESMTPSA" in found
    assert b"by a.example" in found and b"by p.example" in found


def test_submission_by_postfix(world):
    world.submit("joe@far.example", "p-to-far")
    found = world.wait(lambda: world.b.user_messages("joe"), "p-to-far")
    assert b"ESMTPSA" in found and b"by a.example" in found


def test_home_to_home_by_qmtp(world):
    world.inject(world.b, "joe@b.example", "joe@q.example", "b-to-q")
    found = world.wait(lambda: world.a.user_messages("joe"), "b-to-q")
    assert b"QMTP" in found
    world.inject(world.b, "joe@b.example", "joe@q.example", "b-to-q-again")
    world.wait(lambda: world.a.user_messages("joe"), "b-to-q-again")
