"""make demo: on a copy of the tree, with its usual ports taken, twice."""
import os
import re
import shutil
import socket
import subprocess

import pytest

from home import BUILD, REPO, wait_for

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("SANITIZE")) or os.path.basename(BUILD) != "build",
    reason="the demo is made of the normal build")
SECONDS = 400


def demo(tree, *targets):
    env = {k: v for k, v in os.environ.items() if k != "B"}
    return subprocess.run(["make", "--no-print-directory", *targets],
                          cwd=tree, capture_output=True, text=True,
                          errors="replace", timeout=SECONDS, env=env,
                          stdin=subprocess.DEVNULL)


@pytest.fixture
def tree(scratch):
    """A copy that has nothing to build."""
    copy = os.path.join(scratch, "tree")
    shutil.copytree(REPO, copy, symlinks=True, ignore=lambda where, names: [
        n for n in names if where == REPO and n == ".git"
        or where == BUILD and n in ("asan", "root", "demo", "dynamic", "fuzz")
        or n == "__pycache__"])
    yield copy
    demo(copy, "demo-stop")


def svscan_runs(tree):
    with open(os.path.join(tree, "build/demo/svscan.pid")) as f:
        return os.path.exists(f"/proc/{f.read().strip()}")


def test_demo_twice_with_ports_taken(tree):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 2525))
            taken.listen()
        except OSError:
            pass  # somebody else has it: as good
        first = demo(tree, "demo")
        assert first.returncode == 0, first.stdout + first.stderr
        again = demo(tree, "demo")
        assert again.returncode == 0, again.stdout + again.stderr
    assert "127.0.0.1:2525" not in first.stdout
    for text in (first.stdout, again.stdout):
        # Seen in the queue, in the log, and in the end by POP3.
        assert re.search(r"messages in queue: 1\n", text)
        assert re.search(r"^\tlocal\tyou@demo\.example$", text, re.M), text
        assert "success: did_1+0+0/" in text
        assert "This message came by SMTP and went to a Maildir." in text
        assert "Delivered-To: you@demo.example" in text
        if os.path.exists(os.path.join(BUILD, "bin", "qmail-scand")):
            assert ('<** 554 5.7.7 your email contains the virus "Eicar-Test-'
                    'Signature.UNOFFICIAL"!') in text
        assert re.search(r"^\$ qpasswd -l\nyou$", text, re.M)
        # A login after STARTTLS, which a Received field tells of.
        assert re.search(r"with ESMTPSA \(TLSv1\.3 TLS_", text)
    assert svscan_runs(tree)
    stopped = demo(tree, "demo-stop")
    assert stopped.returncode == 0
    wait_for(lambda: not any(
        tree in read(f"/proc/{p}/cmdline") for p in os.listdir("/proc")
        if p.isdigit() and int(p) != os.getpid()), "all processes to end")


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""
