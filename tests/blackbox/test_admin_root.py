"""What only root can test: separate users, in a private mount namespace with
a password file of its own.  Nothing outside the namespace changes."""
import os
import re
import shutil
import subprocess

import pytest

import home as h

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or
    subprocess.run(["unshare", "-m", "true"], capture_output=True,
                   check=False).returncode != 0,
    reason="needs root and mount namespaces")

(ALIAS, DAEMON, LOG, PASSWD, QUEUE, REMOTE, SEND, JOE, TLS,
 SCAN) = range(61001, 61011)
QMAIL, NOFILES = 61011, 61012


class RootHome:
    """A home as a package installs it, owned by the suite's users."""

    def __init__(self, base, bin_dir):
        self.base, self.path = base, os.path.join(base, "qmail")
        for sub in ("control", "users", "alias"):
            os.makedirs(self.file(sub))
        shutil.copytree(bin_dir, self.file("bin"))
        h.lay_queue(self.file("queue"))
        self.own()
        with open(self.file("control/me"), "w") as f:
            f.write("a.example\n")
        os.makedirs(os.path.join(base, "home/joe"))
        os.chown(os.path.join(base, "home/joe"), JOE, NOFILES)
        self.accounts()

    def file(self, name):
        return os.path.join(self.path, name)

    def own(self):
        for where, dirs, files in os.walk(self.file("queue")):
            for name in [where, *(os.path.join(where, f) for f in files)]:
                rel = os.path.relpath(name, self.file("queue"))
                top = rel.split(os.sep)[0]
                owner = {"tcpto": REMOTE, "sendmutex": SEND,
                         "trigger": SEND}.get(os.path.basename(rel), QUEUE)
                if top in ("info", "local", "remote", "bounce"):
                    owner = SEND
                os.chown(name, owner, QMAIL)
        os.chown(self.file("alias"), ALIAS, QMAIL)
        for program in os.listdir(self.file("bin")):
            os.chown(self.file(f"bin/{program}"), 0, QMAIL)
        os.chown(self.file("bin/qmail-queue"), QUEUE, QMAIL)
        os.chmod(self.file("bin/qmail-queue"), 0o4711)

    def accounts(self):
        shutil.copy("/etc/passwd", os.path.join(self.base, "passwd"))
        shutil.copy("/etc/group", os.path.join(self.base, "group"))
        users = {"alias": (ALIAS, NOFILES, self.file("alias")),
                 "qmaild": (DAEMON, NOFILES, self.path),
                 "qmaill": (LOG, NOFILES, self.path),
                 "qmailp": (PASSWD, NOFILES, self.path),
                 "qmailq": (QUEUE, QMAIL, self.path),
                 "qmailr": (REMOTE, QMAIL, self.path),
                 "qmails": (SEND, QMAIL, self.path),
                 "qmailt": (TLS, NOFILES, self.path),
                 "qmailv": (SCAN, NOFILES, self.path),
                 "testjoe": (JOE, NOFILES, f"{self.base}/home/joe")}
        with open(os.path.join(self.base, "passwd"), "a") as f:
            for name, (uid, gid, where) in users.items():
                f.write(f"{name}:x:{uid}:{gid}::{where}:/bin/sh\n")
        with open(os.path.join(self.base, "group"), "a") as f:
            f.write(f"qmail:x:{QMAIL}:\nnofiles:x:{NOFILES}:\n")

    def run(self, *argv, uid=0):
        script = (f"mount --bind {self.base}/passwd /etc/passwd && "
                  f"mount --bind {self.base}/group /etc/group && "
                  f"exec setpriv --reuid={uid} --regid={NOFILES} "
                  '--clear-groups -- "$@"')
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", script, "sh",
             self.file(f"bin/{argv[0]}"), *argv[1:]],
            capture_output=True, timeout=h.DEADLINE, check=False,
            env={"QMAILHOME": self.path, "PATH": "/usr/sbin:/usr/bin:/bin"})


@pytest.fixture
def root_home(session_dir, bin_dir):
    base = os.path.join(session_dir, "root-home")
    os.mkdir(base)
    yield RootHome(base, bin_dir)
    shutil.rmtree(base)


def fields(*values):
    return "".join(f"{v}\0" for v in values).encode()


@pytest.mark.parametrize("uid", [0, PASSWD])
def test_getpw(root_home, uid):
    joe = ("testjoe", JOE, NOFILES, f"{root_home.base}/home/joe")
    alias = ("alias", ALIAS, NOFILES, root_home.file("alias"), "-")
    expected = {"testjoe": (*joe, "", ""), "TestJoe": (*joe, "", ""),
                "testjoe-A-b": (*joe, "-", "A-b"),
                "testjo": (*alias, "testjo"), "root": (*alias, "root"),
                "root-x": (*alias, "root-x"), "": (*alias, ""),
                "x" * 1000: (*alias, "x" * 1000)}
    for local, want in expected.items():
        done = root_home.run("qmail-getpw", local, uid=uid)
        assert (done.returncode, done.stdout) == (0, fields(*want)), local


def test_getpw_home_of_another(root_home):
    os.chown(f"{root_home.base}/home/joe", 0, 0)
    done = root_home.run("qmail-getpw", "testjoe", uid=PASSWD)
    assert done.stdout == fields("alias", ALIAS, NOFILES,
                                 root_home.file("alias"), "-", "testjoe")


def test_showctl_and_check(root_home):
    shown = root_home.run("qmail-showctl").stdout.decode()
    assert ("user ids: 61001, 61002, 61003, 0, 61004, 61005, 61006, 61007.\n"
            "group ids: 61012, 61011.\n") in shown
    done = root_home.run("qmail-showctl", "--check")
    assert (done.returncode, done.stdout.decode()) == (
        0, f"{root_home.path}: no problems found\n")
    os.chown(root_home.file("queue/todo"), 0, 0)
    os.chmod(root_home.file("bin/qmail-queue"), 0o755)
    os.chmod(root_home.file("control/me"), 0o600)
    done = root_home.run("qmail-showctl", "--check")
    assert done.returncode == 100
    assert done.stdout.decode().splitlines() == [
        "control/me: mode is 0600: not all programs can read it",
        f"queue/todo: owner is uid 0, should be {QUEUE}",
        "bin/qmail-queue: mode is 0755, should be 4711"]
    os.chmod(root_home.file("control/me"), 0o644)
    done = root_home.run("qmail-showctl", "--check", uid=JOE)
    assert done.returncode == 100
    assert "queue/pid: access denied\n" in done.stdout.decode()


LISTENER = """
import socket, subprocess, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/dev/log")
s.settimeout(50)
text = b"one\\n\\nalert: fire\\nwarning: \\x1bsmoke\\n" + b"x" * 1000 + b"\\nlast"
subprocess.run(sys.argv[1:], input=text, check=True, timeout=50)
for _ in range(6):
    print(s.recv(4096).decode())
"""


def test_splogger(bin_dir):
    """Through a /dev/log of the namespace's own."""
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev && exec "$@"',
         "sh", "/usr/bin/python3", "-c", LISTENER,
         os.path.join(bin_dir, "splogger"), "qm", "2"],
        capture_output=True, timeout=h.DEADLINE, check=False, text=True)
    assert done.returncode == 0, done
    lines = done.stdout.splitlines()
    facility = 2 << 3
    found = [re.fullmatch(r"<(\d+)>.* qm: (\d+\.\d{6})([ +])(.*)", x).groups()
             for x in lines]
    assert [(int(p) - facility, sep, text) for p, _, sep, text in found] == [
        (6, " ", "one"), (1, " ", "alert: fire"), (4, " ", "warning: ?smoke"),
        (6, " ", "x" * 799), (6, "+", "x" * 201), (6, " ", "last")]
    assert found[3][1] == found[4][1]
