"""The tools of the administrator: their texts, exit codes and files."""
import os
import shutil
import subprocess
import threading

import pytest

import home as h

SECONDS = 1795310305  # 22 Nov 2026 01:18:25 UTC


def put(home, name, data):
    path = home.file(name)
    h.make_dirs(os.path.dirname(path))
    return h.write_file(path, data)


def queue_message(home, number, info=b"Fsnd@x.example\0", size=257, **channels):
    """A preprocessed message with its lists of recipients."""
    split = number % h.SPLIT
    put(home, f"queue/mess/{split}/{number}", b"x" * size)
    path = put(home, f"queue/info/{split}/{number}", info)
    os.utime(path, (SECONDS, SECONDS))
    for channel, records in channels.items():
        put(home, f"queue/{channel}/{split}/{number}", records)


# -- qmail-newu ----------------------------------------------------------

def newu(home, assign):
    put(home, "users/assign", assign)
    return home.run("qmail-newu")


def cdb_dump(path):
    """Records of a cdb in the order of the file."""
    with open(path, "rb") as f:
        data = f.read()

    def number(at):
        return int.from_bytes(data[at:at + 4], "little")

    end = min(number(i * 8) for i in range(256))
    at, records = 2048, []
    while at < end:
        klen, dlen = number(at), number(at + 4)
        at += 8
        records.append((data[at:at + klen], data[at + klen:at + klen + dlen]))
        at += klen + dlen
    return records


def test_newu_records(home):
    done = newu(home, "=Joe:joe:507:100:/home/joe:::\n"
                      "+joe-:joe:507:100:/home/joe:-::anything\n"
                      "+JIM+:jim:508:100:/home/jim:-:Pre:\n"
                      "+:alias:7:7:/a:-::\n"
                      "xjoe:odd:1:1:/:::\n.\nignored\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(cdb_dump(home.file("users/cdb"))) == sorted([
        (b"!joe\0", b"joe\x00507\x00100\0/home/joe\0\0"),
        (b"!joe-", b"joe\x00507\x00100\0/home/joe\0-\0"),
        (b"!jim+", b"jim\x00508\x00100\0/home/jim\0-\0Pre"),
        (b"!", b"alias\x007\x007\0/a\0-\0"),
        (b"!joe\0", b"odd\x001\x001\0/\0\0"),
        (b"", b"-+")])
    assert os.stat(home.file("users/cdb")).st_mode & 0o7777 == 0o644
    assert not os.path.exists(home.file("users/cdb.tmp"))


@pytest.mark.parametrize("assign", [
    b"", b"=joe:joe:1:1:/h:::\n", b"=joe:joe:1:1:/h::\n.\n", b"=joe\n.\n",
    b"\n.\n", b"=jo\0e:joe:1:1:/h:::\n.\n", b"=joe:joe:x:1:/h:::\n.\n",
    b"=joe:joe:1:4294967296:/h:::\n.\n"])
def test_newu_bad_format(home, assign):
    newu(home, b"=old:old:1:1:/h:::\n.\n")
    before = cdb_dump(home.file("users/cdb"))
    done = newu(home, assign)
    assert done.returncode == 111
    assert done.stderr == (b"qmail-newu: fatal: bad format in users/assign\n")
    assert cdb_dump(home.file("users/cdb")) == before
    assert not os.path.exists(home.file("users/cdb.tmp"))


def test_newu_missing_files(home):
    done = home.run("qmail-newu")
    assert done.returncode == 111
    assert done.stderr == b"qmail-newu: fatal: unable to open users/assign\n"
    put(home, "users/assign", ".\n")
    os.mkdir(home.file("users/cdb.tmp"))
    done = home.run("qmail-newu")
    assert done.stderr == b"qmail-newu: fatal: unable to open users/cdb.tmp\n"
    os.rmdir(home.file("users/cdb.tmp"))
    os.mkdir(home.file("users/cdb"))
    done = home.run("qmail-newu")
    assert done.returncode == 111
    assert done.stderr == (b"qmail-newu: fatal: unable to move "
                           b"users/cdb.tmp to users/cdb\n")
    done = home.run("qmail-newu", env={"QMAILHOME": home.file("nowhere")})
    assert done.returncode == 111
    assert done.stderr == b"qmail-newu: fatal: unable to chdir\n"


def test_newu_readers_in_mid_change(home):
    """A reader sees one whole file or the other, at any moment."""
    lines = {n: "".join(f"=u{i}:{n}:1:1:/h:::\n" for i in range(300)) + ".\n"
             for n in ("one", "two")}
    newu(home, lines["one"])
    done = threading.Event()
    bad = []

    def read():
        while not done.is_set():
            users = {v.split(b"\0")[0] for k, v in
                     cdb_dump(home.file("users/cdb")) if k}
            if users not in ({b"one"}, {b"two"}):
                bad.append(users)

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(20):
        assert newu(home, lines["two" if i % 2 == 0 else "one"]
                    ).returncode == 0
    done.set()
    reader.join()
    assert not bad


def test_newu_many_at_a_time(home):
    put(home, "users/assign", "".join(
        f"=u{i}:u:1:1:/h:::\n" for i in range(2000)) + ".\n")
    runs = [home.spawn([os.path.join(home.bin, "qmail-newu")])
            for _ in range(6)]
    assert [r.wait(h.DEADLINE) for r in runs] == [0] * 6
    assert len(cdb_dump(home.file("users/cdb"))) == 2001
    assert os.listdir(home.file("users")).count("cdb.tmp") == 0


# -- qmail-newmrh --------------------------------------------------------

def test_newmrh(home):
    home.control("morercpthosts", "# more\nFoo.Example \n\n.Bar.example\n")
    done = home.run("qmail-newmrh")
    assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(cdb_dump(home.file("control/morercpthosts.cdb"))) == [
        (b".bar.example", b""), (b"foo.example", b"")]


def test_newmrh_trouble(home):
    done = home.run("qmail-newmrh")
    assert done.returncode == 111
    assert done.stderr == (b"qmail-newmrh: fatal: unable to read "
                           b"control/morercpthosts: file does not exist\n")
    home.control("morercpthosts", "a\nb\r\n")
    done = home.run("qmail-newmrh")
    assert done.returncode == 111
    assert done.stderr == (b"qmail-newmrh: fatal: control/morercpthosts "
                           b"line 2: carriage return at the end\n")
    assert os.listdir(home.file("control")).count("morercpthosts.cdb") == 0
    assert not os.path.exists(home.file("control/morercpthosts.cdb.tmp"))


# -- qmail-getpw ---------------------------------------------------------

def test_getpw_alias_without_root(home):
    done = home.run("qmail-getpw", "no-such-User")
    uid, gid = h.TEST_UID, h.TEST_GID
    assert done.returncode == 0
    assert done.stdout.split(b"\0") == [
        b"alias", b"%d" % uid, b"%d" % gid, home.file("alias").encode(),
        b"-", b"no-such-User", b""]


def test_getpw_exit_codes(home):
    assert home.run("qmail-getpw").returncode == 100
    shutil.rmtree(home.file("alias"))
    done = home.run("qmail-getpw", "no-such-user")
    assert (done.returncode, done.stdout) == (116, b"")


# -- qmail-pw2u ----------------------------------------------------------

@pytest.fixture
def passwd(home):
    """joe and alias have homes, jim's is missing, max owns none."""
    homes = {n: h.make_dirs(home.file("home", n)) for n in ("joe", "alias")}
    uid, gid = h.TEST_UID, h.TEST_GID
    lines = {
        "root": "root:x:0:0::/root:/bin/sh",
        "joe": f"joe:x:{uid}:{gid}:J, Joe:{homes['joe']}:/bin/sh",
        "jim": f"jim:x:{uid}:{gid}::{home.file('home/jim')}:/bin/sh",
        "max": f"max:x:{uid + 1}:{gid}::{homes['joe']}:/bin/sh",
        "Ann": f"Ann:x:{uid}:{gid}::{homes['joe']}:/bin/sh",
        "alias": f"alias:x:{uid}:{gid}::{homes['alias']}:/bin/sh",
        "+": "+::::::", "short": "short:x:5"}

    def expected(user, sep="-", dash="-", name=None, where=None):
        value = f"{user}:{uid}:{gid}:{where or homes[user]}"
        name = name or user
        lines = [f"+:{value}:{dash}::"] if user == "alias" else []
        lines.append(f"={name}:{value}:::")
        if sep:
            lines.append(f"+{name}{sep}:{value}:{dash}::")
        return lines

    return lines, expected


def pw2u(home, lines, *options):
    return home.run("qmail-pw2u", *options,
                    input="\n".join(lines.values()) + "\n")


def test_pw2u_default(home, passwd):
    lines, expected = passwd
    done = pw2u(home, lines)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines() == \
        expected("joe") + expected("alias") + ["."]


def test_pw2u_output_feeds_newu(home, passwd):
    put(home, "users/assign", pw2u(home, passwd[0]).stdout)
    assert home.run("qmail-newu").returncode == 0
    assert dict(cdb_dump(home.file("users/cdb")))[b""] == b"-"


@pytest.mark.parametrize("option,sep,dash", [
    ("-c+", "+", "-"), ("-C", "", "-"), ("-/", "-", "-/")])
def test_pw2u_shapes(home, passwd, option, sep, dash):
    lines, expected = passwd
    done = pw2u(home, lines, option)
    assert done.stdout.decode().splitlines() == \
        expected("joe", sep, dash) + expected("alias", sep, dash) + ["."]


def test_pw2u_separator_in_the_next_word(home, passwd):
    lines, expected = passwd
    done = pw2u(home, lines, "-c", "=")
    assert done.stdout.decode().splitlines() == \
        expected("joe", "=") + expected("alias", "=") + ["."]


def test_pw2u_homes(home, passwd):
    lines, expected = passwd
    done = pw2u(home, lines, "-h")
    assert done.returncode == 111
    assert done.stderr.decode() == \
        f"qmail-pw2u: fatal: unable to stat {home.file('home/jim')}\n"
    assert not done.stdout.endswith(b".\n")
    done = pw2u(home, lines, "-H")
    assert b"=jim:" in done.stdout and b"=max:" in done.stdout
    assert b"=Ann:" not in done.stdout and b"=root:" not in done.stdout


def test_pw2u_upper_case(home, passwd):
    lines, expected = passwd
    assert b"\n=Ann:" in pw2u(home, lines, "-u").stdout
    assert b"\n=Ann:" not in pw2u(home, lines, "-uU").stdout


def test_pw2u_include_exclude(home, passwd):
    lines, expected = passwd
    put(home, "users/include", "alias\njim\n")
    assert pw2u(home, lines).stdout.decode().splitlines() == \
        expected("alias") + ["."]
    os.unlink(home.file("users/include"))
    put(home, "users/exclude", "joe\n")
    assert pw2u(home, lines).stdout.decode().splitlines() == \
        expected("alias") + ["."]
    put(home, "users/exclude", "alias\n")
    done = pw2u(home, lines)
    assert done.returncode == 111
    assert done.stderr == b"qmail-pw2u: fatal: unable to find alias user\n"


def test_pw2u_names_subusers_append(home, passwd):
    lines, expected = passwd
    put(home, "users/mailnames", "joe:joe.user:j\n")
    put(home, "users/subusers", "info:joe:pre:\n")
    put(home, "users/append", "=x:x:1:1:/x:::")
    joe = expected("joe")[0].split(":", 1)[1].removesuffix(":::")
    assert pw2u(home, lines).stdout.decode().splitlines() == (
        expected("joe", name="joe.user") + expected("joe", name="j")
        + expected("alias")
        + [f"=info:{joe}:-:pre:", f"+info-:{joe}:-:pre-:",
           "=x:x:1:1:/x:::", "."])


def test_pw2u_errors(home, passwd):
    lines, _ = passwd
    put(home, "users/subusers", "info:nobodyhere:pre:\n")
    done = pw2u(home, lines)
    assert done.returncode == 111
    assert done.stderr == (b"qmail-pw2u: fatal: unable to find nobodyhere "
                           b"user for subuser\n")
    put(home, "users/subusers", "info\n")
    done = pw2u(home, lines)
    assert done.stderr == b"qmail-pw2u: fatal: unable to read controls\n"
    done = pw2u(home, lines, "-x")
    assert done.returncode == 100
    assert done.stderr.startswith(b"qmail-pw2u: illegal option -- x\n")
    done = pw2u(home, lines, "-c")
    assert done.returncode == 100
    assert done.stderr.startswith(
        b"qmail-pw2u: option requires an argument -- c\n")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [os.path.join(home.bin, "qmail-pw2u"), "-H"], stdout=full,
            input="\n".join([*lines.values(), ""]).encode(),
            stderr=subprocess.PIPE, env=home.environment(), timeout=h.DEADLINE,
            check=False)
    assert done.returncode == 111


# -- qmail-qread and qmail-qstat -----------------------------------------

def test_qread(home):
    queue_message(home, 1106519, remote=b"Dok@rem.example\0"
                                        b"Ttemp@rem.example\0")
    put(home, "queue/bounce/1106519", "")
    done = home.run("qmail-qread")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (
        b"22 Nov 2026 01:18:25 GMT  #1106519  257  <snd@x.example>  bouncing\n"
        b"  done\tremote\tok@rem.example\n"
        b"\tremote\ttemp@rem.example\n")


def test_qread_local_first_and_odd_bytes(home):
    queue_message(home, 7, info=b"F\0", size=0, remote=b"Tr@x\0",
                  local=b"Ta\nb\xe9 \x7f@x\0")
    done = home.run("qmail-qread")
    assert done.stdout == (b"22 Nov 2026 01:18:25 GMT  #7  0  <> \n"
                           b"\tlocal\ta_b_ _@x\n\tremote\tr@x\n")


def test_qread_trouble(home):
    queue_message(home, 5, info=b"F", local=b"Ta@x\0")
    queue_message(home, 6, local=b"Ta@x\0Tcut")
    queue_message(home, 8, local=b"Xa@x\0")
    queue_message(home, 9)
    os.unlink(home.file("queue/mess/9/9"))
    put(home, "queue/info/3/notes", "no message")
    done = home.run("qmail-qread")
    assert done.returncode == 0
    lines = sorted(done.stdout.splitlines())
    head = b"22 Nov 2026 01:18:25 GMT  #%d  257  <snd@x.example> "
    assert lines == sorted([
        b"warning: trouble with #5: syntax error", head % 6, b"\tlocal\ta@x",
        b"warning: trouble with #6: syntax error", head % 8,
        b"warning: trouble with #8: syntax error",
        b"warning: trouble with #9: file does not exist"])
    shutil.rmtree(home.file("queue/info"))
    done = home.run("qmail-qread")
    assert done.returncode == 111
    assert done.stdout == (b"fatal: unable to opendir info: "
                           b"file does not exist\n")


@pytest.mark.parametrize("todo_split", [True, False])
def test_qstat(make_home, todo_split):
    home = make_home(todo_split=todo_split)
    assert home.run("qmail-qstat").stdout == (
        b"messages in queue: 0\n"
        b"messages in queue but not yet preprocessed: 0\n")
    for n in (1, 2, 24, 25, 26):
        queue_message(home, n)
    for n in (1, 24):
        sub = f"{n % h.SPLIT}/" if todo_split else ""
        put(home, f"queue/todo/{sub}{n}", "")
    put(home, "queue/mess/3/README", "")
    done = home.run("qmail-qstat")
    assert (done.returncode, done.stdout) == (0, (
        b"messages in queue: 5\n"
        b"messages in queue but not yet preprocessed: 2\n"))


def test_qread_and_qstat_see_directory_0(home):
    queue_message(home, 2 * h.SPLIT, local=b"Tjoe@a.example\0")
    put(home, f"queue/todo/0/{2 * h.SPLIT}", "")
    assert home.run("qmail-qstat").stdout == (
        b"messages in queue: 1\n"
        b"messages in queue but not yet preprocessed: 1\n")
    os.unlink(home.file("queue", "todo", "0", str(2 * h.SPLIT)))
    assert b"joe@a.example" in home.run("qmail-qread").stdout


def test_qstat_trouble(home):
    shutil.rmtree(home.file("queue/todo"))
    done = home.run("qmail-qstat")
    assert (done.returncode, done.stdout) == (111, b"")
    assert done.stderr == (b"qmail-qstat: fatal: unable to opendir todo: "
                           b"file does not exist\n")


# -- qmail-tcpto and qmail-tcpok -----------------------------------------

def test_tcpto_tcpok(home):
    record = bytes([192, 0, 2, 7, 3, 0, 0, 0]) + (1000).to_bytes(
        4, "little") + bytes(4)
    put(home, "queue/lock/tcpto", bytes(16) + record + bytes(1024 - 32))
    done = home.run("qmail-tcpto")
    assert done.returncode == 0
    words = done.stdout.decode().split()
    seconds = int(words[3])
    assert seconds > 1_000_000_000
    assert done.stdout.decode() == (
        f"192.0.2.7 timed out {seconds} seconds ago; # recent timeouts: 3\n")
    assert home.run("qmail-tcpok").returncode == 0
    with open(home.file("queue/lock/tcpto"), "rb") as f:
        assert f.read() == bytes(1024)
    assert home.run("qmail-tcpto").stdout == b""
    os.unlink(home.file("queue/lock/tcpto"))
    for name in ("qmail-tcpto", "qmail-tcpok"):
        assert home.run(name).returncode == 111


# -- splogger ------------------------------------------------------------

def test_splogger_arguments(home):
    assert home.run("splogger", "tag", "mail").returncode == 100
    assert home.run("splogger", "tag", "24").returncode == 100
    assert home.run("splogger", "qmail-test", "2").returncode == 0


# -- qmail-showctl -------------------------------------------------------

def showctl(home):
    """Sentences by control name."""
    done = home.run("qmail-showctl", env={"DATABYTES": "77"})
    assert (done.returncode, done.stderr) == (0, b"")
    parts = done.stdout.decode().split("\n\n")
    found = dict(p.rstrip("\n").split(": ", 1) for p in parts[1:])
    return parts[0], found


def test_showctl_build(home):
    uid, gid = h.TEST_UID, h.TEST_GID
    assert showctl(home)[0] == (
        f"qmail home directory: {home.path}.\n"
        "user-ext delimiter: -.\n"
        "paternalism (in decimal): 2.\n"
        "silent concurrency limit: 65000.\n"
        "subdirectory split: 23.\n"
        f"user ids: {', '.join([str(uid)] * 8)}.\n"
        f"group ids: {gid}, {gid}.")


def test_showctl_defaults(home):
    for name in ("locals", "rcpthosts"):
        home.control(name, None)
    found = showctl(home)[1]
    me = "a.example"
    expected = {
        "bouncefrom": "Bounce user name is MAILER-DAEMON.",
        "bouncehost": f"Bounce host name is {me}.",
        "concurrencylocal": "Local concurrency is 10.",
        "concurrencyremote": "Remote concurrency is 20.",
        "databytes": "SMTP DATA limit is 0 bytes.",
        "defaultdomain": f"Default domain name is {me}.",
        "defaulthost": f"Default host name is {me}.",
        "doublebouncehost": f"2B recipient host: {me}.",
        "doublebounceto": "2B recipient user: postmaster.",
        "envnoathost": f"Presumed domain name is {me}.",
        "helohost": f"SMTP client HELO host name is {me}.",
        "idhost": f"Message-ID host name is {me}.",
        "localiphost": f"Local IP address becomes {me}.",
        "locals": "Messages for me are delivered locally.",
        "morercpthosts": "No effect.",
        "percenthack": "The percent hack is not allowed.",
        "plusdomain": f"Plus domain name is {me}.",
        "queuelifetime": "Message lifetime in the queue is 604800 seconds.",
        "rcpthosts": "SMTP clients may send messages to recipients at me, "
                     "locals and virtualdomains.",
        "smtpgreeting": f"SMTP greeting: 220 {me} ESMTP.",
        "smtproutes": "No artificial SMTP routes.",
        "timeoutconnect": "SMTP client connection timeout is 60 seconds.",
        "timeoutremote": "SMTP client data timeout is 1200 seconds.",
        "timeoutsmtpd": "SMTP server data timeout is 1200 seconds.",
        "virtualdomains": "No virtual domains."}
    assert {k: found[k] for k in expected} == \
        {k: "(Default.) " + v for k, v in expected.items()}
    assert found["me"] == f"My name is {me}."


def test_showctl_values(home):
    home.control("locals", "# mine\nb.example\na.example\n")
    home.control("virtualdomains", "v.example:joe\n.w.example:\n")
    home.control("percenthack", "p.example\n")
    home.control("smtproutes", ":relay.example:26\n")
    home.control("databytes", "5000 # not much\n")
    home.control("morercpthosts", "m.example\n")
    home.control("odd\x1bname", "")
    home.control("notes", "")
    home.control("log/extra", "")
    home.run("qmail-newmrh", check=True)
    found = showctl(home)[1]
    assert found["locals"] == ("\nMessages for b.example are delivered "
                               "locally.\nMessages for a.example are "
                               "delivered locally.")
    assert found["virtualdomains"] == ("\nVirtual domain: v.example:joe\n"
                                       "Virtual domain: .w.example:")
    assert found["percenthack"] == (
        "\nThe percent hack is allowed for user%host@p.example.")
    assert found["smtproutes"] == "\nSMTP route: :relay.example:26"
    assert found["rcpthosts"] == (
        "\nSMTP clients may send messages to recipients at a.example.")
    assert found["databytes"] == "SMTP DATA limit is 5000 bytes."
    assert found["morercpthosts.cdb"] == (
        "Modified recently enough; hopefully up to date.")
    assert found["notes"] == "I have no idea what this file does."
    assert found["log/extra"] == "I have no idea what this file does."
    assert found["odd_name"] == "I have no idea what this file does."


def test_showctl_broken_values(home):
    home.control("databytes", "5M\n")
    home.control("locals", b"a\0b\n")
    found = showctl(home)[1]
    assert found["databytes"] == "Oops! control/databytes line 1: not a number."
    assert found["locals"] == "Oops! control/locals line 1: NUL byte."


def check(home):
    done = home.run("qmail-showctl", "--check")
    assert done.stderr == b""
    return done.returncode, done.stdout.decode().splitlines()


@pytest.fixture
def checked(home):
    """A home in which qmail-showctl --check finds nothing."""
    os.unlink(home.file("bin"))
    h.make_dirs(home.file("bin"))
    for name in ("qmail-queue", "qmail-send", "qmail-todo", "qmail-clean",
                 "qmail-lspawn", "qmail-rspawn", "qmail-local",
                 "qmail-remote", "qmail-start"):
        put(home, f"bin/{name}", "")
    home.add_user("joe")
    assert check(home) == (0, [f"{home.path}: no problems found"])
    return home


def test_check_controls(checked):
    checked.control("databytes", "5M\n")
    checked.control("maxrcpt", "1000000\n")
    checked.control("me", "a.example\r\n")
    checked.control("locals", "a.example\nb.example\r\n")
    checked.control("virtualdomains", "v.example:joe\nno-colon\n x:y\n")
    checked.control("rcpthosts", "a\n\0\n")
    checked.control("morercpthosts", "m\n")
    checked.control("badmailfrom", "# x\n^fine@\nbro(ken\n*@spam\n")
    checked.control("badhelo", "dos\r\n")
    checked.control("checks", "badhelo:watch\nbadmailform:off\n")
    checked.control("datechecks", "list-:7\nnews-:soon\n")
    checked.control("destinations", "a.example:5:10\nb.example:many\n")
    checked.control("bouncestyle", "html\n")
    code, lines = check(checked)
    assert code == 100
    assert sorted(lines) == sorted([
        "control/databytes line 1: not a number",
        "control/maxrcpt line 1: out of range (0 to 100000)",
        "control/me line 1: carriage return at the end",
        "control/locals line 2: carriage return at the end",
        "control/virtualdomains line 2: has no colon and is ignored",
        "control/virtualdomains line 3: begins with a blank",
        "control/rcpthosts line 2: NUL byte",
        "control/badmailfrom line 3: unbalanced parenthesis",
        "control/badmailfrom line 4: nothing to repeat",
        "control/badhelo line 1: NUL or carriage return",
        "control/checks line 2: no such check",
        "control/datechecks line 2: not a number of days",
        "control/destinations line 2: not name:connections:messages a second",
        "control/bouncestyle line 1: neither qsbmf nor dsn",
        "control/morercpthosts.cdb: does not exist; run qmail-newmrh"])


def test_check_no_me(checked):
    checked.control("me", None)
    assert check(checked) == (100, ["control/me: file does not exist"])


def test_check_users(checked):
    put(checked, "users/assign", "=joe:joe:1:1:/h:::\njoe\n=x:x:y:1:/:::\n")
    os.utime(checked.file("users/assign"), (SECONDS * 2, SECONDS * 2))
    assert check(checked) == (100, [
        "users/assign line 2: bad format",
        "users/assign line 3: bad format",
        "users/assign: the line with a dot at the end is missing",
        "users/cdb: older than users/assign; run qmail-newu"])
    put(checked, "users/assign", ".\n")
    with open(checked.file("users/cdb"), "r+b") as f:
        f.truncate(2100)
    assert check(checked) == (100, [
        "users/cdb: damaged file; run qmail-newu"])


def test_check_home(checked):
    os.chmod(checked.file("queue/mess/3"), 0o755)
    os.rmdir(checked.file("queue/info/4"))
    os.unlink(checked.file("queue/lock/trigger"))
    put(checked, "queue/lock/trigger", "")
    os.chmod(checked.file("control"), 0o777)
    h.make_dirs(checked.file("queue/local/23"))
    os.chmod(checked.file("control/me"), 0o666)
    os.unlink(checked.file("bin/qmail-send"))
    code, lines = check(checked)
    assert code == 100
    assert lines == [
        "control/me: mode is 0666: everybody can change it",
        "control: mode is 0777: others can change it",
        "queue/mess/3: mode is 0755, should be 0750",
        "queue/info/4: file does not exist",
        "queue/local/23: one directory more than queue/mess has",
        "queue/lock/trigger: is no named pipe",
        "bin/qmail-send: file does not exist"]


def test_check_passwords_that_others_can_read(checked):
    put(checked, "control/smtprelays", ":relay.example|user|pa55word|\n")
    os.chmod(checked.file("control/smtprelays"), 0o644)
    code, lines = check(checked)
    assert code == 100 and len(lines) == 1
    assert lines[0].startswith("control/smtprelays: mode is 0644: it holds "
                               "passwords, ")
    os.chmod(checked.file("control/smtprelays"), 0o640)
    assert check(checked)[0] == 0
    shown = checked.run("qmail-showctl").stdout
    assert b"SMTP relay: :relay.example|..." in shown
    assert b"pa55word" not in shown


@pytest.mark.parametrize("name", ["tlsremote", "smtprelays"])
def test_check_lines_that_protect_nobody(checked, name):
    put(checked, "control/" + name, "# x\n*.example:verify\n")
    os.chmod(checked.file("control/" + name), 0o640)
    code, lines = check(checked)
    assert code == 100
    assert f"control/{name} line 2: no name and colon in front" in lines


def test_check_what_cannot_be_seen(checked):
    if h.ROOT is False:
        os.chmod(checked.file("queue"), 0)
    else:
        os.chown(checked.file("control/locals"), 0, 0)
        os.chmod(checked.file("control/locals"), 0o600)
    done = checked.run("qmail-showctl", "--check")
    os.chmod(checked.file("queue"), 0o750)
    if h.ROOT:
        assert done.returncode == 111
        assert done.stdout == b"control/locals: access denied\n"


def test_showctl_usage(home):
    done = home.run("qmail-showctl", "--chekc")
    assert done.returncode == 100
    done = home.run("qmail-showctl", env={"QMAILHOME": home.file("nowhere")})
    assert done.returncode == 111


def test_showctl_knows_the_rules_of_tcpserver(home):
    put(home, "control/smtpd.cdb", "")
    assert (b"smtpd.cdb: Present; made from a text of your own.\n"
            in home.run("qmail-showctl").stdout)
