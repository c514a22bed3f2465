"""Certificates, and scripted SMTP servers that speak TLS."""
import hashlib
import os
import ssl
import subprocess

from remote_peers import Peer

EHLO_TLS = (b"250-peer.example\r\n250-PIPELINING\r\n250-STARTTLS\r\n"
            b"250 8BITMIME\r\n")


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True,
                   stdin=subprocess.DEVNULL, capture_output=True)


class Authority:
    """A CA of its own; makes certificates below a directory."""

    def __init__(self, directory):
        self.directory = directory
        self.ca = os.path.join(directory, "ca.pem")
        self.key = os.path.join(directory, "ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", 30, "-subj",
                "/CN=Test CA", "-keyout", self.key, "-out", self.ca)
        with open(self.ca) as f:
            self.bundle = f.read()

    def issue(self, *names):
        """A file with certificate and key for these names or addresses."""
        base = os.path.join(self.directory, names[0].replace("*", "_"))
        alternatives = ",".join(
            ("IP:" if n.replace(".", "").isdigit() or ":" in n else "DNS:") + n
            for n in names)
        with open(base + ".ext", "w") as f:
            f.write(f"subjectAltName={alternatives}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
                "-keyout", base + ".key", "-out", base + ".csr")
        openssl("x509", "-req", "-in", base + ".csr", "-CA", self.ca, "-CAkey",
                self.key, "-CAcreateserial", "-days", 30, "-extfile",
                base + ".ext", "-out", base + ".crt")
        with open(base + ".pem", "w") as out:
            for part in (".crt", ".key"):
                with open(base + part) as f:
                    out.write(f.read())
        return base + ".pem"


def tlsa_311(pem):
    """The digest of a TLSA record 3 1 1 for a certificate."""
    der = subprocess.run(
        f"openssl x509 -in {pem} -noout -pubkey | "
        "openssl pkey -pubin -outform DER", shell=True, check=True,
        capture_output=True).stdout
    return hashlib.sha256(der).hexdigest()


def context(pem):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pem)
    return made


class TlsPeer(Peer):
    """STARTTLS with a certificate; what then follows is in tls_commands."""

    def __init__(self, pem, *args, at_once=False, **answers):
        self.context = context(pem)
        self.at_once = at_once
        self.tls_sessions = 0
        self.clear_commands = []
        self.failures = []
        answers.setdefault("EHLO", [EHLO_TLS, Peer.DEFAULTS["EHLO"]])
        answers.setdefault("STARTTLS", self.starttls)
        super().__init__(*args, **answers)

    def wrap(self, connection):
        try:
            wrapped = self.context.wrap_socket(connection, server_side=True)
        except (OSError, ssl.SSLError) as problem:
            self.failures.append(problem)
            return None
        self.tls_sessions += 1
        return wrapped

    def starttls(self, connection):
        connection.sendall(b"220 go ahead\r\n")
        self.clear_commands += self.commands
        wrapped = self.wrap(connection)
        if wrapped is not None:
            with wrapped:
                try:
                    self.converse(wrapped)
                    wrapped.unwrap()
                except (OSError, EOFError):
                    pass
        return False

    def session(self, connection):
        self.used = {}
        if not self.at_once:
            super().session(connection)
            return
        wrapped = self.wrap(connection)
        if wrapped is not None:
            with wrapped:
                super().session(wrapped)
