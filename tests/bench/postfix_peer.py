"""Postfix from Debian as the peer of a benchmark: a private instance with its
own configuration, queue and port, ended at the end of the run."""
import os
import shutil
import subprocess
import tempfile

import home as lib
from meter import Meter

MAIN = """compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = a.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
smtpd_tls_security_level = none
smtp_tls_security_level = none
smtp_dns_support_level = disabled
smtputf8_enable = no
virtual_mailbox_domains = a.example
virtual_mailbox_base = {base}/mail
virtual_mailbox_maps = static:joe/Maildir/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 100
maillog_file = {base}/log/mail.log
maillog_file_prefixes = {base}
smtpd_recipient_limit = 1000
{more}
"""


class Postfix:
    """start() gives a running instance on self.port; stop() ends it."""

    def __init__(self, more=""):
        self.base = tempfile.mkdtemp(prefix="bench-postfix-", dir="/tmp")
        os.chmod(self.base, 0o755)
        self.port = lib.free_port()
        self.conf = f"{self.base}/conf"
        shutil.copytree("/etc/postfix", self.conf)
        for sub in ("queue", "data", "mail/joe", "log"):
            os.makedirs(f"{self.base}/{sub}")
        shutil.chown(f"{self.base}/data", "postfix")
        shutil.chown(f"{self.base}/log", "postfix")
        shutil.chown(f"{self.base}/mail/joe", 65534)
        with open(f"{self.conf}/main.cf", "w") as f:
            f.write(MAIN.format(base=self.base, more=more))
        self.master()

    def master(self):
        """Nothing in a chroot, SMTP on our port."""
        with open("/etc/postfix/master.cf.proto") as f:
            lines = f.read().splitlines()
        with open(f"{self.conf}/master.cf", "w") as f:
            for line in lines:
                words = line.split()
                if len(words) >= 8 and not line.startswith(("#", " ")):
                    words[4] = "n"
                    if words[0] == "smtp" and words[1] == "inet":
                        words[0] = f"127.0.0.1:{self.port}"
                    line = " ".join(words)
                f.write(line + "\n")

    def command(self, verb):
        return subprocess.run(["postfix", "-c", self.conf, verb],
                              capture_output=True, timeout=60)

    def start(self):
        done = self.command("start")
        if done.returncode != 0:
            raise RuntimeError(done.stderr.decode())
        lib.wait_port(self.port)

    def stop(self):
        self.command("stop")
        shutil.rmtree(self.base, ignore_errors=True)

    def arrived(self):
        where = f"{self.base}/mail/joe/Maildir/new"
        return len(os.listdir(where)) if os.path.isdir(where) else 0


def usable():
    return os.geteuid() == 0 and os.path.exists("/usr/sbin/postfix")


def local_cpu(deliver, count):
    """CPU seconds of a message in by SMTP and into one Maildir, or None."""
    if not usable():
        return None
    meter = Meter()
    if not meter:
        return None
    peer = Postfix()
    try:
        meter.start(peer.start)
        deliver(peer.port, 20)
        lib.wait_for(lambda: peer.arrived() >= 20, "Postfix's first messages")
        before = meter.seconds()
        deliver(peer.port, count)
        lib.wait_for(lambda: peer.arrived() >= 20 + count,
                     "Postfix's messages", 120)
        return (meter.seconds() - before) / count
    finally:
        peer.stop()
        meter.close()
