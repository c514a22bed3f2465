"""qmail-domain, qmail-mailbox and checkmailbox: hosting without other software."""
import glob
import os
import poplib
import re
import shutil
import signal
import smtplib
import stat
import subprocess
import time

import pytest

import home as h
from hash_work import HashWork
from home import wait_for
from test_admin_root import JOE, RootHome, pytestmark as root_only

PASSWORD = "correct horse"
D = "example.org"


def domain(home, *words, **more):
    return home.run("qmail-domain", *words, **more)


def mailbox(home, *words, password=None, **more):
    return home.run("qmail-mailbox", *words,
                    input=None if password is None else password + "\n",
                    **more)


def text(home, name):
    try:
        with open(home.file(name)) as f:
            return f.read()
    except FileNotFoundError:
        return ""


@pytest.fixture
def site(home):
    domain(home, "add", D, check=True)
    return home


@pytest.fixture
def joe(site):
    mailbox(site, "add", f"joe@{D}", password=PASSWORD, check=True)
    return site


def login(home, address, password, *prog, sasl=None, **env):
    """Exit code of checkmailbox and what the program behind it said."""
    r, w = os.pipe()
    os.write(w, b"\0".join([address.encode(), password.encode(), b""]) + b"\0")
    os.close(w)
    try:
        done = subprocess.run(
            ["bash", "-c", f"exec 3<&{r}; exec \"$@\"", "sh",
             os.path.join(home.bin, "checkmailbox"), *(prog or ("true",))],
            pass_fds=[r], capture_output=True, text=True, timeout=h.DEADLINE,
            env=home.environment(SASL=sasl, **env), cwd=home.path,
            **h.ids_arguments())
    finally:
        os.close(r)
    return done.returncode, done.stdout, done.stderr


# -- mail comes and is fetched -------------------------------------------
def test_from_smtp_to_pop3(joe):
    joe.control("realrcptto", "1\n")
    joe.start()
    mailbox(joe, "alias", f"info@{D}", f"joe@{D}", check=True)
    port = joe.smtpd()
    with smtplib.SMTP("127.0.0.1", port, timeout=h.DEADLINE) as client:
        refused = client.sendmail(
            "s@x.example", [f"joe@{D}", f"Info@{D}", f"nobody@{D}"],
            "Subject: one\r\n\r\nhello\r\n")
    assert refused == {f"nobody@{D}": (
        550, b"5.1.1 sorry, no mailbox here by that name.")}
    new = joe.file("domains", D, "joe", "Maildir", "new")
    wait_for(lambda: len(os.listdir(new)) == 2, joe.log())
    for name in os.listdir(new):
        # Mail of the present second is the next session's.
        os.utime(os.path.join(new, name), (1, 1))
    joe.control("auth/pop3", "63\n")
    client = poplib.POP3("127.0.0.1", joe.pop3d(checker="checkmailbox"),
                         timeout=h.DEADLINE)
    client.user(f"Joe@{D}")
    client.pass_(PASSWORD)
    assert client.stat()[0] == 2
    assert b"hello" in client.retr(1)[1]
    client.quit()


def test_running_qmail_send_learns_of_domains(home):
    home.start()
    domain(home, "add", D, check=True)
    mailbox(home, "add", f"joe@{D}", password=PASSWORD, check=True)
    home.inject(f"To: joe@{D}\n\nx\n")
    new = home.file("domains", D, "joe", "Maildir", "new")
    wait_for(lambda: os.listdir(new), home.log())
    done = domain(home, "remove", D, check=True)
    assert b"warning" not in done.stderr
    home.inject(f"To: joe@{D}\n\nx\n")
    home.wait_log(f"to remote joe@{D}")


def test_without_qmail_send_it_is_said(home):
    done = domain(home, "add", D, check=True)
    assert b"qmail-send does not run" in done.stderr


def test_catch_all(joe):
    mailbox(joe, "catchall", D, f"joe@{D}", check=True)
    joe.start()
    joe.inject(f"To: whoever@{D}\n\nx\n")
    new = joe.file("domains", D, "joe", "Maildir", "new")
    wait_for(lambda: os.listdir(new), joe.log())
    mailbox(joe, "catchall", D, "none", check=True)
    joe.inject(f"To: whoever@{D}\n\nx\n")
    joe.wait_log("no_mailbox_here_by_that_name")


def test_postmaster_is_there(site):
    site.start()
    site.inject(f"To: postmaster@{D}\n\nx\n")
    wait_for(lambda: site.messages(site.file("alias", "Maildir")), site.log())


def test_quota(site):
    mailbox(site, "-q", "100S", "add", f"joe@{D}", password=PASSWORD,
            check=True)
    site.start()
    site.inject(f"To: joe@{D}\n\n" + "x" * 200 + "\n")
    site.wait_log("5.2.2")


# -- files ---------------------------------------------------------------
def test_files(joe):
    assert f"{D}:{D}\n" in text(joe, "control/virtualdomains")
    assert text(joe, "control/rcpthosts") == f"a.example\n{D}\n"
    assert text(joe, "users/assign").splitlines()[-2:] == [
        f"+{D}-:{D}:{h.TEST_UID}:{h.TEST_GID}:{joe.path}/domains/{D}:-::", "."]
    line = text(joe, "users/mailboxes")
    assert re.fullmatch(
        rf"joe@{D}:\$y\$[^:]+:{h.TEST_UID}:{h.TEST_GID}:"
        rf"{joe.path}/domains/{D}/joe\n", line)
    assert PASSWORD not in line
    for name in ("users/mailboxes", "users/mailboxes.cdb"):
        assert stat.S_IMODE(os.stat(joe.file(name)).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(joe.file("domains", D)).st_mode) == 0o700
    assert text(joe, f"domains/{D}/.qmail-joe") == "./joe/Maildir/\n"
    assert text(joe, f"domains/{D}/.qmail-postmaster") == (
        "&postmaster@a.example\n")


def test_what_others_wrote_stays(home):
    home.control("virtualdomains", "# mine\nother.example:bob\n")
    home.control("rcpthosts", "a.example\n.wild.example")
    home.add_user("bob")
    before = text(home, "users/assign")
    domain(home, "add", "Example.ORG", check=True)
    domain(home, "add", D, check=True)
    assert text(home, "control/virtualdomains") == (
        f"# mine\nother.example:bob\n{D}:{D}\n")
    assert text(home, "control/rcpthosts") == f"a.example\n.wild.example\n{D}\n"
    domain(home, "remove", D, check=True)
    assert text(home, "users/assign") == before
    assert text(home, "control/virtualdomains") == "# mine\nother.example:bob\n"
    assert text(home, "control/rcpthosts") == "a.example\n.wild.example\n"


def test_without_rcpthosts_none_is_made(home):
    home.control("rcpthosts", None)
    domain(home, "add", D, check=True)
    assert not os.path.exists(home.file("control", "rcpthosts"))


def test_list_sends_nothing_to_the_terminal(site):
    h.write_file(site.file(f"domains/{D}/.qmail-a\x1b[2j"),
                 "&b\x1b]0;x\x07@example.net\n")
    shown = mailbox(site, "list", D).stdout
    assert f"alias\ta?[2j@{D} to b?]0;x?@example.net\n".encode() in shown
    assert b"\x1b" not in shown


def test_list(joe):
    mailbox(joe, "add", f"first.last@{D}", password=PASSWORD, check=True)
    mailbox(joe, "alias", f"team@{D}", f"joe@{D}", "ann@far.example",
            check=True)
    mailbox(joe, "catchall", D, f"joe@{D}", check=True)
    h.write_file(joe.file("domains", D, ".qmail-auto"), "|cat\n")
    domain(joe, "add", "other.example", check=True)
    assert domain(joe, "list").stdout.decode() == (
        f"{D}\t{h.TEST_UID}\t{joe.path}/domains/{D}\n"
        f"other.example\t{h.TEST_UID}\t{joe.path}/domains/other.example\n")
    want = [f"other\tauto@{D}", f"catch-all\t@{D} to joe@{D}",
            f"mailbox\tfirst.last@{D}", f"mailbox\tjoe@{D}",
            f"alias\tpostmaster@{D} to postmaster@a.example",
            f"alias\tteam@{D} to joe@{D}, ann@far.example"]
    assert mailbox(joe, "list", D).stdout.decode().splitlines() == want
    assert mailbox(joe, "list").stdout.decode().splitlines() == want + [
        "alias\tpostmaster@other.example to postmaster@a.example"]


def test_mail_is_never_deleted(joe):
    box = joe.file("domains", D, "joe", "Maildir", "new", "1.m")
    h.write_file(box, "kept\n")
    done = mailbox(joe, "remove", f"joe@{D}", check=True)
    [aside] = glob.glob(joe.file("domains", D, ".removed-joe-*"))
    assert aside in done.stdout.decode()
    assert not os.path.exists(joe.file("domains", D, ".qmail-joe"))
    assert login(joe, f"joe@{D}", PASSWORD)[0] == 1
    assert text(joe, os.path.relpath(aside, joe.path) + "/Maildir/new/1.m")
    done = domain(joe, "remove", D, check=True)
    [aside] = glob.glob(joe.file("domains", f".removed-{D}-*"))
    assert aside in done.stdout.decode()


def test_removal_that_could_not_be_finished(joe):
    os.mkdir(joe.file("users/mailboxes.tmp"))
    done = mailbox(joe, "remove", f"joe@{D}")
    assert (done.returncode, text(joe, "users/mailboxes")) == (111, "")
    assert login(joe, f"joe@{D}", PASSWORD)[0] == 111  # its home has gone
    os.rmdir(joe.file("users/mailboxes.tmp"))
    mailbox(joe, "remove", f"joe@{D}", check=True)
    assert login(joe, f"joe@{D}", PASSWORD)[0] == 1
    done = mailbox(joe, "remove", f"joe@{D}")
    assert done.returncode == 100 and b"is no mailbox" in done.stderr


def test_logins_of_a_removed_domain(joe):
    domain(joe, "add", "other.example", check=True)
    mailbox(joe, "add", "ann@other.example", password=PASSWORD, check=True)
    domain(joe, "remove", D, check=True)
    assert login(joe, f"joe@{D}", PASSWORD)[0] == 1
    assert login(joe, "ann@other.example", PASSWORD)[0] == 0


# -- what is refused -----------------------------------------------------
@pytest.mark.parametrize("words, why", [
    (["add", "org"], "no domain name"), (["add", "-a.org"], "no domain name"),
    (["add", "a..org"], "no domain name"), (["add", "a/b.org"], "no domain"),
    (["add", "../x.org"], "no domain name"), (["add", "a:b.org"], "no domain"),
    (["add", "x" * 64 + ".org"], "no domain name"),
    (["add", "example.org-x.com"], "cannot be hosted beside"),
    (["remove", "nowhere.example"], "not hosted here"),
    (["add"], "usage"), (["frob", D], "usage"), ([], "usage")])
def test_refused_domains(site, words, why):
    before = text(site, "users/assign")
    done = domain(site, *words)
    assert done.returncode == 100 and why in done.stderr.decode(), done
    assert text(site, "users/assign") == before


@pytest.mark.parametrize("words, why", [
    (["add", "joe"], "no address"), (["add", f"@{D}"], "no address"),
    (["add", f"../x@{D}"], "no address"), (["add", f".x@{D}"], "no address"),
    (["add", f"a/b@{D}"], "no address"), (["add", f"a:b@{D}"], "no address"),
    (["add", f"default@{D}"], "no address"),
    (["add", f"x-default@{D}"], "no address"),
    (["add", f"a b@{D}"], "no address"),
    (["add", "x" * 65 + f"@{D}"], "no address"),
    (["add", "x@nowhere.example"], "not hosted here"),
    (["add", f"joe@{D}"], "is a mailbox already"),
    (["add", f"postmaster@{D}"], "is an alias"),
    (["add", f"auto@{D}"], "instructions of its own"),
    (["alias", f"joe@{D}", "x@y.example"], "is a mailbox"),
    (["alias", f"x@{D}", "|rm"], "no address to forward"),
    (["alias", f"x@{D}", "a@b.example\n|rm"], "no address to forward"),
    (["alias", f"x@{D}"], "usage"),
    (["unalias", f"joe@{D}"], "is no alias"),
    (["passwd", f"ann@{D}"], "is no mailbox"),
    (["remove", f"ann@{D}"], "is no mailbox"),
    (["-q", "much", "add", f"x@{D}"], "is no quota"),
    (["-H", "a:b", "add", f"x@{D}"], "-H wants"),
    (["list", "nowhere.example"], "not hosted here"),
    (["frob", f"x@{D}"], "usage"), ([], "usage")])
def test_refused_mailboxes(joe, words, why):
    h.write_file(joe.file("domains", D, ".qmail-auto"), "|cat\n")
    before = mailbox(joe, "list").stdout
    done = mailbox(joe, *words, password=PASSWORD)
    assert done.returncode == 100 and why in done.stderr.decode(), done
    assert mailbox(joe, "list").stdout == before
    assert text(joe, "users/mailboxes").count("\n") == 1


@pytest.mark.parametrize("password, why", [
    ("short", "at least 8"), ("x" * 201, "at most 200"), ("", "at least 8"),
    ("1234567\0abc", "NUL")], ids=["short", "long", "empty", "NUL"])
def test_refused_passwords(joe, password, why):
    done = mailbox(joe, "passwd", f"joe@{D}", password=password)
    assert done.returncode == 100 and why in done.stderr.decode()
    assert login(joe, f"joe@{D}", PASSWORD)[0] == 0


def test_damaged_text_keeps_the_database(joe):
    with open(joe.file("users", "mailboxes"), "a") as f:
        f.write("nonsense\n")
    done = mailbox(joe, "add", f"ann@{D}", password=PASSWORD)
    assert done.returncode == 111
    assert "users/mailboxes line 2" in done.stderr.decode()
    assert login(joe, f"joe@{D}", PASSWORD)[0] == 0


def test_text_changed_by_hand(joe):
    line = text(joe, "users/mailboxes")
    h.write_file(joe.file("users", "mailboxes"),
                 "# by hand\n" + line.replace("joe@", "Ann@"), 0o600)
    assert login(joe, f"ann@{D}", PASSWORD)[0] == 1
    mailbox(joe, "compile", check=True)
    assert login(joe, f"ann@{D}", PASSWORD)[0] == 0
    assert login(joe, f"joe@{D}", PASSWORD)[0] == 1


def test_strange_assignment_is_left_alone(home):
    home.assignments.append(f"+{D}-:bob:1000:1000:/home/bob:-::")
    home.write_assignments()
    done = domain(home, "add", D)
    assert done.returncode == 100
    assert "not of qmail-domain's making" in done.stderr.decode()


# -- checkmailbox --------------------------------------------------------
def test_login(joe):
    code, out, _ = login(joe, f"JOE@{D.upper()}", PASSWORD, "sh", "-c",
                         "pwd; echo $USER $HOME; id -u")
    home = f"{joe.path}/domains/{D}/joe"
    assert (code, out) == (
        0, f"{home}\nJOE@{D.upper()} {home}\n{h.TEST_UID}\n")


def test_refused_logins(joe):
    for address, password in ((f"joe@{D}", "wrong horse"), (f"joe@{D}", ""),
                              (f"ann@{D}", PASSWORD), ("joe", PASSWORD),
                              ("joe@a.example", PASSWORD)):
        assert login(joe, address, password)[:2] == (1, "")
    assert login(joe, f"joe@{D}", PASSWORD, sasl="cram-md5")[0] == 1
    assert login(joe, f"joe@{D}", PASSWORD, sasl="plain")[0] == 0


def test_default_host(joe):
    joe.control("defaulthost", D + "\n")
    assert login(joe, "joe", PASSWORD)[0] == 0


def test_password_changes_and_imported_hash(joe):
    mailbox(joe, "passwd", f"joe@{D}", password="battery staple", check=True)
    assert login(joe, f"joe@{D}", PASSWORD)[0] == 1
    assert login(joe, f"joe@{D}", "battery staple")[0] == 0
    made = subprocess.run(["openssl", "passwd", "-6", "old secret"],
                          capture_output=True, text=True, check=True).stdout
    mailbox(joe, "-H", made.strip(), "add", f"ann@{D}", check=True)
    assert login(joe, f"ann@{D}", "old secret")[0] == 0


@pytest.mark.parametrize("damage", [b"", b"x" * 3000, None],
                         ids=["empty", "other", "half"])
def test_damaged_database_is_temporary(joe, damage):
    path = joe.file("users", "mailboxes.cdb")
    with open(path, "rb") as f:
        whole = f.read()
    h.write_file(path, whole[:len(whole) // 2] if damage is None else damage,
                 0o600)
    assert login(joe, f"joe@{D}", PASSWORD)[0] == 111


@pytest.mark.skipif(bool(os.environ.get("SANITIZE")),
                    reason="sanitizers want to be the first library")
def test_unknown_address_costs_a_hash(joe, scratch):
    work = HashWork(scratch)
    known, unknown = (work.of(lambda who=name: refuse(
        joe, f"{who}@{D}", work)) for name in ("joe", "ann"))
    assert known == unknown and len(known) == 1 and known[0][0] == "crypt"


@pytest.mark.skipif(bool(os.environ.get("SANITIZE")),
                    reason="sanitizers want to be the first library")
def test_without_a_database_nothing_is_hashed(site, scratch):
    """The run files of POP3 ask for everybody's sake, and it costs nothing."""
    work = HashWork(scratch)
    assert not os.path.exists(site.file("users/mailboxes.cdb"))
    assert work.of(lambda: refuse(site, f"joe@{D}", work)) == []


@pytest.mark.skipif(bool(os.environ.get("SANITIZE")),
                    reason="sanitizers want to be the first library")
def test_unknown_addresses_cost_what_addresses_cost(site, scratch):
    """Where hashes are of two kinds, neither tells who exists."""
    kinds = {rounds: f"$5$rounds={rounds}$abcdefgh$" + "x" * 43
             for rounds in (1000, 2000)}
    for i in range(10):
        mailbox(site, "-H", kinds[1000 * (1 + i % 2)], "add", f"box{i}@{D}",
                check=True)
    work = HashWork(scratch)

    def cost(name):
        found = work.of(lambda: refuse(site, f"{name}@{D}", work))
        assert len(found) == 1
        return found[0][2]

    assert {cost("box0"), cost("box1")} == {"rounds=1000", "rounds=2000"}
    seen = {}
    for i in range(500):
        seen.setdefault(cost(f"nobody{i}"), f"nobody{i}")
        if len(seen) == 2:
            break
    assert set(seen) == {"rounds=1000", "rounds=2000"}
    # Always the same for one.
    assert all(cost(name) == rounds for rounds, name in seen.items())


def refuse(home, address, work):
    assert login(home, address, "wrong horse", **work.environment)[0] == 1


# -- several at once, and sudden ends ------------------------------------
def test_two_tools_at_a_time(site):
    jobs = [subprocess.Popen(
        [os.path.join(site.bin, "qmail-mailbox"), "-H", "$y$" + "x" * 20,
         "add", f"u{i}@{D}"], env=site.environment(), cwd=site.path,
        stdin=subprocess.DEVNULL, **h.ids_arguments()) for i in range(12)]
    assert [j.wait(h.DEADLINE) for j in jobs] == [0] * 12
    assert text(site, "users/mailboxes").count("\n") == 12
    assert mailbox(site, "list", D).stdout.count(b"mailbox\t") == 12


def test_killed_at_any_moment(home):
    """Whatever a kill leaves: servers can read it, and once more completes."""
    argv = [[os.path.join(home.bin, "qmail-domain"), "add", D],
            [os.path.join(home.bin, "qmail-mailbox"), "-H", "$y$" + "x" * 20,
             "add", f"joe@{D}"]]
    for delay in range(0, 24, 4):
        for words in argv:
            job = subprocess.Popen(
                words, env=home.environment(), cwd=home.path,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, **h.ids_arguments())
            time.sleep(delay / 4000)
            job.send_signal(signal.SIGKILL)
            job.wait(h.DEADLINE)
        domain(home, "add", D, check=True)
        done = mailbox(home, "-H", "$y$" + "x" * 20, "add", f"joe@{D}")
        assert done.returncode == 0 or b"already" in done.stderr, done
        assert text(home, "control/virtualdomains") == f"{D}:{D}\n"
        assert text(home, "users/mailboxes").count("\n") == 1
        assert mailbox(home, "list", D).stdout.count(b"mailbox\t") == 1
        domain(home, "remove", D, check=True)


# -- as root: domains are closed to one another --------------------------
class TestRoot:
    pytestmark = root_only

    @pytest.fixture
    def root(self, session_dir, bin_dir):
        base = os.path.join(session_dir, "hosting")
        os.mkdir(base)
        made = RootHome(base, bin_dir)
        os.chmod(made.path, 0o755)
        for name in ("one.example", "two.example"):
            assert self.tool(made, "qmail-domain", "add", name).returncode == 0
            assert self.tool(made, "qmail-mailbox", "add", f"joe@{name}",
                             input=PASSWORD + "\n").returncode == 0
        yield made
        shutil.rmtree(base)

    @staticmethod
    def tool(root, program, *words, uid=0, **more):
        return subprocess.run(
            [root.file(f"bin/{program}"), *words], text=True, user=uid,
            group=uid, extra_groups=[], capture_output=True, cwd="/",
            env={"QMAILHOME": root.path, "PATH": "/usr/bin:/bin"}, **more)

    def test_owners(self, root):
        for name, uid in (("one.example", 70000), ("two.example", 70001)):
            for where, dirs, files in os.walk(root.file(f"domains/{name}")):
                for path in [where] + [os.path.join(where, f) for f in files]:
                    st = os.lstat(path)
                    assert (st.st_uid, st.st_gid) == (uid, uid), path
                    assert stat.S_IMODE(st.st_mode) & 0o077 == 0, path

    def test_closed_to_one_another(self, root):
        for path in ("domains/one.example", "domains/one.example/.qmail-joe",
                     "users/mailboxes", "users/mailboxes.cdb"):
            done = subprocess.run(["cat", root.file(path)], user=70001,
                                  group=70001, extra_groups=[],
                                  capture_output=True, text=True)
            assert "Permission denied" in done.stderr, (path, done)

    def test_becomes_the_domain(self, root):
        r, w = os.pipe()
        os.write(w, f"joe@two.example\0{PASSWORD}\0\0".encode())
        os.close(w)
        done = subprocess.run(
            ["bash", "-c", f"exec 3<&{r}; exec \"$@\"", "sh",
             root.file("bin/checkmailbox"), "sh", "-c", "id -u; id -G; pwd"],
            pass_fds=[r], capture_output=True, text=True,
            env={"QMAILHOME": root.path, "PATH": "/usr/bin:/bin"})
        os.close(r)
        assert done.stdout == (
            f"70001\n70001\n{root.path}/domains/two.example/joe\n"), done

    def test_links_lead_root_nowhere(self, root):
        """The domain's user plants links; root's work fails or ignores them."""
        target = root.file("precious")
        with open(target, "w") as f:
            f.write("precious\n")
        os.chmod(target, 0o600)
        where = root.file("domains/one.example")
        os.symlink(target, f"{where}/.qmail-info")
        os.symlink(target, f"{where}/.qmail.new")
        os.symlink(root.path, f"{where}/ann")
        self.tool(root, "qmail-mailbox", "alias", "info@one.example",
                  "x@y.example")
        self.tool(root, "qmail-mailbox", "add", "ann@one.example",
                  input=PASSWORD + "\n")
        done = self.tool(root, "qmail-mailbox", "list", "one.example")
        assert "precious" not in done.stdout
        with open(target) as f:
            assert f.read() == "precious\n"
        assert not os.path.exists(root.file("Maildir"))

    def test_mail_of_a_removed_domain_is_roots(self, root):
        assert self.tool(root, "qmail-domain", "remove",
                         "two.example").returncode == 0
        [aside] = glob.glob(root.file("domains/.removed-two.example-*"))
        assert os.stat(aside).st_uid == 0
        assert self.tool(root, "qmail-domain", "add",
                         "three.example").returncode == 0
        assert os.stat(root.file("domains/three.example")).st_uid == 70001
        done = subprocess.run(["ls", aside], user=70001, group=70001,
                              extra_groups=[], capture_output=True)
        assert done.returncode != 0

    def test_others_cannot_change_anything(self, root):
        os.chmod(root.file("bin/qmail-domain"), 0o755)
        done = self.tool(root, "qmail-domain", "add", "x.example", uid=JOE)
        assert done.returncode == 111 and "hosting.lock" in done.stderr
