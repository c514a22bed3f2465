"""qmail-local: every kind of delivery, every diagnostic, hostile input."""
import fcntl
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import pytest

import home as h
from local_user import MESSAGE, SANITIZED, STRACE, LocalUser

RPLINE = b"Return-Path: <s@r.example>\n"
DTLINE = b"Delivered-To: joe@h.example\n"
DATE = rb"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \d{4}"
needs_strace = pytest.mark.skipif(
    STRACE is None or SANITIZED, reason="needs strace, no sanitizer")


@pytest.fixture
def joe(scratch, bin_dir):
    return LocalUser(scratch, bin_dir)


class Locked:
    """A delivery to a mailbox that is locked as long as it waits."""

    def __init__(self, scratch, bin_dir):
        self.joe = LocalUser(scratch, bin_dir)
        self.joe.put("Mailbox", b"old\n\n")
        self.thread = threading.Thread(target=self.deliver)
        self.thread.start()

    def deliver(self):
        with open(self.joe.file("Mailbox"), "rb") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            begin = time.monotonic()
            self.done = self.joe.deliver(timeout=2 * h.DEADLINE)
            self.took = time.monotonic() - begin


@pytest.fixture(scope="module", autouse=True)
def locked(session_dir, bin_dir):
    """It waits while the other tests run; test_mbox_locked is the last."""
    where = tempfile.mkdtemp(dir=session_dir)
    os.chmod(where, 0o755)
    made = Locked(h.own(where), bin_dir)
    yield made
    made.thread.join()
    shutil.rmtree(where)


# -- arguments ---------------------------------------------------------------

USAGE = (b"qmail-local: usage: qmail-local [ -nN ] user homedir local dash "
         b"ext domain sender aliasempty\n")


@pytest.mark.parametrize("args", [
    [], ["joe", "/", "joe", "", "", "h", "s"],
    ["joe", "/", "joe", "", "", "h", "s", "./M", "more"],
    ["joe", "relative", "joe", "", "", "h", "s", "./M"],
    ["joe", "", "joe", "", "", "h", "s", "./M"]])
def test_usage(joe, args):
    done = joe.run("qmail-local", *args)
    assert (done.returncode, done.stderr) == (100, USAGE)


def test_illegal_option(joe):
    done = joe.run("qmail-local", "-x", *joe.arguments())
    assert done.returncode == 100
    assert done.stderr == b"qmail-local: illegal option -- x\n" + USAGE


# -- the home ----------------------------------------------------------------

def test_no_home(joe):
    os.rmdir(joe.home)
    joe.expect(111, f"Unable to switch to {joe.home}: file does not exist. "
               "(#4.3.0)\n".encode())


def test_writable_home(joe):
    os.chmod(joe.home, 0o757)
    joe.expect(111, b"Uh-oh: home directory is writable. (#4.7.0)\n")


def test_group_writable_home_is_fine(joe):
    os.chmod(joe.home, 0o775)
    joe.expect(0)


def test_sticky_home(joe):
    os.chmod(joe.home, 0o1755)
    joe.expect(111, b"Home directory is sticky: user is editing his .qmail "
               b"file. (#4.2.1)\n")
    joe.expect(0, b"Warning: home directory is sticky.\n",
               b"mbox ./Mailbox\ndid 1\\+0\\+0\n", options=["-n"])


@needs_strace
@pytest.mark.parametrize("what,code,text", [
    ("%stat:error=EIO:when=1", 111,
     "Unable to stat home directory: input/output error. (#4.3.0)"),
    ("vfork:error=EAGAIN", 111, "Unable to fork: temporary failure. (#4.3.0)"),
    ("lseek:error=EIO", 111, "Unable to rewind message. (#4.3.0)"),
    ("pread64:error=EIO:when=1", 111,
     "Unable to read message: input/output error. (#4.3.0)"),
])
def test_failing_calls(joe, what, code, text):
    joe.put(".qmail", "|cat >copy\n")
    joe.expect(code, text.encode() + b"\n", before=joe.inject(what))
    assert not os.path.exists(joe.file("copy"))


# -- Maildir -----------------------------------------------------------------

def test_maildir(joe):
    joe.maildir()
    joe.expect(0, b"", rb"did 1\+0\+0\n", default="./Maildir/")
    assert joe.mails() == [RPLINE + DTLINE + MESSAGE]
    name, = os.listdir(joe.file("Maildir/new"))
    assert os.stat(joe.file("Maildir/new/" + name)).st_mode & 0o777 == 0o600
    assert ":" not in name and not name.startswith(".")


def test_maildir_verbatim(joe):
    """Any bytes, no last LF, larger than every buffer."""
    joe.maildir()
    for text in (b"", b"\n", b"\0\xff\r\n.\nFrom x\n" * 20000 + b"end",
                 b"x" * 65536, b"X: y\n" * 70000):
        for name in os.listdir(joe.file("Maildir/new")):
            os.unlink(joe.file("Maildir/new/" + name))
        joe.expect(0, default="./Maildir/", stdin=text)
        assert joe.mails() == [RPLINE + DTLINE + text]


def test_maildir_absolute_and_several(joe):
    path = joe.maildir("A")
    joe.maildir("B")
    joe.put(".qmail", f"{path}/\n./B/\n./A/")
    joe.expect(0, b"", rb"did 3\+0\+0\n")
    assert len(joe.mails("A")) == 2 and len(joe.mails("B")) == 1


def test_maildir_absent(joe):
    joe.expect(111, b"Unable to chdir to maildir. (#4.2.1)\n",
               default="./Maildir/")
    os.mkdir(joe.file("Maildir"))
    h.own(joe.file("Maildir"))
    joe.expect(111, b"Unable to chdir to maildir. (#4.2.1)\n",
               default="./Maildir/")


def test_maildir_unwritable(joe):
    joe.maildir()
    os.chmod(joe.file("Maildir/tmp"), 0o500)
    joe.expect(111, b"Temporary error on maildir delivery. (#4.3.0)\n",
               default="./Maildir/")


@needs_strace
@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("errno,code,text", [
    ("EDQUOT", 100, "Disk quota exceeded on maildir delivery. (#5.2.2)"),
    ("EFBIG", 100, "Disk quota exceeded on maildir delivery. (#5.2.2)"),
    ("ENOSPC", 111, "Temporary error on maildir delivery. (#4.3.0)"),
    ("EIO", 111, "Temporary error on maildir delivery. (#4.3.0)")])
def test_maildir_write_errors(joe, call, errno, code, text):
    joe.maildir()
    done = joe.deliver(default="./Maildir/",
                       before=joe.inject(f"{call}:error={errno}:when=1"))
    assert (done.returncode, done.stderr) == (code, text.encode() + b"\n")
    assert joe.mails() == []


@needs_strace
def test_maildir_read_error(joe):
    joe.maildir()
    joe.expect(111, b"Unable to read message. (#4.3.0)\n",
               default="./Maildir/",
               before=joe.inject("pread64:error=EIO:when=2"))
    assert joe.mails() == []


@pytest.mark.skipif(SANITIZED, reason="the sanitizer's own files")
def test_file_size_limit_is_permanent(joe):
    joe.maildir()
    joe.put("Mailbox", b"old\n")

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    big = MESSAGE + b"x" * 5000 + b"\n"
    joe.expect(100, b"Disk quota exceeded on maildir delivery. (#5.2.2)\n",
               default="./Maildir/", stdin=big, run={"preexec_fn": limit})
    assert joe.mails() == []
    joe.expect(100, b"Unable to write ./Mailbox: file too big. (#5.2.2)\n",
               stdin=big, run={"preexec_fn": limit})
    assert joe.get("Mailbox") == b"old\n"


@needs_strace
def test_maildir_costs_two_flushes_and_no_process(joe):
    joe.maildir()
    trace = joe.file("trace")
    done = joe.deliver(default="./Maildir/",
                       before=[STRACE, "-f", "-qq", "-o", trace])
    assert done.returncode == 0
    with open(trace) as f:
        calls = [line.split(None, 1)[1] for line in f]
    assert sum(c.startswith(("fsync(", "fdatasync(")) for c in calls) == 2
    assert not [c for c in calls if re.match(r"(v?fork|clone3?)\(", c)]
    assert sum(c.startswith("execve(") for c in calls) == 1
    assert len(calls) < 50, calls


# -- mbox --------------------------------------------------------------------

def test_mbox(joe):
    message = (b"Subject: x\n\nFrom me\n>From you\n>>From them\n From us\n"
               b"from y\nFromage\nlast")
    joe.expect(0, b"", rb"did 1\+0\+0\n", stdin=message)
    joe.expect(0, sender="", stdin=b"X: y\n\n")
    text = joe.get("Mailbox")
    assert re.fullmatch(
        rb"From s@r.example " + DATE + rb"\n" + RPLINE + DTLINE +
        b"Subject: x\n\n>From me\n>>From you\n>>>From them\n From us\n"
        b"from y\nFromage\nlast\n\n"
        rb"From MAILER-DAEMON " + DATE + rb"\nReturn-Path: <>\n" + DTLINE +
        b"X: y\n\n\n", text), text
    assert os.stat(joe.file("Mailbox")).st_mode & 0o777 == 0o600


def test_mbox_is_extended_not_replaced(joe):
    joe.put("Mailbox", b"old\n\n", 0o640)
    joe.expect(0)
    assert joe.get("Mailbox").startswith(b"old\n\nFrom s@r.example ")
    assert os.stat(joe.file("Mailbox")).st_mode & 0o777 == 0o640


def test_mbox_errors(joe):
    joe.expect(111, b"Unable to open ./no/Mailbox: file does not exist. "
               b"(#4.2.1)\n", default="./no/Mailbox")
    joe.expect(111, b"Unable to write /dev/full: out of disk space. "
               b"(#4.3.0)\n", default="/dev/full")
    os.mkdir(joe.file("dir"))
    joe.expect(111, b"Unable to open ./dir: is a directory. (#4.2.1)\n",
               default="./dir")


@needs_strace
@pytest.mark.parametrize("inject,code,text", [
    ("write:error=EDQUOT:when=1", 100,
     "Unable to write ./Mailbox: disk quota exceeded. (#5.2.2)"),
    ("fsync:error=ENOSPC:when=1", 111,
     "Unable to write ./Mailbox: out of disk space. (#4.3.0)")])
def test_mbox_write_error_cuts_back(joe, inject, code, text):
    joe.put("Mailbox", b"old\n\n")
    joe.expect(code, text.encode() + b"\n", before=joe.inject(inject))
    assert joe.get("Mailbox") == b"old\n\n"


def test_mbox_waits_for_lock(joe):
    joe.put("Mailbox", b"")
    with open(joe.file("Mailbox"), "rb") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [os.path.join(joe.bin, "qmail-local"), *joe.arguments()],
            stdin=open(h.write_file(os.path.join(joe.scratch, "m"), MESSAGE)),
            stdout=subprocess.PIPE, env=joe.environment(),
            **h.ids_arguments())
        time.sleep(0.5)
        assert process.poll() is None
    assert process.communicate(timeout=h.DEADLINE)[0] == b"did 1+0+0\n"


# -- programs ----------------------------------------------------------------

@pytest.mark.parametrize("status,code", [
    (0, 0), (99, 0), (100, 100), (64, 100), (65, 100), (70, 100), (76, 100),
    (77, 100), (78, 100), (112, 100), (111, 111), (1, 111), (2, 111),
    (71, 111), (74, 111), (75, 111), (101, 111), (126, 111), (127, 111),
    (255, 111)])
def test_program_exit_codes(joe, status, code):
    joe.put(".qmail", f"|echo said; echo err >&2; exit {status}\n./Mailbox\n")
    done = joe.deliver()
    assert done.returncode == code
    assert done.stderr == b"err\n"
    assert done.stdout == b"said\n" + (
        b"did 1+0+1\n" if status == 0 else
        b"did 0+0+1\n" if status == 99 else b"")
    assert os.path.exists(joe.file("Mailbox")) == (status == 0)


def test_program_crash(joe):
    joe.put(".qmail", "|kill -9 $$\n./Mailbox\n")
    joe.expect(111, b"Aack, child crashed. (#4.3.0)\n")
    assert not os.path.exists(joe.file("Mailbox"))


def test_program_command_too_long(joe):
    """execve takes at most 128 KiB in one argument."""
    joe.put(".qmail", "|" + "x" * 140000 + "\n")
    done = joe.deliver()
    assert done.returncode == 111
    assert done.stderr.startswith(b"Unable to run /bin/sh: ")


def test_program_gets_message_place_and_signals(joe):
    joe.put(".qmail", "|pwd >where; cat >first\n"
            "|head -c 3 >/dev/null; cat >/dev/null\n"
            "|cat >second; umask >mask\n"
            "|grep SigIgn /proc/self/status >ignored\n"
            "|ls /proc/self/fd >fds\n")
    joe.expect(0, b"", rb"did 0\+0\+5\n")
    assert joe.get("where").decode().strip() == os.path.realpath(joe.home)
    assert joe.get("first") == joe.get("second") == MESSAGE
    assert joe.get("mask").strip().endswith(b"77")
    ignored = int(joe.get("ignored").split()[1], 16)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        assert not ignored & (1 << (number - 1))
    if not SANITIZED:
        assert joe.get("fds").split() in ([b"0", b"1", b"2"],
                                          [b"0", b"1", b"2", b"3"])


def test_offsets_do_not_disturb_files_and_forwards(joe):
    joe.maildir()
    joe.put(".qmail", "|cat >/dev/null\n./Maildir/\n|dd bs=1 count=5 "
            "2>/dev/null >x\n./Mailbox\n&a@b\n|cat >/dev/null\n")
    joe.expect(0, b"", rb"did 2\+1\+3\nqp \d+\n")
    assert joe.mails() == [RPLINE + DTLINE + MESSAGE]
    assert MESSAGE in joe.get("Mailbox")
    assert joe.queued() == DTLINE + MESSAGE


def test_environment(joe):
    joe.put(".qmail-a-default", "|env -0 >env\n")
    joe.expect(0, dash="-", ext="a-B.c-d-e", local="joe-a-B.c-d-e",
               domain="x.y.example", sender='s p"@r',
               env={"DEFAULT": "stale", "EXTRA": "kept"})
    env = dict(entry.split(b"=", 1)
               for entry in joe.get("env").split(b"\0") if entry)
    expected = {
        "SENDER": 's p"@r', "NEWSENDER": 's p"@r',
        "RECIPIENT": "joe-a-B.c-d-e@x.y.example", "USER": "joe",
        "HOME": joe.home, "LOCAL": "joe-a-B.c-d-e", "EXT": "a-B.c-d-e",
        "EXT2": "B.c-d-e", "EXT3": "d-e", "EXT4": "e", "HOST": "x.y.example",
        "HOST2": "x.y", "HOST3": "x", "HOST4": "x", "DEFAULT": "B.c-d-e",
        "DTLINE": "Delivered-To: joe-a-B.c-d-e@x.y.example\n",
        "RPLINE": 'Return-Path: <"s p\\""@r>\n', "EXTRA": "kept"}
    for name, value in expected.items():
        assert env[name.encode()] == value.encode(), name
    assert re.fullmatch(rb'From s-p"@r ' + DATE + b"\n", env[b"UFLINE"])


def test_stale_default_is_removed(joe):
    joe.put(".qmail", "|env >env\n")
    joe.expect(0, env={"DEFAULT": "stale"})
    assert b"DEFAULT=" not in joe.get("env")


def test_line_feeds_in_addresses(joe):
    joe.put(".qmail", "|env -0 >env\n./Mailbox\n")
    joe.expect(0, local="j\noe", domain="h\nx", sender="a\nFrom b@c\n")
    env = dict(entry.split(b"=", 1)
               for entry in joe.get("env").split(b"\0") if entry)
    assert env[b"DTLINE"] == b"Delivered-To: j_oe@h_x\n"
    assert env[b"RPLINE"].count(b"\n") == 1
    assert env[b"UFLINE"].count(b"\n") == 1
    assert joe.get("Mailbox").split(b"\n")[3] == b"Received: a line"


# -- forwards ----------------------------------------------------------------

def test_forwards_go_out_as_one_message(joe):
    joe.put(".qmail", "&a@b\nc@d\n|exit 99\n&e@f\n")
    joe.expect(0, b"", rb"did 0\+2\+1\nqp \d+\n", sender="x@y")
    assert joe.queued() == DTLINE + MESSAGE
    assert joe.queued("envelope") == b"Fx@y\0Ta@b\0Tc@d\0\0"
    assert b"NEWSENDER=x@y" in joe.queued("env")


def test_forward_of_big_message(joe):
    joe.put(".qmail", "&a@b\n")
    message = MESSAGE + b"\0\xff" * 200000
    joe.expect(0, stdin=message)
    assert joe.queued() == DTLINE + message


@pytest.mark.parametrize("owner,sender,expected", [
    ([], "x@y", "x@y"),
    (["-owner"], "x@y", "joe-L.x-owner@h.example"),
    (["-owner", "-owner-default"], "x@y", "joe-L.x-owner-@h.example-@[]"),
    (["-owner-default"], "x@y", "x@y"),
    (["-owner"], "", ""),
    (["-owner", "-owner-default"], "#@[]", "#@[]")])
def test_new_sender(joe, owner, sender, expected):
    joe.put(".qmail-l:x", "&a@b\n|echo $NEWSENDER\n")
    for name in owner:
        joe.put(".qmail-l:x" + name, "&o@b\n")
    done = joe.deliver(dash="-", ext="L.x", sender=sender)
    assert done.returncode == 0
    assert done.stdout.startswith(expected.encode() + b"\ndid 0+1+1\n")
    assert joe.queued("envelope") == b"F" + expected.encode() + b"\0Ta@b\0\0"


@pytest.mark.parametrize("body,code,text", [
    ("exit 31", 100, "mail server permanently rejected message (#5.3.0)"),
    ("exit 11", 100, "envelope address too long for qq (#5.1.3)"),
    ("exit 35", 100, "qq permanent problem (#5.3.0)"),
    ("exit 53", 111, "qq write error or disk full (#4.3.0)"),
    ("exit 71", 111, "mail server temporarily rejected message (#4.3.0)"),
    ("exit 99", 111, "qq temporary problem (#4.3.0)"),
    ("kill -9 $$", 111, "qq crashed (#4.3.0)"),
    ("exit 0", 111, None),
    ("cat >/dev/null; cat <&1 >/dev/null; echo Dno thanks >&6; exit 82", 100,
     "no thanks"),
    ("cat >/dev/null; cat <&1 >/dev/null; echo Zlater >&4; exit 82", 111,
     "later")])
def test_forward_refused(joe, body, code, text):
    joe.fake_queue(body + "\n")
    joe.put(".qmail", "&a@b\n")
    done = joe.deliver(stdin=MESSAGE + b"x" * 300000)
    assert done.returncode == code
    assert done.stdout == b""
    if text is not None:
        assert done.stderr == f"Unable to forward message: {text}.\n".encode()


def test_forward_without_program(joe):
    joe.put(".qmail", "&a@b\n")
    joe.expect(111, b"Unable to forward message: unable to exec qq "
               b"(#4.3.0).\n", env={"QMAILQUEUE": "/no/such"})


def test_forward_to_nobody_is_an_error(joe):
    joe.put(".qmail", "&\n")
    joe.expect(111, b"Uh-oh: .qmail forwards to an empty address. (#4.2.1)\n")
    assert joe.queued() is None


# -- .qmail files ------------------------------------------------------------

def test_line_types_dry_run(joe):
    joe.put(".qmail", "# comment\n./Mailbox \t\n/abs/Maildir/\n|prog arg \n"
            "&x@y\nplain@z\n+other\n\n \t \nnohost")
    joe.expect(0, b"", rb"mbox ./Mailbox\nmaildir /abs/Maildir/\n"
               rb"program prog arg\nforward x@y\nforward plain@z\n"
               rb"forward nohost\ndid 2\+3\+1\n", options=["-n"])
    joe.expect(0, b"", rb"mbox ./x\ndid 1\+0\+0\n", options=["-Nn", "--"],
               dash="", default="./x", run={}, ext="none",
               local="joe")
    assert not os.path.exists(joe.file("Mailbox"))


def test_dry_run_option_can_be_undone(joe):
    joe.expect(0, b"", rb"did 1\+0\+0\n", options=["-n", "-N"])
    assert joe.get("Mailbox")


def test_last_line_without_end_and_no_blanks(joe):
    joe.put(".qmail", "./Mailbox  \t ")
    joe.expect(0, b"", rb"did 1\+0\+0\n", default="./other")
    assert joe.get("Mailbox")


@pytest.mark.parametrize("text", ["\n./Mailbox\n", " \t\n./Mailbox\n", "\n",
                                  " "])
def test_first_line_blank(joe, text):
    joe.put(".qmail", text)
    joe.expect(111, b"Uh-oh: first line of .qmail file is blank. (#4.2.1)\n")
    assert not os.path.exists(joe.file("Mailbox"))


def test_empty_file_means_default(joe):
    joe.put(".qmail-x", "", 0o700)
    joe.expect(0, b"", rb"did 2\+0\+0\n", dash="-", ext="x",
               default="./A\n\n./B")
    assert joe.get("A") and joe.get("B")


def test_no_instructions_at_all_is_an_error(joe):
    joe.expect(111, b"Uh-oh: first line of .qmail file is blank. (#4.2.1)\n",
               default="")


def test_comments_only_deliver_nowhere(joe):
    joe.put(".qmail", "#\n")
    joe.expect(0, b"", rb"did 0\+0\+0\n")


def test_search_order(joe):
    names = [".qmail-a-b:c", ".qmail-a-default", ".qmail-default"]
    for name in names:
        joe.put(name, f"|echo {name} ${{DEFAULT-unset}}; exit 0\n")
    shown = ["unset", "b.C", "a-b.C"]
    for name, default in zip(names, shown):
        done = joe.deliver(dash="-", ext="a-b.C")
        assert done.stdout.startswith(f"{name} {default}\n".encode())
        os.unlink(joe.file(name))
    joe.expect(100, b"Sorry, no mailbox here by that name. (#5.1.1)\n",
               dash="-", ext="a-b.C")


def test_name_ending_in_default(joe):
    joe.put(".qmail-a-default", "|echo $DEFAULT\n")
    done = joe.deliver(dash="-", ext="a-Default")
    assert done.stdout.startswith(b"Default\n")


def test_only_regular_files_count(joe):
    os.mkdir(joe.file(".qmail-x"))
    os.mkfifo(joe.file(".qmail-y"))
    h.own(joe.file(".qmail-x"))
    h.own(joe.file(".qmail-y"))
    joe.put("target", "|echo linked\n")
    os.symlink("target", joe.file(".qmail-z"))
    os.symlink("loop", joe.file("loop"))
    os.symlink("loop", joe.file(".qmail-l"))
    for ext in ("x", "y", "l", "n" * 300, "a/b"):
        joe.expect(100, b"Sorry, no mailbox here by that name. (#5.1.1)\n",
                   dash="-", ext=ext)
    assert joe.deliver(dash="-", ext="z").stdout.startswith(b"linked\n")


def test_no_way_out_of_the_home(joe):
    h.write_file(os.path.join(joe.scratch, "outside"), "|echo out\n")
    os.mkdir(joe.file(".qmail-"))
    joe.expect(100, b"Sorry, no mailbox here by that name. (#5.1.1)\n",
               dash="-", ext="/../../outside")


def test_unreadable_file(joe):
    joe.put(".qmail-x", "./Mailbox\n", 0o000)
    joe.put(".qmail-default", "./Mailbox\n")
    joe.expect(111, b"Unable to open .qmail-x: access denied. (#4.3.0)\n",
               dash="-", ext="x")


def test_writable_file(joe):
    joe.put(".qmail", "./Mailbox\n", 0o602)
    joe.expect(111, b"Uh-oh: .qmail file is writable. (#4.7.0)\n")
    joe.put(".qmail", "./Mailbox\n", 0o660)
    joe.expect(0)


@pytest.mark.parametrize("line,what", [
    ("./Mailbox", "file"), ("./Maildir/", "file"), ("|true", "prog")])
@pytest.mark.parametrize("start,mode", [("", 0o700), ("+list\n", 0o600)])
def test_forward_only(joe, line, what, start, mode):
    joe.put(".qmail", f"{start}&a@b\n{line}\n", mode)
    joe.expect(111, f"Uh-oh: .qmail has {what} delivery but has x bit set. "
               "(#4.7.0)\n".encode())
    assert joe.queued() is None
    joe.put(".qmail", f"{start}&a@b\n", mode)
    joe.expect(0)


def test_plus_lines(joe):
    joe.put(".qmail", "+lists\n+\n+list x\n./Mailbox\n")
    joe.expect(0, b"", rb"did 1\+0\+0\n")


def test_nul_in_file(joe):
    joe.put(".qmail", b"./Mailbox\n|echo \0 x\n")
    joe.expect(111, b"Uh-oh: .qmail file contains a NUL. (#4.2.1)\n")
    assert not os.path.exists(joe.file("Mailbox"))


def test_file_too_big(joe):
    joe.put(".qmail", "")
    os.truncate(joe.file(".qmail"), 1 << 40)
    joe.expect(111, b"Uh-oh: .qmail file is too big. (#4.2.1)\n")


def test_ten_thousand_lines(joe):
    joe.put(".qmail", "".join(f"&user{i}@{'x' * 80}.example  \n"
                              for i in range(10000)) + "./Mailbox")
    joe.expect(0, b"", rb"did 1\+10000\+0\nqp \d+\n")
    assert joe.queued("envelope").count(b"\0T") == 10000


def test_one_long_line(joe):
    joe.put(".qmail", "#" + "x" * 1000000 + "\n./Mailbox\n")
    joe.expect(0, b"", rb"did 1\+0\+0\n")


def test_failure_stops_everything(joe):
    joe.put(".qmail", "&a@b\n./A\n./no/B\n./C\n")
    joe.expect(111, b"Unable to open ./no/B: file does not exist. (#4.2.1)\n")
    assert os.path.exists(joe.file("A"))
    assert not os.path.exists(joe.file("C"))
    assert joe.queued() is None


# -- branches ----------------------------------------------------------------

@pytest.mark.parametrize("status,code,report", [
    (0, 0, b"did 2+0+0\n"), (1, 0, b"did 1+0+0\n"), (99, 0, b"did 0+0+0\n"),
    (100, 100, b""), (77, 100, b""), (111, 111, b""), (2, 111, b""),
    (127, 111, b"")])
def test_condition(joe, status, code, report):
    joe.put(".qmail", f"?cat >seen; exit {status}\n\n# between\n./A\n./B\n")
    done = joe.deliver()
    assert (done.returncode, done.stdout, done.stderr) == (code, report, b"")
    assert joe.get("seen") == MESSAGE
    assert os.path.exists(joe.file("A")) == (status == 0)
    assert os.path.exists(joe.file("B")) == (status in (0, 1))


def test_condition_crash_and_place(joe):
    joe.put(".qmail", "?kill -9 $$\n./A\n")
    joe.expect(111, b"Aack, child crashed. (#4.3.0)\n")
    joe.put(".qmail", "./A\n?exit 1")  # nothing behind it to skip
    joe.expect(0, b"", rb"did 1\+0\+0\n")
    joe.put(".qmail", "?exit 1\n?exit 100\n./B\n")  # skips a condition, too
    joe.expect(0, b"", rb"did 1\+0\+0\n")
    joe.put(".qmail", "?test \"$EXT\" = x\n&a@b\n|exit 99\n")
    joe.expect(0, b"", rb"did 0\+0\+1\n")
    assert joe.queued() is None


def test_continue(joe):
    joe.put(".qmail", "./A\n?exit 1\n%no\n?true\n%rest\n./never\n")
    joe.put(".qmail-rest", "./B\n%more")
    joe.put(".qmail-more", "&c@d\n")
    joe.expect(0, b"", rb"did 2\+1\+0\nqp \d+\n")
    assert joe.get("A") and joe.get("B") and joe.queued()
    assert not os.path.exists(joe.file("never"))


def test_continue_dry_run(joe):
    joe.put(".qmail", "?exit 1\n%rest\n./A\n%rest\n./never\n")
    joe.put(".qmail-rest", "!lmtp:/run/x\n")
    joe.expect(0, b"", rb"condition exit 1\ncontinue rest\nmbox ./A\n"
               rb"continue rest\nlmtp /run/x\ndid 2\+0\+0\n",
               options=["-n"])


def test_continue_with_nothing_in_it(joe):
    joe.put(".qmail", "%empty\n")
    joe.put(".qmail-empty", "")
    joe.expect(0, b"", rb"did 1\+0\+0\n")
    assert joe.get("Mailbox")


@pytest.mark.parametrize("name,text", [
    ("no", "Uh-oh: .qmail goes on with .qmail-no, which is no file. (#4.2.1)"),
    ("../x", "Uh-oh: .qmail goes on with .qmail-../x, which is no file. "
     "(#4.2.1)"),
    ("loop", "Uh-oh: .qmail files go on with each other for ever. (#4.2.1)"),
    ("open", "Uh-oh: .qmail file is writable. (#4.7.0)"),
    ("blank", "Uh-oh: first line of .qmail file is blank. (#4.2.1)"),
    ("secret", "Unable to open .qmail-secret: access denied. (#4.3.0)"),
    ("exec", "Uh-oh: .qmail has file delivery but has x bit set. (#4.7.0)")])
def test_continue_trouble(joe, name, text):
    joe.put(".qmail-loop", "%loop\n")
    joe.put(".qmail-open", "./A\n", 0o602)
    joe.put(".qmail-blank", "\n./A\n")
    joe.put(".qmail-secret", "./A\n", 0)
    joe.put(".qmail-exec", "./A\n", 0o700)
    joe.put(".qmail", f"%{name}\n")
    joe.expect(111, text.encode() + b"\n")
    assert not os.path.exists(joe.file("A"))


def test_forward_only_stays_so_in_the_next_file(joe):
    joe.put(".qmail", "+list\n%rest\n")
    joe.put(".qmail-rest", "./A\n")
    joe.expect(111, b"Uh-oh: .qmail has file delivery but has x bit set. "
               b"(#4.7.0)\n")
    joe.put(".qmail", "+list\n?true\n&a@b\n")
    joe.expect(111, b"Uh-oh: .qmail has prog delivery but has x bit set. "
               b"(#4.7.0)\n")


@pytest.mark.parametrize("line,text", [
    ("!", ".qmail has a line with ! that is not !lmtp:."),
    ("!lmtp /x", ".qmail has a line with ! that is not !lmtp:."),
    ("!lmtp:", ".qmail has an !lmtp: line without a good server and "
     "recipient."),
    ("!lmtp:host", ".qmail has an !lmtp: line without a good server and "
     "recipient."),
    ("!lmtp:/x $HOME", ".qmail has an !lmtp: line without a good server and "
     "recipient.")])
def test_lines_with_a_bang(joe, line, text):
    joe.put(".qmail", line + "\n")
    joe.expect(111, f"Uh-oh: {text} (#4.2.1)\n".encode())


# -- the message -------------------------------------------------------------

LOOPING = (b"This message is looping: it already has my Delivered-To line. "
           b"(#5.4.6)\n")


def test_loop(joe):
    joe.expect(100, LOOPING, stdin=b"X: y\n" + DTLINE + b"\nbody\n")
    joe.expect(100, LOOPING, stdin=b"X: " + b"y" * 70000 + b"\n" + DTLINE)
    joe.expect(0, stdin=b"X: y\n\n" + DTLINE)
    joe.expect(0, stdin=DTLINE.replace(b"joe", b"Joe") + b"\n")
    joe.expect(0, options=["-n"], stdin=DTLINE)


def test_message_is_no_file(joe):
    with subprocess.Popen(["/bin/echo", "x"], stdout=subprocess.PIPE) as p:
        done = subprocess.run(
            [os.path.join(joe.bin, "qmail-local"), *joe.arguments()],
            stdin=p.stdout, capture_output=True, timeout=h.DEADLINE,
            env=joe.environment(), **h.ids_arguments())
    assert (done.returncode, done.stderr) == (
        111, b"Unable to rewind message. (#4.3.0)\n")
    fd = os.open(joe.home, os.O_RDONLY)
    done = subprocess.run(
        [os.path.join(joe.bin, "qmail-local"), *joe.arguments()],
        stdin=fd, capture_output=True, timeout=h.DEADLINE,
        env=joe.environment(), **h.ids_arguments())
    os.close(fd)
    assert (done.returncode, done.stderr) == (
        111, b"Unable to read message: is a directory. (#4.3.0)\n")


@pytest.mark.skipif(SANITIZED, reason="sanitizers need much memory")
def test_memory_does_not_grow_with_the_message(joe):
    joe.maildir()
    joe.put(".qmail", "./Maildir/\n./Mailbox\n|cat >copy\n&a@b\n")

    def limit():
        resource.setrlimit(resource.RLIMIT_DATA, (4 << 20, 4 << 20))

    message = MESSAGE + b"0123456789abcde\n" * (1 << 20)
    joe.expect(0, stdin=message, run={"preexec_fn": limit})
    assert joe.mails() == [RPLINE + DTLINE + message]
    assert joe.get("copy") == message
    assert joe.queued() == DTLINE + message


def test_mbox_locked(locked):
    locked.thread.join()
    assert (locked.done.returncode, locked.done.stderr) == (
        111, b"File has been locked for 30 seconds straight. (#4.3.0)\n")
    assert locked.took > 25
    assert locked.joe.get("Mailbox") == b"old\n\n"
