"""Fixtures: a place every uid can reach, the programs there, homes."""
import os
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import home as home_module  # noqa: E402


@pytest.fixture(scope="session")
def session_dir():
    path = tempfile.mkdtemp(prefix="qmail-md-test-", dir="/tmp")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def bin_dir(session_dir):
    return home_module.copy_programs(os.path.join(session_dir, "bin"))


@pytest.fixture
def scratch(session_dir):
    """A directory of this test's own, owned by the test uid."""
    path = tempfile.mkdtemp(dir=session_dir)
    os.chmod(path, 0o755)
    home_module.own(path)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def make_home(scratch, bin_dir):
    """make_home("a", me="a.example") makes a home; all stop at the end."""
    homes = []

    def make(name="a", **more):
        more.setdefault("me", f"{name}.example")
        made = home_module.Home(os.path.join(scratch, name), bin_dir, **more)
        homes.append(made)
        return made

    yield make
    for made in homes:
        made.stop_all()


@pytest.fixture
def home(make_home):
    return make_home("a")
