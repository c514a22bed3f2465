"""TLS against those who do not want it, or want too much of it: injection
before the handshake, stripping, old versions, renegotiation, stalling, and
what a server that was broken into could get at."""
import os
import re
import select
import shutil
import socket
import ssl
import subprocess

import pytest

import home as h
from home import DEADLINE, wait_for
from test_tls import certificates, install, service  # noqa: F401 fixtures
from test_admin_root import DAEMON, NOFILES, RootHome
from test_tls_pool import options, workers
from tls import Service, Slow, TlsSmtpd, context, read_until

SANITIZED = bool(os.environ.get("SANITIZE"))


def slow_handshake(sock, maximum=None):
    """A handshake over a plain socket; its TLS object."""
    slow = Slow(maximum)
    out, done = slow.step()
    while True:
        sock.sendall(out)
        if done:
            return slow
        got = sock.recv(65536)
        assert got, "closed in the middle of a handshake"
        out, done = slow.step(got)


def talk(sock, slow, text):
    """Sends text over TLS; what has come back when it is quiet."""
    slow.tls.write(text)
    sock.sendall(slow.outgoing.read())
    said = b""
    while b"221 " not in said:
        got = sock.recv(65536)
        if not got:
            break
        slow.incoming.write(got)
        try:
            while more := slow.tls.read(65536):
                said += more
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
    return said


def test_plugins_believe_nothing_said_in_clear(home, certificates):  # noqa: F811
    """What a plugin has allowed, or wants in the header, because of a name."""
    h.make_dirs(home.file("plugins"))
    h.write_file(home.file("plugins/helo"), "#!/bin/sh\n"
                 "[ $SMTPHELOHOST != friend ] || printf 'HX-Friend: yes\\nA\\n'\n",
                 0o755)
    h.write_file(home.file("plugins/mail"), "#!/bin/sh\necho E550 asked\n",
                 0o755)
    home.control("smtpplugins",
                 "[helo]\nplugins/helo\n[mail]\nplugins/mail\n")
    install(home, certificates[0])
    client = TlsSmtpd(Service(home))
    client.command("EHLO friend")
    assert client.command("MAIL FROM:<s@x.example>") == "250 2.1.0 ok"
    client.starttls()
    assert client.command("MAIL FROM:<s@x.example>") == "550 asked"
    client.close()


@pytest.mark.parametrize("command", [b"STARTTLS\r\n", b"starttls \r\n"])
def test_injection_in_one_packet(service, command):  # noqa: F811
    """What came together with STARTTLS, in clear, was never said."""
    sock = service.connect()
    read_until(sock, b"\n")
    sock.sendall(b"EHLO c\r\n" + command + b"EHLO evil\r\n"
                 b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<r@a.example>\r\n"
                 b"DATA\r\nevil\r\n.\r\n")
    got = read_until(sock, b"220 2.0.0 ready to start TLS\r\n")
    assert got.endswith(b"TLS\r\n"), got
    slow = slow_handshake(sock)
    said = talk(sock, slow, b"NOOP\r\nRCPT TO:<r@a.example>\r\nQUIT\r\n")
    assert said == (b"250 2.0.0 ok\r\n503 5.5.1 MAIL first\r\n"
                    b"221 2.0.0 a.example ESMTP\r\n")
    assert service.queue.messages() == []


def test_injection_behind_the_reply(service):  # noqa: F811
    """Clear text in place of the handshake is no TLS, and nothing else."""
    for text in (b"RSET\r\nMAIL FROM:<evil@x.example>\r\n",
                 b"NOOP\r\n" * 5000, b"\x16\x03\x01\x00\x05hello"):
        sock = service.connect()
        read_until(sock, b"\n")
        sock.sendall(b"STARTTLS\r\n")
        read_until(sock, b"\n")
        try:
            sock.sendall(text)
            sock.shutdown(socket.SHUT_WR)
            got = read_until(sock, b"\0never")
        except (BrokenPipeError, ConnectionResetError, OSError):
            got = b""
        assert b"250" not in got and len(got) < 30, got
    assert service.queue.messages() == []


def test_required(home, service):  # noqa: F811
    service = Service(home, env={"UCSPITLS": "!"})
    s = TlsSmtpd(service)
    assert "STARTTLS" in s.command("EHLO c.example")
    refusal = "530 5.7.0 must issue STARTTLS first"
    assert s.command("MAIL FROM:<s@x.example>", "RCPT TO:<r@a.example>",
                     "DATA", "AUTH PLAIN AGEAYg==") == [refusal] * 4
    assert s.command("NOOP") == "250 2.0.0 ok"
    s.starttls()
    s.command("EHLO c.example")
    assert s.command("MAIL FROM:<s@x.example>") == "250 2.1.0 ok"


def test_required_and_impossible(home):
    """Without a certificate what is required stays so."""
    s = TlsSmtpd(Service(home, env={"UCSPITLS": "!"}))
    assert "STARTTLS" not in s.command("EHLO c.example")
    assert s.command("STARTTLS") == "454 4.7.0 TLS is not available"
    assert s.command("MAIL FROM:<s@x.example>").startswith("530 5.7.0")


def test_unwanted(home, service):  # noqa: F811
    s = TlsSmtpd(Service(home, env={"UCSPITLS": "-"}))
    assert "STARTTLS" not in s.command("EHLO c.example")
    assert s.command("MAIL FROM:<s@x.example>").startswith("250")


def s_client(port, *options, text=b""):
    return subprocess.run(
        ["openssl", "s_client", "-starttls", "smtp", "-connect",
         f"127.0.0.1:{port}", *options], input=text, capture_output=True,
        timeout=DEADLINE, check=False)


def test_versions(service):  # noqa: F811
    for old in ("-tls1", "-tls1_1"):
        done = s_client(service.port, old, "-cipher", "ALL:@SECLEVEL=0")
        assert b"alert protocol version" in done.stderr, done
        assert b"Cipher is (NONE)" in done.stdout
    service.wait_log("no TLS with 127.0.0.1: unsupported protocol")
    for new in ("-tls1_2", "-tls1_3"):
        done = s_client(service.port, new, text=b"QUIT\r\n")
        assert done.returncode == 0 and b"Cipher is (NONE)" not in done.stdout
    for weak in ("eNULL", "aNULL", "3DES", "EXPORT:LOW", "MD5"):
        done = s_client(service.port, "-tls1_2", "-cipher",
                        weak + ":@SECLEVEL=0")
        assert done.returncode != 0, weak


def test_renegotiation(service):  # noqa: F811
    process = subprocess.Popen(
        ["openssl", "s_client", "-starttls", "smtp", "-tls1_2", "-connect",
         f"127.0.0.1:{service.port}"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = bytearray()
    try:
        wait_for(lambda: b"Verify return code" in readable(process, said),
                 "a handshake")
        process.stdin.write(b"R\n")
        process.stdin.flush()
        wait_for(lambda: b"no renegotiation" in readable(process, said),
                 "a refusal")
    finally:
        process.stdin.close()
        h.stop(process)
        process.stdout.close()


def readable(process, said):
    """All that the process has said by now, gathered in said."""
    while select.select([process.stdout], [], [], 0)[0]:
        more = os.read(process.stdout.fileno(), 65536)
        if not more:
            break
        said += more
    return said


def open_stalled(service, count, maximum):  # noqa: F811
    """A connection whose client sends so many bytes of its handshake and
    stops; None when that is all of it."""
    sock = service.connect()
    read_until(sock, b"\n")
    sock.sendall(b"STARTTLS\r\n")
    read_until(sock, b"TLS\r\n")
    slow, got = Slow(maximum), b""
    while True:
        out, done = slow.step(got)
        sock.sendall(out[:count])
        if len(out) > count:
            return sock
        count -= len(out)
        if done:
            sock.close()
            return None
        got = sock.recv(65536)
        assert got, "closed in the middle of a handshake"


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_stalling(home, certificates, maximum):  # noqa: F811
    """A client that stops at any byte is given up in time, and others are
    served meanwhile."""
    install(home, certificates[0])
    service = Service(home, options=["-t", "5"], limit=900, direct=True)
    stalled = []
    while (sock := open_stalled(service, len(stalled), maximum)) is not None:
        stalled.append(sock)
    assert len(stalled) > 280, len(stalled)
    s = TlsSmtpd(service).starttls()
    assert s.command("NOOP") == "250 2.0.0 ok"
    for sock in stalled:
        read_until(sock, b"\0never")
        sock.close()
    wait_for(lambda: service.log().count("no TLS with 127.0.0.1") ==
             len(stalled), f"{len(stalled)} lines")
    assert "timed out" in service.log()


def test_hangs_up_anywhere(home, certificates):  # noqa: F811
    """The mail server ends, too, whenever its client is gone."""
    install(home, certificates[0])
    service = Service(home)
    for count in range(0, 400, 23):
        sock = open_stalled(service, count, None)
        if sock is not None:
            sock.close()
    wait_for(lambda: service.log().rstrip().endswith("status: 0/400"),
             "the end of all sessions")


def test_client_that_reads_nothing(home, certificates):  # noqa: F811
    """What cannot be sent holds no process for long: not while the server
    waits for it, nor what that has left when it gave up."""
    install(home, certificates[0])
    # No process but those that have a client.
    service = Service(home, "/usr/bin/timeout", front=["-s"],
                      arguments=["2", "yes"],
                      options=[*options(home), "-n", "1"])
    sock = service.connect()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow_handshake(sock)
    assert workers(service)
    service.wait_log(r"tcpserver: end \d+ status")
    # The client is still there, and says nothing.
    wait_for(lambda: not workers(service), "the end of the connection")
    sock.close()


# What a mail server that fell may send where orders are sent to.
ORDERS = """
import os, socket
orders = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
orders.connect("/proc/self/fd/" + os.environ["QMAILTLS"].split(":")[0])
def order(control):
    data, _ = socket.socketpair()
    socket.send_fds(orders, [b"w127.0.0.1"], [control, data.fileno(),
                                              data.fileno()])
_, full = os.pipe()
os.set_blocking(full, False)
try:
    while True:
        os.write(full, bytes(4096))
except BlockingIOError:
    os.set_blocking(full, True)
order(full)
ours, theirs = socket.socketpair()
order(theirs.fileno())
ours.settimeout(20)
print(ours.recv(1))
"""


def test_orders_of_a_fallen_server_hold_up_nobody(home, certificates):  # noqa: F811
    install(home, certificates[0])
    h.make_dirs(home.file("run/tls"), 0o700)
    done = home.run("qmail-tls", "-r", "/usr/bin/python3", "-c", ORDERS)
    assert done.stdout == b"b'+'\n", done


# Connections that are not done with their client at the last close(2), which
# qmail-tlsd makes of the first two kinds, and may make of the third: more
# descriptors than there may be.
LINGERERS = """
import os, socket, struct
orders = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
orders.connect("/proc/self/fd/" + os.environ["QMAILTLS"].split(":")[0])
door = socket.create_server(("127.0.0.1", 0))
clients = []
def lingerer():
    clients.append(socket.create_connection(door.getsockname()))
    net, _ = door.accept()
    net.setblocking(False)
    try:
        while True:
            net.send(bytes(65536))
    except BlockingIOError:
        pass
    net.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                   struct.pack("ii", 1, 30000))
    return net
def send(count):
    ours, theirs = socket.socketpair()
    data = socket.socketpair()[0]
    nets = [lingerer() for _ in range(count)]
    socket.send_fds(orders, [b"w127.0.0.1"], [
        theirs.fileno(), data.fileno(), *(n.fileno() for n in nets)])
    return ours, nets
def order(count):
    ours, nets = send(count)
    ours.settimeout(55)
    answer = ours.recv(1)
    for net in nets:
        net.close()
    return answer
print(order(1), order(2), flush=True)
if os.fork() == 0:
    held = send(3)  # what an exit closes waits for nobody
    os._exit(0)
os.wait()
print(order(1))
"""


def test_closing_waits_for_nobody(home, certificates):  # noqa: F811
    install(home, certificates[0])
    h.make_dirs(home.file("run/tls"), 0o700)
    done = home.run("qmail-tls", "-r", "/usr/bin/python3", "-c", LINGERERS)
    assert done.stdout == b"b'+' b'+'\nb'+'\n", done


# What a mail server that was broken into may do with the descriptors that it
# shares with all others of the service.
ATTACK = """
import array, os, re, socket, stat, sys
fds = [int(n) for n in re.findall("[0-9]+", os.environ["QMAILTLS"])]
nowhere = os.open("/dev/null", os.O_RDWR)
tried = 0
def harm(what, *words):
    global tried
    tried += 1
    try:
        what(*words)
    except (OSError, ValueError) as e:
        sys.stderr.write(f"attack: {what.__name__}: {e}\\n")
def send(sock, text, count):
    rights = array.array("i", [nowhere] * count)
    sock.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
                 if count else [], 0, None if connected else path)
for fd in fds:
    path = f"/proc/self/fd/{fd}"
    harm(lambda: socket.socket(socket.AF_UNIX, fileno=os.dup(fd))
         .shutdown(socket.SHUT_RDWR))
    os.set_blocking(fd, False) if stat.S_ISFIFO(os.fstat(fd).st_mode) else 0
    harm(lambda: [os.write(fd, bytes(65536)) for _ in range(100)])
    harm(os.fchmod, fd, 0)
    if os.geteuid() != os.stat(path).st_uid:
        harm(os.chmod, path, 0)
    harm(os.truncate, path, 0)
    for connected in (True, False):
        for text in (b"", b"s", b"x" * 500, b"w1", b"s1\\0" + b"y" * 128):
            for count in (0, 1, 2, 5, 250):
                sock = (socket.socket(socket.AF_UNIX, fileno=os.dup(fd))
                        if connected and stat.S_ISSOCK(os.fstat(fd).st_mode)
                        and not os.readlink(path).startswith("/") else
                        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
                harm(send, sock, text, count)
                sock.close()
    harm(os.close, fd)
sys.stderr.write(f"attack: tried {tried}\\n")
"""


def test_way_is_not_spoilt(home, certificates):  # noqa: F811
    """By one mail server for all others of the service."""
    install(home, certificates[0])
    script = h.write_file(home.file("attack.py"), ATTACK)
    program = h.write_file(
        home.file("server"), "#!/bin/sh\n"
        f"[ -e {home.path}/attack ] && exec /usr/bin/python3 {script}\n"
        f"exec {home.bin}/qmail-smtpd\n", 0o755)
    service = Service(home, program, direct=True)
    assert TlsSmtpd(service).starttls().command("NOOP").startswith("250")
    h.write_file(home.file("attack"), "")
    sock = service.connect()
    read_until(sock, b"\0never")
    sock.close()
    assert "attack: tried" in service.log(), service.log()
    os.unlink(home.file("attack"))
    for _ in range(3):
        assert TlsSmtpd(service).starttls().command("NOOP").startswith("250")
    # Nobody had to take over for that.
    assert "takes over" not in service.log()


class RootService:
    """Services as root starts them, every part under its own uid."""

    def __init__(self, base, bin_dir, pem):
        self.home = RootHome(base, bin_dir)
        os.makedirs(self.home.file("run/tls"), 0o700)
        os.makedirs(self.home.file("run/empty"), 0o755)
        with open(os.path.join(base, "passwd")) as f:
            self.TLS = int(re.search(r"^qmailt:x:(\d+):", f.read(),
                                     re.M).group(1))
        path = self.home.file("control/servercert.pem")
        with open(path, "w") as f:
            f.write(pem)
        os.chmod(path, 0o600)
        for name in ("locals", "rcpthosts"):
            with open(self.home.file(f"control/{name}"), "w") as f:
                f.write("a.example\n")
        self.processes = []

    def start(self, mode):
        port = h.free_port()
        front = self.home.file("bin/qmail-tls")
        ids = ["-u", str(DAEMON), "-g", str(NOFILES)]
        tcpserver = ["tcpserver", "-H", "-R", "-l", "a.example"]
        server = ["127.0.0.1", str(port), front]
        if mode == "direct":
            argv = [front, "-r", *tcpserver, *ids, *server[:2]]
        elif mode == "resident":
            argv = [front, "-r", *tcpserver, *ids, *server]
        else:
            argv = [*tcpserver, *server, *ids]
        argv.append(self.home.file("bin/qmail-smtpd"))
        script = (f"mount --bind {self.home.base}/passwd /etc/passwd && "
                  f"mount --bind {self.home.base}/group /etc/group && "
                  'exec "$@"')
        self.log = open(os.path.join(self.home.base, "log"), "ab")
        self.processes.append(subprocess.Popen(
            ["unshare", "-m", "sh", "-c", script, "sh", *argv],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={"QMAILHOME": self.home.path,
                 "PATH": "/usr/local/bin:/usr/bin:/bin"}))
        h.wait_port(port)
        return port

    def stop(self):
        for process in self.processes:
            h.stop(process)
        self.log.close()


class CoreService(Service):
    """One that may leave core files."""

    def start(self):
        self.argv = [*h.ALLOW_CORES, *self.argv]
        super().start()


@pytest.mark.skipif(not h.MAY_ALLOW_CORES, reason="no core files here")
def test_no_core_file_of_a_handshake(home, certificates):  # noqa: F811
    install(home, certificates[0])
    service = CoreService(home, options=options(home), direct=True)
    s = TlsSmtpd(service).starttls()
    assert h.core_limit(service.process.pid) == "4096"
    (pid,) = workers(service)
    assert h.core_limit(pid) == "0"
    s.close()


def of_home(path):
    """Processes that run a program of this home: pid, name, status."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if not os.readlink(f"/proc/{pid}/exe").startswith(path):
                continue
            with open(f"/proc/{pid}/status") as f:
                found.append((int(pid), f.read()))
        except OSError:
            continue
    return found


def field(status, name):
    return re.search(rf"^{name}:\s+(.*)$", status, re.M).group(1).split()


def read_proc(pid, name):
    with open(f"/proc/{pid}/{name}", "rb") as f:
        return f.read()


@pytest.mark.skipif(os.geteuid() != 0 or subprocess.run(
    ["unshare", "-m", "true"], capture_output=True,
    check=False).returncode != 0, reason="needs root and mount namespaces")
@pytest.mark.parametrize("mode", ["direct", "resident", "once"])
def test_rights(session_dir, bin_dir, certificates, mode):  # noqa: F811
    base = os.path.join(session_dir, f"tls-root-{mode}")
    os.mkdir(base)
    os.chmod(base, 0o755)
    service = RootService(base, bin_dir, certificates[0])
    try:
        port = service.start(mode)
        sock = socket.create_connection(("127.0.0.1", port), DEADLINE)
        read_until(sock, b"\n")
        sock.sendall(b"STARTTLS\r\n")
        read_until(sock, b"TLS\r\n")
        tls = context().wrap_socket(sock)
        tls.sendall(b"EHLO c\r\n")
        read_until(tls, b"8BITMIME\r\n")
        try:
            check_processes(service, certificates[0])
        finally:
            tls.close()
    finally:
        service.stop()
        wait_for(lambda: not of_home(base), "the end of all processes")
        shutil.rmtree(base)


def check_process(service, pid, status, secrets):
    """Its name and uid."""
    home = service.home
    uid = int(field(status, "Uid")[0])
    name = field(status, "Name")[0]
    for place in ("environ", "cmdline"):
        assert not any(s in read_proc(pid, place) for s in secrets)
    fds = [os.readlink(f"/proc/{pid}/fd/{fd}")
           for fd in os.listdir(f"/proc/{pid}/fd")]
    inet = [fd for fd in fds if is_inet(pid, fd)]
    if name == "qmail-smtpd":
        assert uid == DAEMON and not inet, fds
        # Nothing left to ask with, nothing to order with.
        assert len(fds) == 3, fds
    elif uid == service.TLS:
        assert len(set(field(status, "Uid"))) == 1
        assert field(status, "Groups") == [str(NOFILES)]
        assert field(status, "CapEff") == ["0000000000000000"]
        assert os.readlink(f"/proc/{pid}/root") == home.file("run/empty")
        assert os.listdir(home.file("run/empty")) == []
        assert len(inet) >= 1
        expected = {"processes": 0, "core file size": 0, "open files": 16}
        # base/sandbox.c lets sanitizers have what they need.
        if not SANITIZED:
            assert field(status, "Seccomp") == ["2"]
            expected["data size"] = 48 << 20
        limits = read_proc(pid, "limits").decode()
        for what, most in expected.items():
            assert re.search(rf"^Max {what} +{most} ", limits, re.M), what
    return name, uid


def check_processes(service, pem):
    home = service.home
    secrets = [line.encode() for line in pem.splitlines()[1:3]]
    seen = set()
    for pid, status in of_home(home.path):
        try:
            seen.add(check_process(service, pid, status, secrets))
        except (FileNotFoundError, ProcessLookupError):
            continue  # of a connection before this one
    assert ("qmail-smtpd", DAEMON) in seen
    assert ("qmail-tlsd", service.TLS) in seen
    # Nobody but root reads key and tickets, in any process or file.
    for path in ("control/servercert.pem", "run/tls/tickets"):
        for uid in (DAEMON, service.TLS):
            done = subprocess.run(
                ["setpriv", f"--reuid={uid}", f"--regid={NOFILES}",
                 "--clear-groups", "cat", home.file(path)],
                capture_output=True, check=False)
            assert done.returncode != 0 and b"denied" in done.stderr
    for pid, status in of_home(home.path):
        if "qmail-tlsd" in status:
            done = subprocess.run(
                ["setpriv", f"--reuid={DAEMON}", f"--regid={NOFILES}",
                 "--clear-groups", "cat", f"/proc/{pid}/environ"],
                capture_output=True, check=False)
            assert done.returncode != 0 and done.stdout == b""


def is_inet(pid, link):
    match = re.match(r"socket:\[(\d+)\]", link)
    return bool(match) and re.search(
        rb"\s" + match.group(1).encode() + rb"\s",
        read_proc(pid, "net/tcp")) is not None
