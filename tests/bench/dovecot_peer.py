"""Dovecot from Debian as the peer of a benchmark: a private instance with its
own configuration and port, ended by its pid at the end of the run."""
import os
import shutil
import subprocess
import tempfile

import home as lib

CONF = """base_dir = {base}/run
state_dir = {base}/run
log_path = {base}/log
protocols = pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{mail}
pop3_uidl_format = %08Xu%08Xv
first_valid_uid = 1
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={base}/home
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
  process_min_avail = 1
}}
{more}
"""


def usable():
    return os.geteuid() == 0 and os.path.exists("/usr/sbin/dovecot")


class Dovecot:
    """start() serves the Maildir by POP3 on self.port, to joe, secret; more
    is text for its configuration."""

    def __init__(self, maildir, more=""):
        self.base = tempfile.mkdtemp(prefix="bench-dovecot-", dir="/tmp")
        os.chmod(self.base, 0o755)
        self.port = lib.free_port()
        self.process = None
        os.makedirs(f"{self.base}/home")
        shutil.chown(f"{self.base}/home", 65534)
        with open(f"{self.base}/conf", "w") as f:
            f.write(CONF.format(base=self.base, mail=maildir, port=self.port,
                                more=more))

    def start(self):
        self.process = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", f"{self.base}/conf"],
            stdin=subprocess.DEVNULL)
        lib.wait_port(self.port)

    def stop(self):
        if self.process is not None:
            lib.stop(self.process)
        shutil.rmtree(self.base, ignore_errors=True)
