"""qmail-inject: headers, envelopes, variables, options, hostile input."""
import os
import re
import subprocess
import time

import pytest

import home as h
from injection import Queue

DATE = r"\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d -0000"
ID = r"<\d{14}\.\d+\.qmail@id\.example>"
ME = "joe@host.dom.example"


@pytest.fixture
def queue(home):
    return Queue(home)


@pytest.fixture
def inject(queue):
    def run(message, *args, env=None, code=0):
        done = queue.run("qmail-inject", *args, input=message, env=env)
        assert done.returncode == code, done
        assert done.stdout == b"", done
        return done

    return run


def masked(text):
    """The message with what changes from run to run replaced."""
    text = re.sub(rf"(?m)^((?:Resent-)?Date: ){DATE}$", r"\1DATE", text)
    return re.sub(rf"(?m)^((?:Resent-)?Message-ID: ){ID}$", r"\1ID", text)


NEW = f"Date: DATE\nMessage-ID: ID\nFrom: {ME}\n"


def test_inject_completes_a_message(queue, inject):
    inject("Subject: x\nTo: fred\n\nbody\n")
    assert masked(queue.message()) == (
        NEW + "Subject: x\nTo: fred@host.dom.example\n\nbody\n")
    assert queue.envelope() == (ME, ["fred@host.dom.example"])


def test_inject_date_is_now(queue, inject):
    inject("To: a\n")
    text = re.search(r"^Date: (.*) -0000$", queue.message(), re.M).group(1)
    stamp = time.strptime(text + " UTC", "%d %b %Y %H:%M:%S %Z")
    assert abs(time.mktime(stamp) - time.mktime(time.gmtime())) < 60


def test_inject_keeps_what_is_there(queue, inject):
    message = ("Received: x\nDate: y\nMessage-ID: <z>\nFrom: me@x.y\n"
               "To: you@x.y\nX-Odd:\t a  b \n\tc\n\nbody\n.\n\nFrom b\n")
    inject(message)
    assert queue.message() == message


def test_inject_deletes_fields(queue, inject):
    inject("Bcc: b@x.y\nbcc : c@x.y\n d@x.y\nContent-Length: 5\nTo: a@x.y\n"
           "Return-Path: <s@x.y>\nResent-bcc: r@x.y\n\nb\n")
    assert "@x.y" in queue.message()
    for name in ("bcc", "content-length", "return-path"):
        assert name not in queue.message().lower()


@pytest.mark.parametrize("header, output", [
    ("", NEW + "Cc: recipient list not shown: ;\n"),
    ("Bcc: a@x.y\n", NEW + "Cc: recipient list not shown: ;\n"),
    ("Cc: a@x.y\n", NEW + "Cc: a@x.y\n"),
    ("From: \"J. R.\" <jr>\nTo: a@x.y\n",
     "Date: DATE\nMessage-ID: ID\nFrom: \"J. R.\" <jr@host.dom.example>\n"
     "To: a@x.y\n"),
    ("From joe Mon Jan 1\nTo: a@x.y\n",
     NEW + "MBOX-Line: From joe Mon Jan 1\nTo: a@x.y\n"),
    ("Resent-To: a\nTo: b\n",
     "Resent-Date: DATE\nResent-Message-ID: ID\n"
     f"Resent-From: {ME}\nResent-To: a@host.dom.example\n"
     "To: b@host.dom.example\n"),
    ("resent-date: x\n",
     "Resent-Message-ID: ID\n"
     f"Resent-From: {ME}\nResent-Cc: recipient list not shown: ;\n"
     "resent-date: x\n"),
    ("To: a@b@[], <@r:c@x+>, d@.e, (f) g@[1.2.3.4], h i@x.y\n",
     NEW + "To: a@b@[], <c@x.plus.example>, d@e.dom.example, "
     "g@[1.2.3.4] (f),\n  h@host.dom.example, i@x.y\n"),
])
def test_inject_golden_headers(queue, inject, header, output):
    inject(header + "\n")
    assert masked(queue.message()) == output + "\n"


@pytest.mark.parametrize("given, taken", [
    ("To: a@x.y\r\nX: 1\r\n 2\r\n\r\nb\r\n\rc\r\r\nd\re\r",
     "To: a@x.y\nX: 1\n 2\n\nb\n\rc\r\nd\re\r\n"),
    ("To: a@x.y\r\n\r\n" + "x\r\n" * 30000, "To: a@x.y\n\n" +
     "x\n" * 30000),
    ("To: a@x.y\nX: 1\r\n\nb\r\n", "To: a@x.y\nX: 1\r\n\nb\r\n"),
    ("To: a@x.y\r\n\nb\n", "To: a@x.y\n\nb\n")])
def test_inject_takes_crlf_for_line_ends(queue, inject, given, taken):
    """If the first line ends so: PHP's mail() writes such messages."""
    inject(given)
    assert queue.message().endswith(taken)
    assert len(queue.message()) - len(taken) < 200


def test_inject_body_line_in_header(queue, inject):
    inject("To: a@x.y\nnot a field\nX: y\n")
    assert queue.message().endswith("To: a@x.y\n\nnot a field\nX: y\n")
    inject("just text", "a@x.y")
    assert queue.message().endswith("not shown: ;\n\njust text\n")


def test_inject_recipients_right_to_left(queue, inject):
    inject("To: a@x.y, b@x.y\nCc: c@x.y\nBcc: d@x.y, e@x.y\n"
           "Apparently-To: f@x.y\nReply-To: g@x.y\n\n")
    assert queue.envelope()[1] == [
        f"{c}@x.y" for c in "bacedf"]


def test_inject_resent_recipients(queue, inject):
    inject("To: a@x.y\nBcc: b@x.y\nResent-To: c@x.y\nResent-Cc: d@x.y\n"
           "Resent-Bcc: e@x.y\n\n")
    assert queue.envelope()[1] == ["c@x.y", "d@x.y", "e@x.y"]


@pytest.mark.parametrize("options, recipients", [
    ([], ["p@x.y", "q@x.y"]),
    (["-A"], ["p@x.y", "q@x.y"]),
    (["-a"], ["p@x.y", "q@x.y"]),
    (["-h"], ["b@x.y", "a@x.y"]),
    (["-H"], ["p@x.y", "q@x.y", "b@x.y", "a@x.y"]),
    (["-ahA"], ["p@x.y", "q@x.y"]),
])
def test_inject_recipient_options(queue, inject, options, recipients):
    inject("To: a@x.y, b@x.y\n\n", *options, "p@x.y", "q@x.y")
    assert queue.envelope()[1] == recipients


def test_inject_no_recipient(queue, inject):
    inject("Subject: x\n\n")
    assert queue.envelope() == (ME, [])
    inject("To: a@x.y\n\n", "-a")
    assert queue.envelope() == (ME, [])
    inject("To: a@x.y\n\n")
    assert queue.envelope() == (ME, ["a@x.y"])


def test_inject_arguments_are_lists(queue, inject):
    inject("", "a, \"b c\"@x.y (d)", "--", "-e@x.y")
    assert queue.envelope()[1] == ["b c@x.y", "a@host.dom.example", "--@host"
                                   ".dom.example", "-e@x.y"]
    inject("", "--", "-e@x.y")
    assert queue.envelope()[1] == ["-e@x.y"]


@pytest.mark.parametrize("env, sender, from_field", [
    ({}, ME, ME),
    ({"USER": None}, "anonymous@host.dom.example",
     "anonymous@host.dom.example"),
    ({"USER": None, "LOGNAME": "l"}, "l@host.dom.example",
     "l@host.dom.example"),
    ({"MAILUSER": "m"}, "m@host.dom.example", "m@host.dom.example"),
    ({"MAILUSER": "m", "QMAILUSER": "q"}, "q@host.dom.example",
     "q@host.dom.example"),
    ({"QMAILHOST": "h"}, "joe@h.dom.example", "joe@h.dom.example"),
    ({"MAILHOST": "h+"}, "joe@h.plus.example", "joe@h.plus.example"),
    ({"QMAILNAME": "A \"B\" \\"}, ME, f'"A \\"B\\" \\\\" <{ME}>'),
    ({"NAME": "N", "MAILNAME": "M"}, ME, f'"M" <{ME}>'),
    ({"NAME": "N", "QMAILINJECT": "c"}, ME, f"{ME} (N)"),
    ({"NAME": "a(b)", "QMAILINJECT": "c"}, ME, f"{ME} (a\\(b\\))"),
    ({"NAME": "a\nBcc: evil"}, ME, f'"a Bcc: evil" <{ME}>'),
    ({"QMAILUSER": "j d"}, "j d@host.dom.example",
     '"j d"@host.dom.example'),
    ({"QMAILSUSER": "s"}, "s@host.dom.example", ME),
    ({"QMAILSHOST": "s.t"}, "joe@s.t", ME),
    ({"QMAILSUSER": "l-", "QMAILSHOST": "h-@[]"}, "l-@h-@[]", ME),
    ({"QMAILSUSER": "#", "QMAILSHOST": "[]"}, "#@[]", ME),
    ({"QMAILDEFAULTHOST": "x.y"}, "joe@x.y", "joe@x.y"),
    ({"QMAILDEFAULTDOMAIN": "z"}, "joe@host.z", "joe@host.z"),
    ({"QMAILHOST": "h+", "QMAILPLUSDOMAIN": "p"}, "joe@h.p", "joe@h.p"),
    ({"QMAILINJECT": "r"}, "joe-@host.dom.example-@[]", ME),
])
def test_inject_identity(queue, inject, env, sender, from_field):
    inject("To: a@x.y\n\n", env=env)
    assert queue.envelope()[0] == sender
    assert f"\nFrom: {from_field}\n" in queue.message()


def test_inject_idhost_override(queue, inject):
    inject("To: a@x.y\n", env={"QMAILIDHOST": "other.id"})
    assert re.search(r"\nMessage-ID: <\d{14}\.\d+\.qmail@other\.id>\n",
                     queue.message())


def test_inject_per_message_sender(queue, inject):
    inject("To: a@x.y\n", env={"QMAILINJECT": "m"})
    assert re.fullmatch(r"joe-\d+\.\d+@host\.dom\.example",
                        queue.envelope()[0])
    inject("To: a@x.y\n", env={"QMAILINJECT": "mr"})
    assert re.fullmatch(r"joe-\d+\.\d+-@host\.dom\.example-@\[\]",
                        queue.envelope()[0])


@pytest.mark.parametrize("header, args, letters, sender", [
    ("Return-Path: <s@x.y>\n", [], "", "s@x.y"),
    ("Return-Path: <s@x.y>\nReturn-Path: t\n", [], "", "s@x.y"),
    ("Return-Path: <s@x.y>\n", [], "r", "s@x.y-@[]"),
    ("Return-Path: <s@x.y>\n", [], "m", "s@x.y"),
    ("Return-Path: <>\n", [], "", ""),
    ("Return-Path: <>\n", [], "r", ""),
    ("Return-Path: <s@x.y>\n", [], "s", ME),
    ("Return-Path: not@@\n", [], "s", ME),
    ("Return-Path: <s@x.y>\n", ["-f", "f@x.y"], "rm", "f@x.y"),
    ("", ["-ff"], "", "f@host.dom.example"),
    ("", ["-f", ""], "", ""),
    ("", ["-f", "<>"], "", ""),
    ("", ["-f", "a@x.y", "-f", "b@x.y"], "", "b@x.y"),
    ("", ["-f", "#@[]"], "", "#@[]"),
    ("", ["-f", "l-@x.y-@[]"], "", "l-@x.y-@[]"),
])
def test_inject_sender_precedence(queue, inject, header, args, letters,
                                  sender):
    inject(header + "To: a@x.y\n\n", *args, env={"QMAILINJECT": letters})
    assert queue.envelope()[0] == sender
    assert "Return-Path" not in queue.message()


def test_inject_letters_drop_fields(queue, inject):
    inject("From: you@x.y\nMessage-ID: <a>\nTo: a@x.y\n",
           env={"QMAILINJECT": "fi"})
    assert masked(queue.message()) == NEW + "To: a@x.y\n\n"


def test_inject_followup(queue, inject, home):
    h.write_file(home.file("lists"), "# lists\nList@x.y\n")
    env = {"QMAILMFTFILE": "lists"}
    inject("To: me@x.y, \"o d\"@x.y\nCc: list@X.Y\n", env=env)
    assert ("\nMail-Followup-To: me@x.y,\n  \"o d\"@x.y,\n  list@X.Y\n"
            in queue.message())
    inject("To: me@x.y\n", env=env)
    assert "Followup" not in queue.message()
    inject("Mail-Followup-To: z\nCc: list@X.Y\n", env=env)
    assert queue.message().count("Followup") == 1
    inject("To: list@x.y\n", env={"QMAILMFTFILE": "missing"}, code=111)


def test_inject_print(queue, home):
    done = queue.run("qmail-inject", "-n", "-f", "a b@x.y", input="x")
    assert done.returncode == 100
    done = queue.run("qmail-inject", "-n", "-f", "\"a b\"@x.y", "z@x.y",
                     input="To: q\n\nbody")
    assert done.returncode == 0 and not queue.queued()
    assert masked(done.stdout.decode()) == (
        'Return-Path: <"a b"@x.y>\n' + NEW
        + "To: q@host.dom.example\n\nbody\n")
    done = queue.run("qmail-inject", "-nN", input="To: q\n")
    assert done.stdout == b"" and queue.queued()


def test_inject_print_to_a_full_disk(queue, home):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [os.path.join(home.bin, "qmail-inject"), "-n"], input=b"\n",
            stdout=full, stderr=subprocess.PIPE, cwd=home.path,
            env=home.environment(), timeout=h.DEADLINE)
    assert done.returncode == 111


@pytest.mark.parametrize("field", [
    "To: a@", "Cc: <a@x.y", "Bcc: a@b@c", "Apparently-To: (", "To: a;",
    "From: a@", "Sender: @", "Reply-To: \"", "Return-Path: <", "Errors-To: )",
    "Return-Receipt-To: [", "Resent-To: <<>", "Resent-From: @x",
    "To: a@x.y, b@",
])
def test_inject_unparseable_field(queue, inject, field):
    """Never an address dropped in silence, never half a message queued."""
    done = inject(f"Subject: x\n{field}\n\nbody\n", code=100)
    assert done.stderr.decode() == (
        f"qmail-inject: fatal: unable to parse this line:\n{field}\n")
    assert not queue.queued()


def test_inject_unparseable_recipients_with_arguments(queue, inject):
    """Copied unchanged when the addresses come from the command line."""
    inject("To: a@, b\nCc: c\n\n", "x@x.y")
    assert "\nTo: a@, b\nCc: c@host.dom.example\n" in queue.message()
    assert queue.envelope()[1] == ["x@x.y"]
    inject("To: a@\n\n", "-H", "x@x.y", code=100)
    inject("To: a@\nResent-To: b@x.y\n\n")
    assert "\nTo: a@\n" in queue.message()
    assert queue.envelope()[1] == ["b@x.y"]


@pytest.mark.parametrize("args, env", [
    (["a@"], {}),
    (["-f", "a@", "b@x.y"], {}),
    (["-f", "a, b", "b@x.y"], {}),
    ([], {"QMAILHOST": "a b"}),
    ([], {"QMAILUSER": "a\nBcc: x"}),
    ([], {"QMAILSHOST": "a@b"}),
])
def test_inject_unparseable_address(queue, inject, args, env):
    done = inject("To: a@x.y\n\n", *args, env=env, code=100)
    assert done.stderr.startswith(
        b"qmail-inject: fatal: unable to parse address: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("env, code, text", [
    ({"CODE": "31"}, 100, "mail server permanently rejected message (#5.3.0)"),
    ({"CODE": "11"}, 100, "envelope address too long for qq (#5.1.3)"),
    ({"CODE": "53"}, 111, "qq write error or disk full (#4.3.0)"),
    ({"CODE": "71"}, 111,
     "mail server temporarily rejected message (#4.3.0)"),
    ({"CODE": "82", "SAY": "Dno spam\n"}, 100, "no spam"),
    ({"CODE": "82", "SAY": "Zlater"}, 111, "later"),
    ({"QMAILQUEUE": "/nonexistent"}, 111, "unable to exec qq (#4.3.0)"),
])
def test_inject_queue_answers(inject, env, code, text):
    done = inject("To: a@x.y\n\n", env=env, code=code)
    assert done.stderr.decode() == f"qmail-inject: fatal: {text}\n"


def test_inject_usage(home, queue):
    done = queue.run("qmail-inject", "-z")
    assert done.returncode == 100
    assert done.stderr.decode().split("\n")[0] == (
        "qmail-inject: illegal option -- z")
    assert done.stderr.decode().split("\n")[1].startswith(
        "qmail-inject: usage: ")
    assert queue.run("qmail-inject", "-f").returncode == 100


def test_inject_no_home(queue):
    done = queue.run("qmail-inject", "a@x.y",
                     env={"QMAILHOME": "/nonexistent"})
    assert done.returncode == 111


def test_inject_read_error(queue, home):
    """A message that cannot be read to its end is not queued."""
    fd = os.open(home.path, os.O_RDONLY)
    done = subprocess.run(
        [os.path.join(home.bin, "qmail-inject"), "a@x.y"], stdin=fd,
        capture_output=True, cwd=home.path,
        env=home.environment(**queue.env()), timeout=h.DEADLINE)
    os.close(fd)
    assert done.returncode == 111
    assert done.stderr == b"qmail-inject: fatal: read error\n"
    assert not queue.queued()


def test_inject_binary_passes(queue, inject):
    body = bytes(range(256)) * 100 + b"\r\n.\r\n\n"
    inject(b"To: a@x.y\nX: \xff\0\r\n\n" + body)
    assert queue.read("message").endswith(b"X: \xff\0\r\n\n" + body)


def test_inject_header_too_long(queue, inject):
    done = inject(b"X: " + b"y" * (17 << 20) + b"\n\n", code=100)
    assert done.stderr == b"qmail-inject: fatal: header too long\n"
    inject(b"a:\n" * 100001 + b"\n", code=100)
    assert not queue.queued()


def test_inject_many_recipients(queue, inject):
    names = [f"user{i}@host{i}.example" for i in range(20000)]
    inject("Bcc: " + ",\n ".join(names) + "\n\n")
    assert queue.envelope()[1] == names[::-1]


def test_inject_memory_is_bounded_by_the_header(queue, home):
    """A body of any size costs nothing; hostile lists stay in proportion."""
    def peak(data):
        script = ("import resource,subprocess,sys\n"
                  "subprocess.run([sys.argv[1], '-a', 'x@x.y'],\n"
                  "    stdin=open(sys.argv[2], 'rb'), stderr=-3)\n"
                  "print(resource.getrusage(-1).ru_maxrss)\n")
        h.write_file(home.file("input"), data)
        done = subprocess.run(
            ["/usr/bin/python3", "-c", script,
             os.path.join(home.bin, "qmail-inject"), home.file("input")],
            capture_output=True, cwd=home.path, timeout=60,
            env=home.environment(**queue.env({"QMAILQUEUE": "/bin/true"})))
        return int(done.stdout)

    base = peak(b"\n")
    assert peak(b"To: a@x.y\n\n" + b"line\n" * (4 << 20)) - base < 4096
    assert peak(b"x" * (20 << 20)) - base < 4096
    for hostile in (b"To: " + b"(" * (1 << 20), b"To: " + b"a," * (1 << 20),
                    b"To: " + b"<" * (1 << 20), b"To: " + b"a " * (1 << 20),
                    b"From: " + b"a:;" * (1 << 20)):
        assert peak(hostile + b"\n\n") - base < 256 * 1024
