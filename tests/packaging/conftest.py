"""The distributions and the environment, made once in a test run."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packaging.building import build, copy_sources, unpack
from tests.packaging.environment import Installed, make_environment

# It tells of every request.
logging.getLogger("httpx").setLevel(logging.WARNING)

# Where `make compat` has installed the wheel: the interpreter of that environment.
GIVEN = "DBOSHUB_INSTALLED_PYTHON"


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all processes of this test run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "packaging"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def source(shared: Path) -> Path:
    """A copy of the working tree, to build in."""
    return _once(shared / "source", copy_sources)


@pytest.fixture(scope="session")
def wheel(shared: Path, source: Path) -> Path:
    return _only(_once(shared / "wheel", lambda folder: build(source, folder, "--wheel")))


@pytest.fixture(scope="session")
def sdist(shared: Path, source: Path, wheel: Path) -> Path:
    """The sdist; it comes after the wheel, because both are built in one folder."""
    return _only(_once(shared / "sdist", lambda folder: build(source, folder, "--sdist")))


@pytest.fixture(scope="session")
def rebuilt(shared: Path, sdist: Path) -> Path:
    """The wheel that the sdist builds."""

    def make(folder: Path) -> None:
        build(unpack(sdist, shared / "unpacked"), folder, "--wheel")

    return _only(_once(shared / "rebuilt", make))


@pytest.fixture(scope="session")
def programs(shared: Path, request: pytest.FixtureRequest) -> Path:
    """The folder of the programs of an environment that has the wheel."""
    if GIVEN in os.environ:
        return Path(os.environ[GIVEN]).parent
    wheel = request.getfixturevalue("wheel")
    folder = _once(shared / "environment", lambda folder: make_environment(folder, wheel))
    return folder / "bin"


@pytest.fixture(scope="module")
def installed(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(programs, tmp_path_factory.mktemp("user"))


def _once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Let the first process make it; the others wait, and fail if it failed."""
    done = folder.with_suffix(".done")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            assert not folder.exists(), f"another test process could not make {folder}"
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def _only(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found
