"""The server's side of AUTH for scripted SMTP servers, by the RFCs."""
import base64
import hashlib
import hmac
import os

HASHES = {"CRAM-MD5": "md5", "CRAM-SHA1": "sha1", "CRAM-RIPEMD": "ripemd160"}


def b64(data):
    return base64.b64encode(data)


class Auth:
    """Answers AUTH on a connection of a Peer: answers["AUTH"]."""

    def __init__(self, peer, user=b"ann", password=b"se|cret"):
        self.peer = peer
        self.user, self.password = user, password
        self.outcomes = []  # (mechanism, True if it was right)
        self.bad_signature = False

    def challenge(self, connection, data):
        connection.sendall(b"334 " + b64(data) + b"\r\n")
        line = self.peer.line(connection)
        return None if line == b"*" else base64.b64decode(line,
                                                          validate=True)

    def scram(self, connection, first):
        header, bare = first[:3], first[3:]
        name, nonce = bare.split(b",", 1)
        name = name[2:].replace(b"=2C", b",").replace(b"=3D", b"=")
        salt, count = os.urandom(12), 4096
        nonce = nonce[2:] + b"server"
        server_first = b"r=%s,s=%s,i=%d" % (nonce, b64(salt), count)
        final = self.challenge(connection, server_first)
        without, proof = final.rsplit(b",p=", 1)
        message = bare + b"," + server_first + b"," + without
        salted = hashlib.pbkdf2_hmac("sha256", self.password, salt, count)

        def mac(key, text):
            return hmac.new(key, text, "sha256").digest()

        client_key = mac(salted, b"Client Key")
        expected = bytes(a ^ b for a, b in zip(client_key, mac(
            hashlib.sha256(client_key).digest(), message)))
        right = (header == b"n,," and name == self.user
                 and without == b"c=biws,r=" + nonce
                 and base64.b64decode(proof) == expected)
        if right:
            signature = mac(mac(salted, b"Server Key"), message)
            if self.bad_signature:
                signature = bytes(32)
            reply = self.challenge(connection, b"v=" + b64(signature))
            right = reply == b""
        return right

    def check(self, connection, method, initial):
        if method == "PLAIN":
            return initial == b"\0%s\0%s" % (self.user, self.password)
        if method == "LOGIN":
            return (self.challenge(connection, b"User Name"),
                    self.challenge(connection, b"Password")) == (
                        self.user, self.password)
        if method == "SCRAM-SHA-256":
            return self.scram(connection, initial)
        text = b"<17.%d@peer.example>" % len(self.outcomes)
        name, digest = self.challenge(connection, text).rsplit(b" ", 1)
        return name == self.user and digest.decode() == hmac.new(
            self.password, text, HASHES[method]).hexdigest()

    def __call__(self, connection):
        words = self.peer.commands[-1].split(b" ")
        method = words[1].decode()
        initial = base64.b64decode(words[2]) if len(words) > 2 else None
        right = self.check(connection, method, initial)
        self.outcomes.append((method, right))
        connection.sendall(b"235 2.7.0 ok\r\n" if right else
                           b"535 5.7.8 no\r\n")
        return True
