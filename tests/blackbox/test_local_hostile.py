"""Local delivery when something is wrong: kept or bounced, never dropped."""
import os
import signal
import subprocess

import pytest

import home as h
from local_user import MESSAGE, SANITIZED, STRACE, LocalUser

needs_strace = pytest.mark.skipif(
    STRACE is None or SANITIZED, reason="needs strace, no sanitizer")
DTLINE = b"Delivered-To: joe@h.example\n"
WHOLE = b"Return-Path: <s@r.example>\n" + DTLINE + MESSAGE


@pytest.fixture
def joe(scratch, bin_dir):
    return LocalUser(scratch, bin_dir)


def listed(joe, *sub):
    return sorted(os.listdir(os.path.join(joe.file("Maildir"), *sub)))


# -- failures at every step ---------------------------------------------------

@needs_strace
@pytest.mark.parametrize("errno,quota", [
    ("ENOSPC", False), ("EDQUOT", True), ("EIO", True), ("ESTALE", False)])
def test_maildir_at_every_step(joe, errno, quota):
    """Success means a whole message in new/; failure means nothing at all,
    and full disks and quotas differ."""
    joe.maildir()
    codes = set()
    for call in ("openat", "write", "fsync", "close", "renameat2",
                 "getdents64"):
        for n in range(1, 6):
            if quota:
                joe.put("Maildir/maildirsize", b"100000S\n")
            done = joe.deliver(
                default="./Maildir/",
                before=joe.inject(f"{call}:error={errno}:when={n}"))
            assert done.returncode in (0, 100, 111), done
            assert (done.stderr == b"") == (done.returncode == 0), done
            codes.add(done.returncode)
            if done.returncode == 0:
                mails = joe.mails()
                assert mails and set(mails) == {WHOLE}, (call, n)
                for name in listed(joe, "new"):
                    os.unlink(joe.file("Maildir/new/" + name))
            assert listed(joe, "new") == [] and listed(joe, "tmp") == []
            if done.returncode == 100:
                assert b"(#5.2.2)" in done.stderr
    assert codes == ({0, 100, 111} if errno == "EDQUOT" else {0, 111})


@needs_strace
def test_mbox_at_every_step(joe):
    for call in ("openat", "open", "write", "fsync", "close", "fstat"):
        for n in range(1, 5):
            joe.put("Mailbox", b"old\n\n")
            done = joe.deliver(
                before=joe.inject(f"{call}:error=ENOSPC:when={n}"))
            assert done.returncode in (0, 111), done
            text = joe.get("Mailbox")
            assert text.startswith(b"old\n\n")
            assert (text == b"old\n\n") == (done.returncode == 111), (call, n)
            assert done.returncode == 111 or text.endswith(MESSAGE + b"\n")


@needs_strace
@pytest.mark.parametrize("call", ["write", "fsync", "renameat2", "openat"])
def test_slow_file_system(joe, call):
    """As over a network: late, but whole, and once."""
    joe.maildir()
    joe.expect(0, default="./Maildir/",
               before=joe.inject(f"{call}:delay_enter=150000"))
    assert joe.mails() == [WHOLE]


@needs_strace
def test_hanging_file_system_has_an_end(joe):
    """The alarm of 24 hours, sent early."""
    joe.maildir()
    done = joe.deliver(
        default="./Maildir/",
        before=joe.inject("fsync:signal=SIGALRM:when=1"))
    assert (done.returncode, done.stderr) == (
        111, b"Timeout on maildir delivery. (#4.3.0)\n")
    assert listed(joe, "new") == []


@needs_strace
def test_killed_at_every_step(joe):
    """What is in new/ is whole, whenever it was killed."""
    joe.maildir()
    for call in ("write", "fsync", "close", "renameat2"):
        for n in range(1, 4):
            joe.deliver(default="./Maildir/", before=joe.inject(
                f"{call}:signal=SIGKILL:when={n}"))
            for name in listed(joe, "new"):
                assert joe.get("Maildir/new/" + name) == WHOLE


@pytest.mark.skipif(not h.ROOT or SANITIZED, reason="needs root: mounts")
@pytest.mark.parametrize("options", ["size=64k", "nr_inodes=6"])
@pytest.mark.parametrize("default", ["./Maildir/", "./new/Mailbox"])
def test_really_full(joe, options, default):
    """A file system without room for data, or for one more file."""
    message = h.write_file(os.path.join(joe.scratch, "m"),
                           MESSAGE + b"x" * 100000)
    inner = " ".join(
        [f"'{a}'" for a in joe.arguments(default=default)])
    script = (
        f"mount -t tmpfs -o {options},mode=755 t '{joe.home}' && "
        f"cd '{joe.home}' && mkdir Maildir Maildir/tmp Maildir/new new && "
        "{ mkdir Maildir/cur; touch fill; } 2>/dev/null; "
        f"chown -R {h.TEST_UID}:{h.TEST_GID} . && "
        f"setpriv --reuid {h.TEST_UID} --regid {h.TEST_GID} --clear-groups "
        f"'{joe.bin}/qmail-local' -- {inner} < '{message}'; echo $?; "
        "find Maildir/tmp Maildir/new -type f; "
        "test ! -s new/Mailbox || echo left")
    done = subprocess.run(["unshare", "-m", "sh", "-c", script],
                          capture_output=True, timeout=h.DEADLINE,
                          env=joe.environment())
    if b"unshare" in done.stderr or b"mount" in done.stderr:
        pytest.skip("may not mount")
    assert done.stdout == b"111\n", done
    if default.endswith("x"):
        assert b"out of disk space" in done.stderr
    else:
        assert done.stderr == (
            b"Temporary error on maildir delivery. (#4.3.0)\n")


# -- programs -----------------------------------------------------------------

def test_every_exit_code(joe):
    permanent = {100, 64, 65, 70, 76, 77, 78, 112}
    for code in (*range(0, 130, 3), 64, 65, 70, 76, 77, 78, 100, 112, 255):
        joe.put(".qmail", f"|exit {code}\n")
        done = joe.deliver()
        assert done.returncode == (
            0 if code in (0, 99) else 100 if code in permanent else 111), code


def test_programs_that_fork_and_talk(home):
    """A child left in the background keeps neither the delivery nor the
    report open for ever; a flood of words is cut."""
    joe = home.add_user("joe", "|(while [ ! -e go ]; do sleep 0.1; done; "
                        "echo late) & echo now\n")
    home.add_user("loud", "|yes word | head -c 300000; exit 0\n./Maildir/\n")
    home.add_user("deaf", "|exec 0<&-; exec true\n./Maildir/\n")
    home.start()
    for name in ("joe", "loud", "deaf"):
        home.inject("Subject: x\n\n" + "y\n" * 50000, "-a", "-fs@x.example",
                    f"{name}@a.example")
    home.wait_log("success: now/did_0+0+1/")
    h.wait_for(lambda: home.user_messages("loud") and
               home.user_messages("deaf"), "both messages")
    home.wait_log("Error_report_too_long,_sorry.")
    h.write_file(os.path.join(joe, "go"), "")


# -- homes and files: nothing is lost meanwhile -------------------------------

def test_deferred_until_mended(home):
    """Homes, .qmail files and Maildirs in a state that mail must wait for;
    mended, every message arrives, once."""
    def path(name, *more):
        return home.file("home", name, *more)

    for name in ("sticky", "writable", "locked", "open", "notmp", "noread",
                 "gone", "blank", "nofile"):
        home.add_user(name)
    os.chmod(path("sticky"), 0o1755)
    os.chmod(path("writable"), 0o777)
    os.chmod(path("locked"), 0o000)
    h.write_file(path("open", ".qmail"), "./Maildir/\n", 0o666)
    os.rmdir(path("notmp", "Maildir", "tmp"))
    h.write_file(path("noread", ".qmail"), "./Maildir/\n", 0o000)
    os.rename(path("gone"), path("away"))
    h.write_file(path("blank", ".qmail"), "\n./Maildir/\n")
    h.write_file(path("nofile", ".qmail"), "%other\n")
    names = ["sticky", "writable", "locked", "open", "notmp", "noread", "gone",
             "blank", "nofile"]
    home.control("concurrencylocal", "20\n")
    home.start()
    for name in names:
        assert home.inject("Subject: x\n\nbody\n", "-a", "-fs@x.example",
                           f"{name}@a.example").returncode == 0
    h.wait_for(lambda: home.log().count(": deferral: ") == len(names),
               "all deferred:\n" + home.log())
    assert len([f for f in home.queue_files() if f.startswith("mess/")]) == \
        len(names)
    for name in names:
        if os.path.exists(path(name)):
            os.chmod(path(name), 0o755)
    os.chmod(path("open", ".qmail"), 0o600)
    h.make_dirs(path("notmp", "Maildir", "tmp"), 0o700)
    os.chmod(path("noread", ".qmail"), 0o600)
    os.rename(path("away"), path("gone"))
    h.write_file(path("blank", ".qmail"), "./Maildir/\n")
    h.write_file(path("nofile", ".qmail-other"), "./Maildir/\n")
    home.send.send_signal(signal.SIGALRM)
    home.wait_empty()
    for name in names:
        assert len(home.user_messages(name)) == 1, name


def test_forwards_in_a_circle(home):
    home.add_user("one", "&two@a.example\n")
    home.add_user("two", "&one@a.example\n")
    home.add_user("sender")
    home.start()
    home.inject("Subject: x\n\nbody\n", "-a", "-fsender@a.example",
                "one@a.example")
    h.wait_for(lambda: home.user_messages("sender"), "the bounce")
    home.wait_empty()
    bounce, = home.user_messages("sender")
    assert b"This message is looping" in bounce
