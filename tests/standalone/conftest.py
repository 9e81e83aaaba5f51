"""Foreign databases of both kinds, in every state that a SQLite file is found in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standalone import foreign, used_data
from tests.support.once import once, once_in_postgres
from tests.support.postgres import Server

KINDS = ("sqlite", "sqlite in WAL mode", "sqlite after a crash", "postgres")


@pytest.fixture(scope="session")
def made_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file of the real library, to be copied."""

    def make(folder: Path) -> None:
        foreign.make(f"sqlite:///{folder}/shop.sqlite3")

    return once(tmp_path_factory, "foreign", make) / "shop.sqlite3"


@pytest.fixture(scope="session")
def made_database(tmp_path_factory: pytest.TempPathFactory, postgres_server: Server) -> str:
    """The name of a PostgreSQL database of the real library, to be copied."""
    return once_in_postgres(tmp_path_factory, "foreign-postgres", postgres_server, foreign.make)


@pytest.fixture(scope="session")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an earlier dashboard left in its data directory."""
    return once(tmp_path_factory, "used-data", used_data.make)


@pytest.fixture(params=KINDS)
def foreign_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database that the real library made, and whose application does not run now."""
    if request.param == "postgres":
        server: Server = request.getfixturevalue("postgres_server")
        with server.fresh_database(request.getfixturevalue("made_database")) as url:
            yield url
        return
    folder = tmp_path / "theirs"
    folder.mkdir()
    url = f"sqlite:///{shutil.copy(request.getfixturevalue('made_file'), folder)}"
    if request.param != "sqlite":
        foreign.switch_to_wal(url)
    if request.param == "sqlite after a crash":
        foreign.crash(url)
    yield url
