"""What strangers try at AUTH: blobs, replays, guesses, and where secrets go."""
import base64
import glob
import hashlib
import hmac
import os
import re
import socket
import subprocess

import pytest

from auth_home import (HASHED, PASSWORDS, Scram, add_logins, b64, cram,
                       packets, start_authd)
from hash_work import HashWork
from home import (DEADLINE, ROOT, TEST_GID, TEST_UID, ids_arguments, make_dirs,
                  wait_for, write_file)
from smtpd_driver import Queue, Smtpd

JOE = PASSWORDS["joe"]
FAILED = "535 5.7.8 authentication failed"
OK = "235 2.7.0 ok, go ahead"
# Their memory is too large to be looked through.
SANITIZED = bool(os.environ.get("SANITIZE"))


class Client(Smtpd):
    """A connection to a server that runs already."""

    def __init__(self, port, greet=True):
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self.pending = b""
        self.greeting = self.reply()
        if greet:
            self.command("EHLO client.example")

    def auth(self, mechanism, *answers):
        """Says AUTH, then each answer to a challenge; the last reply."""
        said = self.command(f"AUTH {mechanism}")
        for answer in answers:
            assert said.startswith("334 "), said
            said = self.command(answer(said[4:]) if callable(answer)
                                else answer)
        return said


class Site:
    def __init__(self, home, *checker):
        self.home = home
        self.queue = Queue(home)
        self.port = home.server(
            [os.path.join(home.bin, "qmail-smtpd"), *checker],
            env=self.queue.environment)

    def client(self, **more):
        return Client(self.port, **more)

    def log(self):
        with open(self.home.file(f"server-{self.port}.log"),
                  errors="replace") as f:
            return f.read()

    def session_of(self, client):
        """The pid that serves a client, by tcpserver's words."""
        port = client.socket.getsockname()[1]
        return re.search(rf"tcpserver: ok (\d+) .*:{port}$", self.log(),
                         re.M).group(1)


@pytest.fixture
def site(home):
    add_logins(home)
    return Site(home, "multicheckpw", "2", "checkqpasswd", "checkpassword",
                "true")


def plain(login, password):
    return b64(f"\0{login}\0{password}")


# -- mechanisms without clients of others --------------------------------
@pytest.mark.parametrize("name,digest", [
    ("CRAM-RIPEMD", "ripemd160"), ("CRAM-SHA1", "sha1")])
def test_cram_digests(site, name, digest):
    assert site.client().auth(
        name, lambda c: cram(digest, c, "joe", JOE)) == OK
    assert site.client().auth(
        name, lambda c: cram(digest, c, "joe", "wrong")) == FAILED


def test_scram_server_proves_itself(site):
    scram = Scram("joe", JOE)
    client = site.client()
    said = client.auth("SCRAM-SHA-256", scram.first(), scram.final)
    assert said == "334 " + scram.signature
    assert client.command("") == OK
    said = client.command("MAIL FROM:<joe@a.example>",
                          "RCPT TO:<x@elsewhere.example>")
    assert said[1] == "250 2.1.5 ok"


def test_each_password_and_both_checkers(site):
    for login, password, said in (
            ("joe", "second of joe", OK), ("joe", JOE, OK), HASHED + (OK,),
            ("joe", PASSWORDS["last"], FAILED), (HASHED[0], JOE, FAILED)):
        assert site.client().auth("PLAIN " + plain(login, password)) == said


# -- blobs ---------------------------------------------------------------
def test_malformed_and_oversized_blobs(site):
    malformed = "501 5.5.2 malformed authentication response"
    too_long = "500 5.5.6 authentication exchange line is too long"
    secret = b"p4ssw0rd"
    cases = [
        ("PLAIN !!!!", malformed), ("PLAIN AGpvZQ", malformed),
        ("PLAIN AGpvZQ= =", malformed), ("PLAIN " + b64("joe"), malformed),
        ("PLAIN " + b64(b"\0jo\0e\0" + secret), malformed),
        ("PLAIN " + b64(b"\0joe\0" + secret + b"\0"), malformed),
        ("PLAIN " + b64(b"\0jo\ne\0" + secret), FAILED),
        ("PLAIN " + b64(b"root\0joe\0" + JOE.encode()), FAILED),
        ("PLAIN " + b64(b"\0" + b"j" * 300 + b"\0" + secret), FAILED),
        ("PLAIN " + b64(b"\0joe\0" + b"p" * 600), FAILED),
        ("PLAIN " + b64(b"\0joe\0" + b"p" * 800), "500 5.5.2 line too long"),
        (("PLAIN", b64(b"\0joe\0" + b"p" * 3000)), FAILED),
        (("PLAIN", "A" * 5000), too_long),
        (("PLAIN", "A" * 200000), too_long),
        (("LOGIN", b64(b"jo\0e"), b64(JOE)), FAILED),
        # What comes behind a NUL is no other string for a checker.
        (("LOGIN", b64("joe"), b64(JOE + "\0b")), FAILED),
        (("LOGIN", b64("joe\0" + JOE), b64("x")), FAILED),
        (("LOGIN", b64("joe"), ""), FAILED),
        (("CRAM-MD5", b64("joe")), malformed),
        (("CRAM-MD5", b64("joe " + "0" * 31)), malformed),
        ("CRAM-MD5 " + b64("joe"), malformed),
        (("DIGEST-MD5", b64('username="joe')), malformed),
        (("DIGEST-MD5", b64("a=b," * 700)), malformed),
        (("SCRAM-SHA-256", b64("p=tls-unique,,n=joe,r=x")), malformed),
        (("SCRAM-SHA-256", b64("n,,n=joe,r=x"), b64("c=biws,r=x,p=x")),
         malformed),
        ("SCRAM-SHA-256 =", malformed),
    ]
    for case, want in cases:
        client = site.client()
        words = (case,) if isinstance(case, str) else case
        assert client.auth(*words) == want, case
        # Still in step.
        assert client.command("NOOP") == "250 2.0.0 ok", case
        client.socket.close()
    client = site.client()
    assert client.command("AUTH PLAIN") == "334 "
    client.send(b"AGpv\0ZQBz\r\n")
    assert client.reply().startswith("550 5.6.0") and client.at_end()
    assert b64(secret).rstrip("=")[:8] not in site.log()


def test_no_rights_without_a_success(site):
    client = site.client()
    assert client.auth("PLAIN " + plain("joe", "wrong")) == FAILED
    assert client.auth("SCRAM-SHA-256", Scram("joe", JOE).first(),
                       "*") == "501 5.7.0 authentication cancelled"
    said = client.command("MAIL FROM:<a@b.c>", "RCPT TO:<x@elsewhere.example>")
    assert said[1].startswith("553 5.7.1 ")
    scram = Scram("joe", JOE)
    client = site.client()
    # Accepted, but the client does not like our signature.
    said = client.auth("SCRAM-SHA-256", scram.first(), scram.final, "*")
    assert said.startswith("501 ")
    said = client.command("MAIL FROM:<a@b.c>", "RCPT TO:<x@elsewhere.example>")
    assert said[1].startswith("553 5.7.1 ")


def test_replayed_answers_are_worth_nothing(site):
    used = {}

    def keep(name, answer):
        def once(challenge):
            used[name] = answer(challenge)
            return used[name]
        return once

    def digest(challenge):
        facts = dict(re.findall(r'(\w+)="?([^",]*)"?',
                                base64.b64decode(challenge).decode()))

        def md5(data):
            return hashlib.md5(data).hexdigest()

        secret = hashlib.md5(
            f"joe:{facts['realm']}:{JOE}".encode()).digest()
        a1 = md5(secret + f":{facts['nonce']}:cn".encode())
        a2 = md5(b"AUTHENTICATE:smtp/a.example")
        response = md5(
            f"{a1}:{facts['nonce']}:00000001:cn:auth:{a2}".encode())
        return b64(f'username="joe",realm="{facts["realm"]}",nonce="'
                   f'{facts["nonce"]}",cnonce="cn",nc=00000001,qop=auth,'
                   f'digest-uri="smtp/a.example",response={response}')

    scram = Scram("joe", JOE)
    assert site.client().auth("CRAM-MD5", keep(
        "cram", lambda c: cram("md5", c, "joe", JOE))) == OK
    assert site.client().auth("CRAM-MD5", used["cram"]) == FAILED
    assert site.client().auth("DIGEST-MD5", keep("digest", digest), "") == OK
    assert site.client().auth("DIGEST-MD5", used["digest"]) == FAILED
    assert site.client().auth("SCRAM-SHA-256", scram.first(),
                              keep("scram", scram.final), "") == OK
    assert site.client().auth(
        "SCRAM-SHA-256", scram.first(), used["scram"]) == FAILED
    # Nor twice in one session.
    client = site.client()
    assert client.auth("CRAM-MD5", used["cram"]) == FAILED
    assert client.auth("CRAM-MD5", used["cram"]) == FAILED
    # A proof for another nonce or channel binding than was agreed on.
    assert site.client().auth("SCRAM-SHA-256", scram.first(),
                              lambda c: scram.final(c, "other")) == FAILED
    assert site.client().auth("SCRAM-SHA-256", scram.first(), lambda c:
                              scram.final(c, header="y,,")) == FAILED


def test_three_strikes_and_their_delay(site):
    client = site.client()
    for _ in range(2):
        assert client.auth("PLAIN " + plain("joe", "wrong")) == FAILED
    client.send(b"AUTH PLAIN " + plain("joe", "wrong").encode() +
                b"\r\nAUTH PLAIN " + plain("joe", JOE).encode() + b"\r\n")
    assert client.reply() == FAILED and client.at_end()
    site.home.control("auth/delay", "60\n")
    client = site.client()
    pid = site.session_of(client)
    client.send(b"AUTH PLAIN " + plain("joe", "wrong").encode() + b"\r\n")
    # Whenever it is that we look: nothing is said before the minute is over.
    client.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        client.socket.recv(1)
    # Hanging up ends the wait.
    client.socket.close()
    wait_for(lambda: f"tcpserver: end {pid} " in site.log(),
             "the end of the session", 45)


def test_checker_that_hangs_is_ended(home):
    add_logins(home)
    home.control("auth/timeout", "1\n")
    mark = home.file("hanging")
    site = Site(home, "sh", "-c", f"echo $$ > {mark}; sleep 1000 & wait")
    client = site.client()
    said = client.auth("PLAIN " + plain("joe", JOE))
    assert said.startswith("454 4.7.0 ")
    with open(mark) as f:
        assert not os.path.exists(f"/proc/{f.read().strip()}")
    assert "AUTH: sh: no end in time" in site.log()
    assert client.command("NOOP") == "250 2.0.0 ok"


# -- unknown logins ------------------------------------------------------
def check(home, program, login, a, b="", sasl="plain", wrapper=(), facts=None,
          env=None):
    """Exit code of a checker."""
    script = (f"exec 3<&0 </dev/null; exec {' '.join(wrapper)} "
              f"{program} true")
    if facts:
        script = f"exec 4<>{facts}; " + script
    return subprocess.run(
        ["sh", "-c", script], input=f"{login}\0{a}\0{b}\0".encode(),
        timeout=DEADLINE, cwd=home.path,
        env=home.environment(SASL=sasl, **(env or {})),
        **ids_arguments()).returncode


def test_unknown_login_makes_the_same_system_calls(home, scratch):
    """Of the checker for clear passwords, whose hash costs nothing."""
    add_logins(home)
    calls = {}
    for login in ("joe", "nobody-here", "last"):
        trace = os.path.join(scratch, f"trace-{login}")
        assert check(home, "checkqpasswd", login, "wrong",
                     wrapper=("strace", "-o", trace)) == 1
        with open(trace) as f:
            calls[login] = re.findall(r"^(\w+)\(", f.read(), re.M)
    assert calls["joe"] == calls["nobody-here"] == calls["last"]
    assert calls["joe"].count("openat") + calls["joe"].count("open") >= 3


# crypt(3) of "secret", for which it takes 16 MiB.
YESCRYPT = ("$y$j9T$saltsaltsalt$"
            "AnbE4uovRUrp5W/7h65lVXbBxJijULPRqRjd39xI5w9")


@pytest.mark.skipif(SANITIZED, reason="sanitizers take memory of their own")
def test_hash_without_memory(home):
    """Nobody hears that a password is wrong which was not looked at."""
    make_dirs(home.file("home", "joe"))
    write_file(home.file("users", "poppasswd"),
               f"joe:{YESCRYPT}:home/joe\nold:$6$x$damaged:home/joe\n"
               "off:!$6$x$locked:home/joe\n", 0o600)
    few = ("prlimit", "--data=8000000")
    for login, password, enough, code in (
            ("joe", "secret", 0, 111), ("joe", "wrong", 1, 111),
            ("eve", "secret", 1, 111), ("old", "secret", 1, 1),
            ("off", "secret", 1, 1)):
        assert check(home, "checkpassword", login, password) == enough
        assert check(home, "checkpassword", login, password,
                     wrapper=few) == code


FACTS = "salt=AAAA\niterations=9000\nauth-message=x\n"
# Of checkpassword, then of the iterations that the facts name.
COSTS = {"plain": ("crypt", "5", "rounds=9000"),
         "scram-sha-256": ("pbkdf2", "9000", "32")}


@pytest.fixture
def hash_work(home, scratch):
    if SANITIZED:
        pytest.skip("sanitizers want to be the first library")
    add_logins(home)
    for login in PASSWORDS:  # with SCRAM each of several costs a hash
        write_file(home.file("virtual", login, ".qpasswd"), "one password\n",
                   0o600)
    digest = "$5$rounds=9000$abcdefgh$" + "x" * 43
    write_file(home.file("users", "poppasswd"),
               f"first:{digest}:virtual/joe\nsecond:{digest}:virtual/joe\n",
               0o600)
    return HashWork(scratch)


@pytest.mark.parametrize("program,sasl,known", [
    ("checkpassword", "plain", "second"),
    ("checkqpasswd", "scram-sha-256", "last")])
def test_unknown_login_costs_a_whole_hash(home, scratch, hash_work, program,
                                          sasl, known):
    facts = write_file(os.path.join(scratch, "facts"), FACTS, 0o600)

    def refused(login):
        assert check(home, program, login, "A" * 43 + "=",
                     "/proc/self/fd/4", sasl, facts=facts,
                     env=hash_work.environment) == 1

    for login in (known, "nobody-here"):
        assert hash_work.of(lambda who=login: refused(who)) == [COSTS[sasl]]


def proof_of(password):
    """What a client that knows it answers to FACTS."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), bytes(3), 9000)
    key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(key).digest(), b"x", "sha256")
    return b64(bytes(a ^ b for a, b in zip(key, signature)))


def test_cost_tells_of_no_password(home, scratch, hash_work):
    """Not whether there is one, nor which of several is right."""
    cost, first = COSTS["scram-sha-256"], next(iter(PASSWORDS))
    facts = os.path.join(scratch, "facts")
    secrets = home.file("virtual", first, ".qpasswd")

    def costs(code, proof):
        write_file(facts, FACTS, 0o600)

        def ask():
            assert check(home, "checkqpasswd", first, proof, "/proc/self/fd/4",
                         "scram-sha-256", facts=facts,
                         env=hash_work.environment) == code

        return hash_work.of(ask)

    write_file(secrets, "one\ntwo\nthree\n", 0o600)
    for word in ("one", "two", "three"):
        assert costs(0, proof_of(word)) == [cost] * 3
    assert costs(1, proof_of("four")) == [cost] * 3
    os.unlink(secrets)
    assert costs(1, proof_of("one")) == [cost]


def test_unknown_login_costs_a_whole_hash_of_the_resident(home, hash_work):
    start_authd(home, None, **hash_work.environment)

    def refused(login, sasl):
        with packets(home.file("authd")) as s:
            s.send(f"{sasl}\0{login}\0{'A' * 43}=\0\0{FACTS}".encode())
            assert s.recv(100) == b"1"

    for login in ("second", "last", "nobody-here"):
        for sasl, costs in COSTS.items():
            assert hash_work.of(
                lambda who=login, how=sasl: refused(who, how)) == [costs]


def test_unknown_logins_cost_what_users_cost(home, scratch, hash_work):
    """Users with one password and with three: nobody stands out."""
    users = [f"user{i}" for i in range(10)]
    base = home.file("virtual")
    for i, login in enumerate(users):
        where = make_dirs(os.path.join(base, login), 0o700)
        write_file(os.path.join(where, ".qpasswd"),
                   "one\ntwo\nthree\n" if i % 2 else "one\n", 0o600)
    write_file(home.file("users", "qpasswd"),
               f"[{base}:{TEST_UID}:{TEST_GID}]\n" +
               "".join(f"{u}:{u}\n" for u in users), 0o600)
    start_authd(home, None, **hash_work.environment)
    facts = write_file(os.path.join(scratch, "facts"), FACTS, 0o600)
    proof = "A" * 43 + "="

    def resident(login):
        with packets(home.file("authd")) as s:
            s.send(f"scram-sha-256\0{login}\0{proof}\0\0{FACTS}".encode())
            assert s.recv(100) == b"1"

    def program(login):
        assert check(home, "checkqpasswd", login, proof, "/proc/self/fd/4",
                     "scram-sha-256", facts=facts,
                     env=hash_work.environment) == 1

    def cost(how, login):
        return len(hash_work.of(lambda: how(login)))

    assert [cost(resident, u) for u in users[:2]] == [1, 3]
    seen = {}
    for i in range(500):
        seen.setdefault(cost(resident, f"nobody{i}"), f"nobody{i}")
        if len(seen) == 2:
            break
    assert set(seen) == {1, 3}
    # Always the same for one, whoever is asked.
    for hashes, login in seen.items():
        assert cost(resident, login) == cost(program, login) == hashes


# -- where secrets are not -----------------------------------------------
def test_secrets_are_nowhere_to_be_seen(home, scratch):
    """Not in arguments, environments or logs, nor in memory afterwards."""
    add_logins(home)
    secret = "Geheim4711Wort"
    slow = write_file(os.path.join(scratch, "slow"), (
        "#!/bin/sh\ntouch $QQDIR/waiting\n"
        "while [ ! -e $QQDIR/go ]; do sleep 0.05; done\n"
        "rm -f $QQDIR/go $QQDIR/waiting\n"
        "exec 3<&- ; exit 0\n"), 0o755)
    site = Site(home, slow)
    waiting = os.path.join(site.queue.path, "waiting")
    forms = [secret.encode(), b64(f"\0joe\0{secret}").encode()[:16],
             b64(secret).encode().rstrip(b"=")[:-2]]

    def ours():
        for path in glob.glob("/proc/[0-9]*"):
            try:
                with open(path + "/environ", "rb") as f:
                    environ = f.read()
                with open(path + "/cmdline", "rb") as f:
                    yield path, environ + f.read()
            except OSError:
                continue

    clients = []  # whose sessions do not end while they are looked at
    for pieces in (["PLAIN " + plain("joe", secret) + "\r\n"],
                   ["LOGIN\r\n", b64("joe") + "\r\n",
                    b64(secret) + "\r\n"],
                   ["PLAIN " + plain("joe", secret), "\r\n"]):
        client = site.client()
        clients.append(client)
        pieces[0] = "AUTH " + pieces[0]
        for at, piece in enumerate(pieces):
            if at > 0 and pieces[at - 1].endswith("\n"):
                assert client.reply().startswith("334 ")
            elif at > 0:
                wait_for(lambda: is_read(client), "half a line to be read")
            client.send(piece)
        wait_for(lambda: os.path.exists(waiting), "the checker")
        seen = 0
        for path, text in ours():
            seen += home.path.encode() in text
            for form in forms:
                assert form not in text, path
        assert seen >= 2
        write_file(os.path.join(site.queue.path, "go"), "")
        assert client.reply() == OK
        pids = [p for p in glob.glob("/proc/[0-9]*")
                if is_session(p, home.path)]
        assert pids or not ROOT  # who alone may look for them
        for path in pids:
            # Not dumpable: no core file, and no look into its memory.
            assert os.stat(path + "/mem").st_uid == 0
            for form in forms if ROOT and not SANITIZED else []:
                assert not memory_holds(path, form), (path, form)
    for form in forms:
        assert form.decode() not in site.log()
    assert "C: AUTH [...]" in site.log() and "C: [...]" in site.log()


def is_read(client):
    """Whether the server has read all that has come."""
    ports = [f":{s[1]:04X}" for s in (client.socket.getpeername(),
                                      client.socket.getsockname())]
    with open("/proc/net/tcp") as f:
        for line in f:
            words = line.split()
            if [words[1][-5:], words[2][-5:]] == ports:
                return words[4].endswith(":00000000")
    return False


def is_session(path, home):
    try:
        with open(path + "/environ", "rb") as f:
            environ = f.read()
        with open(path + "/comm") as f:
            name = f.read().strip()
        return home.encode() in environ and name == "qmail-smtpd"
    except OSError:
        return False


def memory_holds(path, text):
    with open(path + "/maps") as f:
        areas = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) rw", f.read(), re.M)
    with open(path + "/mem", "rb") as f:
        for start, end in areas:
            f.seek(int(start, 16))
            if text in f.read(int(end, 16) - int(start, 16)):
                return True
    return False


def test_logs_hide_what_follows_a_refused_auth(site):
    client = site.client()
    site.home.control("auth/smtp", "4\n")
    client = site.client()
    said = client.command("auth login " + b64("joe"), b64("joe"), b64(JOE),
                          " AUTH PLAIN " + plain("joe", JOE), "NOOP")
    assert said[0].startswith("504 5.5.4") and said[4] == "250 2.0.0 ok"
    log = site.log()
    for text in (b64("joe"), b64(JOE), plain("joe", JOE)):
        assert text.rstrip("=") not in log
    assert "C: NOOP" in log


# -- what an account may do ----------------------------------------------
def test_norelay_by_list_and_cdb(site):
    site.home.control("auth/norelay", "Last\n")
    site.home.run("qmail-newnorelay", check=True)
    site.home.control("auth/norelay", "# fetch only\nJANE@a.example\n")
    for login, said in (("jane@a.example", "550 5.7.1"), ("last", "550 5.7.1"),
                        ("joe", "250 2.1.0")):
        client = site.client()
        assert client.auth(
            "PLAIN " + plain(login, PASSWORDS[login])) == OK
        assert client.command("MAIL FROM:<x@a.example>").startswith(said)
        # What anybody may do, after RSET as well.
        assert client.command("RSET") == "250 2.0.0 flushed"
        assert client.command("MAIL FROM:<x@a.example>").startswith(said)
    write_file(site.home.file("control/auth/norelay.cdb"), b"broken")
    client = site.client()
    assert client.auth("PLAIN " + plain("joe", JOE)) == OK
    assert client.command("MAIL FROM:<x@a.example>").startswith("451 4.3.0")


def test_plugin_that_is_content_does_not_lift_what_holds_for_a_login(site):
    """O spares the checks of addresses, not those of accounts."""
    plugin = write_file(site.home.file("plugin"), "#!/bin/sh\necho O\n", 0o755)
    site.home.control("smtpplugins",
                      f"[mail]\n{plugin}\n[rcpt]\n{plugin}\n")
    site.home.control("auth/norelay", "last\n")
    site.home.control("auth/ratelimit", "2/3600\n")
    site.home.control("badmailfrom", "bad\n")
    make_dirs(site.home.file("cache", "ratelimit"), 0o700)
    client = site.client()
    assert client.auth("PLAIN " + plain("last", PASSWORDS["last"])) == OK
    assert client.command("MAIL FROM:<x@a.example>").startswith("550 5.7.1")
    client = site.client()
    assert client.auth("PLAIN " + plain("joe", JOE)) == OK
    said = client.command("MAIL FROM:<bad@a.example>", *[
        f"RCPT TO:<r{i}@elsewhere.example>" for i in range(3)])
    assert said[:3] == ["250 2.1.0 ok"] + ["250 2.1.5 ok"] * 2
    assert said[3].startswith("451 4.7.1 ")


def test_other_spelling_of_a_login_is_the_same(site):
    """As for checkmailbox: joe is joe@defaulthost."""
    site.home.control("defaulthost", "A.example\n")
    site.home.control("auth/norelay", "jane\nLast@a.example\n")
    for login, said in (("jane@a.example", "550 5.7.1"), ("last", "550 5.7.1"),
                        ("joe", "250 2.1.0")):
        client = site.client()
        assert client.auth(
            "PLAIN " + plain(login, PASSWORDS[login])) == OK
        assert client.command("MAIL FROM:<x@a.example>").startswith(said)
    site.home.control("defaulthost", "b.example\n")
    client = site.client()
    assert client.auth("PLAIN " + plain("last", PASSWORDS["last"])) == OK
    assert client.command("MAIL FROM:<x@a.example>") == "250 2.1.0 ok"


def test_ratelimit_holds_for_all_sessions_of_a_login(site):
    site.home.control("auth/ratelimit", "4/3600\n")
    records = make_dirs(site.home.file("cache", "ratelimit"), 0o700)

    def send(login, count):
        client = site.client()
        assert client.auth(
            "PLAIN " + plain(login, PASSWORDS[login])) == OK
        return client.command("MAIL FROM:<x@a.example>", *[
            f"RCPT TO:<r{i}@elsewhere.example>" for i in range(count)])[1:]

    limit = "451 4.7.1 sorry, too many recipients in too short a time"
    assert send("joe", 3) == ["250 2.1.5 ok"] * 3
    assert send("joe", 3) == ["250 2.1.5 ok", limit, limit]
    assert send("last", 1) == ["250 2.1.5 ok"]
    assert "RATELIMIT: joe from 127.0.0.1" in site.log()
    # Damaged, or not to be written: nothing is sent.
    write_file(os.path.join(records, "last@a.example"), "17 1\n", 0o600)
    assert send("last", 1) == ["451 4.3.0 unable to count recipients"]
    assert send("last", 1) == [limit]
    os.rename(records, records + ".away")
    assert send("jane@a.example", 1)[0].startswith("451 4.3.0")
    site.home.control("auth/ratelimit", "many\n")
    assert send("joe", 1)[0].startswith("451 4.3.0")
