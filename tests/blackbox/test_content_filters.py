"""Filters as operators use them: shipped plugins, $QMAILQUEUE chains, spamd."""
import os
import shutil
import struct
import subprocess

import pytest

import queue_tools
from home import (DEADLINE, OVERLONG, free_port, ids_arguments, make_dirs,
                  write_file)
from smtpd_driver import Smtpd
from spamd_server import Spamd, listen

OK = "250 2.1.5 ok"
RECORD = struct.Struct("16sqq")
HEADER = 64


@pytest.fixture(scope="module")
def spamd(session_dir):
    if not shutil.which("spamd", path="/usr/sbin:/usr/bin"):
        pytest.skip("no spamd")
    directory = os.path.join(session_dir, "spamd-" + str(os.getpid()))
    os.mkdir(directory)
    os.chmod(directory, 0o755)
    server = Spamd(directory)
    yield server
    server.stop()


@pytest.fixture
def site(home):
    make_dirs(home.file("cache", "content"), 0o700)
    make_dirs(home.file("cache", "greylist"), 0o700)
    return home


def send(client, body):
    client.open_message()
    client.send(f"Subject: x\r\n\r\n{body}\r\n.\r\n")
    return client.reply()


# -- greylist ------------------------------------------------------------

class Greylist:
    def __init__(self, home, *options):
        self.home = home
        self.table = home.file("cache", "greylist", "triples")
        home.control("smtpplugins", "[rcpt]\nbin/greylist "
                     + " ".join(options) + "\n")

    def ask(self, sender="s@x.example", rcpt="r@a.example", env=None):
        client = Smtpd(self.home, env)
        said = client.command(f"MAIL FROM:<{sender}>", f"RCPT TO:<{rcpt}>")
        self.log = client.log()
        client.close()
        return said[1]

    def records(self):
        """(offset, first, last) of all."""
        with open(self.table, "rb") as f:
            f.seek(HEADER)
            data = f.read()
        return [(HEADER + i, *r[1:]) for i, r in zip(
            range(0, len(data), RECORD.size), RECORD.iter_unpack(data))
            if r[1] or r[2]]

    def age(self, seconds):
        """As if so many seconds had gone by."""
        with open(self.table, "r+b") as f:
            for at, first, last in self.records():
                f.seek(at + 16)
                f.write(struct.pack("qq", first - seconds,
                                    last - seconds if last else 0))


def wait_text(seconds):
    return (f"451 4.7.1 please try again in {seconds} seconds (greylisting)")


def test_greylist(site):
    grey = Greylist(site)
    assert grey.ask() == wait_text(300)
    grey.age(100)
    assert grey.ask() in [wait_text(200 - gone) for gone in range(90)]
    assert len(grey.records()) == 1
    grey.age(200)
    assert grey.ask() == OK
    # The same net and any case are the same; another recipient is not.
    assert grey.ask("S@X.example", env={"TCPREMOTEIP": "192.0.2.200"}) == OK
    assert grey.ask(rcpt="q@a.example").startswith("451 4.7.1")
    assert grey.ask(sender="").startswith("451 4.7.1")
    assert grey.ask(env={"TCPREMOTEIP": "192.0.3.7"}).startswith("451")
    grey.age(35 * 86400)
    assert grey.ask() == OK
    grey.age(36 * 86400)
    assert grey.ask() == wait_text(300)
    assert os.stat(grey.table).st_mode & 0o777 == 0o600


def test_greylist_who_comes_too_late_begins_again(site):
    grey = Greylist(site, "-d", "10", "-w", "100", "-l", "1000")
    assert grey.ask() == wait_text(10)
    grey.age(101)
    assert grey.ask() == wait_text(10)
    grey.age(11)
    assert grey.ask() == OK


def test_greylist_ipv6(site):
    grey = Greylist(site)
    grey.ask(env={"TCPREMOTEIP": "2001:db8::1"})
    grey.age(300)
    assert grey.ask(env={"TCPREMOTEIP": "2001:db8::ffff:2"}) == OK
    assert grey.ask(env={"TCPREMOTEIP": "2001:db8:0:1::1"}).startswith("451")


def test_greylist_is_not_for_everybody(site):
    grey = Greylist(site)
    assert grey.ask(env={"RELAYCLIENT": ""}) == OK
    assert grey.ask(rcpt="r@far.example").startswith("553 5.7.1")
    assert grey.ask(env={"TCPREMOTEIP": None}) == OK
    assert not os.path.exists(grey.table)


def test_greylist_without_a_table_lets_pass(site):
    grey = Greylist(site, "-f", "nowhere/triples")
    assert grey.ask() == OK
    assert ("plugin bin/greylist: greylist: warning: nowhere/triples: "
            "file does not exist; letting all pass") in grey.log
    write_file(site.file("other"), "x" * 100)
    grey = Greylist(site, "-f", "other")
    assert grey.ask() == OK
    assert "letting all pass" in grey.log


def test_greylist_misuse_is_temporary(site):
    for options in ("-d soon", "-x", "word"):
        grey = Greylist(site, options)
        assert grey.ask().startswith("451 4.3.0 unable to ask a plugin")
        assert "greylist: " in grey.log


def test_greylist_table_is_bounded(site):
    grey = Greylist(site, "-d", "0")
    assert grey.ask() == OK
    assert os.stat(grey.table).st_size == HEADER + 65536 * RECORD.size
    assert os.stat(grey.table).st_blocks * 512 < 65536


# -- spamcheck -----------------------------------------------------------

def filters(home, options):
    home.control("smtpplugins", f"[content]\nbin/spamcheck {options}\n")
    return Smtpd(home)


def test_spamcheck_with_spamd(site, spamd):
    client = filters(site, f"-r 10 -u joe 127.0.0.1:{spamd.port}")
    assert send(client, "XSPAMX") == (
        "554 5.7.1 this message looks like spam, score 12.5")
    assert send(client, "hello").startswith("250 2.6.0")
    client.close()
    client = filters(site, f"-r 12.6 127.0.0.1:{spamd.port}")
    assert send(client, "XSPAMX").startswith("250 2.6.0")
    ham, spam = [m[2] for m in client.queue.messages()]
    assert ham.startswith(b"X-Spam-Status: No, score=-1.0 required=5.0 "
                          b"tests=LOCAL_HAM\nReceived: ")
    assert spam.startswith(b"X-Spam-Status: Yes, score=12.5 required=5.0 "
                           b"tests=LOCAL_SPAM\nX-Spam-Flag: YES\nReceived: ")
    client.close()


def test_spamcheck_leaves_large_messages_alone(site, spamd):
    client = filters(site, f"-s 1000 127.0.0.1:{spamd.port}")
    assert send(client, "XSPAMX\r\n" * 200).startswith("250 2.6.0")
    assert client.queue.messages()[0][2].startswith(b"Received: ")
    client.close()


BAD_ANSWERS = [b"", b"SPAMD/1.1 76 EX_PROTOCOL\r\n\r\n", b"x" * 100000,
               b"SPAMD/1.1 0 EX_OK\r\nSpam: maybe\r\n\r\n", None]


def test_spamcheck_with_a_server_that_is_no_good(site):
    """Slow, closing early, talking nonsense: open by default, -c defers."""
    path = site.file("socket")
    for answer in BAD_ANSWERS:
        with listen(path, answer):
            client = filters(site, f"-t 1 -r 1 {path}")
            assert send(client, "XSPAMX").startswith("250 2.6.0"), answer
            assert "plugin bin/spamcheck: spamcheck: warning:" in client.log()
            client.close()
    with listen(path, b"nonsense"):
        client = filters(site, f"-c {path}")
        assert send(client, "XSPAMX") == (
            "451 4.7.0 unable to check this message, try again later")
        client.close()
    client = filters(site, f"-c 127.0.0.1:{free_port()}")
    assert send(client, "XSPAMX").startswith("451 4.7.0 unable to check")
    client.close()


def test_spamcheck_misuse_is_temporary(site):
    for options in ("", "nonsense", "-r x 127.0.0.1:783",
                    "-t 0 127.0.0.1:783", "-u a\x01 127.0.0.1:783"):
        client = filters(site, options)
        assert send(client, "x").startswith("451 4.3.0 unable to ask")
        client.close()


def test_logall(site):
    site.control("smtpplugins", "".join(
        f"[{stage}]\nbin/logall {stage}\n" for stage in (
            "connection", "helo", "mail", "rcpt", "data", "content")))
    client = Smtpd(site)
    client.command("HELO $(id)\\n%s")
    assert send(client, "hello").startswith("250 2.6.0")
    log = client.log()
    for line in ("connection TCPREMOTEIP=192.0.2.7",
                 "helo SMTPHELOHOST=$(id)\\134n%s",
                 "rcpt SMTPRCPTTO=r@a.example", "rcpt SMTPRCPTCOUNT=0 of 1",
                 "data SMTPRCPTCOUNT=1 of 1", "content bytes="):
        assert f"plugin bin/logall: {line}" in log
    client.close()


# -- $QMAILQUEUE ---------------------------------------------------------

# Both read message and envelope to their ends, look, and run the next one.
WRAPPER = """#!/bin/sh
t=$(mktemp -d "$WORK/w.XXXXXX") || exit 53
trap 'rm -rf "$t"' 0
cat >"$t/message" || exit 54
cat <&1 >"$t/envelope" || exit 54
@LOOK@
"$@NEXT@" <"$t/message" 1<"$t/envelope"
exit $?
"""
VIRUS = """if grep -q VIRUS "$t/message"; then
	printf 'Dthis message contains a virus\\r\\n250 sneaky' >&"$FD"
	exit 82
fi"""
SPAM = """spamc -d 127.0.0.1 -p "$PORT" <"$t/message" >"$t/m2" || exit 71
if grep -q '^X-Spam-Flag: YES' "$t/m2"; then
	echo "Zspam, says spamd" >&"$FD"; exit 82
fi
mv "$t/m2" "$t/message" """


@pytest.fixture
def chain(home, spamd):
    def wrapper(name, look, following):
        return write_file(home.file(name), WRAPPER.replace(
            "@LOOK@", look).replace("@NEXT@", following), 0o755)

    work = make_dirs(home.file("work"))
    return {"QMAILQUEUE": wrapper("virus", VIRUS, "SPAMWRAP"),
            "SPAMWRAP": wrapper("spam", SPAM, "LAST"), "WORK": work,
            "LAST": os.path.join(home.bin, "qmail-queue"),
            "PORT": str(spamd.port), "FD": "4", "QQDIR": None}


def test_chain_of_wrappers(home, chain):
    client = Smtpd(home, chain)
    assert send(client, "hello").startswith("250 2.6.0 ok ")
    _, mess, todo = queue_tools.only(home)
    assert b"X-Spam-Checker-Version:" in mess
    assert mess.endswith(b"\n\nhello\n") and b"Received: from client" in mess
    assert todo.endswith(b"\0Fs@x.example\0Tr@a.example\0")
    for fd in ("4", "6"):
        client.close()
        client = Smtpd(home, {**chain, "FD": fd})
        assert send(client, "a VIRUS") == (
            "554 5.3.0 this message contains a virus  250 sneaky")
        assert send(client, "XSPAMX") == "451 4.3.0 spam, says spamd"
    assert len(queue_tools.messages(home)) == 1
    assert os.listdir(chain["WORK"]) == []
    client.close()


def test_wrappers_that_fail_lose_nothing(home, chain):
    """Nothing queued and a temporary refusal, or queued and a 250."""
    script = home.file("script")
    fake = write_file(home.file("bad"), '#!/bin/sh\n. ./script\n', 0o755)
    temporary = "451 4.3.0 qq temporary problem"
    for text, said in (
            ("kill -9 $$", "451 4.3.0 qq crashed"),
            ("cat >/dev/null; kill -9 $$", "451 4.3.0 qq crashed"),
            ("cat >/dev/null; cat <&1 >/dev/null; kill -SEGV $$",
             "451 4.3.0 qq crashed"),
            ("exit 99", temporary), ("exit 1", temporary),
            ("exit 255", temporary), ("exit 82", temporary),
            ("exit 0", "451 4.3.0 qq read error"),
            ("cat >/dev/null; exit 0", "451 4.3.0 qq read error"),
            ("cat <&1 >/dev/null; exit 0", "451 4.3.0 qq read error"),
            ("/nonexistent/program; exit $?", temporary),
            (f"exec sleep {OVERLONG}", "451 4.3.0 qq timeout"),
            (f"cat >/dev/null; exec sleep {OVERLONG}",
             "451 4.3.0 qq timeout")):
        write_file(script, text + "\n")
        home.control("dottimeout", "1\n" if "sleep" in text
                     else f"{OVERLONG}\n")
        client = Smtpd(home, {**chain, "QMAILQUEUE": fake})
        assert send(client, "hello") == said, text
        client.close()
    assert queue_tools.messages(home) == {}


def test_background_process_of_a_wrapper_does_not_block(home, chain):
    fake = write_file(home.file("bad"), "#!/bin/sh\n"
                      "(while [ -e bad ]; do sleep 0.1; done) &\n"
                      "\"$LAST\"; exit $?\n", 0o755)
    client = Smtpd(home, {**chain, "QMAILQUEUE": fake})
    assert send(client, "hello").startswith("250 2.6.0")
    os.unlink(fake)
    client.close()
    queue_tools.only(home)


CODES = {
    11: "554 5.1.3 envelope address too long for qq",
    115: "554 5.1.3 envelope address too long for qq",
    31: "554 5.3.0 mail server permanently rejected message",
    51: "451 4.3.0 qq out of memory", 52: "451 4.3.0 qq timeout",
    53: "451 4.3.0 qq write error or disk full",
    54: "451 4.3.0 qq read error",
    55: "451 4.3.0 qq unable to read configuration",
    56: "451 4.3.0 qq trouble making network connection",
    61: "451 4.3.0 qq trouble in home directory",
    **{n: "451 4.3.0 qq trouble creating files in queue"
       for n in range(62, 67)},
    71: "451 4.3.0 mail server temporarily rejected message",
    72: "451 4.4.1 connection to mail server timed out",
    73: "451 4.4.1 connection to mail server rejected",
    74: "451 4.4.2 communication with mail server failed",
    81: "451 4.3.0 qq internal bug", 91: "451 4.3.0 qq internal bug",
    120: "451 4.3.0 unable to exec qq",
    **{n: "554 5.3.0 qq permanent problem" for n in (12, 30, 32, 40)},
    **{n: "451 4.3.0 qq temporary problem" for n in (1, 10, 41, 82, 99, 255)}}


def test_every_exit_code(home):
    write_file(home.file("table"), "#!/bin/sh\ncat >/dev/null\n"
               "cat <&1 >/dev/null\nexit $(cat code)\n", 0o755)
    client = Smtpd(home, {"QMAILQUEUE": home.file("table"),
                          "NO_TARPITTING": ""})
    for code, said in CODES.items():
        write_file(home.file("code"), str(code))
        assert send(client, "hello") == said, code
    client.close()


def test_every_injector_takes_the_words(home):
    """Dtext is permanent, Ztext temporary, on 4 and 6, for all of them."""
    fake = write_file(home.file("says"), "#!/bin/sh\ncat >/dev/null\n"
                      'cat <&1 >/dev/null\nprintf "%s" "$SAYS" >&"$FD"\n'
                      "exit 82\n", 0o755)
    mail = write_file(home.file("mail"), "To: r@a.example\n\nhello\n")
    local = {"SENDER": "s@x", "NEWSENDER": "s@x", "DTLINE": "Delivered-To: x\n",
             "RPLINE": "Return-Path: <s@x>\n"}
    for fd, letter, code in (("4", "D", 100), ("6", "Z", 111)):
        env = {"QMAILQUEUE": fake, "FD": fd, "SAYS": letter + "no \x1b more"}
        for argv, more in ((["qmail-inject"], {}), (["sendmail", "-t"], {}),
                           (["forward", "r@a.example"], local),
                           (["condredirect", "r@a.example", "true"], local)):
            with open(mail) as message:
                done = subprocess.run(
                    [os.path.join(home.bin, argv[0]), *argv[1:]],
                    stdin=message, capture_output=True, timeout=DEADLINE,
                    cwd=home.path, env=home.environment(**env, **more),
                    **ids_arguments())
            assert done.returncode == code, (argv, done)
            assert b"no " in done.stderr and b"more" in done.stderr, done
            assert b"\x1b" not in done.stderr
        client = Smtpd(home, env)
        assert send(client, "x")[:3] == {"D": "554", "Z": "451"}[letter]
        client.close()
