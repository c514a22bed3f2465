"""A private mail server for one test: home, queue, users, daemons.

Everything lives below a directory of its own, listens on loopback only, and
runs under one unprivileged uid: that of the caller or, for root, an otherwise
unused one.  Every process is ended by the pid it was started with.
"""
import ipaddress
import itertools
import os
import pwd
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(REPO, os.environ.get("B", "build"))
SPLIT = 23
ROOT = os.geteuid() == 0
TEST_UID = TEST_GID = None
# Seconds any single wait may take.  Only a failure waits that long: machines
# that are ten times slower for a while must not make one.
DEADLINE = 60.0
# For limits and delays that must not be what ends a wait: with them no clock
# is needed to prove that something comes at once.
OVERLONG = 200
PORT_BLOCK = 200  # TCP and UDP ports a test process has for itself
PORT_FLOOR, PORT_CEILING = 10240, 32768


def test_ids():
    """uid and gid that test processes run under: never root's."""
    if not ROOT:
        return os.geteuid(), os.getegid()
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


TEST_UID, TEST_GID = test_ids()


def ids_arguments():
    """Keyword arguments for subprocess that give up root."""
    if not ROOT:
        return {}
    return {"user": TEST_UID, "group": TEST_GID, "extra_groups": []}


def own(path):
    """Gives a path to the test uid."""
    if ROOT:
        os.lchown(path, TEST_UID, TEST_GID)
    return path


def make_dirs(path, mode=0o755):
    """mkdir -p with ownership and mode on each new directory."""
    path = str(path).rstrip("/")
    if os.path.isdir(path):
        return path
    make_dirs(os.path.dirname(path))
    os.mkdir(path)
    os.chmod(path, mode)
    return own(path)


def write_file(path, text, mode=0o644):
    """Writes a whole file, owned by the test uid."""
    data = text if isinstance(text, bytes) else text.encode()
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)
    return own(str(path))


class Ports:
    """Ports below those the kernel gives to clients, no other process's.

    Each test process claims a block of them for its life, by a name in the
    abstract namespace of local sockets: such names belong to the network
    namespace, as ports do, and vanish with their process.
    """

    def __init__(self):
        ceiling = PORT_CEILING
        try:
            with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
                ceiling = int(f.read().split()[0])
        except FileNotFoundError:
            pass
        if ceiling < PORT_FLOOR + PORT_BLOCK:
            ceiling = PORT_CEILING  # a test may then lose a port to a client
        starts = list(range(PORT_FLOOR, ceiling - PORT_BLOCK + 1, PORT_BLOCK))
        for start in starts:
            self.claim = socket.socket(socket.AF_UNIX)
            try:
                self.claim.bind(f"\0qmail-md-test-ports-{start}")
            except OSError:
                self.claim.close()
                continue
            self.ports = itertools.cycle(range(start, start + PORT_BLOCK))
            return
        raise AssertionError("all ports are claimed by other tests")

    def next(self, address):
        """The next port that is free for TCP and UDP."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for port in itertools.islice(self.ports, PORT_BLOCK):
            try:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    with socket.socket(family, kind) as s:
                        s.bind((address, port))
                return port
            except OSError:
                continue
        raise AssertionError(f"no free port on {address}")


PORTS = Ports()  # of the namespace that this is imported in


def free_port(address="127.0.0.1"):
    """A port that nobody listens on, and that no other test will take."""
    return PORTS.next(address)


def core_limit(pid):
    """Bytes that a core file of a process may have, as text."""
    with open(f"/proc/{pid}/limits") as f:
        return re.search(r"^Max core file size +(\S+)", f.read(),
                         re.M).group(1)


# Starts a program that may leave core files; sanitizers want none.
ALLOW_CORES = ["prlimit", "--core=4096:4096"]
MAY_ALLOW_CORES = not os.environ.get("SANITIZE") and (
    ROOT or not 0 <= resource.getrlimit(resource.RLIMIT_CORE)[1] < 4096)


def wait_for(condition, what, seconds=DEADLINE):
    """Polls until condition() is true and returns its value.

    A condition on a file that is not there (yet, or any more) is not true.
    """
    end = time.monotonic() + seconds
    while True:
        late, value = time.monotonic() > end, None
        try:
            value = condition()
        except FileNotFoundError:
            if late:
                raise
        if value:
            return value
        if late:
            raise AssertionError(f"timed out after {seconds} s: {what}")
        time.sleep(0.02)


LISTEN = "0A"  # in /proc/net/tcp, see proc(5)
ACCEPTS = 0x10000  # a flag in /proc/net/unix


def socket_tables():
    """The lines of this thread's network namespace about TCP sockets."""
    for name in ("tcp", "tcp6"):
        try:
            with open(f"/proc/thread-self/net/{name}") as f:
                yield from list(f)[1:]
        except FileNotFoundError:
            if name == "tcp":
                raise


def kernel_form(address):
    """An address as the tables have it: words in the order of the host."""
    packed = ipaddress.ip_address(address).packed
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words)


def listens(port, address="127.0.0.1"):
    """True if there is a listener; it is looked for, not connected to."""
    mapped = [] if ":" in address else ["::ffff:" + address]
    wanted = {f"{kernel_form(a)}:{port:04X}" for a in (
        address, "0.0.0.0", "::", *mapped)}
    return any(fields[1] in wanted and fields[3] == LISTEN
               for fields in map(str.split, socket_tables()))


def wait_socket(path):
    """Waits for a listener at the path of a local socket, as wait_port()."""
    def up():
        with open("/proc/thread-self/net/unix") as f:
            rows = [line.split() for line in list(f)[1:]]
        return any(r[-1] == path and int(r[3], 16) & ACCEPTS for r in rows)

    wait_for(up, f"a server at {path}")


def wait_port(port, address="127.0.0.1", process=None):
    """Waits for a listener, which gets no connection to tell of."""
    def up():
        assert process is None or process.poll() is None, (
            f"the server for {address}:{port} ended with {process.returncode}")
        return listens(port, address)

    wait_for(up, f"a server on {address}:{port}")


def stop(process, sig=signal.SIGTERM, seconds=DEADLINE):
    """Ends a process by its pid, the hard way after a while."""
    if process.poll() is None:
        process.send_signal(sig)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(seconds)
    return process.returncode


def lay_queue(queue, split=SPLIT, todo_split=True):
    """An empty queue as a new home has it, under one uid."""
    make_dirs(queue, 0o750)
    for area, mode, is_split in (
        ("pid", 0o700, False),
        ("intd", 0o700, todo_split),
        ("todo", 0o750, todo_split),
        ("mess", 0o750, True),
        ("info", 0o700, True),
        ("local", 0o700, True),
        ("remote", 0o700, True),
        ("bounce", 0o700, False),
        ("lock", 0o750, False),
    ):
        make_dirs(os.path.join(queue, area), mode)
        for i in range(split if is_split else 0):
            make_dirs(os.path.join(queue, area, str(i)), mode)
    write_file(os.path.join(queue, "lock", "sendmutex"), b"", 0o600)
    write_file(os.path.join(queue, "lock", "tcpto"), bytes(1024), 0o644)
    trigger = os.path.join(queue, "lock", "trigger")
    os.mkfifo(trigger)
    os.chmod(trigger, 0o622)
    own(trigger)


class Home:
    """One home; start() runs qmail-send and friends, smtpd(), pop3d()."""

    # What servers run under: tcpserver or qmail-listen.
    listener = os.environ.get("LISTENER", "tcpserver")

    def __init__(self, base, bin_dir, me="a.example", split=SPLIT,
                 todo_split=True):
        self.path = str(base)
        self.me = me
        self.bin = bin_dir
        self.processes = []
        self.send = None
        self.log_path = os.path.join(self.path, "send.log")
        make_dirs(self.path)
        for sub in ("control", "users", "alias", "home"):
            make_dirs(os.path.join(self.path, sub))
        os.symlink(bin_dir, os.path.join(self.path, "bin"))
        lay_queue(os.path.join(self.path, "queue"), split, todo_split)
        self.control("me", me + "\n")
        self.control("locals", me + "\n")
        self.control("rcpthosts", me + "\n")
        self.assignments = []
        self.maildir(os.path.join(self.path, "alias", "Maildir"))
        write_file(os.path.join(self.path, "alias", ".qmail-postmaster"),
                   "./Maildir/\n")

    # -- files -----------------------------------------------------------
    def file(self, *parts):
        return os.path.join(self.path, *parts)

    def control(self, name, text):
        path = self.file("control", name)
        make_dirs(os.path.dirname(path))
        if text is None:
            if os.path.exists(path):
                os.unlink(path)
        else:
            write_file(path, text)

    def maildir(self, path):
        for sub in ("", "tmp", "new", "cur"):
            make_dirs(os.path.join(path, sub), 0o700)
        return path

    def add_user(self, name, dot_qmail=None):
        """An account for users/assign with a Maildir; its home directory."""
        home = make_dirs(self.file("home", name))
        self.maildir(os.path.join(home, "Maildir"))
        if dot_qmail is not None:
            write_file(os.path.join(home, ".qmail"), dot_qmail)
        self.assignments += [
            f"={name}:{name}:{TEST_UID}:{TEST_GID}:{home}:::",
            f"+{name}-:{name}:{TEST_UID}:{TEST_GID}:{home}:-::"]
        self.write_assignments()
        return home

    def write_assignments(self):
        write_file(self.file("users", "assign"),
                   "\n".join(self.assignments) + "\n.\n")
        self.run("qmail-newu", check=True)

    def messages(self, directory):
        """Contents of new/ and cur/ of a Maildir, oldest name first."""
        found = []
        for sub in ("new", "cur"):
            where = os.path.join(directory, sub)
            for name in sorted(os.listdir(where)):
                with open(os.path.join(where, name), "rb") as f:
                    found.append(f.read())
        return found

    def user_messages(self, name):
        return self.messages(self.file("home", name, "Maildir"))

    def queue_files(self):
        """Every message file in the queue, relative to it."""
        found = []
        queue = self.file("queue")
        for top in ("mess", "intd", "todo", "info", "local", "remote",
                    "bounce", "pid"):
            for where, _, names in os.walk(os.path.join(queue, top)):
                found += [os.path.relpath(os.path.join(where, n), queue)
                          for n in names]
        return sorted(found)

    def log(self):
        try:
            with open(self.log_path, "r", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, text, seconds=DEADLINE):
        wait_for(lambda: text in self.log(),
                 f"{text!r} in the log:\n{self.log()}", seconds)

    def wait_empty(self, seconds=DEADLINE):
        wait_for(lambda: not self.queue_files(),
                 f"an empty queue, log:\n{self.log()}", seconds)

    # -- processes -------------------------------------------------------
    def environment(self, **more):
        env = {k: v for k, v in os.environ.items()
               if k.startswith(("ASAN_", "UBSAN_", "LSAN_"))}
        env.update({"QMAILHOME": self.path,
                    "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin"})
        env.update(more)
        return {k: v for k, v in env.items() if v is not None}

    def run(self, program, *args, input=None, env=None, check=False,
            timeout=DEADLINE, **more):
        """Runs a program of the suite to its end under the test uid."""
        data = input.encode() if isinstance(input, str) else input
        feed = {"stdin": subprocess.DEVNULL} if data is None else {
            "input": data}
        done = subprocess.run(
            [os.path.join(self.bin, program), *map(str, args)],
            capture_output=True, timeout=timeout, cwd=self.path,
            env=self.environment(**(env or {})), **feed,
            **ids_arguments(), **more)
        if check:
            assert done.returncode == 0, (program, done)
        return done

    def spawn(self, argv, **more):
        """Starts a long-lived process under the test uid."""
        more.setdefault("env", self.environment())
        more.setdefault("cwd", self.path)
        process = subprocess.Popen(argv, **ids_arguments(), **more)
        self.processes.append(process)
        return process

    def start(self, default="./Maildir/", env=None):
        """qmail-start with its log in send.log."""
        with open(self.log_path, "ab") as log:
            os.chmod(self.log_path, 0o644)
            self.send = self.spawn(
                [os.path.join(self.bin, "qmail-start"), default],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment(**(env or {})))
        self.wait_log("status: local")
        return self.send

    def stop_send(self, sig=signal.SIGTERM):
        code = stop(self.send, sig)
        self.send = None
        return code

    def server(self, argv, port=None, env=None, address="127.0.0.1",
               options=()):
        """A program under a real tcpserver, or $LISTENER; its port."""
        port = port or free_port(address)
        log = open(self.file(f"server-{port}.log"), "ab")
        own(self.file(f"server-{port}.log"))
        made = self.spawn(
            [self.listener, "-v", "-H", "-R", "-l", self.me, "-c", "200",
             *options, address, str(port), *argv],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=self.environment(**(env or {})))
        log.close()
        wait_port(port, address, made)
        return port

    def smtpd(self, env=None, **more):
        return self.server([os.path.join(self.bin, "qmail-smtpd")], env=env,
                           **more)

    def pop3d(self, checker="checkpassword", env=None, **more):
        return self.server(
            [os.path.join(self.bin, "qmail-popup"), self.me,
             os.path.join(self.bin, checker),
             os.path.join(self.bin, "qmail-pop3d"), "Maildir"],
            env=env, **more)

    def inject(self, message, *args, env=None):
        return self.run("qmail-inject", *args, input=message, env=env)

    def stop_all(self):
        for process in reversed(self.processes):
            stop(process)
        self.processes = []


def copy_programs(target):
    """The built programs where every uid can reach them."""
    shutil.copytree(os.path.join(BUILD, "bin"), target)
    os.chmod(target, 0o755)
    return str(target)
