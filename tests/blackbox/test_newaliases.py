"""newaliases: /etc/aliases to .qmail files, and mail through them."""
import os

import pytest

import home as h

MARK = "# made by newaliases from {}: change it there\n"


@pytest.fixture
def aliases(home):
    def run(text, *options, code=0):
        path = h.write_file(home.file("aliases"), text)
        done = home.run("newaliases", *options, path)
        assert done.returncode == code, done
        return done

    return run


def dots(home):
    """The .qmail files in alias/, without their marks."""
    found = {}
    for name in os.listdir(home.file("alias")):
        if name.startswith(".qmail-"):
            with open(home.file("alias", name)) as f:
                found[name[7:]] = f.read().replace(
                    MARK.format(home.file("aliases")), "")
    return found


def test_files(home, aliases):
    include = h.write_file(home.file("list"), "# team\nann\nbob@b.example (Bob)\n")
    text = (f"root: joe, \\root\nDavid.Doe: \"|cat >piped\"\n"
            f"team: :include:{include},\n\tcarl\nowner-team: ann\n"
            "null: /dev/null\nfile: /tmp/x\n")
    done = aliases(text)
    assert (done.stdout, done.stderr) == (b"", b"")
    expected = {
        "postmaster": "./Maildir/\n", "root": "&joe\n./Maildir/\n",
        "david:doe": "|preline cat >piped\n",
        "team": "&ann\n&bob@b.example\n&carl\n", "owner-team": "&ann\n",
        "team-owner": "&ann\n", "null": "# /dev/null\n", "file": "/tmp/x\n"}
    assert dots(home) == expected
    assert os.stat(home.file("alias/.qmail-root")).st_mode & 0o777 == 0o644
    # Again, with less: what is no longer there goes, others' files stay.
    h.write_file(home.file("alias/.qmail-mine"), "&me\n")
    aliases("root: joe\n")
    assert dots(home) == {"postmaster": "./Maildir/\n", "root": "&joe\n",
                          "mine": "&me\n"}


def test_others_files_stay(home, aliases):
    done = aliases("postmaster: joe\n")
    assert done.stderr == (
        f"newaliases: warning: alias/.qmail-postmaster is not made from "
        f"{home.file('aliases')}: it stays as it is\n").encode()
    assert dots(home)["postmaster"] == "./Maildir/\n"
    aliases("postmaster: joe\n", "-r")
    assert dots(home)["postmaster"] == "&joe\n"


def test_dry_run(home, aliases):
    aliases("old: x\n")
    done = aliases("new: joe\n", "-n")
    assert done.stdout.decode() == (
        "alias/.qmail-new:\n" + MARK.format(home.file("aliases")) +
        "&joe\n\nalias/.qmail-old: removed\n")
    assert set(dots(home)) == {"old", "postmaster"}


@pytest.mark.parametrize("text, code, said", [
    ("a: x\nroot\n", 100, "line 2: syntax error"),
    ("a: x\nb/c: x\n", 100, "line 2: b/c: syntax error"),
    ("default: x\n", 100, "line 1: default: syntax error"),
    ("a: b c\n", 100, "line 1: b c: syntax error"),
    ("a: :include:/none/x\n", 111, "line 1: /none/x: file does not exist"),
    ("a: x\nA: y\n", 100, "two aliases make .qmail-a")])
def test_nothing_by_halves(home, aliases, text, code, said):
    aliases("good: x\n")
    done = aliases(text, code=code)
    assert done.stdout == b""
    assert said in done.stderr.decode().replace(home.file("aliases") + ": ",
                                                "")
    assert set(dots(home)) == {"good", "postmaster"}


def test_no_file(home):
    done = home.run("newaliases", home.file("none"))
    assert done.returncode == 111
    assert done.stderr.endswith(b"/none: not found\n")
    assert home.run("newaliases", "-x").returncode == 100


def test_no_links_are_followed(home, aliases):
    target = h.write_file(home.file("target"), "precious\n")
    os.symlink(target, home.file("alias/.newaliases.tmp"))
    os.symlink(target, home.file("alias/.qmail-link"))
    aliases("root: joe\nlink: joe\n", "-r")
    with open(target) as f:
        assert f.read() == "precious\n"
    assert not os.path.islink(home.file("alias/.qmail-link"))


def test_mail_through_them(home, aliases):
    home.add_user("joe")
    aliases("team: joe@a.example, \"|cat >piped\"\n")
    home.start()
    done = home.inject("Subject: x\n\nbody\n", "-a", "-fs@x.example",
                       "Team@a.example")
    assert done.returncode == 0
    home.wait_empty()
    assert len(home.user_messages("joe")) == 1
    with open(home.file("alias/piped")) as f:
        text = f.read()
    assert text.startswith("From s@x.example ")
    assert "\nDelivered-To: Team@a.example\n" in text
