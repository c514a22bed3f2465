"""sendmail in its many spellings, mailsubj, predate, datemail."""
import os
import re
import subprocess

import pytest

import home as h
from injection import Queue

HOST = "host.dom.example"


@pytest.fixture
def queue(home):
    return Queue(home)


def sender_and_from(queue):
    from_field = re.search(r"^From: (.*)$", queue.message(), re.M).group(1)
    return queue.envelope()[0], from_field


@pytest.mark.parametrize("args, sender, from_field", [
    ([], f"joe@{HOST}", f"joe@{HOST}"),
    (["-fs@x.y"], "s@x.y", "s@x.y"),
    (["-f", "s@x.y"], "s@x.y", "s@x.y"),
    (["-f", "<s@x.y>"], "s@x.y", "s@x.y"),
    (["-f", "s"], f"s@{HOST}", f"s@{HOST}"),
    (["-r", "s@x.y"], "s@x.y", "s@x.y"),
    (["-oifs@x.y"], f"joe@{HOST}", f"joe@{HOST}"),
    (["-f", ""], "", f"joe@{HOST}"),
    (["-f", "<>"], "", f"joe@{HOST}"),
    (["-FJoe Doe"], f"joe@{HOST}", f'"Joe Doe" <joe@{HOST}>'),
    (["-F", "Joe Doe"], f"joe@{HOST}", f'"Joe Doe" <joe@{HOST}>'),
    (["-F", "Joe Doe", "-f", "s@x.y"], "s@x.y", "s@x.y"),
])
def test_sendmail_identity(queue, args, sender, from_field):
    done = queue.run("sendmail", *args, "a@x.y", input="Subject: x\n\nb\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert sender_and_from(queue) == (sender, from_field)
    assert queue.envelope()[1] == ["a@x.y"]


def test_sendmail_sender_clears_other_names(queue):
    queue.run("sendmail", "-f", "s", "a@x.y", env={
        "QMAILNAME": "n", "MAILNAME": "n", "NAME": "n", "QMAILHOST": "q",
        "MAILHOST": "m", "QMAILUSER": "u"})
    assert sender_and_from(queue) == (f"s@{HOST}", f"s@{HOST}")


@pytest.mark.parametrize("args", [
    ["-i"], ["-oi"], ["-o", "i"], ["-oem"], ["-odb"], ["-v"], ["-m"], ["-x"],
    ["-em"], ["-e", "m"], ["-B8BITMIME"], ["-B", "7BIT"], ["-pSMTP:x"],
    ["-E"], ["-Exyz"], ["-J"], ["-Jxyz"], ["-bm"], ["-b", "m"],
    ["-N", "never"], ["-Nnever"], ["-R", "hdrs"], ["-V", "id"], ["-Vid"],
    ["-O", "QueueDirectory=/x"], ["-OTimeout=1"], ["-vim"], ["--"],
    ["-i", "-oi", "-em", "-N", "failure,delay", "--"],
])
def test_sendmail_ignores(queue, args):
    done = queue.run("sendmail", *args, "a@x.y", input="To: b@x.y\n\nb\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert queue.envelope()[1] == ["a@x.y"]


def test_sendmail_header_recipients(queue):
    text = "To: b@x.y\nBcc: c@x.y\n\n.\nb\n"
    queue.run("sendmail", "-t", input=text)
    assert queue.envelope()[1] == ["b@x.y", "c@x.y"]
    assert queue.message().endswith("\n\n.\nb\n")
    queue.run("sendmail", "-t", "-i", "a@x.y", input=text)
    assert queue.envelope()[1] == ["a@x.y", "b@x.y", "c@x.y"]
    queue.run("sendmail", input=text)
    assert queue.envelope()[1] == []


def test_sendmail_recipient_that_looks_like_an_option(queue):
    queue.run("sendmail", "--", "-fx@x.y")
    assert queue.envelope()[1] == ["-fx@x.y"]


@pytest.mark.parametrize("args", [["-Z"], ["-bz"], ["-f"], ["-q"]])
def test_sendmail_usage(queue, args):
    done = queue.run("sendmail", *args)
    assert done.returncode == 100
    assert done.stderr.decode().endswith(
        "sendmail: usage: sendmail [ -t ] [ -fsender ] [ -Fname ] [ -bp ] "
        "[ -bs ] [ arg ... ]\n")


def test_sendmail_names_and_modes(home, queue):
    def stub(name):
        h.write_file(os.path.join(bin_dir, name),
                     f'#!/bin/sh\necho {name} "$@" "$PROTO $RELAYCLIENT.'
                     '$DATABYTES $TCPREMOTEIP $TCPREMOTEINFO"\n', 0o755)

    bin_dir = home.file("stubs", "bin")
    h.make_dirs(bin_dir)
    stub("qmail-qread")
    stub("qmail-smtpd")
    stub("newaliases")
    program = os.path.join(home.bin, "sendmail")

    def run(name, *args, **env):
        done = subprocess.run(
            [name, *args], executable=program, capture_output=True,
            stdin=subprocess.DEVNULL, timeout=h.DEADLINE,
            env=home.environment(QMAILHOME=home.file("stubs"), **env))
        return done.returncode, done.stdout.decode().strip(), done.stderr

    assert run("sendmail", "-bp")[1].startswith("qmail-qread")
    assert run("/usr/bin/mailq")[1].startswith("qmail-qread")
    assert run("sendmail", "-bs")[1] == (
        "qmail-smtpd TCP .0 127.0.0.1 sendmail-bs")
    assert run("sendmail", "-bs", PROTO="TCP6")[1] == "qmail-smtpd TCP6 ."
    for args in (("/bin/newaliases",), ("sendmail", "-bi")):
        assert run(*args)[1].startswith("newaliases")
    code, _, err = run("sendmail", "-bd", "-q30m")
    assert code == 100 and err.startswith(b"sendmail: fatal: ")
    assert run("sendmail", "a@x.y")[0] == 111  # no qmail-inject there


def test_mailsubj(queue, home):
    done = queue.run("mailsubj", "a  subject\nBcc: evil@x.y", "a@x.y",
                     "b@x.y", input="body\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert ("\nSubject: a  subject Bcc: evil@x.y\nTo: a@x.y, b@x.y\n\nbody\n"
            in queue.message())
    assert queue.envelope()[1] == ["b@x.y", "a@x.y"]
    assert queue.run("mailsubj", "x").returncode == 100


def test_predate(home):
    done = home.run("predate", "sh", "-c", "cat; exit 7", input="x\n",
                    env={"TZ": "XXX-01:30"})
    assert done.returncode == 7
    assert re.fullmatch(
        r"Date: \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0130\nx\n",
        done.stdout.decode())
    done = home.run("predate", "cat", input="", env={"TZ": "YYY04"})
    assert done.stdout.endswith(b" -0400\n")
    assert home.run("predate", "true", input="x" * 1000000).returncode == 0
    assert home.run("predate").returncode == 100
    assert home.run("predate", "/nonexistent").returncode in (100, 111)


def test_datemail(queue):
    queue.run("datemail", "-t", input="To: a@x.y\n\nb\n",
              env={"TZ": "XXX-02"})
    assert re.search(r"(?m)^Date: .* \+0200$", queue.message())
    assert queue.message().count("Date: ") == 1
    assert queue.envelope()[1] == ["a@x.y"]
