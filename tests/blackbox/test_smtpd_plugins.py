"""Plugins of qmail-smtpd: every stage and command, and bad ones."""
import base64
import os

import pytest

from home import OVERLONG, make_dirs, write_file
from smtpd_driver import Queue, Smtpd

OK = "250 2.1.5 ok"
TROUBLE = "451 4.3.0 unable to ask a plugin, try again later"
STAGES = ("connection", "helo", "mail", "rcpt", "data", "content")


@pytest.fixture
def site(home):
    make_dirs(home.file("plugins"))
    make_dirs(home.file("cache", "content"), 0o700)
    return Site(home)


class Site:
    """A home with plugins, each the text of a shell script."""

    def __init__(self, home):
        self.home = home
        self.lines = {}
        self.number = 0

    def plugin(self, stage, script, *arguments):
        self.number += 1
        name = f"plugins/p{self.number}"
        write_file(self.home.file(name), "#!/bin/sh\n" + script + "\n", 0o755)
        self.line(stage, " ".join([name, *arguments]))
        return name

    def line(self, stage, line):
        self.lines.setdefault(stage, []).append(line)
        self.home.control("smtpplugins", "".join(
            f"[{s}]\n" + "".join(f"{entry}\n" for entry in entries)
            for s, entries in self.lines.items()))

    def open(self, env=None, **more):
        return Smtpd(self.home, env, **more)


def say(*commands):
    return "cat <<'E'\n" + "\n".join(commands) + "\nE"


def send(client, body="text\r\n", sender="s@x.example", rcpt="r@a.example"):
    client.open_message(sender, rcpt)
    client.send(body + ".\r\n")
    return client.reply()


# -- where they are asked, and with what ---------------------------------

def test_variables_of_each_stage(site):
    seen = site.home.file("seen")
    for stage in STAGES:
        site.plugin(stage, 'echo "$1: $(env | grep ^SMTP | sort | tr "\\n" " "'
                    f')$2" >>{seen}', stage, "a", "b")
    client = site.open()
    client.command("EHLO me.example")
    client.command("MAIL FROM:<s@x.example>", "RCPT TO:<no@far.example>",
                   "RCPT TO:<r@a.example>", "RCPT TO:<q@a.example>", "DATA")
    client.send("text\r\n.\r\n")
    assert client.reply().startswith("250 2.6.0 ok ")
    helo, sender = "SMTPHELOHOST=me.example ", "SMTPMAILFROM=s@x.example "
    with open(seen) as f:
        assert f.read().splitlines() == [
            "connection: a", f"helo: {helo}a",
            f"mail: {helo}{sender}SMTPRCPTCOUNT=0 SMTPRCPTCOUNTALL=0 a",
            *[f"rcpt: {helo}{sender}SMTPRCPTCOUNT={n} SMTPRCPTCOUNTALL={a} "
              f"SMTPRCPTHOSTSOK={ok} SMTPRCPTTO={to} a"
              for n, a, ok, to in ((0, 1, 0, "no@far.example"),
                                   (0, 2, 1, "r@a.example"),
                                   (1, 3, 1, "q@a.example"))],
            *[f"{stage}: {helo}{sender}SMTPRCPTCOUNT=2 SMTPRCPTCOUNTALL=3 "
              "SMTPRCPTTO=q@a.example a" for stage in ("data", "content")]]
    client.close()


def test_nothing_runs_without_the_file_or_with_nospp(site):
    site.plugin("connection", say("R550 no"))
    assert site.open(greet=False).reply() == "550 no"
    client = site.open({"NOSPP": ""})
    assert client.greeting == "220 a.example ESMTP"
    client.close()
    site.home.control("smtpplugins", "# nothing\n\n[rcpt]\n")
    client = site.open()
    assert client.greeting == "220 a.example ESMTP"
    client.close()


BROKEN = [
    ("plugins/x\n", "line 1: not in a section"),
    ("\n[rcpt]\n[nonsense]\n", "line 3: no such section"),
    ("[rcpt\n", "line 1: no such section"), ("[\n", "line 1: no such"),
    ("[rcpt]\n:\n", "line 2: no command behind the colon"),
    ("[rcpt]\n" + "x\n" * 65, "line 66: too long, or too many"),
    ("[rcpt]\n" + "x " * 65 + "\n", "line 2: too long, or too many"),
    ("[rcpt]\n" + "x" * 5000 + "\n", "line 2: too long, or too many")]


def test_broken_file(site):
    for text, why in BROKEN:
        site.home.control("smtpplugins", text)
        client = site.open()
        assert client.greeting == "421 4.3.0 unable to read controls"
        assert f"control/smtpplugins {why}" in client.log()
        client.close()
        done = site.home.run("qmail-showctl", "--check")
        assert f"control/smtpplugins {why}" in (
            done.stdout + done.stderr).decode()


def test_shell_only_behind_a_colon(site):
    site.line("mail", "bare-word $(touch:x)")
    write_file(site.home.file("bare-word"), '#!/bin/sh\necho "H$0-$#: $1"',
               0o755)
    site.line("mail", ":echo \"HX-Shell: $((6 * 7))\"; exit 3")
    client = site.open()
    assert send(client).startswith("250 2.6.0")
    message = client.queue.messages()[0][2]
    assert b"\n./bare-word-1: $(touch:x)\nX-Shell: 42\ntext\n" in message
    client.close()


def test_paths_are_of_the_home_and_environment_is_whole(site):
    site.plugin("helo", 'echo "HX-Is: $TCPREMOTEIP $(pwd)"')
    client = site.open()
    client.command("HELO x")
    send(client)
    assert (f"X-Is: 192.0.2.7 {site.home.path}\n".encode()
            in client.queue.messages()[0][2])
    client.close()


# -- what they can say ---------------------------------------------------

ERRORS = {
    "E550 5.7.1 no, thank you": "550 5.7.1 no, thank you", "E450": "450 ",
    "E550-first": "550 first", "E553 a\x01\x7fb": "553 a??b",
    "HX-A: b\n\nE452 a\nN": "452 a"}


@pytest.mark.parametrize("stage", STAGES[1:5])
def test_error(site, stage):
    site.plugin(stage, "cat say")
    client = site.open()
    before = ["HELO x", "MAIL FROM:<s@x>", "RCPT TO:<r@a.example>", "DATA"]
    number = STAGES[1:].index(stage)
    for commands, said in ERRORS.items():
        write_file(site.home.file("say"), commands + "\n")
        assert client.command(*before[:number + 1], "NOOP")[number:] == [
            said, "250 2.0.0 ok"]
    client.close()


def test_error_in_data_leaves_the_recipients(site):
    site.plugin("data", "[ -e again ] || echo E450 later; touch again")
    client = site.open()
    assert client.command("MAIL FROM:<s@x>", "RCPT TO:<r@a.example>", "DATA",
                          "DATA")[2:] == ["450 later", "354 go ahead"]
    client.close()


def conversation(site, stage, command):
    """All that a client hears when a plugin of the stage says so."""
    site.lines = {}
    site.plugin(stage, say(command))
    client = site.open(greet=False)
    client.send("EHLO x\r\nMAIL FROM:<s@x>\r\nRCPT TO:<r@a.example>\r\nDATA"
                "\r\nx\r\n.\r\nNOOP\r\n")
    said = []
    while reply := client.reply():
        said.append(reply)
    assert client.queue.messages() == []
    return said


@pytest.mark.parametrize("command", ["R554 5.7.1 away", "E421 4.7.0 away"])
def test_reject_closes(site, command):
    for number, stage in enumerate(STAGES):
        said = conversation(site, stage, command)
        assert said[-1] == command[1:]
        assert len(said) == number + 1


def test_drop_says_nothing(site):
    for number, stage in enumerate(STAGES):
        assert len(conversation(site, stage, "D")) == number


@pytest.mark.parametrize("stage", ["connection", "helo"])
def test_later(site, stage):
    site.plugin(stage, say("LM550 m", "LR550 r", "LD550 d"))
    site.plugin(stage, say("LM551 never"))
    client = site.open()
    assert client.command("HELO x", "MAIL FROM:<s@x>", "MAIL FROM:<t@x>") == [
        "250 a.example ESMTP", "550 m", "550 m"]
    client.close()


def test_later_at_rcpt_and_data(site):
    site.plugin("mail", '[ "$SMTPMAILFROM" != bad@x ] || echo "LR550 r"\n'
                '[ "$SMTPMAILFROM" != late@x ] || echo "LD450 d"')
    client = site.open()
    assert client.command(
        "MAIL FROM:<bad@x>", "RCPT TO:<r@a.example>", "RCPT TO:<q@a.example>",
        "MAIL FROM:<good@x>", "RCPT TO:<r@a.example>", "RSET",
        "MAIL FROM:<late@x>", "RCPT TO:<r@a.example>", "DATA", "DATA",
        "MAIL FROM:<good@x>", "RCPT TO:<r@a.example>", "DATA") == [
            "250 2.1.0 ok", "550 r", "550 r", "250 2.1.0 ok", OK,
            "250 2.0.0 flushed", "250 2.1.0 ok", OK, "450 d", "450 d",
            "250 2.1.0 ok", OK, "354 go ahead"]
    client.close()


def test_later_ends_with_the_next_helo(site):
    site.plugin("helo", '[ "$SMTPHELOHOST" != bad ] || echo LM550 helo')
    client = site.open()
    assert client.command("HELO bad", "MAIL FROM:<s@x>", "HELO good",
                          "MAIL FROM:<s@x>")[1::2] == [
                              "550 helo", "250 2.1.0 ok"]
    client.close()


def test_later_of_the_present_stage_is_now(site):
    site.plugin("rcpt", say("LM550 now"))
    client = site.open()
    assert client.command("MAIL FROM:<s@x>", "RCPT TO:<r@a.example>")[1] == (
        "550 now")
    client.close()


def test_accept_switches_off(site):
    site.plugin("helo", say("LR550 no"))
    site.plugin("mail", '[ "$SMTPMAILFROM" = good@x ] && echo A')
    site.plugin("mail", say("E550 second"))
    site.plugin("rcpt", say("E550 third"))
    client = site.open()
    assert client.command("HELO x", "MAIL FROM:<s@x>", "MAIL FROM:<good@x>",
                          "RCPT TO:<r@a.example>", "MAIL FROM:<s@x>")[1:] == [
                              "550 second", "250 2.1.0 ok", OK,
                              "250 2.1.0 ok"]
    client.close()


def test_next_spares_the_other_plugins_but_not_the_checks(site):
    site.plugin("rcpt", say("N"))
    site.plugin("rcpt", say("E550 second"))
    client = site.open()
    assert client.command("MAIL FROM:<s@x>", "RCPT TO:<r@a.example>",
                          "RCPT TO:<r@far.example>")[1:] == [
                              OK, "553 5.7.1 sorry, that domain isn't in my "
                              "list of allowed rcpthosts"]
    client.close()


def test_ok_spares_the_checks(site):
    site.home.control("badmailfrom", "bad\n")
    site.home.control("badmailto", "bad\n")
    site.plugin("rcpt", 'case $SMTPRCPTTO in bad*) echo O;; esac')
    site.plugin("mail", say("O"))
    client = site.open()
    assert client.command("MAIL FROM:<bad@x>", "RCPT TO:<bad@far.example>",
                          "RCPT TO:<r@far.example>") == [
                              "250 2.1.0 ok", OK, "553 5.7.1 sorry, that "
                              "domain isn't in my list of allowed rcpthosts"]
    client.close()


EVERYTHING = ("SRELAYCLIENT=", "HX-Flag: yes", "E550 5.7.1 no")


def test_off_and_watch(site):
    """control/checks: not asked, or asked and not obeyed."""
    asked = site.home.file("asked")
    for stage in STAGES:
        change = ["Cother@a.example"] if stage in ("mail", "rcpt") else []
        site.plugin(stage, f"echo {stage} >>{asked}\n" +
                    say(*change, *EVERYTHING))
    site.home.control("checks", "plugins:watch\n")
    client = site.open()
    client.command("EHLO me.example")
    assert client.command("MAIL FROM:<s@x.example>",
                          "RCPT TO:<r@far.example>")[1].startswith("553 ")
    assert send(client).startswith("250 2.6.0 ok ")
    with open(asked) as f:
        assert set(f.read().split()) == set(STAGES)
    assert "WATCH: plugin plugins/p1: [connection] E550 5.7.1 no" in (
        client.log())
    assert "WATCH: plugin plugins/p3: [mail] Cother@a.example" in client.log()
    [(sender, recipients, message)] = client.queue.messages()
    assert b"X-Flag" not in message
    assert (sender, recipients) == (b"s@x.example", [b"r@a.example"])
    client.close()
    # One that cannot be run judges nothing either.
    site.line("mail", "plugins/missing")
    client = site.open()
    assert send(client).startswith("250 2.6.0 ok ")
    client.close()
    os.unlink(asked)
    site.home.control("checks", "plugins:off\n")
    site.line("mail", "x" * 5000)
    client = site.open()
    assert send(client).startswith("250 2.6.0 ok ")
    client.close()
    assert not os.path.exists(asked)


def test_set_and_unset(site):
    site.plugin("connection", say("SSMTPGREETING=hello = you", "UNONE",
                                  "SDATABYTES=5", "SSEEN=", "SRELAYCLIENT="))
    site.plugin("helo", 'echo "HX-Seen: ${SEEN+set} $SMTPGREETING"; '
                "echo URELAYCLIENT; echo USEEN")
    site.plugin("mail", 'echo "HX-Then: ${SEEN-unset}"')
    client = site.open()
    assert client.greeting == "220 hello = you"
    assert client.command("MAIL FROM:<s@x>", "RCPT TO:<r@far.example>")[1] == (
        OK)
    client.command("EHLO x")
    assert client.command("MAIL FROM:<s@x>", "RCPT TO:<r@far.example>",
                          "RCPT TO:<r@a.example>", "DATA")[1:] == [
                              "553 5.7.1 sorry, that domain isn't in my list "
                              "of allowed rcpthosts", OK, "354 go ahead"]
    client.send("x\r\n.\r\n")
    assert client.reply().startswith("250 2.6.0")
    assert (b"X-Seen: set hello = you\nX-Then: unset\nx\n"
            in client.queue.messages()[0][2])
    client.open_message()
    client.send("123456\r\n.\r\n")
    assert client.reply().startswith("552 5.3.4")
    client.close()


def test_set_of_a_list_that_is_read_already(site):
    """The log names the file that was read, not what became of its name."""
    site.home.control("log/bmchecks", "1\n")
    site.home.control("first-of-two-lists", "spam\n")
    site.plugin("connection", say("SBADHELO=control/first-of-two-lists"))
    site.plugin("helo", say(
        "SBADHELO=control/other-of-two-lists",
        *[f"SXXXXX{n}=control/other-of-two-lists" for n in range(9)]))
    client = site.open()
    client.command("HELO x")
    assert client.command("HELO spam").startswith("553 5.7.1")
    assert client.log().endswith(
        "BADHELO: | helo(spam) | control/first-of-two-lists line 1\n")
    client.close()


def test_set_another_queue(site):
    other = Queue(site.home)
    other.path = make_dirs(site.home.file("other"))
    site.plugin("rcpt", say(f"SQQDIR={other.path}"))
    client = site.open()
    assert send(client).startswith("250 2.6.0")
    assert client.queue.messages() == [] and len(other.messages()) == 1
    client.close()


def test_blacklisted_by_a_plugin(site):
    site.plugin("connection", say("SBLACKLISTED=trap@a.example"))
    site.plugin("mail", say("E550 never asked"))
    client = site.open()
    assert client.command("MAIL FROM:<s@x>", "RCPT TO:<r@far.example>") == [
        "250 2.1.0 welcome spammer :)", "250 2.1.5 I feed spamassassin now!"]
    client.close()
    site.plugin("connection", say("SBLACKLISTED=a\tb\rc"))
    assert site.open(greet=False).reply() == (
        "421 4.3.0 unable to read controls")


def test_environment_is_bounded(site):
    site.plugin("mail", 'x=$(printf %08000d 0); for i in 1 2; do '
                'echo "SBIG$i=$x"; done; echo "SN=$((N + 1))"; '
                'echo "HX-N: $N"')
    client = site.open()
    for _ in range(9):
        client.command("MAIL FROM:<s@x>")
    client.command("RCPT TO:<r@a.example>", "DATA")
    client.send("x\r\n.\r\n")
    assert client.reply().startswith("250")
    assert b"X-N: 4\n" in client.queue.messages()[0][2]
    assert "plugins: no room for another variable" in client.log()
    client.close()


def test_header_of_each_stage(site):
    for stage in STAGES:
        site.plugin(stage, say(f"HX-{stage}: one", f"HX-{stage}: two"))
    client = site.open()
    client.command("HELO x")
    for n in (1, 2):
        assert send(client).startswith("250 2.6.0")
        lines = client.queue.messages()[n - 1][2].split(b"\n")
        assert lines[:2] == [b"X-content: one", b"X-content: two"]
        assert lines[2].startswith(b"Received: from client.example (HELO x)")
        assert lines[4:] == [f"X-{stage}: {i}".encode() for stage in
                             STAGES[:5] for i in ("one", "two")] + [
                                 b"text", b""]
    client.close()


def test_change_of_addresses(site):
    site.plugin("mail", "case $SMTPMAILFROM in s*) echo Cnew@x;; "
                "*) echo C;; esac")
    site.plugin("rcpt", say("Cpost@a.example"))
    site.plugin("rcpt", '[ "$SMTPRCPTTO" = post@a.example ] || echo E550 no')
    client = site.open()
    assert send(client, rcpt="r@far.example").startswith("250 2.6.0")
    assert send(client, sender="t@x").startswith("250 2.6.0")
    assert [m[:2] for m in client.queue.messages()] == [
        (b"new@x", [b"post@a.example"]), (b"", [b"post@a.example"])]
    client.close()


def test_change_to_a_foreign_address_does_not_relay(site):
    site.plugin("rcpt", say("Cr@far.example"))
    client = site.open()
    assert client.command("MAIL FROM:<s@x>", "RCPT TO:<r@a.example>")[1] == (
        "553 5.7.1 sorry, that domain isn't in my list of allowed rcpthosts")
    client.close()


def test_print(site):
    site.plugin("connection", say("P220-one", "P220 two"))
    site.plugin("rcpt", say("P250 hint"))
    client = site.open()
    assert client.greeting == "220-one\n220-two\n220 a.example ESMTP"
    assert client.command("MAIL FROM:<s@x>", "RCPT TO:<r@a.example>")[1] == (
        "250-hint\n250 2.1.5 ok")
    client.close()


# -- [content] -----------------------------------------------------------

def test_content_sees_the_message_and_each_plugin_all_of_it(site):
    copy = site.home.file("copy")
    site.plugin("content", f"cat >{copy}; echo HX-First: 1")
    site.plugin("content", f"cat | cmp - {copy} || echo E550 differs")
    client = site.open()
    body = "Subject: x\r\n\r\n..dot\r\n" + "line\r\n" * 50000
    assert send(client, body).startswith("250 2.6.0")
    message = client.queue.messages()[0][2]
    with open(copy, "rb") as f:
        seen = f.read()
    assert message == b"X-First: 1\n" + seen
    assert seen.startswith(b"Received: from client.example ")
    assert seen.endswith(b"Subject: x\n\n.dot\n" + b"line\n" * 50000)
    assert os.listdir(site.home.file("cache", "content")) == []
    client.close()


def test_content_refuses_discards_and_passes(site):
    site.plugin("content", "case $(cat) in *virus*) echo E554 5.7.7 virus;; "
                '*drop*) echo "E250 2.6.0 ok";; esac')
    client = site.open()
    assert send(client, "a virus\r\n") == "554 5.7.7 virus"
    assert send(client, "drop it\r\n") == "250 2.6.0 ok"
    assert send(client).startswith("250 2.6.0 ok ")
    assert len(client.queue.messages()) == 1
    client.close()


def test_content_input_cannot_be_written(site):
    site.plugin("content", "(echo x >&0) 2>/dev/null && echo E550 written\n"
                "(echo x >/proc/self/fd/0) 2>/dev/null; true")
    client = site.open()
    assert send(client).startswith("250 2.6.0")
    assert client.queue.messages()[0][2].endswith(b"\ntext\n")
    client.close()


def test_content_that_reads_nothing(site):
    site.plugin("content", "exit 0")
    client = site.open()
    assert send(client, "y" * 900 + "\r\n" * 1000).startswith("250 2.6.0")
    client.close()


def test_content_without_room(site):
    """No directory, then no space: nothing is accepted, all is said."""
    site.plugin("content", say("N"))
    os.rmdir(site.home.file("cache", "content"))
    client = site.open()
    assert send(client) == TROUBLE
    assert "unable to write a file in cache/content" in client.log()
    assert client.queue.messages() == []
    client.close()


def test_content_too_large_is_not_asked(site):
    site.home.control("databytes", "1000\n")
    site.plugin("content", "touch asked")
    client = site.open()
    assert send(client, "x" * 900 + "\r\n" + "y" * 900 + "\r\n").startswith(
        "552 5.3.4")
    assert not os.path.exists(site.home.file("asked"))
    assert send(client).startswith("250 2.6.0")
    client.close()


def test_content_within_dottimeout(site):
    site.home.control("dottimeout", "1\n")
    site.plugin("content", f"exec sleep {OVERLONG}")
    client = site.open()
    assert send(client) == TROUBLE
    assert client.queue.messages() == []
    client.close()


# -- plugins that are no good --------------------------------------------

BAD = {
    "garbage": ("echo hello", "not a command at [rcpt]: hello"),
    "acronym": ("echo Access denied", "not a command at [rcpt]: Access denied"),
    "half": ("printf E550", "not a command at [rcpt]: E550"),
    "nul": ("printf 'E550 a\\0b\\n'", "not a command at [rcpt]: E550 a"),
    "code": ("echo E354 go", "not a command at [rcpt]: E354 go"),
    "no code": ("echo Ego away", "not a command at [rcpt]: Ego away"),
    "later": ("echo LX550 x", "not a command at [rcpt]: LX550 x"),
    "later ok": ("echo LM250 x", "not a command at [rcpt]: LM250 x"),
    "name": ("echo S1x=1", "not a command at [rcpt]: S1x=1"),
    "no value": ("echo SX", "not a command at [rcpt]: SX"),
    "field": ("echo Hno field", "not a command at [rcpt]: Hno field"),
    "empty": ("echo C", "not a command at [rcpt]: C"),
    "address": ("printf 'Ca\\rb\\n'", "not a command at [rcpt]: Ca\\015b"),
    "late": ("echo HX-Y: z; echo huh", "not a command at [rcpt]: huh"),
    "crash": ("echo N; kill -SEGV $$", "crashed"),
    "killed": ("kill -9 $$", "crashed"),
    "120": ("echo N; exit 120", "cannot be run"),
    "endless": ("while :; do echo; echo; done", "says too much"),
    "large": ("head -c 20000 /dev/zero", "says too much"),
}


def test_bad_plugins(site):
    site.plugin("rcpt", ". ./script")
    for kind, (script, why) in BAD.items():
        write_file(site.home.file("script"), script + "\n")
        client = site.open()
        said = client.command("MAIL FROM:<s@x>", "RCPT TO:<r@a.example>",
                              "NOOP")
        assert said[1:] == [TROUBLE, "250 2.0.0 ok"], kind
        assert client.log().splitlines()[-1].partition(" plugin ")[2] == (
            f"plugins/p1: {why}"), kind
        client.close()


def test_change_elsewhere_is_no_command(site):
    site.plugin("helo", say("Cx@y"))
    client = site.open()
    assert client.command("HELO x") == TROUBLE
    client.close()


def test_plugin_that_cannot_be_run(site):
    write_file(site.home.file("plugins/script"), "no magic", 0o755)
    for line, why in (("plugins/none", "file does not exist"),
                      ("./plugins", "access denied"),
                      ("plugins/script", "exec format error")):
        site.lines = {}
        site.line("mail", line)
        client = site.open()
        assert client.command("MAIL FROM:<s@x>") == TROUBLE
        assert f"plugin {line}: unable to run: {why}" in client.log()
        client.close()


def test_trouble_at_connection_ends_it(site):
    site.line("connection", "plugins/none")
    client = site.open(greet=False)
    assert client.reply() == (
        "421 4.3.0 unable to ask a plugin, try again later")
    assert client.at_end()


def test_hanging_plugin(site):
    site.home.control("smtpplugintime", "1\n")
    site.plugin("mail", f"echo N; sleep {OVERLONG} & sleep {OVERLONG}")
    client = site.open()
    assert client.command("MAIL FROM:<s@x>") == TROUBLE
    assert "plugin plugins/p1: no end in time" in client.log()
    client.close()


def test_background_process_is_not_waited_for(site):
    site.plugin("mail", "echo HX-A: b; (while [ -e control/checks ]; "
                "do sleep 0.1; done; echo E550) & exit 0")
    site.home.control("checks", "")
    client = site.open()
    assert client.command("MAIL FROM:<s@x>") == "250 2.1.0 ok"
    site.home.control("checks", None)
    client.close()


def test_descriptors(site):
    """Input is empty, errors go to the log and are bounded, nothing leaks."""
    site.plugin("mail", "cat; ls -l /proc/$$/fd >list; "
                "echo 'no\033 good' >&2; printf last >&2; echo HX-A: b")
    site.plugin("mail", "yes >&2 & sleep 0.3; kill $!")
    client = site.open()
    assert client.command("MAIL FROM:<s@x>") == "250 2.1.0 ok"
    log = client.log()
    assert "plugin plugins/p1: no\\033 good\n" in log
    assert "plugin plugins/p1: last\n" in log
    assert log.count("plugin plugins/p2: y\n") <= 2048
    with open(site.home.file("list")) as f:
        assert "socket:" not in f.read()
    client.close()


def test_descriptors_of_others_are_not_inherited(site):
    """That of the log, say."""
    site.plugin("mail", "ls -l /proc/$$/fd >list")
    log = os.open(site.home.file("other.log"), os.O_WRONLY | os.O_CREAT)
    site.home.control("log/smtp_fd", f"{log}\n")
    site.home.control("log/smtp_in", "1\n")
    client = site.open(fds=(log,))
    assert client.command("MAIL FROM:<s@x>") == "250 2.1.0 ok"
    os.close(log)
    with open(site.home.file("list")) as f:
        assert "other.log" not in f.read()
    with open(site.home.file("other.log")) as f:
        assert "C: MAIL FROM:<s@x>" in f.read()
    client.close()


@pytest.mark.skipif(bool(os.environ.get("SANITIZE")),
                    reason="sanitizers need much memory")
def test_memory_stays_small(site):
    site.plugin("content", "cat >/dev/null")
    client = site.open()
    client.open_message()
    client.send("line\r\n" * 2000000 + ".\r\n")
    assert client.reply().startswith("250 2.6.0")
    assert client.peak_memory() < 4096
    client.close()


def test_login_that_is_taken_back_leaves_what_was_before(site):
    """That is, what plugins have made of it meanwhile."""
    checker = write_file(site.home.file("checker"), "#!/bin/sh\nexit 0\n",
                         0o755)
    site.home.control("auth/smtp", "63\n")
    login = "AUTH PLAIN " + base64.b64encode(b"\0joe\0p").decode()
    site.plugin("helo", say("URELAYCLIENT"))
    refusing = site.plugin("auth", say("E535 5.7.8 not you"))
    client = site.open({"CHECKER": checker, "RELAYCLIENT": ""})
    assert client.command("EHLO x", login)[1] == "535 5.7.8 not you"
    assert client.command("MAIL FROM:<s@x>", "RCPT TO:<r@far.example>")[1] == (
        "553 5.7.1 sorry, that domain isn't in my list of allowed rcpthosts")
    client.close()
    site.lines = {}
    site.plugin("connection", say("SBLACKLISTED=first-trap@a.example"))
    site.line("auth", refusing)
    write_file(site.home.file(refusing), "#!/bin/sh\n" + say(
        "SBLACKLISTED=second@a.example", "E535 5.7.8 not you") + "\n", 0o755)
    client = site.open({"CHECKER": checker})
    assert client.command("EHLO x", login)[1] == "535 5.7.8 not you"
    assert send(client).startswith("250 2.6.0")
    assert client.queue.messages()[0][1] == [b"second@a.example"]
    client.close()


def test_login_that_is_forgiven_stays_so(site):
    """$BLACKLISTED is not believed again when another variable changes."""
    checker = write_file(site.home.file("checker"), "#!/bin/sh\nexit 0\n",
                         0o755)
    site.home.control("auth/smtp", "63\n")
    site.plugin("mail", say("SRCPTTOFIXED=fixed@a.example"))
    client = site.open({"CHECKER": checker, "BLACKLISTED": "trap@a.example"})
    client.command("EHLO x", "AUTH PLAIN " + base64.b64encode(
        b"\0joe\0p").decode())
    assert client.command("MAIL FROM:<s@x>", "RCPT TO:<r@a.example>",
                          "DATA") == ["250 2.1.0 ok", OK, "354 go ahead"]
    client.send("x\r\n.\r\n")
    assert client.reply().startswith("250 2.6.0")
    assert client.queue.messages()[0][1] == [b"fixed@a.example"]
    client.close()
    site.lines = {}
    site.plugin("mail", say("SBLACKLISTED=trap@a.example"))
    client = site.open({"CHECKER": checker})
    assert client.command("EHLO x", "AUTH PLAIN " + base64.b64encode(
        b"\0joe\0p").decode(), "MAIL FROM:<s@x>")[2] == (
            "250 2.1.0 welcome spammer :)")
    client.close()


def test_auth(site):
    """Asked when the password is right; a refusal takes the login back."""
    checker = write_file(site.home.file("checker"), "#!/bin/sh\n"
                         "read -r x <&3; case $x in bad*) exit 1;; esac\n"
                         "exit 0\n", 0o755)
    seen = site.home.file("seen")
    site.plugin("auth", f'echo "$SMTPAUTHUSER $SMTPAUTHMETHOD" >>{seen}\n'
                'case $SMTPAUTHUSER in no*) echo "E535 5.7.8 not you";; '
                '*) echo "HX-Auth: $SMTPAUTHUSER"; echo LR550 wait;; esac')
    site.plugin("mail", f'echo "mail ${{SMTPAUTHUSER-none}}" >>{seen}')
    site.home.control("auth/delay", "0\n")
    site.home.control("auth/smtp", "63\n")
    client = site.open({"CHECKER": checker})

    def login(name):
        return client.command("AUTH PLAIN " + base64.b64encode(
            f"\0{name}\0p".encode()).decode())

    client.command("EHLO x")
    assert login("bad").startswith("535 5.7.8 authentication")
    assert login("nobody") == "535 5.7.8 not you"
    assert client.command("MAIL FROM:<s@x>", "RCPT TO:<r@far.example>",
                          "RSET")[1].startswith("553 5.7.1")
    assert login("joe") == "235 2.7.0 ok, go ahead"
    assert client.command("MAIL FROM:<s@x>", "RCPT TO:<r@far.example>") == [
        "250 2.1.0 ok", "550 wait"]
    with open(seen) as f:
        assert f.read().splitlines() == [
            "nobody plain", "mail none", "joe plain", "mail joe"]
    client.close()
