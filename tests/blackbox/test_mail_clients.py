"""Programs that send through sendmail, the real ones, into a Maildir."""
import os
import re
import shutil
import subprocess

import pytest

import home as h

FROM = "Ann Doe <ann@a.example>"


@pytest.fixture
def sender(home):
    """Runs a client; returns the message that arrives for joe."""
    home.add_user("joe")
    home.start()
    work = h.make_dirs(home.file("work"))

    def run(argv, text=b"", recipients=1):
        if shutil.which(argv[0]) is None:
            pytest.skip(f"needs {argv[0]}")
        done = subprocess.run(
            argv, input=text, capture_output=True, timeout=h.DEADLINE,
            cwd=work, env=home.environment(
                HOME=work, USER="ann", LOGNAME="ann", TERM="dumb",
                MAILRC="/dev/null", GIT_CONFIG_NOSYSTEM="1",
                GIT_COMMITTER_NAME="Ann", GIT_COMMITTER_EMAIL="ann@a.example",
                GIT_AUTHOR_NAME="Ann", GIT_AUTHOR_EMAIL="ann@a.example"),
            **h.ids_arguments())
        assert done.returncode == 0, done
        h.wait_for(lambda: len(home.user_messages("joe")) >= recipients,
                   f"mail; log:\n{home.log()}")
        home.wait_empty()
        return home.user_messages("joe")

    run.home, run.work = home, work
    run.sendmail = os.path.join(home.bin, "sendmail")
    return run


def check(message, subject, body, sender=b"ann@a.example"):
    assert message.startswith(b"Return-Path: <" + sender + b">\n")
    assert len(re.findall(rb"(?m)^Subject: " + subject + b"$", message)) == 1
    assert len(re.findall(rb"(?m)^From: ", message)) == 1
    assert len(re.findall(rb"(?mi)^Message-Id: ", message)) == 1
    assert len(re.findall(rb"(?m)^Date: ", message)) == 1
    assert body in message


def test_mutt(sender):
    h.write_file(os.path.join(sender.work, "file"), b"\0\xff" * 500)
    message, = sender(
        ["mutt", "-F", "/dev/null", "-e",
         f'set sendmail="{sender.sendmail} -oem -oi"; set from="{FROM}"; '
         'set use_envelope_from=yes; set copy=no; set dsn_notify="failure"',
         "-s", "with a file", "-b", "joe@a.example", "-a", "file", "--",
         "joe@a.example"], b"From here\n.\nlast\n")[:1]
    check(message, b"with a file", b"\n.\nlast\n")
    assert b"Bcc" not in message


def test_s_nail(sender):
    message, = sender(
        ["s-nail", "-:/", "-S", "v15-compat", "-S", f"mta={sender.sendmail}",
         "-S", "sendwait", "-r", FROM, "-s", "from a shell",
         "joe@a.example"], b"body\n.\nlast\n")
    check(message, b"from a shell", b"body\n.\nlast\n")


def test_git_send_email(sender):
    patch = h.write_file(os.path.join(sender.work, "0001-x.patch"), (
        f"From 1111111111111111111111111111111111111111 Mon Sep 17 00:00:00 "
        f"2001\nFrom: {FROM}\nDate: Sun, 22 Nov 2026 01:18:25 +0000\n"
        "Subject: [PATCH] mend it\n\nWhy.\n---\n x | 1 +\n\n-- \n2.39\n"))
    message, = sender(
        ["git", "send-email", f"--smtp-server={sender.sendmail}",
         "--envelope-sender=ann@a.example", f"--from={FROM}",
         "--to=joe@a.example", "--confirm=never", "--quiet", patch])
    check(message, rb"\[PATCH\] mend it", b"\nWhy.\n---\n")


@pytest.mark.parametrize("more, bounces", [
    ("", b"ann@a.example"), (', "-fbounces@a.example"',
                             b"bounces@a.example")])
def test_php(sender, more, bounces):
    message, = sender(
        ["php", "-d", f"sendmail_path={sender.sendmail} -t -i", "-r",
         'exit(mail("joe@a.example", "from php", "body\r\n.\r\nlast\r\n", '
         f'"From: {FROM}\r\nBcc: nobody@a.example"{more}) ? 0 : 1);'])
    check(message, b"from php", b"body\n.\nlast\n", bounces)
    assert b"\r" not in message
    assert b"nobody@" not in message


@pytest.mark.parametrize("argv, text", [
    # cron of Debian, Red Hat and BSD; anacron; at; logwatch; smartd; mdadm
    (["-i", "-FCronDaemon", "-B8BITMIME", "-oem", "joe@a.example"],
     "From: ann@a.example\nTo: joe\nSubject: Cron\n\nbody\n"),
    (["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "ann"],
     "From: \"(Cron Daemon)\" <ann>\nTo: joe\nSubject: Cron\n\nbody\n"),
    (["-FAnacron", "-odi", "joe"], "To: joe\nSubject: Cron\n\nbody\n"),
    (["-i", "-U", "joe"], "To: joe\nSubject: Cron\n\nbody\n"),
    (["-t"], "To: joe\nFrom: ann\nSubject: Cron\n\nbody\n"),
    (["-i", "-n", "-h", "3", "-L", "tag", "-C", "/etc/mail/x", "-Am", "-G",
      "joe"], "To: joe\nSubject: Cron\n\nbody\n"),
    (["-oi", "-f", "ann@a.example", "-N", "failure,delay", "-R", "full",
      "-O", "DeliveryMode=b", "--", "joe@a.example"],
     "To: joe\nSubject: Cron\n\nbody\n")])
def test_command_lines(sender, argv, text):
    message, = sender([sender.sendmail, *argv], text.encode())
    check(message, b"Cron", b"\nbody\n")
