"""Many remote deliveries at the same time, to a peer that holds them all.

Every recipient gets a sender of its own (VERP), so nothing is shared: a
process, a connection and a place in qmail-send for each.  HOLD=n asks for
another number than 2,000.  The second part leaves out the processes: a script
in qmail-rspawn's place takes as many deliveries as qmail-send may have.
"""
import asyncio
import os
import re
import threading
import time

import home as lib

HOLD = int(os.environ.get("HOLD", "2000"))
# One domain gets no more than four times what is left free.
DOMAINS = 20000
PLACES = 65000
PATIENCE = 600.0

SPAWNER = r'''#!/usr/bin/python3
import os
os.write(1, b"\0" + (65000).to_bytes(2, "little"))
numbers, pending = [], b""
while True:
    data = os.read(0, 1 << 20)
    if not data:
        break
    pending += data
    at = 0
    while True:
        end = at + 1
        for _ in range(3):
            end = pending.find(b"\0", end + 1) if end > 0 else end
        if end < 0 or len(pending) < at + 3:
            break
        numbers.append(pending[at:at + 2])
        at = end + 1
    pending = pending[at:]
    if len(numbers) == 65000:
        out = b"".join(n + b"Kok\n\0" for n in numbers)
        while out:
            out = out[os.write(1, out):]
        numbers = []
'''


def say(text):
    print(text, flush=True)


class Holder:
    """Answers DATA when enough others wait there, too."""

    def __init__(self, wanted):
        self.wanted, self.waiting, self.taken = wanted, 0, 0
        self.port = None
        started = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self.serve(started)),
                         daemon=True).start()
        started.wait(30)

    async def serve(self, started):
        self.enough = asyncio.Event()
        server = await asyncio.start_server(self.session, "127.0.0.1", 0,
                                            backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await server.serve_forever()

    async def session(self, reader, writer):
        writer.write(b"220 x\r\n")
        in_data = False
        while line := await reader.readline():
            if in_data:
                in_data = line != b".\r\n"
                if in_data:
                    continue
                self.taken += 1
                writer.write(b"250 taken\r\n")
            elif line[:4] == b"DATA":
                self.waiting += 1
                if self.waiting >= self.wanted:
                    self.enough.set()
                await self.enough.wait()
                in_data = True
                writer.write(b"354 go\r\n")
            else:
                writer.write(b"250 ok\r\n")
        writer.close()


def proportional(pid):
    """Memory of a process of its own and its share of the rest, in KiB."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"^Pss: +(\d+)", f.read(), re.M).group(1))


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(p) for p in f.read().split()]


def named(home, name):
    for pid in children(home.send.pid):
        with open(f"/proc/{pid}/comm") as f:
            if f.read().strip() == name:
                return pid
    raise AssertionError(name)


def queue_message(home, count):
    """One message with a sender for each recipient."""
    read, write = os.pipe()
    envelope = b"Fann-@a.example-@[]\0" + b"".join(
        b"Tu%d@f%d.example\0" % (n, n % DOMAINS) for n in range(count)) + b"\0"

    def feed():
        data = envelope
        while data:
            data = data[os.write(write, data):]
        os.close(write)

    feeder = threading.Thread(target=feed)
    feeder.start()
    path = lib.write_file(home.file("message"), "Subject: x\n\ny\n")
    with open(path, "rb") as f:
        process = home.spawn([os.path.join(home.bin, "qmail-queue")],
                             stdin=f, stdout=read)
    os.close(read)
    feeder.join()
    assert process.wait(60) == 0


def hold_processes(base, bin_dir):
    holder = Holder(HOLD)
    home = lib.Home(os.path.join(base, "hold"), bin_dir, me="a.example")
    for name, text in (("concurrencyremote", f"{HOLD}\n"),
                       ("destinations", f":{HOLD}\n"),
                       ("timeoutremote", f"{int(PATIENCE)}\n"),
                       ("smtproutes", f":127.0.0.1:{holder.port}\n")):
        home.control(name, text)
    home.start()
    begin = time.monotonic()
    queue_message(home, HOLD)
    lib.wait_for(lambda: holder.enough.is_set() or not home.queue_files(),
                 "all to wait", PATIENCE)
    seconds = time.monotonic() - begin
    spawner = named(home, "qmail-rspawn")
    remotes = children(spawner)
    sample = remotes[::max(1, len(remotes) // 50)]
    say(f"hold: {holder.waiting} deliveries at the same time after "
        f"{seconds:.1f} s, {len(remotes)} processes")
    lib.wait_for(lambda: holder.taken >= HOLD, "all to be taken", PATIENCE)
    say(f"hold: KiB of each qmail-remote "
        f"{sum(map(proportional, sample)) / len(sample):.0f}, of qmail-rspawn "
        f"{proportional(spawner)}, of qmail-send "
        f"{proportional(home.send.pid)}")
    home.wait_empty(PATIENCE)
    assert home.log().count(": success: ") == HOLD
    say(f"hold: all done after {time.monotonic() - begin:.1f} s")
    home.stop_all()


def hold_places(base, bin_dir):
    home = lib.Home(os.path.join(base, "places"), bin_dir, me="a.example")
    fake = lib.make_dirs(home.file("fake"))
    lib.write_file(os.path.join(fake, "qmail-rspawn"), SPAWNER, 0o755)
    home.control("concurrencyremote", f"{PLACES}\n")
    home.start(env={"PATH": f"{fake}:{home.bin}:/usr/bin:/bin"})
    begin = time.monotonic()
    queue_message(home, PLACES)
    home.wait_empty(PATIENCE)
    say(f"hold: qmail-send had {PLACES} deliveries under way at the same "
        f"time, and was done with them after {time.monotonic() - begin:.1f} "
        f"s; {proportional(home.send.pid)} KiB")
    assert home.log().count(": success: ") == PLACES
    home.stop_all()


def bench_hold(base, bin_dir):
    if HOLD:
        hold_processes(base, bin_dir)
    hold_places(base, bin_dir)
