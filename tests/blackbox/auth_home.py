"""A home with logins of its own, and a qmail-smtpd that asks for them."""
import base64
import hashlib
import hmac
import os
import socket
import subprocess

from home import DEADLINE, TEST_GID, TEST_UID, make_dirs, wait_for, write_file

PASSWORDS = {"joe": "s3cret word", "jane@a.example": "other", "last": "zzz"}
HASHED = ("hashed", "of the system")  # for checkpassword
CHECKER = "multicheckpw 2 checkqpasswd checkpassword true"


def add_logins(home, passwords=None):
    """users/qpasswd with a section, and a .qpasswd in each home."""
    base = make_dirs(home.file("virtual"))
    lines = [f"[{base}:{TEST_UID}:{TEST_GID}]"]
    for login, password in (passwords or PASSWORDS).items():
        where = make_dirs(os.path.join(base, login), 0o700)
        write_file(os.path.join(where, ".qpasswd"),
                   f"second of {login}\n{password}\n", 0o600)
        home.maildir(os.path.join(where, "Maildir"))
        lines.append(f"{login}:{login}")
    write_file(home.file("users", "qpasswd"), "\n".join(lines) + "\n", 0o600)
    digest = subprocess.run(["openssl", "passwd", "-5", HASHED[1]], text=True,
                            capture_output=True, check=True).stdout.strip()
    home.maildir(os.path.join(make_dirs(os.path.join(base, HASHED[0])),
                              "Maildir"))
    write_file(home.file("users", "poppasswd"),
               f"{HASHED[0]}:{digest}:virtual/{HASHED[0]}\n", 0o600)
    home.control("auth/smtp", "127\n")
    home.control("auth/delay", "0\n")
    for name in ("smtp_in", "smtp_out"):
        home.control(f"log/{name}", "1\n")


def packets(path):
    """A connection to qmail-authd."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(DEADLINE)
    s.connect(path)
    return s


def start_authd(home, log, **env):
    """qmail-authd at the socket "authd" of a home; it listens already."""
    made = home.spawn([os.path.join(home.bin, "qmail-authd"), "authd"],
                      stdin=subprocess.DEVNULL, stderr=log,
                      env=home.environment(**env))

    def listens():
        try:
            packets(home.file("authd")).close()
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    wait_for(listens, "qmail-authd")
    return made


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(p) for p in f.read().split()]


def b64(data):
    data = data if isinstance(data, bytes) else data.encode("latin-1")
    return base64.b64encode(data).decode()


def cram(name, challenge, login, password):
    """The response to a challenge in base64."""
    digest = hmac.new(password.encode(), base64.b64decode(challenge), name)
    return b64(f"{login} {digest.hexdigest()}")


class Scram:
    """The client of RFC 7677, one step a method."""

    def __init__(self, login, password):
        self.login, self.password = login, password
        self.bare = f"n={login},r=clientnonce"

    def first(self):
        return b64("n,," + self.bare)

    def final(self, challenge, nonce=None, header="n,,"):
        server = base64.b64decode(challenge).decode()
        facts = dict(part.split("=", 1) for part in server.split(","))
        salted = hashlib.pbkdf2_hmac(
            "sha256", self.password.encode(), base64.b64decode(facts["s"]),
            int(facts["i"]))
        without = f"c={b64(header)},r={nonce or facts['r']}"
        message = f"{self.bare},{server},{without}".encode()

        def mac(key, data):
            return hmac.new(key, data, "sha256").digest()

        client = mac(salted, b"Client Key")
        stored = hashlib.sha256(client).digest()
        proof = bytes(a ^ b for a, b in zip(client, mac(stored, message)))
        self.signature = b64(b"v=" + base64.b64encode(
            mac(mac(salted, b"Server Key"), message)))
        return b64(f"{without},p=".encode() + base64.b64encode(proof))
