"""qmail-qmtpd, qmail-qmqpd and qmail-qmqpc, to the byte and with bad peers."""
import os
import re
import socket
import subprocess
import threading

import pytest

import home as h

OK = re.compile(rb"Kok \d+ qp \d+\Z")
NO_HOST = (b"Dsorry, that domain isn't in my list of allowed rcpthosts "
           b"(#5.7.1)")
NO_RECIPIENT = b"Dsorry, I can't handle that recipient (#5.1.3)"
TOO_LARGE = (b"Dsorry, that message size exceeds my databytes limit (#5.3.4)")


def ns(*parts):
    data = b"".join(parts)
    return b"%d:%s," % (len(data), data)


def qmtp(message, sender=b"s@x.example", *recipients):
    return (ns(message) + ns(sender) +
            ns(*[ns(r) for r in recipients or [b"joe@a.example"]]))


def qmqp(message, sender=b"s@x.example", *recipients):
    return ns(ns(message), ns(sender),
              *[ns(r) for r in recipients or [b"joe@a.example"]])


def replies(data):
    found = []
    while data:
        size, _, data = data.partition(b":")
        assert size == str(int(size)).encode()
        found.append(data[:int(size)])
        assert data[int(size):int(size) + 1] == b","
        data = data[int(size) + 1:]
    return found


class Bench:
    def __init__(self, home):
        self.home = home
        self.got = home.file("got")
        os.mkdir(self.got)
        os.chmod(self.got, 0o777)
        queue = h.write_file(home.file("fake-queue"), f"""#!/bin/sh
cat > {self.got}/$$.tmp && cat <&1 > {self.got}/$$.env || exit 54
case $(tail -c 1 {self.got}/$$.env | od -An -tx1) in *00) ;; *) exit 54;; esac
mv {self.got}/$$.tmp {self.got}/$$.msg
exit $(cat {home.path}/code 2>/dev/null || echo 0)
""", 0o755)
        self.env = {"QMAILQUEUE": queue, "TCPREMOTEIP": "192.0.2.9",
                    "TCPLOCALHOST": "here.example"}

    def run(self, program, data, env=None, code=None):
        done = subprocess.run(
            [os.path.join(self.home.bin, program)], input=data,
            capture_output=True, timeout=h.DEADLINE,
            env=self.home.environment(**{**self.env, **(env or {})}),
            **h.ids_arguments())
        if code is not None:
            assert done.returncode == code, done
        return done

    def ask(self, data, program="qmail-qmtpd", **more):
        return replies(self.run(program, data, code=0, **more).stdout)

    def messages(self):
        """Message without its Received field, envelope."""
        found = []
        for name in sorted(os.listdir(self.got)):
            if name.endswith(".msg"):
                base = os.path.join(self.got, name[:-4])
                with open(base + ".msg", "rb") as f:
                    text = f.read()
                with open(base + ".env", "rb") as f:
                    found.append((text.split(b"\n", 2)[2], f.read()))
        return found

    def received(self):
        name = [n for n in os.listdir(self.got) if n.endswith(".msg")][0]
        with open(os.path.join(self.got, name), "rb") as f:
            return b"\n".join(f.read().split(b"\n", 2)[:2])


@pytest.fixture
def bench(home):
    return Bench(home)


# -- QMTP --------------------------------------------------------------------

def test_qmtp_one_message(bench):
    got = bench.ask(qmtp(b"\nSubject: x\n\nbody\n"))
    assert len(got) == 1 and OK.match(got[0])
    assert bench.messages() == [(b"Subject: x\n\nbody\n",
                                 b"Fs@x.example\0Tjoe@a.example\0\0")]
    assert re.match(rb"Received: from unknown \(192\.0\.2\.9\)\n  by "
                    rb"here\.example with QMTP; \d+ \w+ \d+ [\d:]+ -0000\Z",
                    bench.received())


LINE_ENDS = [
    (b"\ra\r\nb\r\n", b"a\nb\n"), (b"\ra\rb\r\r\n\r", b"a\rb\r\n\r"),
    (b"\r\r\n", b"\n"), (b"\r", b""), (b"\n", b""), (b"\na\r\n\0", b"a\r\n\0"),
    (b"\n.\n..\n", b".\n..\n")]


def test_qmtp_line_ends(bench):
    got = bench.ask(b"".join(qmtp(body) for body, _ in LINE_ENDS))
    assert [bool(OK.match(r)) for r in got] == [True] * len(LINE_ENDS)
    assert (sorted(m[0] for m in bench.messages()) ==
            sorted(stored for _, stored in LINE_ENDS))


def test_qmtp_several_messages_in_any_pieces(bench):
    data = (qmtp(b"\none\n", b"", b"a@a.example", b"b@a.example") +
            qmtp(b"\ntwo\n"))
    port = bench.home.server(
        [os.path.join(bench.home.bin, "qmail-qmtpd")],
        env={"QMAILQUEUE": bench.env["QMAILQUEUE"]})
    with socket.create_connection(("127.0.0.1", port), h.DEADLINE) as s:
        for at in range(len(data)):
            s.sendall(data[at:at + 1])
        s.shutdown(socket.SHUT_WR)
        got = b""
        while True:
            more = s.recv(65536)
            if not more:
                break
            got += more
    assert [bool(OK.match(r)) for r in replies(got)] == [True] * 3
    assert sorted(bench.messages()) == [
        (b"one\n", b"F\0Ta@a.example\0Tb@a.example\0\0"),
        (b"two\n", b"Fs@x.example\0Tjoe@a.example\0\0")]


def test_qmtp_a_reply_for_each_recipient_in_order(bench):
    got = bench.ask(qmtp(b"\nx\n", b"s@x", b"far@b.example", b"a@a.example",
                         b"n\0l@a.example", b"l" * 990 + b"@a.example",
                         b"x\ny@a.example", b"B@A.EXAMPLE", b""))
    assert OK.match(got[1]) and got[5] == got[1]
    assert got[:1] + got[2:5] + got[6:] == [
        NO_HOST, NO_RECIPIENT, NO_RECIPIENT, NO_RECIPIENT, NO_HOST]
    assert bench.messages() == [
        (b"x\n", b"Fs@x\0Ta@a.example\0TB@A.EXAMPLE\0\0")]


def test_qmtp_nobody_left(bench):
    assert bench.ask(qmtp(b"\nx\n", b"s@x", b"far@b.example")) == [NO_HOST]
    assert bench.ask(ns(b"\nx\n") + ns(b"s@x") + ns()) == []
    assert bench.messages() == []


def test_qmtp_relay_client(bench):
    got = bench.ask(qmtp(b"\nx\n", b"s@x", b"far@b.example"),
                    env={"RELAYCLIENT": ".relay"})
    assert OK.match(got[0])
    assert bench.messages()[0][1] == b"Fs@x\0Tfar@b.example.relay\0\0"
    assert OK.match(bench.ask(qmtp(b"\nx\n", b"s@x", b"far@b.example"),
                              env={"RELAYCLIENT": " "})[0])


def test_qmtp_bad_sender(bench):
    for sender in (b"a\0b@x", b"a\nb@x", b"s" * 1000):
        got = bench.ask(qmtp(b"\nx\n", sender, b"joe@a.example", b"far@b"))
        assert got == [b"Dunacceptable sender (#5.1.7)", NO_HOST]
    assert bench.messages() == []


def test_qmtp_databytes(bench):
    bench.home.control("databytes", "100\n")
    big = b"\n" + b"x" * 101
    data = qmtp(big) + qmtp(big[:-1])
    got = bench.ask(data)
    assert got[0] == TOO_LARGE and OK.match(got[1])
    assert OK.match(bench.ask(qmtp(big), env={"DATABYTES": "0"})[0])


@pytest.mark.parametrize("code,text", [
    ("31", b"Dmail server permanently rejected message (#5.3.0)"),
    ("53", b"Zqq write error or disk full (#4.3.0)")])
def test_qmtp_queue_says_no(bench, code, text):
    h.write_file(bench.home.file("code"), code)
    assert bench.ask(qmtp(b"\nx\n", b"s", b"a@a.example", b"b@a.example")) == [
        text, text]


def test_qmtp_rcpthosts_unreadable(bench):
    h.write_file(bench.home.file("control", "morercpthosts.cdb"), b"short")
    got = bench.ask(qmtp(b"\nx\n", b"s@x", b"far@b.example", b"joe@a.example"))
    assert got[0].startswith(b"Zsorry") and OK.match(got[1])


QMTP_GARBAGE = [
    (b"", 0), (b"x", 100), (b"1", 100), (b"1:", 100), (b":", 100),
    (b"01:\n,", 100), (b"0:,", 100), (b"1:\n", 100), (b"1:\nx", 100),
    (b"2:xx,", 100), (b"-1:\n,", 100), (b" 1:\n,", 100),
    (b"200000001:", 111), (b"99999999999:", 111),
    (b"18446744073709551617:", 111), (b"9" * 100000, 111),
    (ns(b"\nx") + b"x", 100), (ns(b"\nx") + ns(b"s"), 100),
    (ns(b"\nx") + ns(b"s") + b"3:3:x,", 100),
    (ns(b"\nx") + ns(b"s") + b"4:1:x,", 100),
    (ns(b"\nx") + ns(b"s") + b"5:1:x,,", 100),
    (ns(b"\nx") + ns(b"s") + b"4:99:x,", 100),
    (ns(b"\nx") + ns(b"s") + b"4:1:x,x", 100),
    (ns(b"\nx") + ns(b"s") + b"4:1:xx,", 100)]


def test_qmtp_garbage(bench):
    for data, code in QMTP_GARBAGE:
        done = bench.run("qmail-qmtpd", data, code=code)
        assert done.stdout == b"" and bench.messages() == [], data


def test_qmtp_too_many_recipients(bench):
    many = ns(b"\nx") + ns(b"s") + ns(b"1:x," * 100001)
    bench.run("qmail-qmtpd", many, code=111)
    assert bench.messages() == []


# -- QMQP --------------------------------------------------------------------

def test_qmqp_one_message(bench):
    got = bench.ask(qmqp(b"Subject: x\n\nb\r\n", b"", b"a@far.example",
                         b"nodomain"), "qmail-qmqpd")
    assert len(got) == 1 and OK.match(got[0])
    assert bench.messages() == [
        (b"Subject: x\n\nb\r\n", b"F\0Ta@far.example\0Tnodomain\0\0")]
    assert b" with QMQP; " in bench.received()


def test_qmqp_bad_address(bench):
    for sender, recipient in ((b"s", b"a\0b"), (b"a\0b", b"r"),
                              (b"s", b"x" * 1000), (b"s\n", b"r")):
        assert bench.ask(qmqp(b"x\n", sender, b"joe@a", recipient, b"z"),
                         "qmail-qmqpd") == [
            b"Dsorry, I can't accept addresses like that (#5.1.3)"]
    assert bench.messages() == []


QMQP_GARBAGE = [
    (b"", 0), (b"x", 100), (b"0:,", 100), (ns(b"x"), 100), (ns(ns(b"x")), 100),
    (ns(ns(b"x"), b"1:s"), 100), (ns(ns(b"x"), ns(b"s"), b"9:r,"), 100),
    (ns(ns(b"x"), ns(b"s"), ns(b"r"))[:-1], 100),
    (ns(ns(b"x"), ns(b"s"), ns(b"r"))[:-1] + b";", 100),
    (b"200000001:", 111)]


def test_qmqp_garbage(bench):
    for data, code in QMQP_GARBAGE:
        done = bench.run("qmail-qmqpd", data, code=code)
        assert done.stdout == b"" and bench.messages() == [], data


# -- the client --------------------------------------------------------------

class Server:
    """Takes one connection, reads a netstring, answers."""

    def __init__(self, answer):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.answer = answer
        self.got = b""
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        connection, _ = self.listener.accept()
        connection.settimeout(h.DEADLINE)
        with connection:
            while not self.complete():
                more = connection.recv(65536)
                if not more:
                    return
                self.got += more
            connection.sendall(self.answer)

    def complete(self):
        size, found, rest = self.got.partition(b":")
        return found and len(rest) > int(size)


def client(bench, message=b"Subject: x\n\n", envelope=b"Fs@x\0Ta@b\0Tc\0\0"):
    path = h.write_file(bench.home.file("message"), message)
    other = h.write_file(bench.home.file("envelope"), envelope)
    with open(path, "rb") as m, open(other, "rb") as e:
        return subprocess.run(
            [os.path.join(bench.home.bin, "qmail-qmqpc")], stdin=m, stdout=e,
            stderr=subprocess.PIPE, timeout=h.DEADLINE,
            env=bench.home.environment(), **h.ids_arguments()).returncode


def servers(bench, *ports):
    bench.home.control("qmqpservers", "# in this order\n" + "".join(
        f"127.0.0.1:{p}\n" for p in ports))


def test_client_wire(bench):
    server = Server(ns(b"Kok"))
    servers(bench, h.free_port(), server.port)
    assert client(bench) == 0
    assert server.got == qmqp(b"Subject: x\n\n", b"s@x", b"a@b", b"c")


def test_client_answers(bench):
    for answer, code in (
            (ns(b"Dno"), 31), (ns(b"Zlater"), 71), (ns(b"?"), 74),
            (ns(b""), 74), (b"", 74), (b"3:Kok", 74), (b"garbage", 74),
            (b"03:Kok,", 74)):
        servers(bench, Server(answer).port)
        assert client(bench) == code, answer


def test_client_servers(bench):
    for text, code in (
            (None, 55), ("# none\n", 55), ("name.example\n", 55),
            ("127.0.0.1:0\n", 55), ("127.0.0.1:1\n", 73),
            ("[::1]:1\n", 73)):
        bench.home.control("qmqpservers", text)
        assert client(bench) == code, text


def test_client_envelope(bench):
    servers(bench, Server(ns(b"Kok")).port)
    for envelope, code in (
            (b"", 54), (b"Fs@x\0", 54), (b"Fs@x\0Ta\0", 54),
            (b"Xs\0\0", 91), (b"Fs@x\0Xa\0\0", 91),
            (b"F" + b"s" * 1003 + b"\0\0", 11)):
        assert client(bench, envelope=envelope) == code, envelope


def test_client_and_server(bench):
    """A host without a queue, by $QMAILQUEUE; 5 MB through both."""
    port = bench.home.server(
        [os.path.join(bench.home.bin, "qmail-qmqpd")],
        env={"QMAILQUEUE": bench.env["QMAILQUEUE"]})
    servers(bench, port)
    body = "Subject: x\n\n" + ("y" * 79 + "\n") * 65536
    done = bench.home.inject(body, "-fs@x.example", "joe@far.example", env={
        "QMAILQUEUE": os.path.join(bench.home.bin, "qmail-qmqpc")})
    assert done.returncode == 0, done
    text, envelope = bench.messages()[0]
    assert envelope == b"Fs@x.example\0Tjoe@far.example\0\0"
    assert text.endswith(body[-100000:].encode())


def test_qmtp_into_a_real_queue(home):
    home.add_user("joe")
    home.start()
    port = home.server([os.path.join(home.bin, "qmail-qmtpd")])
    with socket.create_connection(("127.0.0.1", port), h.DEADLINE) as s:
        s.sendall(qmtp(b"\r\nSubject: hello\r\n\r\nby QMTP\r\n"))
        assert OK.match(replies(s.recv(1000))[0])
    home.wait_log("end msg")
    assert b"by QMTP\n" in home.user_messages("joe")[0]
