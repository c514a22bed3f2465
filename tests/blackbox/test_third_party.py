"""Other people's programs as lines of .qmail files: the real ones.

Where a program has a path compiled in, the server runs in a mount namespace
in which that path is ours; that needs root.
"""
import os
import pwd
import re
import shutil
import subprocess
import sys

import pytest

import home as h

MESSAGE = ("From: Ann <ann@a.example>\nTo: %s@a.example\nSubject: %s\n\n"
           "From the body\n.\nlast\n")
SANITIZED = bool(os.environ.get("SANITIZE"))


def need(*names):
    return pytest.mark.skipif(
        not all(shutil.which(n) for n in names), reason=f"needs {names}")


def can_mount():
    return h.ROOT and subprocess.run(
        ["unshare", "-m", "true"], capture_output=True).returncode == 0


needs_mount = pytest.mark.skipif(not can_mount(), reason="needs root, mounts")


def start_mounted(home, *pairs):
    """qmail-start where target, a path of the system, is ours."""
    binds = " && ".join(f"mount --bind '{ours}' '{target}'"
                        for ours, target in pairs)
    with open(home.log_path, "ab") as log:
        os.chmod(home.log_path, 0o644)
        home.processes.append(subprocess.Popen(
            ["unshare", "-m", "sh", "-c", f"{binds} && exec setpriv "
             f"--reuid {h.TEST_UID} --regid {h.TEST_GID} --clear-groups "
             f"{home.bin}/qmail-start ./Maildir/"], cwd=home.path,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=home.environment()))
    home.send = home.processes[-1]
    home.wait_log("status: local")


def start_at_home(home, path):
    """For programs that ask the password file for their home."""
    name = pwd.getpwuid(h.TEST_UID).pw_name
    with open("/etc/passwd") as f:
        lines = [f"{name}:x:{h.TEST_UID}:{h.TEST_GID}::{path}:/bin/sh\n"
                 if line.startswith(name + ":") else line for line in f]
    passwd = h.write_file(home.file("passwd"), "".join(lines))
    start_mounted(home, (passwd, "/etc/passwd"))


def user(home, name, dot_qmail, **files):
    path = home.add_user(name, dot_qmail)
    for file, text in files.items():
        h.write_file(os.path.join(path, file.replace("dot_", ".")), text,
                     0o600)
    return path


def send(home, name, subject="x", sender="ann@a.example"):
    done = home.inject(MESSAGE % (name, subject), "-a", "-f" + sender,
                       f"{name}@a.example")
    assert done.returncode == 0, done


def wait_mail(home, name, count, sub=""):
    where = home.file("home", name, "Maildir", sub)
    h.wait_for(lambda: len(home.messages(where)) >= count,
               f"{count} for {name}; log:\n{home.log()}")
    return home.messages(where)


@needs_mount
@need("procmail")
def test_procmail(home):
    """Filing, dropping, deferring and bouncing, by its own exit codes."""
    path = user(home, "joe", "|preline procmail .procmailrc\n")
    h.write_file(os.path.join(path, ".procmailrc"), (
        f"MAILDIR={path}\nDEFAULT={path}/Maildir/\nSHELL=/bin/sh\n"
        ":0\n* ^Subject: list\nMaildir/.list/\n"
        ":0\n* ^Subject: drop\n/dev/null\n"
        ":0\n* ^Subject: no\n{\n EXITCODE=77\n HOST\n}\n"), 0o600)
    home.maildir(os.path.join(path, "Maildir", ".list"))
    home.add_user("ann")
    start_at_home(home, path)
    for subject in ("plain", "list", "drop", "no"):
        send(home, "joe", subject)
    plain, = wait_mail(home, "joe", 1)
    listed, = wait_mail(home, "joe", 1, ".list")
    bounce, = wait_mail(home, "ann", 1)
    home.wait_empty()
    # procmail takes the From_ line away again, and keeps ours.
    assert plain.startswith(b"Return-Path: <ann@a.example>\n"
                            b"Delivered-To: joe@a.example\n")
    assert plain.endswith(b"\n\nFrom the body\n.\nlast\n")
    assert b"Subject: list\n" in listed
    assert b"<joe@a.example>:" in bounce and b"Subject: no\n" in bounce
    assert len(home.user_messages("joe")) == 1


@needs_mount
@need("maildrop")
def test_maildrop(home):
    path = user(home, "joe", "|preline -f maildrop\n", dot_mailfilter=(
        'if (/^Subject: list/)\n{\n  to "./Maildir/.list"\n}\n'
        'if (/^Subject: no/)\n{\n  EXITCODE=77\n  exit\n}\n'
        'if (/^Subject: later/)\n{\n  EXITCODE=75\n  exit\n}\n'
        'to "./Maildir"\n'))
    home.maildir(os.path.join(path, "Maildir", ".list"))
    home.add_user("ann")
    start_at_home(home, path)
    for subject in ("plain", "list", "no", "later"):
        send(home, "joe", subject)
    plain, = wait_mail(home, "joe", 1)
    wait_mail(home, "joe", 1, ".list")
    bounce, = wait_mail(home, "ann", 1)
    assert plain.startswith(b"Return-Path: <ann@a.example>\n"
                            b"Delivered-To: joe@a.example\n")
    assert b"Subject: no\n" in bounce
    home.wait_log(": deferral: ")


@need("safecat")
def test_safecat(home):
    user(home, "joe", "|safecat Maildir/tmp Maildir/new >/dev/null\n"
         "|preline -f safecat Maildir/tmp Maildir/new >/dev/null\n")
    user(home, "full", "|safecat no/tmp no/new\n")
    home.start()
    send(home, "joe")
    send(home, "full")
    first, second = sorted(wait_mail(home, "joe", 2), key=len)
    assert first.endswith(b"From the body\n.\nlast\n")
    assert second == (b"Return-Path: <ann@a.example>\nDelivered-To: "
                      b"joe@a.example\n" + first)
    home.wait_log(": deferral: ")


@needs_mount
@need("vacation")
def test_vacation(home):
    """Answers once, through sendmail -f with an empty sender."""
    user(home, "ann", None)
    user(home, "joe", "|preline vacation -z -a joe -f $HOME/.vacation.db "
         "-m $HOME/.vacation.msg games\n./Maildir/\n",
         dot_vacation_msg="")
    path = home.file("home", "joe")
    h.write_file(os.path.join(path, ".vacation.msg"),
                 "From: joe@a.example\nSubject: away\n\nBack soon.\n")
    subprocess.run(["vacation", "-i", "-f", os.path.join(path, ".vacation.db"),
                    "games"], check=True, timeout=h.DEADLINE,
                   **h.ids_arguments())
    start_mounted(home, (os.path.join(home.bin, "sendmail"),
                         "/usr/sbin/sendmail"))
    send(home, "joe", "first")
    answer, = wait_mail(home, "ann", 1)
    send(home, "joe", "second")
    wait_mail(home, "joe", 2)
    home.wait_empty()
    assert answer.startswith(b"Return-Path: <>\nDelivered-To: ann@a.example\n")
    assert b"\nSubject: away\n" in answer and b"Back soon." in answer
    assert len(home.user_messages("ann")) == 1


@needs_mount
@need("dot-forward")
def test_dot_forward(home):
    """Forwards as .forward says and ends there (99); without it goes on."""
    lines = "|dot-forward .forward\n./Maildir/\n"
    user(home, "joe", lines, dot_forward="ann@a.example, bob@a.example\n")
    user(home, "ann", lines)
    user(home, "bob", lines, dot_forward="\"|cat >piped\"\n")
    start_mounted(home, (home.path, "/var/lib/qmail"))
    send(home, "joe", sender="out@b.example")
    got, = wait_mail(home, "ann", 1)
    home.wait_empty()
    with open(home.file("home", "bob", "piped"), "rb") as f:
        assert f.read().endswith(b"\nlast\n")
    assert home.user_messages("bob") == []
    assert got.startswith(b"Return-Path: <out@b.example>\n"
                          b"Delivered-To: ann@a.example\n")
    assert b"\nDelivered-To: joe@a.example\n" in got
    assert home.user_messages("joe") == []


@need("/usr/bin/mlmmj-receive", "/usr/bin/mlmmj-sub")
def test_mlmmj(home):
    """A list: subscribing by mail to list-subscribe, confirming, posting with
    VERP, a bounce that comes back to list-bounces-..."""
    port = home.smtpd(env={"RELAYCLIENT": ""})
    spool = h.make_dirs(home.file("ml"))
    base = os.path.join(spool, "list")
    for sub in ("", "archive", "text", "subconf", "unsubconf", "bounce",
                "control", "moderation", "subscribers.d", "digesters.d",
                "requeue", "nomailsubs.d", "incoming", "queue",
                "queue/discarded"):
        h.make_dirs(os.path.join(base, sub), 0o700)
    for name, text in (("index", "0\n"), ("control/listaddress",
                                          "list@a.example\n"),
                       ("control/delimiter", "-\n"),
                       ("control/smtpport", f"{port}\n"),
                       ("control/owner", "ann@a.example\n")):
        h.write_file(os.path.join(base, name), text)
    skeleton = "/usr/share/mlmmj/text.skel/en"
    for name in os.listdir(skeleton):
        h.own(shutil.copy(os.path.join(skeleton, name),
                          os.path.join(base, "text", name)))
    receive = f"|/usr/bin/mlmmj-receive -F -L {base}/\n"
    path = home.add_user("list", receive)
    h.write_file(os.path.join(path, ".qmail-default"), receive)
    home.add_user("ann")
    home.add_user("joe")
    home.start()
    subprocess.run(["/usr/bin/mlmmj-sub", "-L", base + "/", "-a", "gone@a.example",
                    "-s", "-f"], check=True, timeout=h.DEADLINE,
                   **h.ids_arguments())
    # joe subscribes himself, and confirms by an answer.
    home.inject("From: joe@a.example\nTo: list-subscribe@a.example\n"
                "Subject: x\n\n", "-a", "-fjoe@a.example",
                "list-subscribe@a.example")
    question = wait_mail(home, "joe", 1)[0].decode()
    confirm = re.search(r"list-confsub-[0-9a-z]+-joe=a.example@a.example",
                        question)[0]
    home.inject(f"From: joe@a.example\nTo: {confirm}\nSubject: y\n\n", "-a",
                "-fjoe@a.example", confirm)
    wait_mail(home, "joe", 2)
    home.inject("From: joe@a.example\nTo: list@a.example\nSubject: post\n\n"
                "hello list\n", "-a", "-fjoe@a.example", "list@a.example")
    post = next(m for m in wait_mail(home, "joe", 3) if b"hello list" in m)
    assert re.match(rb"Return-Path: <list-bounces-\d+-joe=a.example@a.example>"
                    rb"\nDelivered-To: joe@a.example\n", post)
    h.wait_for(lambda: os.listdir(os.path.join(base, "bounce")),
               f"the bounce of gone@; log:\n{home.log()}")
    assert any(n.startswith("gone=a.example")
               for n in os.listdir(os.path.join(base, "bounce")))


LIST_PROGRAM = """#!%(python)s
# A list manager as its kind works with qmail: the message goes to qmail-queue
# with a VERP sender; bounces come back to list-return-default.
import os, subprocess, sys
base = os.environ["HOME"]
if sys.argv[1] == "send":
    if os.environ["SENDER"] in ("", "#@[]"):
        sys.exit(0)
    local, host = os.environ["LOCAL"], os.environ["HOST"]
    r, w = os.pipe()
    members = open(base + "/members").read().split()
    os.write(w, b"\\0".join(
        [("F%%s-return-7-@%%s-@[]" %% (local, host)).encode()] +
        [b"T" + m.encode() for m in members]) + b"\\0\\0")
    os.close(w)
    p = subprocess.Popen(["%(home)s/bin/qmail-queue"], stdin=subprocess.PIPE,
                         stdout=r)
    p.stdin.write(b"Mailing-List: x\\n" +
                  os.environ["DTLINE"].encode() + sys.stdin.buffer.read())
    p.stdin.close()
    sys.exit(0 if p.wait() == 0 else 111)
number, member = os.environ["DEFAULT"].split("-", 1)
paragraphs = sys.stdin.read().split("\\n\\n")
if not member and paragraphs[1].startswith("Hi. This is the"):
    # In the order in which the deliveries happened to end.
    member = " ".join(sorted(p.split(">:\\n")[0][1:] for p in paragraphs[2:]
                             if p.startswith("<")))
with open(base + "/returned", "a") as f:
    f.write("%%s [%%s] [%%s]\\n" %% (number, member, os.environ["SENDER"]))
sys.exit(99)
"""


def test_list_manager_with_verp(home):
    """VERP by "-@[]", $DEFAULT and bounces, as list managers for qmail do."""
    program = h.write_file(home.file("manager"), LIST_PROGRAM % {
        "python": sys.executable, "home": home.path}, 0o755)
    path = home.add_user("list", f"|{program} send\n")
    h.write_file(os.path.join(path, ".qmail-return-default"),
                 f"|{program} return\n|exit 100\n")
    h.write_file(os.path.join(path, "members"),
                 "joe@a.example\ngone@a.example\nlost-x@a.example\n")
    home.add_user("joe")
    home.start()
    send(home, "list", "post", sender="ann@b.example")
    got, = wait_mail(home, "joe", 1)
    home.wait_empty()
    assert got.startswith(
        b"Return-Path: <list-return-7-joe=a.example@a.example>\n")
    # What fails here bounces once, to the sender without its mark; what a
    # host elsewhere returns has the member in the address.
    home.inject("Subject: failure\n\nno such user\n", "-a", "-f", "",
                "list-return-7-far=b.example@a.example")
    home.wait_empty()
    with open(os.path.join(path, "returned")) as f:
        assert f.read() == ("7 [gone@a.example lost-x@a.example] []\n"
                            "7 [far=b.example] []\n")
