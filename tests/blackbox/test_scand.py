"""qmail-scand: clamd's protocol, what it finds, and what cannot stop it."""
import os
import signal
import socket
import struct
import subprocess
import threading

import pytest

import scan_samples as samples
from home import BUILD, DEADLINE, OVERLONG, ROOT, Home, stop, wait_for
from home import write_file
from smtpd_driver import Smtpd

pytestmark = pytest.mark.skipif(
    not os.path.exists(os.path.join(BUILD, "bin", "qmail-scand")),
    reason="qmail-scand is not built: no libclamav here")

OK, FOUND = b"stream: OK\0", b"stream: %s.UNOFFICIAL FOUND\0"
EICAR_FOUND = FOUND % b"Eicar-Test"


def processes(parent):
    """Child processes of a process, with their names."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as f:
                name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        if int(rest.split()[1]) == parent:
            found.append((int(entry), name))
    return found


def kill(pid, sig):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


class Scand:
    """One running qmail-scand with a database of its own."""

    def __init__(self, home, **controls):
        self.home = home
        self.database = samples.make_database(home.file("signatures"))
        home.control("scandb", self.database + "\n")
        home.control("scanworkers", "2\n")
        home.control("scantime", f"{OVERLONG}\n")
        for name, value in controls.items():
            home.control(name, f"{value}\n")
        self.path = home.file("run", "scand")
        self.log_path = home.file("scand.log")
        with open(self.log_path, "ab") as log:
            self.process = home.spawn([os.path.join(home.bin, "qmail-scand")],
                                      stdin=subprocess.DEVNULL, stderr=log)
        self.wait_workers(int(controls.get("scanworkers", 2)))

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def keeper(self):
        for pid, name in processes(self.process.pid):
            if name == "scan-keeper":
                return pid
        return 0

    def workers(self):
        return [pid for pid, name in processes(self.keeper())
                if name == "scan-worker"] if self.keeper() else []

    def wait_workers(self, count=2):
        wait_for(lambda: len(self.workers()) == count,
                 f"{count} workers:\n{self.log()}")
        wait_for(lambda: b"idle %d" % count in self.ask(b"zSTATS\0"),
                 f"{count} idle workers")

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(DEADLINE)

        def connected():
            try:
                s.connect(self.path)
                return True
            except ConnectionRefusedError:  # it does not listen yet
                return False

        wait_for(connected, self.path)
        return s

    def ask(self, command):
        with self.connect() as s:
            s.sendall(command)
            return self.rest(s)

    def begin(self, data):
        """A connection with a whole message on its way."""
        s = self.connect()
        s.sendall(b"zINSTREAM\0")
        for i in range(0, len(data), 1 << 20):
            piece = data[i:i + (1 << 20)]
            s.sendall(struct.pack("!I", len(piece)) + piece)
        s.sendall(b"\0\0\0\0")
        return s

    def scan(self, data):
        with self.begin(data) as s:
            return self.rest(s)

    @staticmethod
    def rest(s):
        got = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                return got
            got += piece

    def left_behind(self):
        """Files below cache/scan."""
        return [os.path.join(where, name) for where, _, names in os.walk(
            self.home.file("cache", "scan")) for name in names]


@pytest.fixture(scope="module")
def shared(session_dir, bin_dir):
    """One for the tests that leave it as it was."""
    import tempfile
    where = tempfile.mkdtemp(dir=session_dir)
    os.chmod(where, 0o755)
    home = Home(os.path.join(where, "a"), bin_dir)
    yield Scand(home, scanalerts="encrypted", scansize=10 << 20,
                scanfile=10 << 20, scandata=20 << 20)
    home.stop_all()


@pytest.fixture
def scand(home):
    return lambda **controls: Scand(home, **controls)


@pytest.mark.parametrize("command, answer", [
    (b"zPING\0", b"PONG\0"), (b"nPING\n", b"PONG\n"), (b"PING\n", b"PONG\n"),
    (b"PING", b"PONG\n"), (b"nVERSION\n", b"ClamAV "),
    (b"zSTATS\0", b"POOLS: 1\n\nSTATE: VALID PRIMARY\n"),
    (b"zSCAN /etc/passwd\0", b"UNKNOWN COMMAND\0"),
    (b"GET / HTTP/1.0\r\n", b"UNKNOWN COMMAND\n"), (b"\n", b"UNKNOWN"),
    (b"x" * 5000, b"UNKNOWN COMMAND\n"), (b"z\0", b"UNKNOWN COMMAND\0")])
def test_commands(shared, command, answer):
    assert shared.ask(command).startswith(answer)


def test_command_and_stream_in_single_bytes(shared):
    with shared.connect() as s:
        for byte in b"nINSTREAM\n" + b"\0\0\0\2ab" + b"\0\0\0\1c\0\0\0\0":
            s.sendall(bytes([byte]))
        assert shared.rest(s) == b"stream: OK\n"


CASES = {
    "eicar": (samples.EICAR, EICAR_FOUND),
    "attachment": (samples.infected_mail(), EICAR_FOUND),
    "marker": (b"x" * 100000 + samples.MARKER, FOUND % b"Marker-Test"),
    "clean": (samples.mail(("text/plain", b"hello\n")), OK),
    "empty": (b"", OK),
    "header only": (b"Subject: x\nFrom: a\n", OK),
    "empty header": (b"\n", OK),
    "zeros": (bytes(200000), OK),
    "no end": (samples.mail(("application/zip", samples.zipped(
        samples.EICAR)), end=False), EICAR_FOUND),
    "boundary without end": (samples.mail(
        ("text/plain", b"x"), boundary="b" * 60000), OK),
    "other boundary": (samples.infected_mail().replace(
        b'boundary="=_b"', b'boundary="=_c"'), None),
    "no boundary": (samples.infected_mail().replace(
        b'; boundary="=_b"', b""), None),
    "truncated": (samples.mail(("application/zip", samples.zipped(
        os.urandom(30000))[:12000])), OK),
    "encrypted": (samples.encrypted(samples.zipped(b"x" * 1000)),
                  b"stream: Heuristics.Encrypted.Zip FOUND\0"),
    "nested archives": (samples.nested_archives(10000), None),
    "a few archives": (samples.nested_archives(5), EICAR_FOUND),
    "nested parts": (samples.nested_parts(10000), None),
    "nested messages": (samples.nested_messages(10000), None),
    "expands": (samples.mail(("application/zip", samples.zipped(
        bytes(60 << 20)))), OK),
    "expands twice": (samples.zipped(samples.zipped(bytes(60 << 20))), OK),
}


@pytest.mark.parametrize("case", CASES)
def test_messages(shared, case):
    data, answer = CASES[case]
    got = shared.scan(data)
    # Whatever it makes of what is broken, it says something clamd would.
    assert got.startswith(b"stream: ") and got.endswith(b"\0"), got
    assert answer in (None, got)
    # All workers are there, and nothing is left of the message.
    assert shared.scan(samples.EICAR) == EICAR_FOUND
    assert not shared.left_behind()


def test_clients_that_leave_in_the_middle(shared):
    for sent in (b"", b"zINSTR", b"zINSTREAM\0", b"zINSTREAM\0\0\0\0\5ab"):
        with shared.connect() as s:
            s.sendall(sent)
    for _ in range(5):
        shared.begin(samples.infected_mail()).close()
    assert shared.scan(samples.EICAR) == EICAR_FOUND
    wait_for(lambda: b"QUEUE: 0 items\nSTREAMS: 0 coming" in shared.ask(
        b"zSTATS\0"), "nothing left to do")


def test_slow_clients_hold_no_worker(shared):
    slow = [shared.connect() for _ in range(20)]
    for s in slow:
        s.sendall(b"zINSTREAM\0\0\0\0\5ab")
    wait_for(lambda: b"STREAMS: 20 coming" in shared.ask(b"zSTATS\0"),
             "20 streams")
    assert shared.scan(samples.EICAR) == EICAR_FOUND
    for s in slow:
        s.sendall(b"cde\0\0\0\0")
        assert shared.rest(s) == OK
        s.close()


def test_sandbox(shared):
    for pid in [shared.process.pid, shared.keeper(), *shared.workers()]:
        with open(f"/proc/{pid}/status") as f:
            status = f.read()
        assert "\nSeccomp:\t2\n" in status and "\nNoNewPrivs:\t1\n" in status
    for pid in shared.workers():
        # Standard descriptors, its channel: no client, no other message.
        if ROOT:
            assert len(os.listdir(f"/proc/{pid}/fd")) == 4
        with open(f"/proc/{pid}/limits") as f:
            limits = f.read()
        assert "Max address space         unlimited" not in limits


def test_only_one(shared):
    second = shared.home.run("qmail-scand")
    assert second.returncode == 111
    assert b"already running" in second.stderr


def test_larger_than_it_takes(scand):
    s = scand(scansize=100000)
    assert s.scan(bytes(100000)) == OK
    with s.connect() as c:
        c.sendall(b"zINSTREAM\0" + struct.pack("!I", 200000))
        try:
            c.sendall(bytes(200000))
        except OSError:
            pass
        assert s.rest(c) == b"INSTREAM size limit exceeded. ERROR\0"
    assert not s.left_behind()


def test_limits_can_be_reported(scand):
    s = scand(scanalerts="exceeded", scandepth=3)
    name = b"Heuristics.Limits.Exceeded.MaxRecursion"
    assert s.scan(samples.nested_archives(10)) == b"stream: %s FOUND\0" % name


TOO_LONG = b"stream: scan took too long ERROR\0"


def stopped(s):
    """Its workers, which do nothing any more."""
    pids = s.workers()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    return pids


def others_follow(s, before):
    for pid in before:
        kill(pid, signal.SIGKILL)
    wait_for(lambda: not set(before) & set(s.workers()), "new workers")
    s.wait_workers()
    wait_for(lambda: s.scan(samples.EICAR) == EICAR_FOUND, "a scan")
    assert not s.left_behind()


def test_worker_that_dies(scand):
    s = scand()
    for sig in (signal.SIGKILL, signal.SIGSEGV):
        before = stopped(s)
        with s.begin(samples.EICAR) as c:
            wait_for(lambda: b"live 2  idle 1" in s.ask(b"zSTATS\0"), "a job")
            for pid in before:
                kill(pid, sig)
                kill(pid, signal.SIGCONT)
            assert s.rest(c) == b"stream: scanner crashed ERROR\0"
        others_follow(s, before)


def test_worker_that_hangs(scand):
    s = scand(scantime=1)
    before = stopped(s)
    with s.begin(samples.EICAR) as c:
        assert s.rest(c) == TOO_LONG
    # The other one is stopped, too, but has nothing to do.
    with s.begin(samples.EICAR) as c:
        assert s.rest(c) in (EICAR_FOUND, TOO_LONG)
    others_follow(s, before)


def test_keeper_that_dies(scand):
    s = scand()
    old = s.keeper()
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: s.keeper() not in (0, old), s.log())
    s.wait_workers()
    assert s.scan(samples.EICAR) == EICAR_FOUND


def test_reload_without_a_gap(scand):
    s = scand()
    assert s.scan(samples.LATER) == OK
    answers, done = [], threading.Event()

    def keep_scanning():
        while not done.is_set():
            answers.append(s.scan(samples.EICAR))

    threads = [threading.Thread(target=keep_scanning) for _ in range(3)]
    for thread in threads:
        thread.start()
    write_file(os.path.join(s.database, "later.ndb"),
               samples.body_line(samples.LATER, "Later-Test"))
    assert s.ask(b"zRELOAD\0") == b"RELOADING\0"
    wait_for(lambda: s.scan(samples.LATER) == FOUND % b"Later-Test",
             "the new database")
    # A database that is no good changes nothing; by a signal this time.
    write_file(os.path.join(s.database, "later.ndb"), "nonsense:-1\n")
    s.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "the old one stays in use" in s.log(), "the refusal")
    assert s.scan(samples.LATER) == FOUND % b"Later-Test"
    wait_for(lambda: len(answers) > 10, "scans meanwhile")
    done.set()
    for thread in threads:
        thread.join()
    assert set(answers) == {EICAR_FOUND}
    wait_for(lambda: [name for _, name in processes(s.process.pid)] == [
        "scan-keeper"], "the end of other keepers")


def test_no_database(home):
    home.control("scandb", home.file("nowhere") + "\n")
    s = home.spawn([os.path.join(home.bin, "qmail-scand")],
                   stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for line in s.stderr:
        if b"unable to load database" in line:
            break
    # It answers, and waits for one to come.
    with socket.socket(socket.AF_UNIX) as c:
        c.settimeout(DEADLINE)
        c.connect(home.file("run", "scand"))
        c.sendall(b"zSTATS\0")
        assert b"STATE: NOT LOADED" in c.recv(1000)
    assert stop(s) == -signal.SIGTERM


def test_controls_that_are_wrong(home):
    for name, value in (("scantime", "soon"), ("scanalerts", "nothing"),
                        ("scanworkers", "0")):
        home.control(name, value + "\n")
        done = home.run("qmail-scand")
        assert done.returncode == 111
        assert f"control/{name}".encode() in done.stderr
        shown = home.run("qmail-showctl", "--check")
        assert f"control/{name}".encode() in shown.stdout
        home.control(name, None)


def test_workers_are_replaced_after_a_while(scand):
    s = scand(scanworkers=1)
    first = s.workers()
    for _ in range(101):
        assert s.scan(b"x") == OK
    s.wait_workers(1)
    assert s.workers() != first


def test_with_qmail_smtpd(scand, home):
    scand()
    home.control("clamd", home.file("run", "scand") + "\n")
    smtpd = Smtpd(home)
    smtpd.command("EHLO c.example")
    for data, answer in (
            (samples.infected_mail(), "554 5.7.7 your email contains the virus"
             ' "Eicar-Test.UNOFFICIAL"!'),
            (samples.mail(("text/plain", b"hello\n")), "250 2.6.0 ok ")):
        smtpd.open_message()
        smtpd.send(data.replace(b"\n", b"\r\n") + b".\r\n")
        assert smtpd.reply().startswith(answer)
    assert len(smtpd.queue.messages()) == 1
    smtpd.close()
