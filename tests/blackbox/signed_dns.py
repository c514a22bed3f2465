"""A signed zone on a real server (knot) behind a validating resolver (unbound).

Everything is in one directory, listens on 127.0.0.1 and runs until stop().
"""
import os
import subprocess

import home as home_module

KNOT_PORT, UNBOUND_PORT = 5301, 5302

KNOT = """
server:
    listen: 127.0.0.1@{knot}
    rundir: {dir}
database:
    storage: {dir}/db
policy:
  - id: quick
    algorithm: ecdsap256sha256
    single-type-signing: on
    nsec3: off
template:
  - id: default
    storage: {dir}
    file: "%s.zone"
    semantic-checks: off
{zones}
"""

UNBOUND = """
server:
    directory: "{dir}"
    pidfile: ""
    username: ""
    chroot: ""
    interface: 127.0.0.1@{unbound}
    do-ip6: no
    do-not-query-localhost: no
    access-control: 127.0.0.0/8 allow
    module-config: "validator iterator"
    num-threads: 1
    use-syslog: no
    logfile: "{dir}/unbound.log"
    local-zone: "example." nodefault
    cache-max-ttl: 1
    cache-max-negative-ttl: 1
{anchors}
remote-control:
    control-enable: no
{stubs}
"""


class SignedDns:
    """zones: {name: (records, "signed" | "plain" | "bogus")}."""

    def __init__(self, directory, zones):
        self.dir = home_module.make_dirs(directory)
        home_module.make_dirs(os.path.join(directory, "db"), 0o700)
        self.processes = []
        for name, (records, _) in zones.items():
            home_module.write_file(
                f"{directory}/{name}.zone",
                f"$ORIGIN {name}.\n$TTL 60\n@ SOA ns hostmaster 1 3600 600 "
                f"86400 60\n@ NS ns\nns A 127.0.0.1\n{records}\n")
        self.start_knot(zones)
        self.start_unbound(zones)

    def spawn(self, *argv):
        with open(os.path.join(self.dir, "daemons.log"), "ab") as log:
            self.processes.append(subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                **home_module.ids_arguments()))

    def start_knot(self, zones):
        text = "".join(
            f"  - domain: {name}\n" + (
                "" if kind == "plain" else
                "    dnssec-signing: on\n    dnssec-policy: quick\n")
            for name, (_, kind) in zones.items())
        conf = os.path.join(self.dir, "knot.conf")
        home_module.write_file(conf, KNOT.format(
            dir=self.dir, knot=KNOT_PORT, zones="zone:\n" + text))
        self.spawn("knotd", "-c", conf)
        home_module.wait_port(KNOT_PORT)

    def ds(self, name):
        """The DS record of a zone, once it is signed."""
        def key():
            done = subprocess.run(
                ["keymgr", "-c", os.path.join(self.dir, "knot.conf"), name,
                 "ds"], capture_output=True, text=True,
                **home_module.ids_arguments())
            lines = [line for line in done.stdout.splitlines()
                     if " DS " in line and line.split()[4] == "2"]
            return lines and lines[0]

        return home_module.wait_for(key, f"a key of {name}")

    def start_unbound(self, zones):
        anchors, stubs = "", ""
        for name, (_, kind) in zones.items():
            stubs += (f"stub-zone:\n    name: {name}\n"
                      f"    stub-addr: 127.0.0.1@{KNOT_PORT}\n")
            if kind == "plain":
                anchors += f"    domain-insecure: {name}\n"
                continue
            ds = self.ds(name)
            if kind == "bogus":  # the digest of another key
                ds = ds[:-8] + "".join("1" if c == "0" else "0"
                                       for c in ds[-8:])
            anchors += f"    trust-anchor: \"{ds}\"\n"
        conf = os.path.join(self.dir, "unbound.conf")
        home_module.write_file(conf, UNBOUND.format(
            dir=self.dir, unbound=UNBOUND_PORT, anchors=anchors, stubs=stubs))
        self.spawn("unbound", "-d", "-c", conf)
        home_module.wait_port(UNBOUND_PORT)

    def stop(self):
        for process in reversed(self.processes):
            home_module.stop(process)
