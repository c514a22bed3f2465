"""qmail-start: which program gets which descriptors, arguments, directory."""
import ast
import fcntl
import os
import subprocess

import pytest

from home import DEADLINE, own, wait_for, write_file

RECORDER = r'''#!/usr/bin/python3
import os, sys
found = {}
for fd in range(64):
    try:
        found[fd] = os.fstat(fd).st_ino
    except OSError:
        pass
me = os.path.basename(sys.argv[0])
with open(os.path.join(os.environ["QMAILHOME"], "seen", me), "w") as f:
    f.write(repr((found, sys.argv[1:], os.getcwd(), os.umask(0))))
'''
HELPERS = ["qmail-lspawn", "qmail-rspawn", "qmail-clean"]


@pytest.fixture
def seen(make_home):
    """What every program has seen, after a start with a stray descriptor."""
    home = make_home()
    fake, seen_dir = home.file("fake"), home.file("seen")
    for path in (fake, seen_dir):
        os.mkdir(path)
        os.chmod(path, 0o755)
        own(path)
    for name in [*HELPERS, "qmail-send", "logger"]:
        write_file(os.path.join(fake, name), RECORDER, 0o755)
    stray = os.open(write_file(home.file("stray"), "secret"), os.O_RDONLY)
    high = fcntl.fcntl(stray, fcntl.F_DUPFD, 40)
    p = home.spawn(
        [os.path.join(home.bin, "qmail-start"), "./Mail box", "logger", "x"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        pass_fds=(stray, high),
        env=home.environment(PATH=f"{fake}:/usr/bin:/bin"))
    assert p.wait(DEADLINE) == 0
    os.close(stray)
    os.close(high)
    wait_for(lambda: len(os.listdir(seen_dir)) == 5 and all(
        os.path.getsize(os.path.join(seen_dir, n))
        for n in os.listdir(seen_dir)), "all programs")
    found = {}
    for name in os.listdir(seen_dir):
        with open(os.path.join(seen_dir, name)) as f:
            found[name] = ast.literal_eval(f.read())
    return found


def test_start_descriptors(seen):
    send = seen["qmail-send"][0]
    assert sorted(send) == [0, 1, 2, 3, 4, 5, 6]
    assert len(set(send.values())) == 7
    assert seen["logger"][0][0] == send[0]
    for i, name in enumerate(HELPERS):
        fds = seen[name][0]
        assert (fds[0], fds[1]) == (send[2 * i + 1], send[2 * i + 2]), name


@pytest.mark.parametrize("name", [*HELPERS, "logger"])
def test_start_passes_no_stray_descriptor(seen, name):
    assert sorted(seen[name][0]) == [0, 1]


def test_start_arguments_directory_umask(seen):
    assert {name: s[1:] for name, s in seen.items()} == {
        "qmail-send": ([], "/", 0o77),
        "qmail-lspawn": (["./Mail box"], "/", 0o77),
        "qmail-rspawn": ([], "/", 0o77),
        "qmail-clean": ([], "/", 0o77),
        "logger": (["x"], "/", 0o77)}
