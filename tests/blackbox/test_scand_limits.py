"""Each limit of qmail-scand, from both sides: below it a signature is found,
above it is not, and control/scanalerts has that reported."""
import io
import os
import struct
import zipfile

import pytest

import scan_samples as samples
from home import BUILD
from test_scand import EICAR_FOUND, FOUND, OK, Scand

pytestmark = pytest.mark.skipif(
    not os.path.exists(os.path.join(BUILD, "bin", "qmail-scand")),
    reason="qmail-scand is not built: no libclamav here")

MIB = 1 << 20
MARKER_FOUND = FOUND % b"Marker-Test"


def archive(*files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for number, data in enumerate(files):
            made.writestr(f"file{number}", data)
    return out.getvalue()


def numbered(count, size):
    return [b"%d" % n + bytes(size) for n in range(count)]


# control, too small, large enough, other controls, message, what is in it
LIMITS = {
    "scandepth": (3, 17, {}, samples.nested_archives(8), EICAR_FOUND),
    "scanfiles": (5, 100, {}, archive(*numbered(20, 10), samples.EICAR),
                  EICAR_FOUND),
    "scanfile": (MIB, 4 * MIB, {"scansize": MIB},
                 archive(bytes(2 * MIB) + samples.MARKER), MARKER_FOUND),
    "scandata": (MIB, 40 * MIB, {"scansize": MIB, "scanfile": MIB},
                 archive(*numbered(12, 300000),
                         bytes(300000) + samples.MARKER), MARKER_FOUND),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limit(make_home, name):
    small, large, others, message, found = LIMITS[name]

    def scan(where, **controls):
        return Scand(make_home(where), scanworkers=1, **others,
                     **controls).scan(message)

    assert scan("a", **{name: small}) == OK
    assert scan("b", **{name: large}) == found
    # libclamav cuts a large file in an archive without a word about it.
    if name == "scanfile":
        return
    said = scan("c", **{name: small}, scanalerts="exceeded")
    assert said.startswith(b"stream: Heuristics.Limits.Exceeded"), said


def test_memory(make_home):
    """What needs more than there may be gets no verdict, and harms nobody."""
    message = bytes(90 * MIB) + samples.MARKER
    poor = Scand(make_home("a"), scanworkers=1, scanmemory=64)
    said = poor.scan(message)
    assert said.startswith(b"stream: ") and said.endswith(b" ERROR\0"), said
    poor.wait_workers(1)
    assert poor.scan(samples.EICAR) == EICAR_FOUND
    rich = Scand(make_home("b"), scanworkers=1, scanmemory=512)
    assert rich.scan(message) == MARKER_FOUND


def broken_program():
    """An ELF file whose program headers lie far behind its end."""
    return (b"\x7fELF\1\1\1" + bytes(9) + struct.pack(
        "<HHIIIIIHHHHHH", 2, 3, 1, 0x8048000, 0x7fffff00, 0x7fffff00, 0, 52,
        32, 60000, 40, 60000, 1) + bytes(5000))


def sheet_with_macros():
    """A workbook (MS-XLS) in a compound file (MS-CFB) with a macro sheet."""
    free, end, fat, stream = 0xffffffff, 0xfffffffe, 0xfffffffd, 8

    def record(kind, data):
        return struct.pack("<HH", kind, len(data)) + data

    def entry(name, kind, child, start, size):
        wide = (name + "\0").encode("utf-16-le") if name else b""
        return (wide.ljust(64, b"\0") + struct.pack(
            "<HBBIII", len(wide), kind, 1, free, free, child) + bytes(36) +
            struct.pack("<IQ", start, size))

    begin = record(0x809, struct.pack("<HHHHII", 0x600, 5, 1, 1, 0, 6))
    sheet = record(0x85, struct.pack("<IBBBB", 64, 0, 1, 2, 0) + b"M1")
    book = (begin + sheet + record(10, b"")).ljust(512 * stream, b"\0")
    header = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack(
        "<HHHHH", 0x3e, 3, 0xfffe, 9, 6) + bytes(6) + struct.pack(
        "<IIIIIIIII", 0, 1, 1, 0, 4096, end, 0, end, 0) +
        struct.pack("<I", 0) + struct.pack("<I", free) * 108)
    table = [fat, end, *range(3, 2 + stream), end]
    return (header + struct.pack("<128I", *table, *[free] * (
        128 - len(table))) + entry("Root Entry", 5, 1, end, 0) +
        entry("Workbook", 2, free, 2, len(book)) +
        entry("", 0, free, 0, 0) * 2 + book)


@pytest.mark.parametrize("word, make, name", [
    ("broken", broken_program, b"Heuristics.Broken."),
    ("macros", sheet_with_macros, b"Heuristics.OLE2.ContainsMacros.")])
def test_alerts(make_home, word, make, name):
    quiet = Scand(make_home("a"), scanworkers=1)
    assert quiet.scan(make()) == OK
    loud = Scand(make_home("b"), scanworkers=1, scanalerts=word)
    said = loud.scan(make())
    assert said.startswith(b"stream: " + name), said
