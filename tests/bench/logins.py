"""AUTH PLAIN logins beside Postfix with Dovecot's SASL, in the same run."""
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import home as lib
import postfix_peer
from meter import Meter

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "blackbox"))
from auth_home import b64  # noqa: E402

USERS = 200
LOGINS = 400
ROUNDS = 5

DOVECOT = """base_dir = {base}/run
state_dir = {base}/run
log_path = {base}/log
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = scheme={scheme} username_format=%u {base}/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
service auth {{
  unix_listener {base}/socket {{
    mode = 0666
  }}
}}
"""

POSTFIX = """smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {base}/socket
smtpd_sasl_security_options = noanonymous
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_client_connection_rate_limit = 0
"""


def say(text):
    print(text, flush=True)


def password(i):
    return f"password of {i}"


class Ours:
    def __init__(self, base, bin_dir, hashes, resident):
        self.name = "qmail-md, qmail-authd" if resident else (
            "qmail-md, checker")
        self.resident = resident
        self.home = home = lib.Home(
            os.path.join(base, f"home{len(os.listdir(base))}"), bin_dir,
            me="a.example")
        home.control("auth/smtp", "2\n")
        if hashes:
            text = "".join(f"u{i}:{h}:alias\n" for i, h in enumerate(hashes))
            lib.write_file(home.file("users/poppasswd"), text, 0o600)
        else:
            self.add_clear(home)
        self.checker = "checkpassword" if hashes else "checkqpasswd"

    @staticmethod
    def add_clear(home):
        virtual = lib.make_dirs(home.file("virtual"))
        lines = [f"[{virtual}:{lib.TEST_UID}:{lib.TEST_GID}]\n"]
        for i in range(USERS):
            where = lib.make_dirs(os.path.join(virtual, f"u{i}"), 0o700)
            lib.write_file(os.path.join(where, ".qpasswd"),
                           password(i) + "\n", 0o600)
            lines.append(f"u{i}:u{i}\n")
        lib.write_file(home.file("users/qpasswd"), "".join(lines), 0o600)

    def start(self):
        if self.resident:
            self.home.spawn([os.path.join(self.home.bin, "qmail-authd"),
                             "authd"], stdin=subprocess.DEVNULL)
            lib.wait_for(lambda: os.path.exists(self.home.file("authd")),
                         "qmail-authd")
        self.port = self.home.server(
            [os.path.join(self.home.bin, "qmail-smtpd"),
             "unix:authd" if self.resident else self.checker, "true"],
            options=("-q",))

    def stop(self):
        self.home.stop_all()


class Peer:
    name = "Postfix, Dovecot SASL"

    def __init__(self, hashes):
        self.base = tempfile.mkdtemp(prefix="bench-sasl-", dir="/tmp")
        os.chmod(self.base, 0o755)
        scheme = "CRYPT" if hashes else "PLAIN"
        with open(f"{self.base}/users", "w") as f:
            for i in range(USERS):
                f.write(f"u{i}:{hashes[i] if hashes else password(i)}\n")
        os.chmod(f"{self.base}/users", 0o644)
        with open(f"{self.base}/conf", "w") as f:
            f.write(DOVECOT.format(base=self.base, scheme=scheme))
        self.postfix = postfix_peer.Postfix(POSTFIX.format(base=self.base))
        self.port = self.postfix.port

    def start(self):
        self.dovecot = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", f"{self.base}/conf"],
            stdin=subprocess.DEVNULL)
        lib.wait_for(lambda: os.path.exists(f"{self.base}/socket"), "Dovecot")
        self.postfix.start()

    def stop(self):
        self.postfix.stop()
        lib.stop(self.dovecot)
        shutil.rmtree(self.base, ignore_errors=True)


def login(port, i):
    """A connection as a mail program makes it, up to the success."""
    with socket.create_connection(("127.0.0.1", port), 30) as s:
        lines = s.makefile("rwb")

        def reply():
            line = lines.readline()
            while line[3:4] == b"-":
                line = lines.readline()
            return line

        reply()
        for command, code in (
                ("EHLO client.example", b"250"),
                ("AUTH PLAIN " + b64(f"\0u{i}\0{password(i)}"), b"235"),
                ("QUIT", b"221")):
            lines.write(command.encode() + b"\r\n")
            lines.flush()
            said = reply()
            if not said.startswith(code):
                raise RuntimeError(f"{command}: {said}")


def one_round(server, meter, logins):
    cpu, start = meter.seconds(), time.monotonic()
    for i in range(logins):
        login(server.port, i % USERS)
    return time.monotonic() - start, meter.seconds() - cpu


def compare(base, bin_dir, label, hashes):
    servers = [Ours(base, bin_dir, hashes, True),
               Ours(base, bin_dir, hashes, False), Peer(hashes)]
    meters = [Meter() for _ in servers]
    runs = {server.name: [] for server in servers}
    try:
        for server, meter in zip(servers, meters):
            meter.start(server.start)
            one_round(server, meter, 40)
        for _ in range(ROUNDS):
            for server, meter in zip(servers, meters):
                runs[server.name].append(one_round(server, meter, LOGINS))
    finally:
        for server, meter in zip(servers, meters):
            server.stop()
            meter.close()
    say(f"logins, {label}: AUTH PLAIN, one connection each, medians of "
        f"{ROUNDS} rounds of {LOGINS} in turn:")
    costs = []
    for server in servers:
        seconds, cpu = (statistics.median(column)
                        for column in zip(*runs[server.name]))
        costs.append(cpu)
        say(f"  {server.name:22} {LOGINS / cpu:6.0f} logins per CPU second, "
            f"{LOGINS / seconds:6.0f} per second, "
            f"{cpu / LOGINS * 1e3:.2f} ms of CPU each")
    say(f"  ratio of CPU {costs[0] / costs[2]:.2f} and "
        f"{costs[1] / costs[2]:.2f} (goal: at most 1)")


def bench_logins(base, bin_dir):
    if not postfix_peer.usable() or not os.path.exists("/usr/sbin/dovecot") \
            or not Meter():
        say("logins: needs root, cgroups, Postfix and Dovecot")
        return
    hashes = [subprocess.run(
        ["openssl", "passwd", "-6", password(i)], capture_output=True,
        text=True, check=True).stdout.strip() for i in range(USERS)]
    compare(base, bin_dir, "clear passwords in files", None)
    compare(base, bin_dir, "SHA-512 crypt hashes", hashes)
