"""One user's home and qmail-local in it, without any queue."""
import os
import re
import shutil
import subprocess

import home as h

MESSAGE = b"Received: a line\nSubject: test\n\nbody\n"
STRACE = shutil.which("strace")
SANITIZED = bool(os.environ.get("SANITIZE"))


class LocalUser:
    """Runs qmail-local as joe with his home in a private directory."""

    def __init__(self, scratch, bin_dir):
        self.scratch = scratch
        self.bin = bin_dir
        self.home = h.make_dirs(os.path.join(scratch, "joe"))
        self.out = h.make_dirs(os.path.join(scratch, "queued"))
        self.fake_queue()

    def file(self, name):
        return os.path.join(self.home, name)

    def put(self, name, content, mode=0o600):
        return h.write_file(self.file(name), content, mode)

    def get(self, name):
        with open(self.file(name), "rb") as f:
            return f.read()

    def maildir(self, name="Maildir"):
        for sub in ("", "tmp", "new", "cur"):
            h.make_dirs(os.path.join(self.file(name), sub), 0o700)
        return self.file(name)

    def mails(self, name="Maildir"):
        found = []
        where = os.path.join(self.file(name), "new")
        for entry in sorted(os.listdir(where)):
            with open(os.path.join(where, entry), "rb") as f:
                found.append(f.read())
        assert os.listdir(os.path.join(self.file(name), "tmp")) == []
        return found

    def fake_queue(self, body=None):
        """A $QMAILQUEUE that keeps what it gets; returns its path."""
        path = os.path.join(self.scratch, "fake-queue")
        h.write_file(path, "#!/bin/sh\n" + (body or (
            f"cat >{self.out}/message\ncat <&1 >{self.out}/envelope\n"
            f"env >{self.out}/env\n")), 0o755)
        return path

    def queued(self, name="message"):
        path = os.path.join(self.out, name)
        if not os.path.exists(path):
            return None
        with open(path, "rb") as f:
            return f.read()

    def environment(self, **more):
        env = {k: v for k, v in os.environ.items()
               if k.startswith(("ASAN_", "UBSAN_", "LSAN_"))}
        env.update({
            "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin",
            "QMAILHOME": self.scratch,
            "QMAILQUEUE": os.path.join(self.scratch, "fake-queue")})
        env.update(more)
        return {k: v for k, v in env.items() if v is not None}

    def run(self, program, *args, stdin=MESSAGE, env=None, before=(),
            timeout=h.DEADLINE, **more):
        """A program with the message in a file on descriptor 0."""
        message = h.write_file(os.path.join(self.scratch, "message"), stdin)
        with open(message, "rb") as f:
            return subprocess.run(
                [*before, os.path.join(self.bin, program), *args],
                stdin=f, capture_output=True, timeout=timeout, cwd="/",
                env=self.environment(**(env or {})), **h.ids_arguments(),
                **more)

    def arguments(self, dash="", ext="", local=None, domain="h.example",
                  sender="s@r.example", default="./Mailbox"):
        return ["joe", self.home, local or "joe" + dash + ext, dash, ext,
                domain, sender, default]

    def deliver(self, options=("--",), stdin=MESSAGE, env=None, before=(),
                timeout=h.DEADLINE, run=None, **arguments):
        return self.run("qmail-local", *options,
                        *self.arguments(**arguments), stdin=stdin, env=env,
                        before=before, timeout=timeout, **(run or {}))

    def expect(self, code, stderr=b"", stdout=None, **more):
        """Delivers and compares; texts as bytes."""
        done = self.deliver(**more)
        assert (done.returncode, done.stderr) == (code, stderr), done
        if stdout is not None:
            assert re.fullmatch(stdout, done.stdout), done
        return done

    def inject(self, what):
        """An strace prefix that makes calls fail: "write:error=EDQUOT"."""
        return [STRACE, "-f", "-qq", "-o", "/dev/null", "-e",
                f"inject={what}"]
