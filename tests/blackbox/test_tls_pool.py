"""The processes that do handshakes: one connection at a time, few of them
after one another, and nothing of one left for the next."""
import os
import re
import signal
import ssl
import subprocess
from types import SimpleNamespace

import pytest

from home import make_dirs, wait_for
from test_tls import certificates, install, shown  # noqa: F401 a fixture
from tls import Service, TlsSmtpd, context, read_until, run_client


def options(home):
    """Its home in the arguments of each qmail-tlsd: nothing else tells those
    of one service from others to an ordinary user."""
    return ["-c", home.file("control/servercert.pem")]


@pytest.fixture
def service(home, certificates):  # noqa: F811
    install(home, certificates[0])
    return Service(home, options=options(home), direct=True)


def tlsd(service):  # noqa: F811
    """Of this service: the pid of each qmail-tlsd and its parent's."""
    found = {}
    mark = options(service.home)[1].encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                name, rest = re.match(r"\d+ \((.*)\) \S (\d+)",
                                      f.read()).groups()
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if name == "qmail-tlsd" and mark in words:
            found[int(pid)] = int(rest)
    return found


def master(service):  # noqa: F811
    """Below the guard, which has no qmail-tlsd for a parent, as have those
    whose master has died."""
    def one():
        everybody = tlsd(service)
        found = [pid for pid, parent in everybody.items()
                 if parent in everybody and
                 everybody[parent] not in everybody]
        return found if len(found) == 1 else None

    return wait_for(one, "a master alone")[0]


def workers(service):  # noqa: F811
    above = master(service)
    return {p for p, parent in tlsd(service).items() if parent == above}


def converse(service, text="NOOP"):  # noqa: F811
    s = TlsSmtpd(service).starttls()
    s.command(text)
    assert s.command("QUIT").startswith("221") and s.at_end()
    s.close()


def test_few_processes_for_many(service):  # noqa: F811
    seen = set()
    for _ in range(55):
        converse(service)
        seen |= workers(service)
    # Fifty connections each; one that is not free yet makes for another.
    assert 2 <= len(seen) < 40, seen


def test_one_for_each(home, certificates):  # noqa: F811
    install(home, certificates[0])
    service = Service(home, options=[*options(home), "-n", "1"])
    seen = set()
    for _ in range(5):
        s = TlsSmtpd(service).starttls()
        now = workers(service)
        assert not now <= seen
        seen |= now
        s.close()
        wait_for(lambda: not workers(service), "the end of the process")
    assert len(seen) == 5


@pytest.mark.parametrize("number", ["0", "-1", "10001", "x", ""])
def test_number_that_is_none(home, number):
    code, said = run_client([os.path.join(home.bin, "qmail-tlsd"), "-n",
                             number], env=home.environment())
    assert code == 100 and "usage" in said


def test_each_connection_has_its_own(service):  # noqa: F811
    converse(service)
    held = [TlsSmtpd(service).starttls() for _ in range(6)]
    assert len(workers(service)) >= 6
    for s in held:
        assert s.command("NOOP") == "250 2.0.0 ok"
        s.close()
    # Those that are free again take what comes.
    def taken_by_one_of_them():
        before = workers(service)
        converse(service)
        return workers(service) <= before

    wait_for(taken_by_one_of_them, "a process that is free again")


def half_open(service):  # noqa: F811
    """A connection in the middle of its handshake, and its process."""
    before = workers(service)
    sock = service.connect()
    read_until(sock, b"\n")
    sock.sendall(b"STARTTLS\r\n")
    read_until(sock, b"TLS\r\n")
    sock.sendall(b"\x16\x03\x01\x02")
    (pid,) = wait_for(lambda: workers(service) - before, "its process")
    return sock, pid


def test_killed_in_a_handshake(service):  # noqa: F811
    """Of a process that dies the others know nothing."""
    held = TlsSmtpd(service).starttls()
    sock, pid = half_open(service)
    os.kill(pid, signal.SIGKILL)
    assert read_until(sock, b"\0never") == b""
    sock.close()
    assert held.command("NOOP") == "250 2.0.0 ok"
    before = master(service)
    converse(service)
    held.command("NOOP")
    victim = next(iter(workers(service)))
    os.kill(victim, signal.SIGABRT)
    wait_for(lambda: victim not in workers(service), "its end")
    converse(service)
    assert master(service) == before


def test_killed_while_idle(service):  # noqa: F811
    converse(service)
    victims = workers(service)
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    # Until then one still takes orders, which end with it.
    wait_for(lambda: not victims & workers(service), "their end")
    converse(service)
    # The one that gives orders, too: its guard replaces it.
    first = master(service)
    held = TlsSmtpd(service).starttls()
    os.kill(first, signal.SIGKILL)
    service.wait_log("another takes over")
    converse(service)
    assert held.command("NOOP") == "250 2.0.0 ok"
    assert master(service) != first


def test_failure_is_not_followed_by_others(service):  # noqa: F811
    """One whose client broke the rules gets no other."""
    converse(service)
    sock, pid = wait_for(lambda: half_open_idle(service),
                         "a process that is free again")
    sock.sendall(b"no TLS at all\r\n" * 40)
    read_until(sock, b"\0never")
    sock.close()
    wait_for(lambda: pid not in workers(service), "the end of the process")
    converse(service)
    assert pid not in workers(service)


def half_open_idle(service):  # noqa: F811
    """The same with a process that has served, and is the only one."""
    before = workers(service)
    sock = service.connect()
    read_until(sock, b"\n")
    sock.sendall(b"STARTTLS\r\n")
    read_until(sock, b"TLS\r\n")
    if len(before) == 1 and workers(service) == before:
        return sock, *before
    # It was not free yet.  All go, and the next one has to be.
    sock.close()
    for pid in workers(service):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not workers(service), "their end")
    converse(service)
    return None


def test_certificate_replaced_meanwhile(home, certificates,  # noqa: F811
                                        service):
    """Open connections stay; nobody gets the old one any more."""
    converse(service)
    old = workers(service)
    held = TlsSmtpd(service).starttls()
    idle = workers(service)
    install(home, certificates[1])
    s = TlsSmtpd(service).starttls()
    assert s.certificate() == shown(certificates[1])
    s.close()
    assert held.command("NOOP") == "250 2.0.0 ok"
    assert held.command("QUIT").startswith("221") and held.at_end()
    held.close()
    for _ in range(4):
        s = TlsSmtpd(service).starttls()
        assert s.certificate() == shown(certificates[1])
        s.close()
    wait_for(lambda: not (old | idle) & workers(service),
             "the end of the old ones")


def test_name_added_meanwhile(home, certificates, service):  # noqa: F811
    converse(service)
    make_dirs(home.file("control/servercerts"))
    install(home, certificates[1], "control/servercerts/mail.b.example.pem")
    s = TlsSmtpd(service).starttls(name="mail.b.example")
    assert s.certificate() == shown(certificates[1])
    s.close()


# Two connections in clear: one is there when the service ends, the order of
# the other comes right after that, from who has kept the place to send it to.
LAST_ORDERS = """
import os, socket
place, life = map(int, os.environ["QMAILTLS"].split(":"))
def order():
    ours, theirs = socket.socketpair()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.connect(f"/proc/self/fd/{place}")
    socket.send_fds(sock, [b"w127.0.0.1"], [theirs.fileno()] * 3)
    ours.settimeout(55)
    return ours
first = order()
print(first.recv(1), flush=True)
input()
os.close(life)
second = order()
print("sent", flush=True)
print(second.recv(1), flush=True)
first.settimeout(0)
try:
    print(first.recv(1))
except BlockingIOError:
    print("there")
"""


def test_last_orders(home, certificates):  # noqa: F811
    install(home, certificates[0])
    make_dirs(home.file("run/tls"), 0o700)
    service = SimpleNamespace(home=home)
    script = home.spawn(
        [os.path.join(home.bin, "qmail-tls"), "-r", *options(home),
         "/usr/bin/python3", "-c", LAST_ORDERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    assert script.stdout.readline() == b"b'+'\n", script.stderr.read()
    pid = master(service)
    # It hears of both at once.
    os.kill(pid, signal.SIGSTOP)
    script.stdin.write(b"\n")
    script.stdin.flush()
    assert script.stdout.readline() == b"sent\n"
    os.kill(pid, signal.SIGCONT)
    assert script.communicate() == (b"b'+'\nthere\n", b"")
    wait_for(lambda: not tlsd(service), "the end of all")


def writable_memory(pid):
    with open(f"/proc/{pid}/maps") as f:
        spans = [line.split()[0].split("-") for line in f
                 if " rw" in line and "[v" not in line]
    found = b""
    with open(f"/proc/{pid}/mem", "rb") as f:
        for start, end in spans:
            f.seek(int(start, 16))
            found += f.read(int(end, 16) - int(start, 16))
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to read memory")
@pytest.mark.skipif(bool(os.environ.get("SANITIZE")),
                    reason="sanitizers keep what was freed")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_nothing_is_left(service, version):  # noqa: F811
    """Of what was said, either way, when the process waits for the next."""
    word = "x" + os.urandom(12).hex()
    s = TlsSmtpd(service).starttls(ctx=context(maximum=version))
    (pid,) = workers(service)
    said = s.command(f"MAIL FROM:<{word}@x.example> BODY={word[:9]}")
    s.command(f"AUTH PLAIN {word}", f"EHLO {word}.x.example")
    assert said and s.command("QUIT").startswith("221") and s.at_end()
    s.close()
    wait_for(lambda: service.log().rstrip().endswith("status: 0/400"),
             "the end of the session")
    assert workers(service) == {pid}
    assert len(writable_memory(pid)) > 100000

    def nothing():
        memory = writable_memory(pid)
        return not any(left.encode() in memory for left in (
            word, "ready to start", "221 2.0.0", "EHLO"))

    wait_for(nothing, "all to be forgotten")
