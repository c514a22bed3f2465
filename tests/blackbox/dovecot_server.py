"""A private Dovecot for one test: IMAP and LMTP over the Maildirs of a home.

Runs under the test uid, as everything here; ended by its pid.
"""
import os
import pwd
import shutil

import home as h

DOVECOT = shutil.which("dovecot", path="/usr/sbin:/usr/bin:/usr/local/sbin")

CONFIG = """
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_location = maildir:~/Maildir
first_valid_uid = 1
auth_username_format = %Ln
mail_plugins = quota
lmtp_rcpt_check_quota = yes
protocol imap {{
  mail_plugins = quota imap_quota
}}
plugin {{
  quota = maildir:User quota
}}
passdb {{
  driver = passwd-file
  args = {base}/users
}}
userdb {{
  driver = passwd-file
  args = {base}/users
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


def name_of_group(gid):
    import grp
    return grp.getgrgid(gid).gr_name


class Dovecot:
    """users: names; their homes are those of the Home."""

    def __init__(self, home, users):
        # Socket paths are short: 107 bytes in all.
        self.base = h.make_dirs(os.path.join(home.path, "dc"))
        for sub in ("run", "state"):
            h.make_dirs(os.path.join(self.base, sub))
        self.imap, self.lmtp = h.free_port(), h.free_port()
        self.socket = os.path.join(self.base, "run", "lmtp")
        h.write_file(os.path.join(self.base, "users"), "".join(
            f"{name}:{{PLAIN}}secret:{h.TEST_UID}:{h.TEST_GID}::"
            f"{home.file('home', name)}::\n" for name in users))
        config = h.write_file(
            os.path.join(self.base, "conf"), CONFIG.format(
                base=self.base, imap=self.imap, lmtp=self.lmtp,
                user=pwd.getpwuid(h.TEST_UID).pw_name,
                group=name_of_group(h.TEST_GID)))
        self.process = home.spawn([DOVECOT, "-F", "-c", config])
        h.wait_port(self.imap)
        h.wait_port(self.lmtp)
        h.wait_socket(self.socket)

    def log(self):
        with open(os.path.join(self.base, "log"), errors="replace") as f:
            return f.read()
