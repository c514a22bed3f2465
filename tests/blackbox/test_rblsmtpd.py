"""rblsmtpd: a real name server, dead and hostile ones, and its refusals."""
import os
import re
import socket
import subprocess
import time

import pytest

from home import DEADLINE, free_port, ids_arguments, stop
from remote_dns import Dnsmasq, ScriptedDns, answer, record

TXT = 16
V6 = "2001:db8::1f"
V6_NAME = ("f.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
           ".six.example")
ZONE = [
    "--txt-record=7.2.0.192.txt.example,see http://txt.example/192.0.2.7",
    "--host-record=7.2.0.192.a.example,127.0.0.2",
    "--host-record=7.2.0.192.white.example,127.0.0.1",
    "--host-record=7.2.0.192.trouble.example,127.255.255.254",
    "--host-record=7.2.0.192.parked.example,192.0.2.80",
    "--cname=7.2.0.192.alias.example,7.2.0.192.a.example",
    f"--txt-record={V6_NAME},no six",
    f"--host-record={V6_NAME},127.0.0.6",
]
SERVER = ["/bin/sh", "-c", 'echo "served ${BLACKLISTED-nobody}"']


@pytest.fixture(scope="module")
def dnsmasq():
    if not os.path.exists("/usr/sbin/dnsmasq"):
        pytest.skip("no dnsmasq")
    server = Dnsmasq(*ZONE)
    yield server
    server.stop()


@pytest.fixture
def site(home, dnsmasq):
    home.control("dnsservers", f"127.0.0.1:{dnsmasq.port}\n")
    return home


class Rbl:
    """One rblsmtpd, and the client's end of its connection."""

    def __init__(self, home, *options, env=None, server=None):
        ours, theirs = socket.socketpair()
        ours.settimeout(DEADLINE)
        environment = home.environment(TCPREMOTEIP="192.0.2.7")
        environment.update(env or {})
        self.process = subprocess.Popen(
            [os.path.join(home.bin, "rblsmtpd"), *options,
             *(server or SERVER)], stdin=theirs, stdout=theirs,
            stderr=subprocess.PIPE, cwd=home.path, text=True,
            env={k: v for k, v in environment.items() if v is not None},
            **ids_arguments())
        home.processes.append(self.process)
        theirs.close()
        self.file = ours.makefile("rwb", buffering=0)
        ours.close()

    def line(self):
        return self.file.readline().decode().rstrip("\r\n")

    def command(self, text):
        self.file.write(text.encode() + b"\r\n")
        return self.line()

    def end(self):
        """Ends the conversation; the log."""
        self.file.close()
        log = self.process.stderr.read()
        self.process.stderr.close()
        self.process.wait(DEADLINE)
        return log


def outcome(home, *options, env=None, server=None):
    """First line said and the log, pids taken out."""
    if not any(o.startswith("-T") for o in options):
        options = ("-T", "60", *options)  # no clock is to decide
    rbl = Rbl(home, *options, env=env, server=server)
    first = rbl.line()
    if first.startswith("220"):
        assert rbl.command("RCPT TO:<x@y>")[:3] in ("451", "553")
    return first, re.sub(r"pid \d+", "pid N", rbl.end())


def blocked(home, *options, env=None):
    first, log = outcome(home, *options, env=env)
    assert first == "220 rblsmtpd.local"
    return log


def served(home, *options, env=None):
    first, log = outcome(home, *options, env=env)
    assert first.startswith("served "), first
    return first[7:], log


LOG = "rblsmtpd: 192.0.2.7 pid N: "


@pytest.mark.parametrize("options, said", [
    (["-r", "txt.example"], "451 see http://txt.example/192.0.2.7"),
    (["-b", "-r", "txt.example"], "553 see http://txt.example/192.0.2.7"),
    (["-b", "-B", "-r", "txt.example"],
     "451 see http://txt.example/192.0.2.7"),
    (["-r", "none.example", "-ra.example:go away, %IP%"],
     "451 go away, 192.0.2.7"),
    (["-ra.example:first", "-r", "txt.example"], "451 first"),
    (["-r", "alias.example:by name"], "451 by name"),
    (["-a", "none.example", "-r", "a.example:x"], "451 x"),
    (["-r", "a.example:x", "-a", "white.example"], "451 x"),
    (["-cr", "trouble.example:x"],
     "451 temporary failure in DNS, try again later"),
    (["-bcr", "trouble.example:x", "-r", "a.example:x"],
     "451 temporary failure in DNS, try again later"),
    (["-bca", "trouble.example", "-r", "a.example:x"], "451 x"),
])
def test_blocked(site, options, said):
    log = blocked(site, *options)
    assert log.splitlines()[-1] == LOG + said


@pytest.mark.parametrize("options, about", [
    ([], ""), (["-R"], ""), (["-r", "none.example", "-b"], ""),
    (["-r", "a.example"], ""),  # listed, but not with a text
    (["-a", "white.example", "-r", "a.example:x"], ""),
    (["-r", "trouble.example:x"],
     "trouble.example: no answer that could be used"),
    (["-a", "trouble.example", "-r", "a.example:x"],
     "trouble.example: no answer that could be used"),
    (["-r", "parked.example:x"],
     "parked.example: no answer that could be used"),
    (["-r", "other.test:x"], "other.test: no answer that could be used"),
])
def test_served(site, options, about):
    who, log = served(site, *options)
    assert who == "nobody"
    assert log == (LOG + about + "\n" if about else "")


@pytest.mark.parametrize("address", [V6, "2001:0DB8:0::001f"])
def test_ipv6(site, address):
    env = {"TCPREMOTEIP": address}
    log = blocked(site, "-r", "six.example", env=env)
    assert log == f"rblsmtpd: {address} pid N: 451 no six\n"
    log = blocked(site, "-r", "six.example:not %IP%", env=env)
    assert log == f"rblsmtpd: {address} pid N: 451 not {address}\n"
    served(site, "-r", "six.example", env={"TCPREMOTEIP": "2001:db8::1"})


def test_ipv4_in_ipv6(site):
    blocked(site, "-r", "a.example:x", env={"TCPREMOTEIP": "::ffff:192.0.2.7"})


@pytest.mark.parametrize("address", [None, "", "nonsense", "192.0.2.7.1"])
def test_no_address_is_asked_about(site, address):
    served(site, "-c", "-r", "a.example:x", env={"TCPREMOTEIP": address})


def test_environment_decides(site):
    assert blocked(site, env={"RBLSMTPD": "no, %IP%\r\n\x1b"}) == (
        LOG + "451 no, 192.0.2.7???\n")
    assert blocked(site, env={"RBLSMTPD": "-never"}) == LOG + "553 never\n"
    served(site, "-r", "a.example:x", env={"RBLSMTPD": ""})


def test_program_gets_arguments_and_its_exit_code(site):
    rbl = Rbl(site, "-r", "none.example",
              server=["sh", "-c", 'echo "$0 $1"; exit 7', "-x", "a b"])
    assert rbl.line() == "-x a b"
    rbl.end()
    assert rbl.process.returncode == 7
    rbl = Rbl(site, server=["/nonexistent"])
    assert "/nonexistent: file does not exist" in rbl.end()
    assert rbl.process.returncode == 100


@pytest.mark.parametrize("options", [
    ["-r", "a..b"], ["-r", "a.example:"], ["-t", "0"], ["-t", "x"],
    ["-T", "86401"], ["-x"], ["-rz.example"] * 49])
def test_misuse(site, options):
    rbl = Rbl(site, *options)
    assert rbl.line() == ""
    assert rbl.end().startswith("rblsmtpd: ")
    assert rbl.process.returncode == 100


# -- the refusing conversation -------------------------------------------

def test_conversation(site):
    rbl = Rbl(site, "-br", "a.example:away")
    assert rbl.line() == "220 rblsmtpd.local"
    for command, said in [
            ("EHLO x", "250 rblsmtpd.local"), ("HELO x", "250 rblsmtpd.local"),
            ("MAIL FROM:<a@b>", "250 rblsmtpd.local"),
            ("RCPT TO:<a@b>", "553 away"), ("rcpt to:<a@b>", "553 away"),
            ("DATA", "553 away"), ("RSET", "250 rblsmtpd.local"),
            ("NOOP", "250 rblsmtpd.local"), ("VRFY x", "553 away"),
            ("STARTTLS", "553 away"), ("", "553 away"),
            ("x" * 5000, "553 away"), ("QUIT", "221 rblsmtpd.local")]:
        assert rbl.command(command) == said
    assert rbl.line() == ""
    assert rbl.end().count("\n") == 1
    assert rbl.process.returncode == 0


def test_texts(site):
    rbl = Rbl(site, "-r", "a.example:x", env={
        "RBL_GREET": "have a lot of fun!", "RBL_ACCEPT": "welcome\nspammer",
        "RBL_QUIT": "cu %IP%"})
    assert rbl.line() == "220 have a lot of fun!"
    assert rbl.command("HELO x") == "250 welcome?spammer"
    assert rbl.command("QUIT") == "221 cu 192.0.2.7"
    rbl.end()


def test_time_limit(site):
    rbl = Rbl(site, "-t", "1", "-r", "a.example:x")
    start = time.monotonic()
    assert rbl.line() == "220 rblsmtpd.local"
    assert rbl.line() == "421 rblsmtpd.local"
    assert rbl.line() == ""
    assert 0.5 < time.monotonic() - start
    rbl.end()


def test_commands_without_end(site):
    rbl = Rbl(site, "-r", "a.example:x")
    rbl.file.write(b"NOOP\r\n" * 600)
    lines = []
    while line := rbl.line():
        lines.append(line)
    assert lines[-1] == "421 rblsmtpd.local"
    assert len(lines) == 502
    rbl.end()


def test_client_that_reads_nothing(site):
    rbl = Rbl(site, "-t", "1", "-r", "a.example:" + "x" * 190)
    rbl.file.write(b"RCPT\r\n" * 499)
    rbl.process.wait(DEADLINE)
    rbl.end()


# -- -e: the spam catcher ------------------------------------------------

def test_catcher(site):
    site.control("blacklistto", "trap@a.example\n")
    catch = ("-e", "-r", "a.example:listed")
    assert served(site, *catch) == ("trap@a.example", LOG + "marked: listed\n")
    who, _ = served(site, *catch, env={"BLACKLISTED": "la"})
    assert who == "trap@a.example"
    who, _ = served(site, *catch, env={"BLACKLISTED": "mine@b.example"})
    assert who == "mine@b.example"
    who, _ = served(site, "-e", env={"RBLSMTPD": "-told"})
    assert who == "trap@a.example"
    assert served(site, "-e", "-r", "none.example") == ("nobody", "")
    assert served(site, "-e", "-r", "none.example",
                  env={"BLACKLISTED": "mine@b.example"}) == (
                      "mine@b.example", "")


@pytest.mark.parametrize("text", [None, "", "trap\n", "@a.example\n",
                                  "trap@\n"])
def test_catcher_without_an_address_refuses(site, text):
    site.control("blacklistto", text)
    log = blocked(site, "-e", "-r", "a.example:listed")
    assert log == (LOG + "control/blacklistto: no address, so refusing\n" +
                   LOG + "451 listed\n")


def test_catcher_refuses_in_doubt(site):
    site.control("blacklistto", "trap@a.example\n")
    blocked(site, "-ec", "-r", "trouble.example:x")


def test_catcher_with_qmail_smtpd(site):
    site.control("blacklistto", "trap@a.example\n")
    rbl = Rbl(site, "-e", "-r", "a.example:listed",
              server=[os.path.join(site.bin, "qmail-smtpd")])
    assert rbl.line() == "220 a.example ESMTP"
    assert rbl.command("HELO x") == "250 a.example ESMTP"
    assert rbl.command("MAIL FROM:<s@x>") == "250 2.1.0 welcome spammer :)"
    assert rbl.command("RCPT TO:<any@far.example>") == (
        "250 2.1.5 I feed spamassassin now!")
    rbl.end()


# -- name servers --------------------------------------------------------

def test_dead_zones_cost_one_deadline(home):
    def reply(query, tcp):
        if b"\x05alive" in query:
            return answer(query, [record(b"\xc0\x0c", TXT, b"\x04here")])
        return None

    server = ScriptedDns(reply)
    home.control("dnsservers", f"127.0.0.1:{server.port}\n")
    for seconds in (1, 5, 20):  # the first is enough for most servers
        start = time.monotonic()
        log = blocked(home, "-T", str(seconds),
                      *[f"-rdead{i}.example" for i in range(20)],
                      "-r", "alive.example", "-r", "dead.example:text")
        took = time.monotonic() - start
        lines = log.splitlines()
        if lines[-1] == LOG + "451 here":
            break
    server.stop()
    assert 0.9 * seconds < took < 15 * seconds  # and not 21 times
    assert lines[0] == LOG + "dead0.example: no answer in time"
    assert len(lines) == 22 and lines[-1] == LOG + "451 here"


def test_dead_server_fails_open_or_closed(home):
    home.control("dnsservers", f"127.0.0.1:{free_port()}\n")
    served(home, "-T", "1", "-r", "a.example:x")
    blocked(home, "-c", "-T", "1", "-r", "a.example:x")


def test_hostile_answers(home):
    said = {
        "split": b"\x03abc\x00\x02\r\n\x03d\x00e", "short": b"\x09abc",
        "huge": b"".join(b"\xff" + b"y" * 255 for _ in range(30)),
        "none": b""}

    def reply(query, tcp):
        name = query[13 + sum(len(p) + 1 for p in ("7", "2", "0", "192")):]
        kind = next(k for k in said if name.startswith(k.encode()))
        data = record(b"\xc0\x0c", TXT, said[kind])
        if kind == "huge" and not tcp:
            return answer(query, flags=0x8380)
        return answer(query, [data])

    server = ScriptedDns(reply)
    home.control("dnsservers", f"127.0.0.1:{server.port}\n")
    assert blocked(home, "-r", "split.example").endswith(
        "451 abc??d?e\n")
    assert blocked(home, "-r", "huge.example").endswith(
        "451 " + "y" * 200 + "\n")
    assert blocked(home, "-r", "none.example").endswith(": 451 \n")
    assert served(home, "-T1", "-r", "short.example")[1].endswith(
        "no answer that could be used\n")
    server.stop()


def test_broken_server_list_is_said(home):
    home.control("dnsservers", "nonsense\n")
    _, log = served(home, "-r", "a.example:x")
    assert "control/dnsservers: not a list of addresses" in log


def test_without_a_home(site, dnsmasq):
    """It needs none: the resolvers may come from the environment."""
    blocked(site, "-r", "a.example:x", env={
        "QMAILHOME": "/nonexistent",
        "DNSCACHEIP": f"127.0.0.1:{dnsmasq.port}"})


def test_under_tcpserver(site):
    port = site.server([os.path.join(site.bin, "rblsmtpd"),
                        os.path.join(site.bin, "qmail-smtpd")],
                       env={"RBLSMTPD": "-closed"})
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as client:
        stream = client.makefile("rwb", buffering=0)
        assert stream.readline() == b"220 rblsmtpd.local\r\n"
        stream.write(b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nQUIT\r\n")
        assert stream.read().split(b"\r\n")[:3] == [
            b"250 rblsmtpd.local", b"553 closed", b"221 rblsmtpd.local"]
    stop(site.processes[-1])
