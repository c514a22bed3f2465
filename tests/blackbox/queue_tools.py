"""Talking to qmail-queue directly, and looking at what it left behind."""
import os
import re
import subprocess
import threading

from home import DEADLINE, ids_arguments

MESSAGE = b"Subject: test\n\nbody\n"
ENVELOPE = b"Fa@b\0Tc@d\0Te\0\0"
AREAS = ("mess", "intd", "todo", "info", "local", "remote", "bounce")


def start(home, env=None, argv=None, ids=None, **more):
    """qmail-queue with pipes on 0 and 1: process, message end, envelope end."""
    message_r, message_w = os.pipe()
    envelope_r, envelope_w = os.pipe()
    process = subprocess.Popen(
        argv or [os.path.join(home.bin, "qmail-queue")],
        stdin=message_r, stdout=envelope_r, stderr=subprocess.PIPE,
        env=env if env is not None else home.environment(),
        cwd="/", **(ids_arguments() if ids is None else ids), **more)
    home.processes.append(process)
    os.close(message_r)
    os.close(envelope_r)
    return process, message_w, envelope_w


def feed(fd, data):
    """Writes all of it and closes, whether or not anybody reads."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view[:1 << 20]):]
    except BrokenPipeError:
        pass
    finally:
        os.close(fd)


def run(home, message=MESSAGE, envelope=ENVELOPE, **more):
    """One message through qmail-queue: its exit code."""
    process, message_w, envelope_w = start(home, **more)
    threads = [threading.Thread(target=feed, args=pair)
               for pair in ((message_w, message), (envelope_w, envelope))]
    for thread in threads:
        thread.start()
    _, words = process.communicate(timeout=DEADLINE)
    for thread in threads:
        thread.join(DEADLINE)
    if argv_is_plain(more):
        assert words == b"", words  # it never prints
    return process.returncode


def argv_is_plain(more):
    return more.get("argv") is None


def messages(home):
    """{id: {area: path}} of everything in the queue; ids only."""
    found = {}
    for name in home.queue_files():
        parts = name.split("/")
        if parts[0] in AREAS and re.fullmatch(r"[1-9][0-9]*", parts[-1]):
            found.setdefault(int(parts[-1]), {})[parts[0]] = home.file(
                "queue", name)
    return found


def only(home):
    """The single queued message: id, mess bytes, todo bytes."""
    found = messages(home)
    assert len(found) == 1, found
    (number, files), = found.items()
    assert set(files) == {"mess", "intd", "todo"}, files
    with open(files["mess"], "rb") as f:
        mess = f.read()
    with open(files["todo"], "rb") as f:
        todo = f.read()
    assert os.stat(files["mess"]).st_ino == number
    assert os.path.samefile(files["intd"], files["todo"])
    return number, mess, todo


def empty(home):
    assert home.queue_files() == []


def state(files):
    """S1 to S4 for the files of one message, or None."""
    return {frozenset(): "S1", frozenset({"mess"}): "S2",
            frozenset({"mess", "intd"}): "S3",
            frozenset({"mess", "intd", "todo"}): "S4",
            frozenset({"mess", "todo"}): "S4"}.get(frozenset(files))
