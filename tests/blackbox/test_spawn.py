"""qmail-lspawn and qmail-rspawn over their pipes."""
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

import home as h
from spawn_driver import Spawner, assign, message, write_cdb

GETPW_TEXT = b"ZTemporary failure in qmail-lspawn.\n"
needs_root = pytest.mark.skipif(not h.ROOT, reason="needs root")


def lspawn(home, default="./Mailbox", **more):
    return Spawner(home, [os.path.join(home.bin, "qmail-lspawn"), default],
                   **more)


def rspawn(home, script=None, env=None, **more):
    """With a shell script in place of qmail-remote."""
    env = dict(env or {})
    if script is not None:
        env["QMAILREMOTE"] = h.write_file(
            home.file("fake-remote"), "#!/bin/sh\n" + script + "\n", 0o755)
    return Spawner(home, [os.path.join(home.bin, "qmail-rspawn")], env=env,
                   **more)


@pytest.fixture
def mail(home):
    """A home with one message in the queue and the user joe in users/cdb."""
    message(home)
    joe = h.make_dirs(home.file("home", "joe"))
    assign(home, {"joe\0": ("joe", h.TEST_UID, h.TEST_GID, joe, "", ""),
                  "joe-": ("joe", h.TEST_UID, h.TEST_GID, joe, "-", "")})
    return home


def dot_qmail(home, name, text):
    h.write_file(home.file("home", "joe", name), text)


# A command that waits for go(), but not for ever.
UNTIL_GO = ("i=0; while [ ! -e go ] && [ $i -lt 2000 ]; do sleep 0.05; "
            "i=$((i + 1)); done")


def go(home):
    h.write_file(home.file("home", "joe", "go"), "")


# -- requests ----------------------------------------------------------------

@pytest.mark.parametrize("start", [lspawn, rspawn])
@pytest.mark.parametrize("number,messid,recipient,report", [
    (120, "1/12", "joe@h", b"ZInternal error: delnum too big. (#4.3.5)\n"),
    (255, "1/12", "joe@h", b"ZInternal error: delnum too big. (#4.3.5)\n"),
    (0, "1/x", "joe@h",
     b"DInternal error: messid has nonnumerics. (#5.3.5)\n"),
    (0, "../1", "joe@h",
     b"DInternal error: messid has nonnumerics. (#5.3.5)\n"),
    (0, "/1/12", "joe@h",
     b"DInternal error: messid has nonnumerics. (#5.3.5)\n"),
    (0, "1" * 101, "joe@h", b"DInternal error: messid too long. (#5.3.5)\n"),
    (0, "1" * 100000, "joe@h",
     b"DInternal error: messid too long. (#5.3.5)\n"),
    (0, "", "joe@h", b"DInternal error: messid too short. (#5.3.5)\n"),
    (0, "1/12", "joe",
     b"DSorry, address must include host name. (#5.1.3)\n"),
    (0, "1/12", "", b"DSorry, address must include host name. (#5.1.3)\n"),
    (0, "1/12", "x" * 100000 + "@h",
     b"Zqmail-spawn out of memory. (#4.3.0)\n"),
    (0, "1/99", "joe@h", b"Zqmail-spawn unable to open message. (#4.3.0)\n"),
    (0, "1" * 100, "joe@h",
     b"Zqmail-spawn unable to open message. (#4.3.0)\n"),
    (0, "1", "joe@h", b"ZSorry, message has wrong type. (#4.3.5)\n")])
def test_wrong_requests(mail, start, number, messid, recipient, report):
    s = start(mail)
    assert s.ask(number, messid=messid, recipient=recipient) == report
    assert s.ask(0, messid="1/x") == (
        b"DInternal error: messid has nonnumerics. (#5.3.5)\n")
    assert s.end() == b""


def test_messages_that_are_no_files(mail):
    os.mkfifo(mail.file("queue", "mess", "1", "13"))
    os.symlink("12", mail.file("queue", "mess", "1", "14"))
    h.own(mail.file("queue", "mess", "1", "13"))
    s = lspawn(mail)
    assert s.ask(messid="1/13") == (
        b"ZSorry, message has wrong type. (#4.3.5)\n")
    assert s.ask(messid="1/14") == (
        b"Zqmail-spawn unable to open message. (#4.3.0)\n")


@needs_root
def test_message_of_somebody_else(mail):
    os.chown(message(mail, "1/15"), h.TEST_UID + 1 & 0xffff, h.TEST_GID)
    assert lspawn(mail).ask(messid="1/15") == (
        b"ZSorry, message has wrong owner. (#4.3.5)\n")


def test_number_in_use(mail):
    dot_qmail(mail, ".qmail", f"|{UNTIL_GO}; echo slow\n")
    s = lspawn(mail)
    s.send(3)
    s.send(3)
    assert s.report() == (3, b"ZInternal error: delnum in use. (#4.3.5)\n")
    go(mail)
    assert s.wait(3) == b"Kslow\ndid 0+0+1\n"
    assert s.ask(3) == b"Kslow\ndid 0+0+1\n"


def test_request_byte_by_byte(mail):
    s = lspawn(mail)
    for byte in s.request(5, "1/12", "s@x", "joe@h"):
        s.write(bytes([byte]))
        time.sleep(0.001)
    assert s.wait(5) == b"Kdid 1+0+0\n"


def test_end_in_the_middle_of_a_request(mail):
    s = lspawn(mail)
    s.write(s.request(5, "1/12", "s@x", "joe@h")[:-1])
    assert s.end() == b""
    assert not os.path.exists(mail.file("home", "joe", "Mailbox"))


def test_end_waits_for_children(mail):
    dot_qmail(mail, ".qmail", "|sleep 1\n")
    s = lspawn(mail)
    for number in range(5):
        s.send(number)
    rest = s.end()
    assert sorted(r[:2] for r in rest.split(b"\0K")) and \
        rest.count(b"did 0+0+1\n\0") == 5


def test_garbage_never_stops_it(mail):
    s = lspawn(mail)
    flood = b"\1\0\0\0" * 50000 + b"\2" + b"9" * 3000000 + b"\0s\0a@b\0"
    feeder = threading.Thread(target=s.write, args=(flood,))
    feeder.start()
    time.sleep(0.3)  # reports pile up, and requests wait
    for _ in range(50000):
        assert s.report() == (
            1, b"DInternal error: messid too short. (#5.3.5)\n")
    assert s.report() == (2, b"DInternal error: messid too long. (#5.3.5)\n")
    feeder.join(h.DEADLINE)
    assert s.ask(1) == b"Kdid 1+0+0\n"


def test_reader_gone(mail):
    dot_qmail(mail, ".qmail", "|sleep 0.5; echo x >>done\n")
    s = lspawn(mail)
    s.send(1)
    s.process.stdout.close()
    h.wait_for(lambda: s.process.poll() is not None, "the end")
    assert s.process.returncode == 0
    assert os.path.exists(mail.file("home", "joe", "done"))


def test_all_slots_at_once(mail):
    """They wait for words from a pipe, which come when all are there."""
    fifo, started = (mail.file("home", "joe", n) for n in ("fifo", "started"))
    os.mkfifo(h.write_file(started, "") and fifo)
    h.own(fifo)
    dot_qmail(mail, ".qmail", "|echo x >>started; read x <fifo\n")
    s = lspawn(mail)
    for number in range(120):
        s.send(number)
    h.wait_for(lambda: os.stat(started).st_size == 240, "all of them")
    with open(fifo, "r+b", buffering=0) as f:
        f.write(b"\n" * 120)
        for number in range(120):
            assert s.wait(number) == b"Kdid 0+0+1\n"
    if h.ROOT:  # who alone may look into our processes
        assert len(os.listdir(f"/proc/{s.process.pid}/fd")) < 10


def test_more_slots_than_a_byte_can_count(mail):
    mail.control("concurrencylocal", "300\n")
    mail.control("concurrencyremote", "65000\n")
    s = lspawn(mail, greeting=b"\0\x2c\1", number_bytes=2)
    assert s.ask(299) == b"Kdid 1+0+0\n"
    assert s.ask(0) == b"Kdid 1+0+0\n"
    assert s.ask(300) == b"ZInternal error: delnum too big. (#4.3.5)\n"
    s = rspawn(mail, script="printf 'r\\0Kok\\n\\0'",
               greeting=b"\0\xe8\xfd", number_bytes=2)
    assert s.ask(64999) == b"Kok\n"


@pytest.mark.parametrize("program", ["qmail-lspawn", "qmail-rspawn"])
def test_no_queue(mail, program):
    shutil.rmtree(mail.file("queue", "mess"))
    done = mail.run(program, *(["./M"] if program == "qmail-lspawn" else []),
                    input=b"")
    assert (done.returncode, done.stdout) == (111, b"")
    assert b"unable to switch to queue/mess" in done.stderr


def test_lspawn_without_instructions(mail):
    assert mail.run("qmail-lspawn").returncode == 100


# -- qmail-lspawn ------------------------------------------------------------

def test_local_delivery(mail):
    s = lspawn(mail)
    assert s.ask(recipient="JOE@h.example", sender="a@b") == b"Kdid 1+0+0\n"
    with open(mail.file("home", "joe", "Mailbox"), "rb") as f:
        text = f.read()
    assert text.startswith(b"From a@b ")
    assert b"Return-Path: <a@b>\nDelivered-To: JOE@h.example\n" in text
    assert s.ask(recipient="joe-x@h") == (
        b"DSorry, no mailbox here by that name. (#5.1.1)\n")
    assert s.end() == b""


def test_arguments_and_environment(mail):
    dot_qmail(mail, ".qmail-foo:bar-default",
              '|echo "$USER $LOCAL $EXT $DEFAULT $HOST $SENDER $KEPT"\n')
    s = lspawn(mail, env={"KEPT": "kept"})
    assert s.ask(recipient="Joe-Foo.Bar-x@a@h.Example", sender="-n") == (
        b"Kjoe Joe-Foo.Bar-x@a Foo.Bar-x@a x@a h.Example -n kept\n"
        b"did 0+0+1\n")


def test_empty_local_part_is_thrown_away(mail):
    assert lspawn(mail).ask(recipient="@h") == b"K"


@pytest.mark.parametrize("script,report", [
    ("exit 100", b"D"), ("echo no; exit 77", b"Dno\n"),
    ("echo later; exit 75", b"Zlater\n"),
    ("printf 'a\\0b'; exit 0", b"Ka"),
    ("kill -9 $PPID; sleep 1", b"Zqmail-local crashed.\n"),
    ("exec >&- 2>&-; sleep 0.3; exit 0", b"Kdid 0+0+1\n")])
def test_reports(mail, script, report):
    dot_qmail(mail, ".qmail", f"|{script}\n")
    assert lspawn(mail).ask() == report


def test_long_report_is_cut(mail):
    dot_qmail(mail, ".qmail", "|yes | tr -d '\\n' | head -c 3000000; exit 100\n")
    s = lspawn(mail)
    assert s.ask() == b"D" + b"y" * 3000 + \
        b"\nError report too long, sorry.\n"
    dot_qmail(mail, ".qmail", "|yes | tr -d '\\n' | head -c 3000; exit 100\n")
    assert s.ask() == b"D" + b"y" * 3000


def test_background_process_does_not_keep_the_slot(mail):
    dot_qmail(mail, ".qmail",
              f"|({UNTIL_GO}; : >late; echo late) & echo early\n")
    s = lspawn(mail)
    assert s.ask() == b"Kearly\ndid 0+0+1\n"
    go(mail)
    h.wait_for(lambda: os.path.exists(mail.file("home", "joe", "late")),
               "the process in the background")


# Says more than anybody can read, until go().
LOUD = """import fcntl, os
fcntl.fcntl(1, 1031, 1 << 20)  # F_SETPIPE_SZ
with open("started", "ab") as f:
    f.write(b"x")
block = bytes(1 << 20)
while not os.path.exists("go"):
    for _ in range(16):
        os.write(1, block)
"""


def test_programs_that_never_stop_talking_hold_up_nobody(mail):
    """Where a descriptor is always ready, a wait hears of no signal."""
    h.write_file(mail.file("home", "joe", "loud"), LOUD)
    dot_qmail(mail, ".qmail-loud", f"|exec {sys.executable} loud\n")
    started = h.write_file(mail.file("home", "joe", "started"), "")
    s = lspawn(mail)
    try:
        for number in range(10, 26):
            s.send(number, recipient="joe-loud@h")
        h.wait_for(lambda: os.stat(started).st_size == 16, "all of them")
        for number in range(5):
            assert s.ask(number, 30) == b"Kdid 1+0+0\n"
        assert s.reports == {}
    finally:
        go(mail)
    for number in range(10, 26):
        assert s.wait(number)[:1] == b"K"


def test_users_cdb_is_reread(mail):
    s = lspawn(mail)
    assert s.ask() == b"Kdid 1+0+0\n"
    new = h.make_dirs(mail.file("home", "new"))
    assign(mail, {"joe\0": ("joe", h.TEST_UID, h.TEST_GID, new, "", "")})
    assert s.ask() == b"Kdid 1+0+0\n"
    assert os.path.exists(os.path.join(new, "Mailbox"))


@pytest.mark.parametrize("records", [
    [(b"!joe\0", b"joe")],  # no empty key
    [(b"", b"-"), (b"!joe\0", b"joe\0x\0y\0/\0\0")],
    [(b"", b"-"), (b"!joe\0", b"joe\x001\x001\0/")]])
def test_broken_users_cdb(mail, records):
    write_cdb(mail.file("users", "cdb"), records)
    assert lspawn(mail).ask() == (
        b"ZTrouble reading users/cdb in qmail-lspawn.\n")


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 2048,
                                     b"\xff" * 5000])
def test_damaged_users_cdb(mail, content):
    h.write_file(mail.file("users", "cdb"), content)
    s = lspawn(mail)
    assert s.ask() == b"ZTrouble reading users/cdb in qmail-lspawn.\n"
    assert s.ask(recipient="@x") == b"K"


def test_root_is_refused(mail):
    assign(mail, {"joe\0": ("joe", 0, 0, "/root", "", "")})
    assert lspawn(mail).ask() == (
        b"ZNot allowed to perform deliveries as root.\n")


def test_without_root_only_own_uid(mail):
    assign(mail, {"joe\0": ("joe", 12345, 12345, "/", "", "")})
    assert lspawn(mail).ask() == (
        b"ZThis mail system runs without root and cannot deliver as another "
        b"user. (#4.3.5)\n")


def test_missing_qmail_local(mail):
    os.unlink(mail.file("bin"))
    s = lspawn(mail)
    assert s.ask() == b"DUnable to run qmail-local.\n"


# -- the look-up process -----------------------------------------------------

def unassigned(mail):
    """Somebody only the password database can know: goes to alias."""
    h.write_file(mail.file("alias", ".qmail-who-default"), "|echo $USER\n")
    return {"recipient": "who-x@h"}


def test_password_database(mail):
    who = unassigned(mail)
    s = lspawn(mail)
    assert s.ask(**who) == b"Kalias\ndid 0+0+1\n"
    os.unlink(mail.file("users", "cdb"))
    assert s.ask(**who) == b"Kalias\ndid 0+0+1\n"
    assert s.ask(recipient="Some.Body@h") == (
        b"DSorry, no mailbox here by that name. (#5.1.1)\n")
    assert s.ask(recipient="-" * 1000 + "@h") == (
        b"DSorry, no mailbox here by that name. (#5.1.1)\n")


def test_slow_look_up_stops_nobody_else(mail):
    who = unassigned(mail)
    s = lspawn(mail)
    child, = s.children()
    os.kill(child, signal.SIGSTOP)
    try:
        for number in range(1, 4):
            s.send(number, **who)
        assert s.ask(0) == b"Kdid 1+0+0\n"
        assert s.reports == {}
    finally:
        os.kill(child, signal.SIGCONT)
    for number in range(1, 4):
        assert s.wait(number) == b"Kalias\ndid 0+0+1\n"


def test_look_up_process_dies(mail):
    who = unassigned(mail)
    s = lspawn(mail)
    child, = s.children()
    os.kill(child, signal.SIGKILL)  # while nobody asks
    h.wait_for(lambda: child not in s.children(), "the end of the process")
    assert s.ask(**who) == b"Kalias\ndid 0+0+1\n"
    child, = s.children()
    os.kill(child, signal.SIGSTOP)
    s.send(1, **who)
    s.send(2, **who)
    assert s.ask(0) == b"Kdid 1+0+0\n"  # so those before it were taken
    os.kill(child, signal.SIGKILL)
    assert s.wait(1) == GETPW_TEXT
    assert s.wait(2) == b"Kalias\ndid 0+0+1\n"
    assert s.end() == b""


def test_look_up_process_holds_nothing(mail):
    """Neither the pipes nor open messages; and it does not outlive us."""
    who = unassigned(mail)
    s = lspawn(mail)
    child, = s.children()
    os.kill(child, signal.SIGKILL)
    h.wait_for(lambda: child not in s.children(), "the end of the process")
    s.send(0)
    assert s.ask(1, **who) == b"Kalias\ndid 0+0+1\n"
    assert s.wait(0) == b"Kdid 1+0+0\n"
    child, = s.children()
    if h.ROOT:  # who alone may look into our processes
        names = [os.readlink(f"/proc/{child}/fd/{fd}")
                 for fd in os.listdir(f"/proc/{child}/fd")]
        assert sum(n.startswith("socket:") for n in names) == 1
        assert not [n for n in names if "mess" in n]
        assert len(names) == 4, names
    s.process.kill()
    s.process.wait(h.DEADLINE)
    h.wait_for(lambda: not os.path.exists(f"/proc/{child}"),
               "the end of the look-up process")


@pytest.mark.skipif(not os.environ.get("SLOW"), reason="takes a minute")
def test_look_up_takes_too_long(mail):
    who = unassigned(mail)
    s = lspawn(mail)
    child, = s.children()
    os.kill(child, signal.SIGSTOP)
    begin = time.monotonic()
    s.send(1, **who)
    time.sleep(5)
    s.send(2, **who)
    assert s.wait(1, 70) == GETPW_TEXT
    assert 55 < time.monotonic() - begin < 65
    assert s.wait(2) == b"Kalias\ndid 0+0+1\n"
    assert child not in s.children()


# -- kill -9 -----------------------------------------------------------------

def test_killed_spawner_leaves_deliveries_alone(mail):
    dot_qmail(mail, ".qmail", f"|: >started; {UNTIL_GO}\n./Mailbox\n")
    s = lspawn(mail)
    s.send(1)
    h.wait_for(lambda: os.path.exists(mail.file("home", "joe", "started")),
               "the command")
    s.process.kill()
    s.process.wait(h.DEADLINE)
    go(mail)
    h.wait_for(lambda: os.path.exists(mail.file("home", "joe", "Mailbox")),
               "the delivery")


def test_killed_qmail_local_is_deferred(mail):
    dot_qmail(mail, ".qmail", "|echo started; exec sleep 5\n")
    s = lspawn(mail)
    lookup, = s.children()
    s.send(1)
    pid = h.wait_for(lambda: [p for p in s.children() if p != lookup],
                     "qmail-local")[0]
    time.sleep(0.2)
    os.kill(pid, signal.SIGKILL)
    assert s.wait(1) == b"Zqmail-local crashed.\n"


# -- as root -----------------------------------------------------------------

PASSWD = """root:x:0:0::/root:/bin/sh
alias:x:30010:30010::{home}/alias:/bin/sh
qmailp:x:30011:30012::/:/bin/false
qmailq:x:{uid}:{gid}::/:/bin/false
walter:x:30013:30013::{home}/home/walter:/bin/sh
toor:x:0:0::/root:/bin/sh
liar:x:30014:30014::{home}/home/walter:/bin/sh
"""
GROUP = "root:x:0:\nnofiles:x:30012:\n"


@pytest.fixture
def rooted(mail):
    """qmail-lspawn as root, with accounts of its own."""
    if not h.ROOT or subprocess.run(
            ["unshare", "-m", "true"], capture_output=True).returncode != 0:
        pytest.skip("needs root and mount namespaces")
    passwd = h.write_file(mail.file("passwd"), PASSWD.format(
        home=mail.path, uid=h.TEST_UID, gid=h.TEST_GID))
    group = h.write_file(mail.file("group"), GROUP)
    for name, uid in (("walter", 30013), ("bob", 30020)):
        os.chown(h.make_dirs(mail.file("home", name)), uid, uid)
    os.chown(mail.file("alias"), 30010, 30010)
    bob = mail.file("home", "bob")
    assign(mail, {
        "bob\0": ("bob", 30020, 30021, bob, "", ""),
        "root\0": ("root", 0, 30021, bob, "", "")})
    return mail, Spawner(mail, [
        "unshare", "-m", "sh", "-c",
        f"mount --bind {passwd} /etc/passwd && "
        f"mount --bind {group} /etc/group && "
        'exec "$@"', "sh", os.path.join(mail.bin, "qmail-lspawn"),
        "|id -u; id -g; id -G"], ids={})


def test_root_assigned(rooted):
    _, s = rooted
    assert s.ask(recipient="bob@h") == \
        b"K30020\n30021\n30021\ndid 0+0+1\n"
    assert s.ask(recipient="root@h") == \
        b"ZNot allowed to perform deliveries as root.\n"


def test_root_password_database(rooted):
    home, s = rooted
    assert s.ask(recipient="Walter@h") == \
        b"K30013\n30013\n30013\ndid 0+0+1\n"
    # uid 0 and homes of others are passed over; alias takes what is left.
    h.write_file(home.file("alias", ".qmail-default"), "|id -u\n")
    for name in ("toor", "liar", "nobody-we-know"):
        assert s.ask(recipient=name + "@h") == b"K30010\ndid 0+0+1\n"


def test_root_look_up_process_has_no_rights(rooted):
    _, s = rooted
    assert s.ask(recipient="bob@h").startswith(b"K")
    child, = s.children()
    with open(f"/proc/{child}/status") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f
                      if ":\t" in line)
    assert set(status["Uid"].split()) == {"30011"}
    assert set(status["Gid"].split()) == {"30012"}
    assert status["Groups"].split() == ["30012"]
    assert int(status["CapEff"], 16) == 0


@needs_root
def test_root_without_accounts(mail):
    done = subprocess.run(
        [os.path.join(mail.bin, "qmail-lspawn"), "./M"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=h.DEADLINE,
        env=mail.environment())
    if done.returncode == 0:
        pytest.skip("this machine has the accounts")
    assert done.returncode == 111
    assert b"fatal: unable to find user qmailp" in done.stderr


# -- qmail-rspawn ------------------------------------------------------------

@pytest.mark.parametrize("output,report", [
    (r"r\0Kok\n\0", b"Kok\n"), (r"hbad\n\0Dgiving\n\0", b"Dbad\ngiving\n"),
    (r"slater\n\0Dgiving\n\0", b"Zlater\ngiving\n"), ("Kx", b"D"),
    (r"Zno\n\0", b"Zno\n"), (r"hno\n\0Kok\n\0", b"Dno\n"),
    ("", b"Zqmail-remote produced no output.\n")])
def test_remote_output(mail, output, report):
    assert rspawn(mail, script=f"printf '{output}'").ask() == report


@pytest.mark.parametrize("script,report", [
    ("printf 'r\\0Kok\\n\\0'; exit 111", b"ZUnable to run qmail-remote.\n"),
    ("exit 1", b"DUnable to run qmail-remote.\n"),
    ("kill -9 $$", b"Zqmail-remote crashed.\n"),
    ("printf r; head -c 1000000 /dev/zero | tr '\\0' x", b"Z"),
    ("printf 'r\\0K'; head -c 9000 /dev/zero | tr '\\0' x; printf '\\0'",
     b"K" + b"x" * 9000)])
def test_remote_exits_and_floods(mail, script, report):
    assert rspawn(mail, script=script).ask() == report


def test_remote_arguments_and_message(mail):
    s = rspawn(mail, script="printf 'r\\0K'; printf '%s|' \"$#\" \"$@\"; "
               "cat; printf '\\0'")
    assert s.ask(recipient='a b"@x@h.example', sender="") == (
        b'K3|h.example||a b"@x@h.example|Subject: x\n\nbody\n')


def test_remote_by_path(mail):
    where = h.make_dirs(mail.file("first"))
    h.write_file(os.path.join(where, "qmail-remote"),
                 "#!/bin/sh\nprintf 'r\\0Kby path\\n\\0'\n", 0o755)
    s = rspawn(mail, env={"PATH": where + ":/usr/bin:/bin"})
    assert s.ask() == b"Kby path\n"
    s = rspawn(mail, env={"PATH": "/nowhere"})
    assert s.ask() == b"DUnable to run qmail-remote.\n"


def test_rspawn_clears_tcpto(mail):
    path = h.write_file(mail.file("queue", "lock", "tcpto"), b"\1" * 1024)
    rspawn(mail).end()
    with open(path, "rb") as f:
        assert f.read() == bytes(1024)
    os.unlink(path)
    assert rspawn(mail).end() == b""
