"""What SMTP sessions cost that send no mail: memory and expressions."""
import os
import re
import resource
import socket
import statistics
import subprocess
import time

import home as lib

IDLE = 50
PATTERNS = 1000
SESSIONS = 40
RUNS = 7
RECIPIENTS = 1000


def say(text):
    print(text, flush=True)


# -- idle ----------------------------------------------------------------
def pss(pid):
    """Proportional set size in KiB, and by mapping."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"^Pss:\s+(\d+) kB", f.read(), re.M).group(1))


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(p) for p in f.read().split()]


def idle_sessions(home, commands):
    """Memory of 50 sessions that have said so much and now wait."""
    port = home.smtpd(options=("-q",))
    server = home.processes[-1]
    clients = []
    for _ in range(IDLE):
        client = socket.create_connection(("127.0.0.1", port), 20)
        client.recv(1000)
        for command in commands:
            client.sendall(command.encode() + b"\r\n")
            client.recv(1000)
        clients.append(client)
    lib.wait_for(lambda: len(children(server.pid)) == IDLE, "50 sessions")
    time.sleep(0.2)
    sizes = [pss(pid) for pid in children(server.pid)]
    for client in clients:
        client.close()
    lib.stop(server)
    return sum(sizes) / len(sizes), max(sizes)


def bench_idle(base, bin_dir):
    home = lib.Home(os.path.join(base, "idle"), bin_dir, me="a.example")
    home.control("rcpthosts", "a.example\n")
    say(f"proportional set size of a session, {IDLE} open, in KiB "
        "(goal: at most 110 when idle):")
    for name, commands in (
            ("after the greeting", []),
            ("after EHLO", ["EHLO client.example"]),
            ("after RCPT", ["EHLO client.example", "MAIL FROM:<a@b.example>",
                            "RCPT TO:<u@a.example>"])):
        mean, most = idle_sessions(home, commands)
        say(f"  {name:20} mean {mean:.0f}, most {most}")
    home.control("badmailto", expressions("literal"))
    mean, most = idle_sessions(home, ["EHLO client.example"])
    say(f"  {'with 1,000 patterns':20} mean {mean:.0f}, most {most}")


# -- expressions ---------------------------------------------------------
def expressions(kind):
    """1,000 lines; "open" ones hold nothing that rules them out early."""
    forms = {
        "literal": (r"^.*@spam{0}\.example$", r"\.dyn{0}\.[a-z]+\.example$",
                    r"^bounce-{0}[0-9]+@", r"(offer|deal){0}@.*\.com$",
                    r"^[0-9]{{1,3}}-[0-9]{{1,3}}\.pool{0}\."),
        "open": (r"^[a-z]+[0-9]{{{1}}}[^@]*@",),
    }[kind]
    return "".join(forms[i % len(forms)].format(i, i % 9 + 3) + "\n"
                   for i in range(PATTERNS))


def session_cpu(home, env, recipients, rounds):
    """CPU seconds of one session with so many recipients."""
    talk = ("EHLO client.example\r\nMAIL FROM:<joe.average@some.example>\r\n"
            + "".join(f"RCPT TO:<some.body{i % 97}@a.example>\r\n"
                      for i in range(recipients)) + "QUIT\r\n").encode()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(rounds):
        subprocess.run([os.path.join(home.bin, "qmail-smtpd")], input=talk,
                       stdout=subprocess.DEVNULL, check=True, cwd=home.path,
                       env=home.environment(**env))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime
            - before.ru_stime) / rounds


def bench_patterns(base, bin_dir):
    home = lib.Home(os.path.join(base, "patterns"), bin_dir, me="a.example")
    home.control("rcpthosts", "a.example\n")
    home.control("maxrcpt", "0\n")
    say(f"{PATTERNS:,} lines in control/badmailto, CPU (goals: 2 ms a "
        "session, 100 us a match):")
    off = {"NO_BADMAILTO": ""}
    for kind in ("literal", "open"):
        home.control("badmailto", expressions(kind))
        starts, matches = [], []
        for _ in range(RUNS):
            one = [session_cpu(home, env, 1, SESSIONS) for env in (off, {})]
            many = [session_cpu(home, env, 1 + RECIPIENTS, 3)
                    for env in (off, {})]
            starts.append(one[1] - one[0])
            matches.append((many[1] - many[0] - starts[-1]) / RECIPIENTS)
        say(f"  {kind:8} {statistics.median(starts) * 1e3:.2f} ms a session "
            "with one recipient, "
            f"{statistics.median(matches) * 1e6:.1f} us for each further one "
            f"(medians of {RUNS} runs)")
