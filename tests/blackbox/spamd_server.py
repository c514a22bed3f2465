"""A real spamd with two rules of its own, on a port of loopback."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading

from home import DEADLINE, free_port, own, stop, wait_port

RULES = """body LOCAL_SPAM /XSPAMX/
score LOCAL_SPAM 12.5
body LOCAL_HAM /hello/
score LOCAL_HAM -1
report_safe 0
required_score 5
add_header spam Flag _YESNOCAPS_
"""


class Spamd:
    def __init__(self, directory):
        self.port = free_port()
        config = os.path.join(directory, "spamd")
        os.mkdir(config)
        for name, text in (("x.cf", RULES), ("x.pre", "loadplugin "
                                             "Mail::SpamAssassin::Plugin::"
                                             "Check\n")):
            with open(os.path.join(config, name), "w") as f:
                f.write(text)
            os.chmod(f.name, 0o644)
        own(config)
        self.log = open(os.path.join(config, "log"), "wb")
        self.process = subprocess.Popen(
            [shutil.which("spamd", path="/usr/sbin:/usr/bin"), "-x", "-L",
             "-m", "2", "--min-children", "1", "--max-spare", "1", "-s",
             "stderr", "-i", "127.0.0.1", "-p", str(self.port), "-u",
             "nobody", f"--configpath={config}",
             f"--siteconfigpath={config}", "-H", config],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            start_new_session=True)
        wait_port(self.port)

    def stop(self):
        stop(self.process)
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.log.close()


@contextlib.contextmanager
def listen(path, answer):
    """A local service that takes one request and gives this answer.

    None: it takes the request and never answers.
    """
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    own(path)
    listener.listen(5)
    listener.settimeout(DEADLINE)
    done = threading.Event()

    def serve():
        with listener.accept()[0] as client:
            client.settimeout(DEADLINE)
            try:
                while client.recv(65536):
                    pass
                if answer is None:
                    done.wait(DEADLINE)
                else:
                    client.sendall(answer)
            except OSError:
                pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(DEADLINE)
        listener.close()
