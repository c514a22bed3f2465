"""Small file systems in image files, and power cuts for them.

What a mounted file system has not written to its loop device is lost in a
power cut: it lives in the page cache of the mounted files.  What it has
written is in the image file, and a copy of that file is what the disk would
hold.  The copy is taken without a sync and without unmounting, so mounting it
elsewhere recovers the journal as after a reboot.  (A disk whose cache forgets
what no barrier followed would hold less still; fsync sends that barrier, so a
message that needs it is no safer there.)
"""
import contextlib
import os
import shutil
import subprocess

import pytest

MEGABYTE = 1 << 20
# kind: size of the image, mkfs, options of mount.  Nothing is written back by
# itself while a test lasts.
KINDS = {
    "ext4": (32, ["mkfs.ext4", "-q", "-F", "-m", "0", "-E",
                  "lazy_itable_init=0,lazy_journal_init=0"],
             "loop,commit=300"),
    "xfs": (320, ["mkfs.xfs", "-q", "-f"], "loop,nouuid"),
}


def command(argv):
    done = subprocess.run(argv, capture_output=True, timeout=120)
    if done.returncode != 0:
        raise OSError(f"{argv}: {done.stderr.decode(errors='replace')}")


@contextlib.contextmanager
def mounted(image, where, options):
    command(["mount", "-o", options, image, where])
    try:
        yield where
    finally:
        command(["umount", where])


@contextlib.contextmanager
def disk(kind, where, image):
    """An empty file system of a kind, mounted at where."""
    size, mkfs, options = KINDS[kind]
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    if shutil.which(mkfs[0]) is None:
        pytest.skip(f"needs {mkfs[0]}")
    with open(image, "wb") as f:
        f.truncate(size * MEGABYTE)
    command([*mkfs, image])
    try:
        mount = mounted(image, where, options)
        mount.__enter__()
    except OSError as e:
        pytest.skip(f"cannot mount {kind} here: {e}")
    try:
        yield image
    finally:
        mount.__exit__(None, None, None)
        os.unlink(image)


@pytest.fixture
def small_disk(scratch):
    """small_disk("ext4", where): a context with a file system in it."""
    def make(kind, where):
        return disk(kind, where, os.path.join(scratch, f"{kind}.image"))
    return make


def cut(image, target):
    """What is on the disk at this moment."""
    command(["cp", "--sparse=always", image, target])
    return target


@contextlib.contextmanager
def rebooted(kind, snapshot, where):
    """The copy, mounted with its journal recovered."""
    os.makedirs(where, exist_ok=True)
    with mounted(snapshot, where, KINDS[kind][2]):
        yield where
