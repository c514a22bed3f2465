"""qmail-listen: who is let in, what the program behind it gets, and what the
log says; beside tcpserver, whose place it takes."""
import os
import re
import signal
import socket
import subprocess

import pytest

import home as h
from tls import context, make_certificate, read_until

SHOW = ["sh", "-c", "env -0; printf '\\0'; exit 3"]
# Greets, waits for a line, and ends.
HOLD = ["sh", "-c", "echo here; read line; echo $line"]


class Listener:
    """A listener with its log; host is what it is told to listen on."""

    def __init__(self, home, *options, program=SHOW, host="127.0.0.1",
                 command=None, env=None, port=None, before=(), **more):
        self.home, self.host = home, host
        self.port = port or h.free_port()
        self.log_path = home.file(f"{command or 'listen'}-{self.port}.log")
        command = command or os.path.join(home.bin, "qmail-listen")
        with open(self.log_path, "ab") as log:
            self.process = home.spawn(
                [*before, command, *options, host, str(self.port), *program],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=home.environment(**(env or {})), **more)
        h.wait_port(self.port, "::" if host == "::" else
                    host.split(",")[0].replace("0", "0.0.0.0")
                    if host in ("0", "0,::") else host.split(",")[0],
                    self.process)

    def connect(self, address="127.0.0.1", source=None):
        return socket.create_connection(
            (address, self.port), h.DEADLINE,
            source_address=(source, 0) if source else None)

    def show(self, **more):
        """What the program finds in its environment; None if refused."""
        with self.connect(**more) as s:
            data = receive(s)
        if not data:
            return None
        return dict(e.split("=", 1) for e in data.decode().split("\0") if e)

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def wait_log(self, text):
        h.wait_for(lambda: text in self.log(),
                   f"{text!r} in the log:\n{self.log()}")


def receive(sock):
    """All until the end, which may be a reset."""
    data = b""
    while True:
        try:
            piece = sock.recv(65536)
        except ConnectionResetError:
            return data
        if not piece:
            return data
        data += piece


def write_nodelay(home):
    """A program that tells the client whether its socket delays."""
    path = h.write_file(home.file("nodelay.py"), (
        "import os, socket\n"
        "s = socket.socket(fileno=0)\n"
        "on = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)\n"
        "os.write(1, b'1' if on else b'0')\n"))
    return ["/usr/bin/python3", path]


def compile_rules(home, text, name="rules.cdb"):
    """With the real tcprules."""
    subprocess.run(["tcprules", home.file(name), home.file(name + ".tmp")],
                   input=text.encode(), check=True)
    h.own(home.file(name))
    return name


def both(home, *options, **more):
    more.setdefault("program", SHOW)
    return (Listener(home, "-v", "-l", "here.example", *options, **more),
            Listener(home, "-v", "-H", "-R", "-l", "here.example", *options,
                     command="tcpserver", **more))


def plain(text):
    """A log without the numbers that differ from run to run."""
    text = re.sub(r"(pid|ok|end) \d+", r"\1 N", text)
    return re.sub(r":\d+$|:\d+(?= )", ":PORT", text, flags=re.M)


def facts(found):
    return {k: v for k, v in found.items()
            if k.startswith(("TCP", "PROTO", "WHO", "RELAY"))
            and not k.endswith("PORT")}


def test_environment_and_log_are_tcpservers(home):
    env = {"TCPREMOTEHOST": "stale", "TCPREMOTEINFO": "stale",
           "TCPLOCALIP": "stale", "TCPX": "kept"}
    ours, theirs = both(home, env=env)
    found = [listener.show() for listener in (ours, theirs)]
    assert facts(found[0]) == facts(found[1]) == {
        "PROTO": "TCP", "TCPLOCALIP": "127.0.0.1", "TCPX": "kept",
        "TCPLOCALHOST": "here.example", "TCPREMOTEIP": "127.0.0.1"}
    assert found[0]["TCPLOCALPORT"] == str(ours.port)
    assert int(found[0]["TCPREMOTEPORT"]) > 0
    for listener in (ours, theirs):
        listener.wait_log("status 768\ntcpserver: status: 0/40\n")
    assert plain(ours.log()) == plain(theirs.log()) == (
        "tcpserver: status: 0/40\n"
        "tcpserver: status: 1/40\n"
        "tcpserver: pid N from 127.0.0.1\n"
        "tcpserver: ok N here.example:127.0.0.1:PORT :127.0.0.1::PORT\n"
        "tcpserver: end N status 768\n"
        "tcpserver: status: 0/40\n")


def test_same_variables_in_all(home):
    """Whatever the shell at the other end makes of it."""
    ours, theirs = both(home)
    names = [set(listener.show()) for listener in (ours, theirs)]
    assert names[0] == names[1]


def test_local_name(home):
    assert "TCPLOCALHOST" not in Listener(
        home, env={"TCPLOCALHOST": "stale"}).show()
    assert Listener(home, "-l", "0").show()["TCPLOCALHOST"] == "0"


RULES = """# comment
127.0.0.1:allow,WHO="host",RELAYCLIENT=""
127.0.0.2:deny
127.0.0.3:allow
127.0.1.:allow,WHO="net",TCPLOCALHOST="other.example"
127.0.2-3.:deny
:allow,WHO="all"
"""


def test_rules_are_followed_as_by_tcpserver(home):
    rules = compile_rules(home, RULES)
    ours, theirs = both(home, "-x", rules)
    seen = []
    for source in ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.10",
                   "127.0.1.1", "127.0.2.7", "127.0.3.7", "127.0.4.7"):
        found = [listener.show(source=source) for listener in (ours, theirs)]
        seen.append(found[0] and found[0].get("WHO", ""))
        assert (found[0] and facts(found[0])) == (
            found[1] and facts(found[1])), source
    assert seen == ["host", None, "", "all", "net", None, None, "all"]
    ours.wait_log("tcpserver: deny 0 here.example:127.0.0.1:"
                  f"{ours.port} :127.0.0.2::")


def test_rules_change_while_it_runs(home):
    ours = Listener(home, "-Q", "-x", compile_rules(home, ":deny\n"))
    assert ours.show() is None
    compile_rules(home, ':allow,WHO="new"\n')
    assert ours.show()["WHO"] == "new"
    os.unlink(home.file("rules.cdb"))
    assert ours.show() is None
    ours.wait_log("qmail-listen: warning: dropping connection from 127.0.0.1,"
                  " rules.cdb: not found\n")
    h.write_file(home.file("rules.cdb"), "no database")
    assert ours.show() is None
    ours.wait_log("rules.cdb: damaged file")
    compile_rules(home, ':allow,WHO="again"\n')
    assert ours.show()["WHO"] == "again"


def test_rules_may_be_missing(home):
    ours = Listener(home, "-X", "-x", "rules.cdb")
    assert "WHO" not in ours.show()
    compile_rules(home, ":deny\n")
    assert ours.show() is None


def test_limit(home):
    ours = Listener(home, "-v", "-c", "2", program=HOLD)
    held = [ours.connect() for _ in range(3)]
    for s in held[:2]:
        assert s.recv(10) == b"here\n"
    ours.wait_log("tcpserver: status: 2/2\n")
    held[2].settimeout(0.3)
    with pytest.raises(socket.timeout):
        held[2].recv(10)
    assert "3/2" not in ours.log()
    held[0].sendall(b"bye\n")
    held[2].settimeout(h.DEADLINE)
    assert held[2].recv(10) == b"here\n"
    for s in held:
        s.close()
    ours.wait_log("tcpserver: status: 0/2\n")


def test_limit_of_one_client(home):
    rules = compile_rules(
        home, '127.0.0.9:allow,MAXCONNIP="2"\n127.0.0.8:allow,MAXCONNIP="0"\n'
        ':allow,DIEMSG="421 later"\n')
    ours = Listener(home, "-C", "1", "-x", rules, program=HOLD)
    held = []

    def try_one(source):
        held.append(ours.connect(source=source))
        return held[-1].recv(20)

    assert try_one("127.0.0.5") == b"here\n"
    assert try_one("127.0.0.6") == b"here\n"
    assert try_one("127.0.0.5") == b"421 later\r\n"
    assert receive(held[-1]) == b""
    ours.wait_log("qmail-listen: warning: dropping connection from 127.0.0.5,"
                  " all its places are taken")
    assert [try_one("127.0.0.9") for _ in range(3)] == [
        b"here\n", b"here\n", b""]
    assert [try_one("127.0.0.8") for _ in range(3)] == [b"here\n"] * 3
    held[0].sendall(b"bye\n")
    assert receive(held[0]) == b"bye\n"
    h.wait_for(lambda: try_one("127.0.0.5") == b"here\n", "a free place")
    for s in held:
        s.close()


def test_limit_that_is_no_number(home):
    ours = Listener(home, "-x", compile_rules(
        home, ':allow,MAXCONNIP="many"\n'), program=HOLD)
    with ours.connect() as a, ours.connect() as b:
        assert a.recv(20) == b"here\n"
        assert receive(b) == b""
    ours.wait_log("MAXCONNIP is many in rules.cdb")


def needs_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")


def test_any_address_of_both_kinds(home):
    needs_ipv6()
    ours = Listener(home, "-v", host="::")
    found = ours.show(address="127.0.0.1")
    assert facts(found) == {"PROTO": "TCP", "TCPLOCALIP": "127.0.0.1",
                            "TCPREMOTEIP": "127.0.0.1"}
    found = ours.show(address="::1")
    assert facts(found) == {"PROTO": "TCP6", "TCPLOCALIP": "::1",
                            "TCPREMOTEIP": "::1"}
    ours.wait_log("tcpserver: ok ")
    assert f" :::1:{ours.port} :::1::" in ours.log()


def test_several_addresses(home):
    needs_ipv6()
    ours = Listener(home, host="127.0.0.1,127.0.0.3,::1")
    for address in ("127.0.0.1", "127.0.0.3", "::1"):
        assert ours.show(address=address)["TCPLOCALIP"] == address
    with pytest.raises(ConnectionRefusedError):
        ours.connect("127.0.0.2")


def test_any_of_ipv4_beside_any_of_ipv6(home):
    needs_ipv6()
    ours = Listener(home, host="0,::")
    assert ours.show(address="127.0.0.5")["TCPLOCALIP"] == "127.0.0.5"
    assert ours.show(address="::1")["TCPLOCALIP"] == "::1"


def test_rules_for_ipv6(home):
    needs_ipv6()
    rules = compile_rules(
        home, '0000.0000.0000.0000.:allow,WHO="net"\n:deny\n')
    ours = Listener(home, "-x", rules, host="::")
    assert ours.show(address="::1")["WHO"] == "net"
    assert ours.show(address="127.0.0.1") is None


def test_banner_comes_first(home):
    ours = Listener(home, "-B", "220 wait\r\n", "-D", program=HOLD)
    with ours.connect() as s:
        assert read_until(s, b"here\n") == b"220 wait\r\nhere\n"


def test_port_is_printed(home):
    done = subprocess.Popen(
        [os.path.join(home.bin, "qmail-listen"), "-1", "127.0.0.1", "0",
         *SHOW], stdout=subprocess.PIPE, **h.ids_arguments())
    try:
        port = int(done.stdout.readline())
        assert h.listens(port)
    finally:
        h.stop(done)
        done.stdout.close()


@pytest.mark.skipif(not h.ROOT, reason="needs root")
@pytest.mark.parametrize("how", [
    ["-u", "65534", "-g", "65533"], ["-U"]])
def test_rights_are_dropped(home, how):
    home.environment()
    port = h.free_port()
    log = open(home.file("root.log"), "ab")
    process = subprocess.Popen(
        [os.path.join(home.bin, "qmail-listen"), *how, "127.0.0.1", str(port),
         "sh", "-c", "id -u; id -g; id -G; grep ^CapEff /proc/$PPID/status;"
         "grep ^Uid /proc/$PPID/status"],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
        env=home.environment(UID="65534", GID="65533"))
    try:
        h.wait_port(port, process=process)
        with socket.create_connection(("127.0.0.1", port)) as s:
            said = receive(s).decode().split("\n")
        assert said[:3] == ["65534", "65533", "65533"]
        assert int(said[3].split()[1], 16) == 0
        assert said[4].split()[1:] == ["65534"] * 4
    finally:
        h.stop(process)
        log.close()


def test_term_ends_it_and_nobody_else(home):
    ours = Listener(home, "-v", program=HOLD)
    with ours.connect() as s:
        assert s.recv(10) == b"here\n"
        assert h.stop(ours.process) == 0
        with pytest.raises(ConnectionRefusedError):
            ours.connect()
        s.sendall(b"still\n")
        assert receive(s) == b"still\n"


def test_program_has_plain_signals_and_descriptors(home):
    """Nothing is blocked, nothing that we ignore is, nothing of ours is open.
    What our caller ignores stays ignored."""
    ours = Listener(home, program=[
        "sh", "-c", "grep -E '^Sig(Blk|Ign)' /proc/self/status; "
        "ls /proc/self/fd | tr '\\n' ' '"])
    with ours.connect() as s:
        lines = receive(s).decode().split("\n")
    blocked, ignored = (int(line.split()[1], 16) for line in lines[:2])
    assert blocked == 0
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD,
                   signal.SIGTERM):
        assert not ignored >> (number - 1) & 1, number
    # ls(1) has the directory open as the fourth.
    assert lines[2].split() == ["0", "1", "2", "3"]


def test_program_that_is_not_there(home):
    ours = Listener(home, "-v", program=["no-such-program"])
    for _ in range(2):
        with ours.connect() as s:
            assert receive(s) == b""
    ours.wait_log("qmail-listen: warning: unable to run no-such-program: "
                  "file does not exist\n")
    h.wait_for(lambda: ours.log().count("status 28416") == 2, "two ends")


def test_quiet(home):
    """Neither connections nor trouble are told of."""
    ours = Listener(home, "-v", "-q", "-x", "rules.cdb", program=SHOW)
    assert ours.show() is None
    compile_rules(home, ':allow,MAXCONNIP="many"\n')
    assert ours.show()["MAXCONNIP"] == "many"
    assert ours.log() == ""


def test_no_delay(home):
    """TCP_NODELAY with -D, and not without."""
    tell = write_nodelay(home)
    for options, value in ((["-D"], b"1"), (["-d"], b"0"), ([], b"0")):
        with Listener(home, *options, program=tell).connect() as s:
            assert receive(s) == value


def connect_with_options(port):
    """A client that wants its route recorded (RFC 791)."""
    s = socket.socket()
    s.settimeout(h.DEADLINE)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS,
                 b"\x01\x07\x07\x04" + bytes(4))
    s.connect(("127.0.0.1", port))
    return s


def kernel_keeps_options():
    """Where nobody takes them off."""
    try:
        with socket.create_server(("127.0.0.1", h.free_port())) as door, (
                connect_with_options(door.getsockname()[1])), (
                door.accept()[0]) as s:
            return s.getsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, 40)
    except OSError:
        return b""


def test_ip_options(home):
    if not kernel_keeps_options():
        pytest.skip("no IP options here")
    path = h.write_file(home.file("options.py"), (
        "import os, socket\n"
        "s = socket.socket(fileno=0)\n"
        "found = s.getsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, 40)\n"
        "os.write(1, b'kept' if found else b'none')\n"))
    for options, value in ((["-o"], b"kept"), (["-O"], b"none"),
                           ([], b"none"), (["-o", "-O"], b"none"),
                           (["-O", "-o"], b"kept")):
        ours = Listener(home, *options, program=["/usr/bin/python3", path])
        with connect_with_options(ours.port) as s:
            assert receive(s) == value, options


def test_starved_of_descriptors(home):
    """It says so, waits, and goes on."""
    ours = Listener(home, program=HOLD)

    def limit(n):
        subprocess.run(["prlimit", "--pid", str(ours.process.pid),
                        f"--nofile={n}:"], check=True, **h.ids_arguments())

    limit(3)  # fewer than it has
    with ours.connect() as s:
        ours.wait_log("qmail-listen: warning: unable to accept a connection: "
                      "process cannot open more files\n")
        limit(100)
        assert s.recv(10) == b"here\n"


def test_log_that_nobody_reads(home):
    """A broken pipe on descriptor 2 stops neither the listener nor what it
    starts."""
    read, write = os.pipe()
    port = h.free_port()
    process = home.spawn(
        [os.path.join(home.bin, "qmail-listen"), "-v", "127.0.0.1", str(port),
         *HOLD], stdin=subprocess.DEVNULL, stderr=write)
    os.close(write)
    h.wait_port(port, process=process)
    os.close(read)
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port), h.DEADLINE) as s:
            assert s.recv(10) == b"here\n"


def test_burst(home):
    """Many at once, each gets its own."""
    ours = Listener(home, "-v", "-c", "200", program=["cat"])
    held = [ours.connect() for _ in range(150)]
    for i, s in enumerate(held):
        s.sendall(f"{i}".encode())
        s.shutdown(socket.SHUT_WR)
    for i, s in enumerate(held):
        assert receive(s) == f"{i}".encode()
        s.close()
    h.wait_for(lambda: ours.log().count("tcpserver: end ") == 150, "the end")
    ours.wait_log("tcpserver: status: 0/200")


@pytest.mark.parametrize("arguments,code,said", [
    ([], 100, "qmail-listen: usage: qmail-listen [-1"),
    (["-h", "0", "1", "x"], 100, "-h asks name servers or clients"),
    (["-r", "0", "1", "x"], 100, "-r asks name servers or clients"),
    (["-c", "0", "0", "1", "x"], 100, "-c is 0, not a number from 1 to"),
    (["-C", "x", "0", "1", "x"], 100, "-C is x, not a number from 0 to"),
    (["-b", "65536", "0", "1", "x"], 100, "-b is 65536"),
    (["-U", "0", "1", "x"], 100, "-U needs $UID and $GID"),
    (["host.example", "1", "x"], 100, "host.example is no address"),
    (["0,,1", "1", "x"], 100, " is no address"),
    (["0", "65536", "x"], 100, "65536 is neither a port nor a service"),
    (["0", "no-such-service", "x"], 100,
     "no-such-service is neither a port nor a service"),
    ([",".join(["0"] * 17), "1", "x"], 100, "more than 16 addresses"),
    (["192.0.2.1", "2525", "x"], 111,
     "unable to listen on 192.0.2.1 port 2525: "),
])
def test_arguments(home, arguments, code, said):
    done = home.run("qmail-listen", *arguments)
    assert done.returncode == code
    assert said in done.stderr.decode()


def test_port_in_use(home):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        done = home.run("qmail-listen", "127.0.0.1", port, "x")
    assert (done.returncode, done.stderr.decode()) == (
        111, f"qmail-listen: fatal: unable to listen on 127.0.0.1 port {port}"
        ": address already in use\n")


@pytest.mark.skipif(not h.ROOT, reason="needs root")
def test_name_of_a_port(home):
    """In a network of its own, where nobody else has the port of smtp."""
    script = ("ip link set lo up; $0/qmail-listen -v 127.0.0.1 smtp echo hi & "
              "for i in 1 2 3 4 5 6 7 8 9; do "
              "tcpclient -H -R -l 0 127.0.0.1 25 sh -c 'cat <&6' && break; "
              "sleep 0.2; done; kill $!")
    done = subprocess.run(["unshare", "-n", "sh", "-c", script, home.bin],
                          capture_output=True, timeout=h.DEADLINE)
    if b"unshare" in done.stderr:
        pytest.skip("no network namespaces here")
    assert done.stdout == b"hi\n", done.stderr


def test_starttls_behind_it(home):
    """What qmail-tls hands down reaches the session."""
    pem = "".join(make_certificate(home.path, home.me))
    h.make_dirs(home.file("run"))
    h.make_dirs(home.file("run/tls"), 0o700)
    h.write_file(home.file("control/servercert.pem"), pem, 0o600)
    ours = Listener(home, "-v", program=["qmail-smtpd"],
                    before=[os.path.join(home.bin, "qmail-tls"), "-r"])
    with ours.connect() as sock:
        read_until(sock, b"\n")
        sock.sendall(b"EHLO c.example\r\n")
        assert b"STARTTLS" in read_until(sock, b"\n250 ")
        sock.sendall(b"STARTTLS\r\n")
        read_until(sock, b"\n")
        with context().wrap_socket(sock) as secure:
            secure.sendall(b"EHLO c.example\r\nQUIT\r\n")
            assert b"\r\n221 " in read_until(secure, b"\r\n221 ")
    h.stop(ours.process, signal.SIGTERM)
