"""qpasswd, checkqpasswd, multicheckpw and checkpassword by themselves."""
import os
import pty
import shutil
import stat
import subprocess
import termios
from concurrent.futures import ThreadPoolExecutor

import pytest

from auth_home import HASHED, PASSWORDS, add_logins
from home import (DEADLINE, ROOT, TEST_GID, TEST_UID, make_dirs, wait_for,
                  write_file)
from test_pop3_login import holds

JOE = PASSWORDS["joe"]


def check(home, program, login, password, *prog, sasl=None):
    """A checker with descriptor 3, as a server starts it."""
    argv = [*program.split(), *(prog or ("sh", "-c", "exit 0"))]
    return home.run_shell(argv, f"{login}\0{password}\0\0".encode(), sasl)


@pytest.fixture
def home(home):
    def run_shell(argv, data, sasl=None):
        reading, writing = os.pipe()
        os.write(writing, data)
        os.close(writing)
        try:
            return subprocess.run(
                ["sh", "-c", 'exec 3<&0 </dev/null; exec "$@"', "sh", *argv],
                stdin=reading, capture_output=True, timeout=DEADLINE,
                cwd=home.path, env=home.environment(SASL=sasl),
                **({"user": TEST_UID, "group": TEST_GID, "extra_groups": []}
                   if ROOT else {}))
        finally:
            os.close(reading)

    home.run_shell = run_shell
    return home


def qpasswd(home, *args, password=None, code=0):
    done = home.run("qpasswd", *args,
                    input=None if password is None else password + "\n")
    assert done.returncode == code, done
    return done.stdout.decode() + done.stderr.decode()


def test_users_come_change_and_go(home):
    base = home.file("virtual")
    qpasswd(home, "-a", "joe", password="x", code=100)
    qpasswd(home, "-n", base, TEST_UID, TEST_GID)
    assert "already" in qpasswd(home, "-n", base, TEST_UID, TEST_GID, code=100)
    qpasswd(home, "-a", "joe", password="first one")
    qpasswd(home, "-a", "-s", base, "jane@a.example", "a.example/jane",
            password="hers")
    assert qpasswd(home, "-l") == "joe\njane@a.example\n"
    assert "already" in qpasswd(home, "-a", "joe", password="x", code=100)
    maildir = os.path.join(base, "a.example/jane/Maildir")
    assert sorted(os.listdir(maildir)) == ["cur", "new", "tmp"]
    for path, mode in ((home.file("users/qpasswd"), 0o600),
                       (os.path.join(base, "joe/.qpasswd"), 0o600),
                       (os.path.join(base, "joe"), 0o700), (maildir, 0o700)):
        assert stat.S_IMODE(os.stat(path).st_mode) == mode, path

    def good(login, password):
        return check(home, "checkqpasswd", login, password).returncode == 0

    assert good("joe", "first one") and good("jane@a.example", "hers")
    assert not good("joe", "hers") and not good("joe", "")
    qpasswd(home, "-k", "joe", password="second")
    assert good("joe", "first one") and good("joe", "second")
    qpasswd(home, "joe", password="third")
    assert good("joe", "third") and not good("joe", "second")
    for bad in ("", "a\tb", "x" * 201):
        qpasswd(home, "joe", password=bad, code=100)
    assert good("joe", "third")
    assert "left in" in qpasswd(home, "-d", "joe")
    assert not good("joe", "third") and good("jane@a.example", "hers")
    assert os.path.isdir(os.path.join(base, "joe/Maildir"))
    assert "no user joe" in qpasswd(home, "-d", "joe", code=100)
    assert "no user eve" in qpasswd(home, "eve", password="x", code=100)
    assert "usage" in qpasswd(home, "-a", "-d", "x", code=100)


@pytest.mark.parametrize("typed", [b"a\x03", b"a\x1c", b"a\x01\n",
                                   b"a" * 201 + b"\n"])
def test_terminal_shows_again_what_is_typed(home, typed):
    """However the question for a password ends."""
    add_logins(home)
    ours, theirs = pty.openpty()
    process = home.spawn(["setsid", "-c", "-w",
                          os.path.join(home.bin, "qpasswd"), "joe"],
                         stdin=theirs, stdout=theirs, stderr=theirs)
    try:
        def echoes():
            return bool(termios.tcgetattr(ours)[3] & termios.ECHO)

        wait_for(lambda: not echoes(), "the question")
        os.write(ours, typed)
        assert process.wait(DEADLINE) != 0 and echoes()
        assert qpasswd_of(home, "joe") == f"second of joe\n{JOE}\n"
    finally:
        os.close(ours)
        os.close(theirs)


def qpasswd_of(home, login):
    with open(home.file("virtual", login, ".qpasswd")) as f:
        return f.read()


def test_many_at_a_time_lose_nobody(home):
    qpasswd(home, "-n", home.file("virtual"), TEST_UID, TEST_GID)
    names = [f"u{i}" for i in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: qpasswd(home, "-a", n, password=n), names))
    assert sorted(qpasswd(home, "-l").split()) == sorted(names)


def test_next_program_runs_as_the_user_at_home(home):
    add_logins(home)
    done = check(home, "checkqpasswd", "joe", JOE, "sh", "-c",
                 'echo "$USER:$HOME:$SHELL:$(pwd):$(id -u)"; '
                 "[ ! -e /proc/self/fd/3 ]")
    where = home.file("virtual/joe")
    assert done.stdout.decode() == (
        f"joe:{where}:/bin/false:{where}:{TEST_UID}\n")
    assert done.returncode == 0


def test_what_others_can_read_is_not_used(home):
    add_logins(home)
    secrets = home.file("virtual/joe/.qpasswd")
    users = home.file("users/qpasswd")
    for path in (secrets, users):
        for mode in (0o604, 0o620, 0o602):
            os.chmod(path, mode)
            done = check(home, "checkqpasswd", "joe", JOE)
            assert done.returncode == 111, done
            assert b"closed to others" in done.stderr
        os.chmod(path, 0o640)
        assert check(home, "checkqpasswd", "joe", JOE).returncode == 0
    os.rename(secrets, secrets + ".real")
    assert check(home, "checkqpasswd", "joe", JOE).returncode == 1
    os.symlink(secrets + ".real", secrets)
    assert check(home, "checkqpasswd", "joe", JOE).returncode == 111
    with open(users, "a") as f:
        f.write("nonsense\n")
    done = check(home, "checkqpasswd", "last", PASSWORDS["last"])
    assert done.returncode == 111 and b"line 5: makes no sense" in done.stderr
    write_file(users, f"[{home.file('virtual')}:1:1]\njoe:joe\n", 0o600)
    done = check(home, "checkqpasswd", "joe", JOE)
    assert done.returncode == 111 and b"must have uid" in done.stderr
    os.unlink(users)
    assert check(home, "checkqpasswd", "joe", JOE).returncode == 1


def test_checkers_refuse_misuse(home):
    add_logins(home)
    for program in ("checkqpasswd", "checkpassword",
                    "multicheckpw 1 checkqpasswd"):
        for data in (b"", b"joe", b"joe\0x\0", b"\0x\0\0",
                     b"joe\0" + b"x" * 600 + b"\0\0"):
            done = home.run_shell([*program.split(), "true"], data)
            assert done.returncode == 2, (program, data, done)
        assert check(home, program, "joe", JOE, "true",
                     sasl="gssapi").returncode == 1
    for args in ("", "1", "1 true", "x true", "17 true", "-1 true"):
        done = home.run_shell(["multicheckpw", *args.split()], b"a\0b\0\0")
        assert done.returncode == 2, (args, done)
    for sasl in ("cram-md5", "digest-md5", "scram-sha-256", "apop"):
        assert check(home, "checkpassword", *HASHED, "true",
                     sasl=sasl).returncode == 1


def test_multicheckpw_asks_until_one_accepts(home):
    add_logins(home)
    both = "multicheckpw 2 checkqpasswd checkpassword"
    for login, password, code in (("joe", JOE, 7), HASHED + (7,),
                                  ("joe", "wrong", 1), ("eve", JOE, 1)):
        # Also a program that ends with 1 was run, and only once.
        for end in {code, 1}:
            mark = home.file("mark")
            done = check(home, both, login, password, "sh", "-c",
                         f"echo $USER >> {mark}; exit {end}")
            assert done.returncode == (end if code == 7 else 1), done
            if code == 7:
                with open(mark) as f:
                    assert f.read() == f"{login}\n"
                os.unlink(mark)
            else:
                assert not os.path.exists(mark)
        assert check(home, both, login, password,
                     "true").returncode == (0 if code == 7 else 1)
    # One that fails for now is no refusal, unless another accepts.
    os.unlink(home.file("users", "poppasswd"))
    assert check(home, both, "joe", JOE, "true").returncode == 0
    assert check(home, both, "joe", "wrong", "true").returncode == 111
    swapped = "multicheckpw 2 checkpassword checkqpasswd"
    assert check(home, swapped, "joe", JOE, "true").returncode == 0
    assert check(home, swapped, "joe", "wrong", "true").returncode == 111
    done = check(home, "multicheckpw 2 no-such-program checkqpasswd", "joe",
                 JOE, "true")
    assert done.returncode == 0, done


@pytest.mark.skipif(not ROOT, reason="needs root to read memory")
def test_multicheckpw_forgets_what_was_right(home):
    """Not when prog ends, which may be hours later."""
    add_logins(home, {"joe": "rosebud-8e1f-rosebud"})
    mark, go = home.file("mark"), home.file("go")
    with ThreadPoolExecutor(1) as pool:
        session = pool.submit(
            check, home, "multicheckpw 2 checkqpasswd checkpassword", "joe",
            "rosebud-8e1f-rosebud", "sh", "-c",
            f"echo $PPID > {mark}.new; mv {mark}.new {mark}; "
            f"while [ ! -e {go} ]; do sleep 0.05; done; exit 7")
        try:
            with wait_for(lambda: open(mark), "the program") as f:
                pid = int(f.read())
            with open(f"/proc/{pid}/comm") as f:
                assert f.read() == "multicheckpw\n"
            wait_for(lambda: not holds(pid, b"rosebud-8e1f-rosebud"),
                     "the password to be wiped", 20)
        finally:
            write_file(go, "")
        assert session.result().returncode == 7


AS_ROOT = """
mount --bind "$1/etc" /etc
exec setpriv --reuid=65534 --regid=65534 --clear-groups \
    sh -c 'exec 3<&0 </dev/null; exec "$@"' sh "$1/checkqpasswd" \
    sh -c 'id -u; id -g; id -G; grep -E "^(Uid|Gid|CapPrm)" /proc/self/status;
    cat /etc/shadow'
"""


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_setuid_checker_keeps_no_rights(scratch, bin_dir):
    """As for qmail-smtpd: setuid root, asked by a user without rights."""
    if os.statvfs(scratch).f_flag & os.ST_NOSUID or subprocess.run(
            ["unshare", "-m", "mount", "--bind", scratch, scratch],
            capture_output=True).returncode != 0:
        pytest.skip("no setuid programs or no mounts here")
    etc = make_dirs(os.path.join(scratch, "etc"))
    for name in ("passwd", "group"):
        shutil.copy("/etc/" + name, etc)
    program = shutil.copy(os.path.join(bin_dir, "checkqpasswd"), scratch)
    os.chown(program, 0, 0)
    os.chmod(program, 0o4711)
    os.chown(scratch, 0, 0)
    home = make_dirs(os.path.join(scratch, "v"), 0o755)
    joe = make_dirs(os.path.join(home, "joe"), 0o700)
    secrets = write_file(os.path.join(joe, ".qpasswd"), "secret\n", 0o600)
    for path in (joe, secrets):
        os.chown(path, 4711, 4712)
    for name in ("qpasswd", "shadow"):
        path = write_file(os.path.join(etc, name),
                          f"[{home}:4711:4712]\njoe:joe\n", 0o600)
        os.chown(path, 0, 0)

    def ask(password):
        return subprocess.run(
            ["unshare", "-m", "sh", "-ec", AS_ROOT, "sh", scratch],
            input=f"joe\0{password}\0\0".encode(), capture_output=True,
            timeout=DEADLINE, cwd="/", env={"PATH": "/usr/bin:/bin:/sbin",
                                            "QMAILHOME": "/nonexistent"})

    done = ask("secret")
    lines = done.stdout.decode().split("\n")
    assert lines[:3] == ["4711", "4712", "4712"], done
    assert "Uid:\t" + "\t".join(["4711"] * 4) in lines, lines
    assert "CapPrm:\t0000000000000000" in lines
    assert done.returncode == 1 and b"Permission denied" in done.stderr
    done = ask("wrong")
    assert (done.returncode, done.stdout) == (1, b"")
