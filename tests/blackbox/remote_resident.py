"""For the tests of qmail-remote: one that stays alive, behind a qmail-tlsd that
takes orders for all of its kind, as qmail-rspawn would start them."""
import os
import socket
import struct
import subprocess

import home as home_module
from remote_peers import Remote


def records_of(packet):
    """number: what qmail-remote says of that recipient, from R or E."""
    at = 1 if packet[:1] == b"R" else packet.index(b"\0") + 1
    found = {}
    while at < len(packet):
        number, size = struct.unpack_from("<HI", packet, at)
        found[number] = packet[at + 6:at + 6 + size]
        at += 6 + size
    return found


class HelperRemote(Remote):
    """run() is as ever.  There is no bin/qmail-tlsd in the home, so nothing but
    the helper can speak TLS."""

    def __init__(self, path, bin_dir):
        super().__init__(path, bin_dir)
        self.helper = None

    def start_helper(self):
        name = os.path.join(self.path, "orders")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as orders:
            orders.bind(name)
            os.chmod(name, 0o666)
            self.place = os.open(name, os.O_PATH)
            os.unlink(name)
            end, self.life = os.pipe()
            self.helper = subprocess.Popen(
                [os.path.join(self.bin, "qmail-tlsd"), "-M"], stdin=orders,
                stdout=end, stderr=subprocess.DEVNULL, cwd="/",
                env={**self.sanitizers(), "QMAILHOME": self.path},
                **home_module.ids_arguments())
            os.close(end)

    def stop(self):
        super().stop()
        if self.helper is None:
            return
        os.close(self.place)
        os.close(self.life)
        assert self.helper.wait(home_module.DEADLINE) == 0

    def run_raw(self, host, sender, *recipients,
                message=b"Subject: x\n\nbody\n", timeout=home_module.DEADLINE):
        if self.helper is None:
            self.start_helper()
        path = os.path.join(self.path, "message")
        home_module.write_file(path, message)
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, open(path, "rb") as f:
            with its:
                process = subprocess.Popen(
                    [os.path.join(self.bin, "qmail-remote")], stdin=its,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    cwd="/", env={**self.sanitizers(), **self.environment,
                                  "QMAILHOME": self.path},
                    **home_module.ids_arguments())
            ours.settimeout(timeout)
            assert ours.recv(65536) == b"H"
            socket.send_fds(ours, [b"T"], [self.place])
            words = [word if isinstance(word, bytes) else word.encode()
                     for word in (host, sender, *recipients)]
            socket.send_fds(ours, [b"D" + b"".join(w + b"\0" for w in words)],
                            [f.fileno()])
            said = {}
            packet = b""
            while packet[:1] != b"E":
                packet = ours.recv(65536)
                assert packet[:1] in (b"V", b"R", b"E"), packet
                if packet[:1] != b"V":
                    said.update(records_of(packet))
        assert process.wait(home_module.DEADLINE) == 0
        parts = [said[n][:-1].split(b"\0") for n in range(len(recipients))]
        return [p[0] for p in parts if len(p) == 2] + [parts[0][-1]]
