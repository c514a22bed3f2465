"""What scanning costs: messages a second, memory, and nothing when it is off.

The database is that of the tests, a few signatures: it shows the cost of the
way to the scanner, of its processes and of libclamav's look at a message, not
of millions of signatures.
"""
import concurrent.futures
import os
import shutil
import smtplib
import subprocess
import time

import home as lib
import scan_samples as samples
from sessions import children, pss, say

MESSAGES = 400
CLIENTS = 4
RUNS = 3
BODY = samples.mail(("text/plain", b"hello\n" * 100),
                    ("application/zip", samples.zipped(os.urandom(3000)))
                    ).replace(b"\n", b"\r\n")
QUEUE = "#!/bin/sh\ncat >/dev/null\nexec cat <&1 >/dev/null\n"
CLAMD = shutil.which("clamd", path="/usr/sbin:/usr/bin:/sbin:/bin")


def send(port, count):
    for _ in range(count):
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            client.sendmail("s@x.example", ["joe@a.example"], BODY)


def rate(port):
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(send, port, MESSAGES // CLIENTS)
                     for _ in range(CLIENTS)]:
            done.result()
    return MESSAGES / (time.monotonic() - start)


def start_clamd(home):
    path = home.file("clamd.sock")
    config = lib.write_file(home.file("clamd.conf"), "\n".join([
        "Foreground yes", f"LocalSocket {path}", "LocalSocketMode 666",
        f"DatabaseDirectory {home.file('signatures')}",
        f"LogFile {home.file('clamd.log')}", ""]))
    home.spawn([CLAMD, "-c", config], stdin=subprocess.DEVNULL,
               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lib.wait_for(lambda: os.path.exists(path), "clamd")
    return path, home.processes[-1].pid


def calls(home, messages):
    """System calls of one session with so many messages."""
    trace = home.file("calls")
    port = lib.free_port()
    server = home.spawn(
        [home.listener, "-qHRl0", "-c1", "127.0.0.1", str(port), "strace", "-c",
         "-qq", "-U", "calls,name", "-o", trace,
         os.path.join(home.bin, "qmail-smtpd")],
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lib.wait_port(port)
    lib.wait_for(lambda: not children(server.pid), "the first look to end")
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        for _ in range(messages):
            client.sendmail("s@x.example", ["joe@a.example"], BODY)
    lib.wait_for(lambda: not children(server.pid), "the session to end")
    lib.stop(server)
    with open(trace) as f:
        return sum(int(line.split()[0]) for line in f
                   if line.split()[:1] and line.split()[0].isdigit()
                   and line.split()[-1] != "total")


def bench_scan(base, bin_dir):
    home = lib.Home(os.path.join(base, "scan"), bin_dir, me="a.example")
    samples.make_database(home.file("signatures"))
    queue = lib.write_file(home.file("discard"), QUEUE, 0o755)
    env = {"QMAILQUEUE": queue}
    ways = {"off": None}
    pids = {}
    if os.path.exists(os.path.join(bin_dir, "qmail-scand")):
        home.control("scandb", home.file("signatures") + "\n")
        home.spawn([os.path.join(bin_dir, "qmail-scand")],
                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pids["qmail-scand"] = home.processes[-1].pid
        ways["qmail-scand"] = home.file("run", "scand")
        lib.wait_for(lambda: os.path.exists(ways["qmail-scand"]), "scand")
    if CLAMD:
        ways["clamd"], pids["clamd"] = start_clamd(home)
    port = home.smtpd(env=env, options=("-q",))
    best = dict.fromkeys(ways, 0.0)
    for _ in range(RUNS):
        for name, path in ways.items():
            home.control("clamd", path and path + "\n")
            best[name] = max(best[name], rate(port))
    say(f"scan: {len(BODY)} bytes with a zip attached, into a $QMAILQUEUE "
        "that throws it away, best of three:")
    for name, got in best.items():
        say(f"  {name:12} {got:6.0f} messages/s, "
            f"{got / best['off']:.2f} of that without scanning")
    for name, pid in pids.items():
        below = [pid] + [q for p in children(pid) for q in [p, *children(p)]]
        say(f"  memory of {name}: {sum(map(pss, below)) / 1024:.1f} MiB in "
            f"{len(below)} processes")
    home.control("clamd", None)
    one, three = calls(home, 1), calls(home, 3)
    more = [one, three]
    if "qmail-scand" in ways:
        home.control("clamd", ways["qmail-scand"] + "\n")
        more = [calls(home, 1), calls(home, 3)]
    say(f"  system calls of a session: {one} with 1 message, {three} with 3; "
        f"scanned: {more[0]} and {more[1]}")
    home.stop_all()
