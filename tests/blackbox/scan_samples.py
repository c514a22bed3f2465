"""Messages for scanners, and a small database of signatures."""
import base64
import hashlib
import io
import os
import struct
import zipfile

from home import make_dirs, write_file

# Two halves: other scanners need not find this file.
EICAR = (rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-"
         rb"ANTIVIRUS-TEST-FILE!$H+H*")
MARKER = b"a marker that the signature of the tests knows"
LATER = b"a marker that only a newer database knows"


def hash_line(data, name):
    return f"{hashlib.md5(data).hexdigest()}:{len(data)}:{name}\n"


def body_line(data, name):
    return f"{name}:0:*:{data.hex()}\n"


def make_database(path):
    make_dirs(path)
    write_file(os.path.join(path, "eicar.hdb"), hash_line(EICAR, "Eicar-Test"))
    write_file(os.path.join(path, "marker.ndb"),
               body_line(MARKER, "Marker-Test"))
    return path


def zipped(data, name="file", method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(name, data)
    return out.getvalue()


def mail(*parts, boundary="=_b", end=True):
    """A multipart message of (type, bytes) parts, LF line ends."""
    text = (b"From: s@x.example\nTo: r@a.example\nSubject: parts\n"
            b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\""
            + boundary.encode() + b"\"\n\n")
    for kind, data in parts:
        text += (b"--" + boundary.encode() + b"\nContent-Type: "
                 + kind.encode() + b"; name=\"x\"\nContent-Disposition: "
                 b"attachment; filename=\"x\"\n"
                 b"Content-Transfer-Encoding: base64\n\n"
                 + base64.encodebytes(data))
    return text + (b"--" + boundary.encode() + b"--\n" if end else b"")


def infected_mail():
    return mail(("text/plain", b"hello\n"),
                ("application/zip", zipped(EICAR, "eicar.com")))


def encrypted(archive):
    """The same archive, said to be encrypted in both of its headers."""
    data = bytearray(archive)
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + flags] |= 1
    return bytes(data)


def nested_archives(depth):
    """Stored zips in zips, put together at once: the sums (CRC) are zero."""
    name, size = b"z.zip", len(EICAR)
    before, behind = [], []
    for _ in range(depth):
        facts = struct.pack("<HHHHHIIIHH", 10, 0, 0, 0, 0, 0, size, size,
                            len(name), 0)
        local = b"PK\3\4" + facts + name
        central = (b"PK\1\2" + struct.pack("<H", 10) + facts
                   + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name)
        end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central),
                                      len(local) + size, 0)
        before.append(local)
        behind.append(central + end)
        size += len(local) + len(central) + len(end)
    return b"".join(before[::-1]) + EICAR + b"".join(behind)


def nested_parts(depth):
    lines = []
    for i in range(depth):
        lines.append(f"Content-Type: multipart/mixed; boundary=b{i}\n\n"
                     f"--b{i}\n")
    return ("MIME-Version: 1.0\n" + "".join(lines)).encode() + EICAR


def nested_messages(depth):
    return (b"Content-Type: message/rfc822\n\n" * depth) + EICAR
