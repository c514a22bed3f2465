"""tcp-env under something like inetd: the connection on descriptor 0."""
import os
import socket
import subprocess

import pytest

import home as h


def run(home, connection, *args, **env):
    done = subprocess.run(
        [os.path.join(home.bin, "tcp-env"), *args, "env", "-0"],
        stdin=connection, capture_output=True, timeout=h.DEADLINE,
        env=home.environment(**env))
    assert (done.returncode, done.stderr) == (0, b"")
    return {k: v for k, v in (e.split("=", 1) for e in
                              done.stdout.decode().split("\0") if e)
            if k.startswith(("TCP", "PROTO"))}


def connect(family, address):
    with socket.socket(family) as listener:
        try:
            listener.bind((address, 0))
        except OSError:
            pytest.skip("no such addresses here")
        listener.listen(1)
        client = socket.create_connection(listener.getsockname()[:2])
        server, _ = listener.accept()
    return client, server


@pytest.mark.parametrize("family,address,proto", [
    (socket.AF_INET, "127.0.0.1", "TCP"), (socket.AF_INET6, "::1", "TCP6")])
def test_variables(home, family, address, proto):
    client, server = connect(family, address)
    with client, server:
        found = run(home, server, TCPREMOTEINFO="stale")
        assert found["PROTO"] == proto
        assert found["TCPLOCALIP"] == found["TCPREMOTEIP"] == address
        assert found["TCPLOCALPORT"] == str(server.getsockname()[1])
        assert found["TCPREMOTEPORT"] == str(client.getsockname()[1])
        name = found.get("TCPREMOTEHOST", "")
        assert name == name.lower()
        assert "TCPREMOTEINFO" not in found


def test_somebody_was_first(home):
    client, server = connect(socket.AF_INET, "127.0.0.1")
    with client, server:
        assert run(home, server, "-R", PROTO="TCP", TCPREMOTEIP="x") == {
            "PROTO": "TCP", "TCPREMOTEIP": "x"}


def test_no_connection(home):
    assert run(home, subprocess.DEVNULL, "-t", "5", TCPREMOTEIP="x") == {
        "PROTO": "TCP"}


@pytest.mark.parametrize("args,code", [
    ([], 100), (["-x", "true"], 100), (["-t", "x", "true"], 100),
    (["/none"], 111)])
def test_errors(home, args, code):
    assert home.run("tcp-env", *args).returncode == code
