"""What test_install.py asks of the service authd, in a namespace of its own.

Run in the home of an installed suite whose services are up, with the ports of
submission, smtps and pop3d; says what it saw.
"""
import os
import poplib
import smtplib
import ssl
import subprocess
import sys
import time

SUBMISSION, SMTPS, POP = map(int, sys.argv[1:])
USERS = {"jane": "word", "ann@hosted.example": "ann's long word"}
ANYBODY = ssl._create_unverified_context()
ASK = r"""
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(60)
s.connect("run/authd")
try:
    s.send(b"plain\0jane\0word\0\0")
    print(s.recv(9))
except (BrokenPipeError, ConnectionResetError):
    print(b"")
"""


def login(port, user, password):
    """The code of the reply to AUTH."""
    if port == SMTPS:
        client = smtplib.SMTP_SSL("127.0.0.1", port, timeout=60,
                                  context=ANYBODY)
    else:
        client = smtplib.SMTP("127.0.0.1", port, timeout=60)
        client.starttls(context=ANYBODY)
    try:
        return client.login(user, password)[0]
    except smtplib.SMTPAuthenticationError as why:
        return why.smtp_code
    finally:
        client.close()


def run_as(user, *argv):
    group = "joe" if user == "joe" else "nofiles"
    return subprocess.run(["setpriv", "--reuid", user, "--regid", group,
                           "--clear-groups", *argv], capture_output=True,
                          text=True, timeout=100)


def ask(user):
    """What the daemon says to this user of the host."""
    done = run_as(user, "/usr/bin/python3", "-c", ASK)
    said = done.stdout or done.stderr.splitlines()[-1].split(":")[0]
    return said.strip()


def wait_for(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise SystemExit("waited in vain")


def service(what):
    subprocess.run(["svc", what, "service/authd"], check=True)
    wait_for(lambda: os.path.exists("run/authd") == (what == "-u"))


for port in SUBMISSION, SMTPS:
    for name, word in USERS.items():
        print("authd says", port == SMTPS, name, login(port, name, word),
              login(port, name, "wrong"))
print("nobody hears", login(SMTPS, "nobody", "word"))
pop = poplib.POP3("127.0.0.1", POP, timeout=60)
pop.user("ann@hosted.example")
pop.pass_(USERS["ann@hosted.example"])
print("ann sees", pop.stat()[0])

for name in "root", "qmaild", "qmailt", "alias", "joe":
    print(name, "hears", ask(name))
workers = subprocess.run(["pgrep", "-U", "4242", "-x", "qmail-authd"],
                         capture_output=True, text=True).stdout.split()
for name in "qmaild", "4242":
    for argv in (["head", "-c", "1", f"/proc/{workers[0]}/maps"],
                 ["ls", f"/proc/{workers[0]}/fd"],
                 ["rm", "-f", "run/authd"], ["mv", "run/authd", "run/x"],
                 ["ln", "-sf", "/dev/null", "run/authd"],
                 ["cat", "users/mailboxes.cdb"], ["cat", "/etc/qpasswd"]):
        print(name, "may not" if run_as(name, *argv).returncode else "may",
              *argv)


def numbers(pid, field):
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith(field + ":"):
                return line.split()[1:]
    return []


for pid in workers:
    print("worker has", *numbers(pid, "Uid"), *numbers(pid, "Gid"), "groups",
          *numbers(pid, "Groups"), "filters", *numbers(pid, "Seccomp_filters"))

# A user of the homes ends the workers; others follow.
subprocess.run(["pkill", "-KILL", "-U", "4242", "qmail-authd"], check=True)
print("others say", login(SMTPS, "jane", "word"))
service("-d")
print("away", login(SMTPS, "jane", "word"), login(SUBMISSION, "nobody", "x"))
service("-u")
print("back", login(SMTPS, "jane", "word"))
# The one user of qpasswd goes: no home, and nobody to become.
subprocess.run(["bin/qpasswd", "-d", "jane"], check=True, capture_output=True)
print("without homes", login(SMTPS, "jane", "word"),
      login(SMTPS, "ann@hosted.example", USERS["ann@hosted.example"]))
