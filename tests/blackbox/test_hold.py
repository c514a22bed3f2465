"""qmail-hold with a qmail-send that runs."""
import os
import signal
import time

import pytest

import home as h
from test_send import Bench


@pytest.fixture
def bench(home):
    return Bench(home)


def hold(b, *args, code=0):
    done = b.home.run("qmail-hold", *args)
    assert done.returncode == code, done
    return done.stdout.decode().splitlines()


def listed(b, *args):
    return {line.split("\t")[0]: line.split("\t")[1:]
            for line in hold(b, "list", *args)}


def deferred(b, sender, recipient, body="Subject: x\n\ny\n"):
    """A message with its first attempt behind it."""
    return b.make_message(sender, remote=f"T{recipient}\0".encode(),
                          born=int(time.time()) - 60, body=body)


def later(b, *idents):
    for ident in idents:
        b.set_time("remote", ident, int(time.time()) + 5000)


def test_list_and_choose(bench):
    b = bench
    one = deferred(b, "joe@A.example", "x@far.example", "Subject: spam!\n\n")
    two = b.make_message("", local=b"Da@b\0Tc@d\0Te@f\0",
                         remote=b"Tg@h\0Ti@j\0Tk\x1b@l\0")
    b.set_time("info", one, int(time.time()) - 7200)
    assert listed(b) == {
        str(one): ["waits", listed(b)[str(one)][1], "16", "<joe@A.example>",
                   "x@far.example"],
        str(two): ["waits", listed(b)[str(two)][1], "14", "<>",
                   "c@d e@f g@h +2"]}
    for args, found in (
            (["-s", "*@a.EXAMPLE"], [one]), (["-s", ""], [two]),
            (["-r", "*@far.example"], [one]), (["-r", "a@b"], []),
            (["-r", "e@f"], [two]), (["-t", "spam!"], [one]),
            (["-o", "1h"], [one]), (["-y", "90m"], [two]),
            (["-o", "1m", "-s", ""], []), (["-h"], []),
            (["-a"], [one, two]), ([str(two)], [two]), ([f"#{one}"], [one])):
        assert sorted(listed(b, *args)) == sorted(map(str, found)), args


@pytest.mark.parametrize("args", [
    [], ["what"], ["hold"], ["delete", "-n"], ["list", "-o", "x"],
    ["list", "12x"], ["list", "-z"], ["list", "-o"]])
def test_misuse(bench, args):
    hold(bench, *args, code=100)


def test_hold_and_release(bench):
    b = bench
    ids = [deferred(b, f"s{n}@x.example", "ok@far.example") for n in range(3)]
    later(b, *ids)
    assert hold(b, "hold", "-n", "-s", "s0@*")[0].startswith(f"{ids[0]}\t")
    assert sorted(hold(b, "hold", "-s", "s[01]@*")) == sorted(
        f"{i} is held" for i in ids[:2])
    b.start()
    b.signal(signal.SIGALRM)
    b.wait("end msg")
    time.sleep(0.3)
    assert b.log().count("starting") == 1
    b.wait_ids(*ids[:2])
    assert sorted(listed(b, "-h")) == sorted(map(str, ids[:2]))
    assert hold(b, "release", str(ids[0])) == [f"{ids[0]} is released"]
    b.wait("end msg", count=2)
    b.wait_ids(ids[1])
    assert b.read("info", ids[1]) == b"Fs1@x.example\0"
    b.term()  # what is held stays so
    b.start()
    b.signal(signal.SIGALRM)
    time.sleep(0.5)
    assert "starting" not in b.log()
    hold(b, "release", "-h")
    b.wait("success")
    b.wait_ids()
    b.term()


def test_release_is_for_the_released_alone(bench):
    b = bench
    ids = [deferred(b, "s@x.example", f"ok{n}@far.example") for n in range(50)]
    later(b, *ids)
    b.start()
    hold(b, "hold", "-a")
    hold(b, "release", *map(str, ids[10:20]))
    b.wait("success", count=10)
    assert sorted(b.recipients()) == sorted(
        f"ok{n}@far.example" for n in range(10, 20))
    hold(b, "release", "-a")
    b.wait("success", count=50)
    b.wait_ids()
    assert len(b.recipients()) == 50
    b.term()


def test_delete(bench):
    b = bench
    keep = deferred(b, "s@x.example", "ok@far.example")
    gone = b.make_message("bad@x.example", local=b"Thold@a.example\0",
                          remote=b"Ta@b.example\0Dc@d.example\0")
    h.write_file(b.path("bounce", gone), "<c@d.example>:\nno\n\n", 0o600)
    later(b, keep, gone)
    b.set_time("local", gone, int(time.time()) + 5000)
    b.start()
    time.sleep(0.2)
    assert hold(b, "delete", "-s", "bad@*") == [f"{gone} is deleted"]
    b.wait(f"end msg {gone}")
    b.wait_ids(keep)
    assert b.requests() == [] and "bounce" not in b.log()
    b.term()


def test_running_list_stops(bench):
    """The recipient that is under way is served, the others wait."""
    b = bench
    b.home.control("concurrencyremote", "1\n")
    names = [f"hold{n}@r{n}.example" for n in range(40)]
    b.start()
    b.inject("s@x.example", *names)
    b.wait("starting delivery 1:")
    ident = str(b.only_id())
    h.wait_for(lambda: listed(b).get(ident, [""])[0] == "waits", "its records")
    hold(b, "hold", ident)
    b.release()
    b.wait("success")
    time.sleep(0.5)
    assert b.log().count("starting") == 1
    hold(b, "release", ident)
    b.wait("success", count=40)
    b.wait_ids()
    assert sorted(b.recipients()) == sorted(names)
    b.term()


def test_delete_what_is_under_way(bench):
    b = bench
    b.home.control("concurrencyremote", "1\n")
    b.start()
    b.inject("s@x.example", *[f"hold{n}@r{n}.example" for n in range(40)])
    b.wait("starting delivery 1:")
    ident = str(b.only_id())
    h.wait_for(lambda: listed(b).get(ident, [""])[0] == "waits", "its records")
    hold(b, "delete", ident)
    b.release()
    b.wait("end msg")
    b.wait_ids()
    assert len(b.recipients()) == 1
    b.term()


def test_new_message(bench):
    """Nobody has preprocessed it: it can be held, and deleted later."""
    b = bench
    b.inject("s@x.example", "ok@far.example")
    ident = str(b.only_id())
    assert listed(b)[ident][0] == "new"
    hold(b, "delete", ident, code=111)
    b.start()
    h.wait_for(lambda: listed(b).get(ident, [""])[0] == "held", "its records")
    time.sleep(0.3)
    assert "starting" not in b.log()
    hold(b, "delete", ident)
    b.wait("end msg")
    b.wait_ids()
    assert b.requests() == []


def test_trigger_alone_moves_nothing(bench):
    """A stranger's word in the trigger is not believed."""
    b = bench
    ident = deferred(b, "s@x.example", "ok@far.example")
    later(b, ident)
    b.start()
    with open(os.path.join(b.queue, "lock", "trigger"), "wb") as f:
        f.write(b"%d\0" % ident)
    time.sleep(0.5)
    assert b.requests() == []


def test_no_such_message(bench):
    hold(bench, "hold", "4711", code=111)
    assert hold(bench, "release", "-a") == []
