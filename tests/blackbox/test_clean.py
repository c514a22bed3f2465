"""qmail-clean: its protocol, byte by byte, and what it removes."""
import os
import subprocess
import time

import pytest

from home import DEADLINE, make_dirs, stop, wait_for, write_file

OLD = 129600 + 100


class Cleaner:
    def __init__(self, home):
        self.home = home
        self.process = home.spawn(
            [os.path.join(home.bin, "qmail-clean")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)

    def ask(self, data, answers=1):
        self.process.stdin.write(data)
        self.process.stdin.flush()
        got = b""
        while len(got) < answers:
            part = os.read(self.process.stdout.fileno(), answers - len(got))
            assert part
            got += part
        return got

    def finish(self):
        """End of input: nothing more is said, exit 0."""
        self.process.stdin.close()
        assert self.process.stdout.read() == b""
        self.process.stdout.close()
        return self.process.wait(DEADLINE)


@pytest.fixture(params=[True, False], ids=["split", "flat"])
def home(make_home, request):
    made = make_home("a", todo_split=request.param)
    made.todo_split = request.param
    return made


def path(home, area, number):
    sub = f"{number % 23}/" if area == "mess" or home.todo_split else ""
    return home.file("queue", f"{area}/{sub}{number}")


def lay(home, number, *areas):
    for area in areas:
        write_file(path(home, area, number), "x")


def test_message(home):
    lay(home, 77, "mess", "intd")
    lay(home, 78, "mess", "intd")
    cleaner = Cleaner(home)
    assert cleaner.ask(b"foop/77\0") == b"+"
    assert len(home.queue_files()) == 2
    assert cleaner.ask(b"foop/77\0") == b"+"  # missing files are fine
    assert cleaner.ask(b"foop/78\0") == b"+"
    assert home.queue_files() == []
    assert cleaner.finish() == 0


def test_todo(home):
    lay(home, 1106519, "mess", "intd", "todo")
    cleaner = Cleaner(home)
    assert cleaner.ask(b"todo/1106519\0") == b"+"
    assert home.queue_files() == ["mess/12/1106519"]
    assert cleaner.finish() == 0


@pytest.mark.parametrize("request_bytes", [
    b"", b"foop", b"foop/", b"foop/x", b"foop/7x", b"foop/-7", b"foop/ 7",
    b"foop/7/8", b"foop/../7", b"mess/77", b"info/77", b"Foop/77", b"foop.77",
    b"todo/", b"todo/0x7", b"foop/18446744073709551616", b"x" * 5000,
    b"foop/" + b"0" * 94 + b"7", b"foop/" + b"7" * 3000])
def test_malformed(home, request_bytes):
    """One x for each, however long, and the next is understood again."""
    lay(home, 7, "mess")
    lay(home, 77, "mess", "intd", "todo")
    before = home.queue_files()
    cleaner = Cleaner(home)
    assert cleaner.ask(request_bytes + b"\0") == b"x"
    assert home.queue_files() == before
    assert cleaner.ask(b"foop/7\0") == b"+"
    assert cleaner.finish() == 0


def test_length_limit(home):
    """100 bytes with the NUL are the longest request."""
    lay(home, 7, "mess")
    cleaner = Cleaner(home)
    assert cleaner.ask(b"foop/" + b"0" * 94 + b"7\0") == b"x"
    assert home.queue_files() != []
    assert cleaner.ask(b"foop/" + b"0" * 93 + b"7\0") == b"+"
    assert home.queue_files() == []
    assert cleaner.finish() == 0


def test_many_and_torn_requests(home):
    for number in range(100, 200):
        lay(home, number, "mess", "intd")
    cleaner = Cleaner(home)
    everything = b"".join(b"foop/%d\0" % n for n in range(100, 199)) + b"x\0"
    assert cleaner.ask(everything, 100) == b"+" * 99 + b"x"
    for byte in b"foop/199":
        cleaner.process.stdin.write(bytes([byte]))
        cleaner.process.stdin.flush()
        time.sleep(0.002)
    assert home.queue_files() != []
    assert cleaner.ask(b"\0") == b"+"
    assert home.queue_files() == []
    assert cleaner.finish() == 0


def test_request_without_its_end_is_none(home):
    lay(home, 77, "mess")
    cleaner = Cleaner(home)
    cleaner.process.stdin.write(b"foop/77")
    assert cleaner.finish() == 0
    assert home.queue_files() == ["mess/8/77"]


def test_unlink_failure(home):
    """The message stays as long as its envelope cannot go."""
    lay(home, 77, "mess")
    make_dirs(path(home, "intd", 77))
    cleaner = Cleaner(home)
    assert cleaner.ask(b"foop/77\0") == b"!"
    assert os.path.exists(path(home, "mess", 77))
    os.rmdir(path(home, "intd", 77))
    assert cleaner.ask(b"foop/77\0") == b"+"
    assert cleaner.finish() == 0


def test_pid_directory(home):
    pid = home.file("queue/pid")

    def age(name, seconds):
        file = write_file(os.path.join(pid, name), "")
        stamp = time.time() - seconds
        os.utime(file, (stamp, time.time()))

    age("1.2.3", OLD)
    age("4.5.6", 100)
    make_dirs(os.path.join(pid, "directory"))
    cleaner = Cleaner(home)
    wait_for(lambda: not os.path.exists(os.path.join(pid, "1.2.3")),
             "the old file to go at the start")
    assert os.path.exists(os.path.join(pid, "4.5.6"))
    age("7.8.9", OLD)
    for _ in range(35):
        cleaner.ask(b"foop/1\0")
    assert sorted(os.listdir(pid)) == ["4.5.6", "directory"]
    assert cleaner.finish() == 0


def test_no_queue(home):
    os.rename(home.file("queue"), home.file("away"))
    assert home.run("qmail-clean").returncode == 111


def test_reader_gone(home):
    cleaner = Cleaner(home)
    cleaner.process.stdout.close()
    cleaner.process.stdin.write(b"foop/1\0")
    cleaner.process.stdin.flush()
    assert cleaner.process.wait(DEADLINE) == 111
    cleaner.process.stdin.close()
    stop(cleaner.process)
