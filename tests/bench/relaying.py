"""Mail through this host: in by SMTP, out to one relay, Postfix's smtp-sink.

Both servers run in the same run, in turn, with the same clients and the same
sink; ratios are qmail's figure by Postfix's.
"""
import os
import re
import shutil
import statistics
import subprocess
import time

import home as lib
import postfix_peer
from meter import Meter

ROUNDS = 3
SINGLE = 2000      # messages of one recipient
LISTS, LIST = 20, 100  # messages, recipients of each
BYTES = 4096
CLIENTS = 20
PATIENCE = 300


def say(text):
    print(text, flush=True)


class Sink:
    """smtp-sink, counting messages."""

    def __init__(self, base):
        self.port = lib.free_port()
        self.path = os.path.join(base, f"sink-{self.port}")
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen(
                ["smtp-sink", "-c", "-u", "nobody", f"127.0.0.1:{self.port}",
                 "1000"], stdout=out, stderr=subprocess.DEVNULL, cwd="/")
        lib.wait_port(self.port)

    def messages(self):
        with open(self.path, "rb") as f:
            f.seek(max(0, os.path.getsize(self.path) - 200))
            found = re.findall(rb"mesg=(\d+)", f.read())
        return int(found[-1]) if found else 0

    def stop(self):
        lib.stop(self.process)


class Qmail:
    name = "qmail-md"

    def __init__(self, base, bin_dir, sink, controls=()):
        self.home = lib.Home(os.path.join(base, f"relay-{sink.port}"), bin_dir,
                             me="a.example")
        for name, text in (("smtproutes", f":127.0.0.1:{sink.port}\n"),
                           ("concurrencyremote", "100\n"),
                           ("rcpthosts", "far.example\n"),
                           ("maxrcpt", "1000\n"), *controls):
            self.home.control(name, text)
        self.meter = Meter()

        def start():
            self.home.start()
            return self.home.smtpd(options=("-q",))

        self.port = self.meter.start(start)

    def is_empty(self):
        queue = self.home.file("queue")
        return not any(names for area in ("mess", "todo") for _, _, names in
                       os.walk(os.path.join(queue, area)))

    def stop(self):
        self.home.stop_all()
        self.meter.close()


class Postfix:
    name = "Postfix"

    def __init__(self, base, bin_dir, sink, more=""):
        self.peer = postfix_peer.Postfix(
            more + f"relayhost = [127.0.0.1]:{sink.port}\n"
            "relay_domains = far.example\n"
            "smtpd_recipient_overshoot_limit = 1000\n")
        self.meter = Meter()
        self.meter.start(self.peer.start)
        self.port = self.peer.port

    def is_empty(self):
        queue = f"{self.peer.base}/queue"
        return not any(names for area in ("maildrop", "incoming", "active",
                                          "deferred")
                       for _, _, names in os.walk(os.path.join(queue, area)))

    def stop(self):
        self.peer.stop()
        self.meter.close()


def flood(port, messages, recipients):
    subprocess.run(
        ["smtp-source", "-s", str(CLIENTS), "-l", str(BYTES), "-m",
         str(messages), "-r", str(recipients), "-f", "s@x.example", "-t",
         "u@far.example", f"127.0.0.1:{port}"], check=True)


def one_run(server, sink, messages, recipients):
    """Seconds until all is accepted and until all is gone, CPU seconds."""
    cpu, start = server.meter.seconds(), time.monotonic()
    flood(server.port, messages, recipients)
    accepted = time.monotonic() - start
    lib.wait_for(server.is_empty, f"{server.name}'s queue to empty", PATIENCE)
    return (accepted, time.monotonic() - start,
            server.meter.seconds() - cpu)


def bench_relay(base, bin_dir):
    if not postfix_peer.usable() or not shutil.which("smtp-sink"):
        say("relay: needs root and Postfix with smtp-sink")
        return
    sink = Sink(base)
    servers = [Qmail(base, bin_dir, sink), Postfix(base, bin_dir, sink)]
    try:
        for server in servers:
            one_run(server, sink, 40, 2)
        for label, messages, recipients in (("one recipient", SINGLE, 1),
                                            ("lists", LISTS, LIST)):
            compare(label, servers, sink, messages, recipients)
    finally:
        for server in servers:
            server.stop()
        sink.stop()


def compare(label, servers, sink, messages, recipients):
    total = messages * recipients
    say(f"relay, {label}: {messages} messages of {BYTES} bytes, {recipients} "
        f"recipients each, medians of {ROUNDS} rounds in turn:")
    runs = {server.name: [] for server in servers}
    for _ in range(ROUNDS):
        for server in servers:
            before = sink.messages()
            runs[server.name].append(
                one_run(server, sink, messages, recipients) +
                (sink.messages() - before,))
    rates = []
    for server in servers:
        accepted, done, cpu, sent = (statistics.median(column) for column in
                                     zip(*runs[server.name]))
        rates.append((total / done, cpu / total))
        say(f"  {server.name:9} {messages / accepted:6.0f} messages/s in, "
            f"{total / done:6.0f} recipients/s through, {cpu / total * 1e3:.2f}"
            f" ms of CPU for each, {sent:.0f} transactions")
    (ours, our_cpu), (theirs, their_cpu) = rates
    say(f"  ratio: recipients/s {ours / theirs:.2f}, CPU "
        f"{our_cpu / their_cpu:.2f}")
