"""A database that cannot be connected to: at once, one sentence, never the password."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy

from dboshub import DBOS, AsyncSQLAlchemyDatasource, DBOSClient, SQLAlchemyDatasource
from dboshub.workflows.engine.errors import DatabaseUrlError
from dboshub.workflows.storage.connection_errors import DatabaseUnreachableError
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.database_urls import libpq_url, mask_password
from tests.first_failures.unreachable import REFUSING, SECRET, SOON_S, silent_server
from tests.support.postgres import Server

SCRIPT = """
import sys
from dboshub import DBOS, DBOSClient

if sys.argv[1] == "launch":
    DBOS(config={"name": "shop", "system_database_url": sys.argv[2]})
    DBOS.launch()
else:
    DBOSClient(system_database_url=sys.argv[2])
"""


@pytest.fixture
def message() -> object:
    """What `DBOS.launch()` and `DBOSClient(…)` say of a URL, each long before a pool gives up."""

    def messages(url: str) -> list[str]:
        said = []
        for connect in (_launch, _client):
            begun = time.monotonic()
            with pytest.raises(DatabaseUnreachableError) as raised:
                connect(url)
            assert time.monotonic() - begun < SOON_S
            said.append(str(raised.value))
        return said

    return messages


def _launch(url: str) -> None:
    try:
        DBOS(config={"name": "shop", "system_database_url": url})
        DBOS.launch()
    finally:
        DBOS.destroy()


def _client(url: str) -> None:
    DBOSClient(system_database_url=url)


@pytest.mark.parametrize("what", ["launch", "client"])
def test_a_script_ends_with_one_sentence_below_its_own_line(what: str, tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(file), what, REFUSING],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=60,
    )
    told = done.stderr.splitlines()
    assert done.returncode == 1
    assert told[-1].endswith(
        "DatabaseUnreachableError: DBOS Error 3: Cannot connect to PostgreSQL database 'shop' on "
        "127.0.0.1, port 1, as user 'ada': Connection refused"
    )
    assert len(told) < 9
    assert SECRET not in done.stderr


def test_a_server_that_does_not_answer_is_given_up_in_two_seconds(message: object) -> None:
    with silent_server() as url:
        for each in message(url):  # type: ignore[operator]
            assert each.endswith("as user 'ada': no answer within 2 s")
            assert SECRET not in each


def test_the_url_may_ask_for_more_patience() -> None:
    with silent_server() as url:
        begun = time.monotonic()
        with pytest.raises(DatabaseUnreachableError, match="no answer within 3 s"):
            _client(f"{url}?connect_timeout=3")
        assert time.monotonic() - begun > 2.5


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_application_database_is_told_like_the_system_database(
    launch: Callable[..., None], tmp_path: Path
) -> None:
    begun = time.monotonic()
    with pytest.raises(DatabaseUnreachableError, match=r"'shop' on 127.0.0.1, port 1, .* refused"):
        launch(application_database_url=REFUSING)
    DBOS.destroy()
    with silent_server() as url, pytest.raises(DatabaseUnreachableError, match="no answer"):
        launch(application_database_url=url)
    DBOS.destroy()
    missing = tmp_path / "typo"
    with pytest.raises(DatabaseUnreachableError, match="there is no directory"):
        launch(application_database_url=f"sqlite:///{missing}/shop.sqlite3")
    DBOS.destroy()
    assert not missing.exists()
    assert time.monotonic() - begun < 2 * SOON_S


def _datasource(url: str) -> None:
    SQLAlchemyDatasource.create(url)


def _async_datasource(url: str) -> None:
    asyncio.run(AsyncSQLAlchemyDatasource.create(url))


def _given_engine(url: str) -> None:
    driver = url.replace("postgresql:", "postgresql+psycopg:")
    limit = {"connect_timeout": 2} if driver != url else {}
    engine = sqlalchemy.create_engine(driver, connect_args=limit)
    SQLAlchemyDatasource.create(url, engine=engine)


@pytest.mark.parametrize("create", [_datasource, _async_datasource, _given_engine])
def test_a_datasource_is_told_like_the_system_database(
    create: Callable[[str], None], tmp_path: Path
) -> None:
    refused = r"Cannot connect to PostgreSQL database 'shop' on 127.0.0.1, port 1, .* refused$"
    missing = tmp_path / "typo"
    with pytest.raises(DatabaseUnreachableError, match=refused) as raised:
        create(REFUSING)
    assert SECRET not in str(raised.value)
    begun = time.monotonic()
    with silent_server() as url, pytest.raises(DatabaseUnreachableError, match="no answer"):
        create(url)
    assert time.monotonic() - begun < SOON_S
    with pytest.raises(DatabaseUnreachableError, match=f"there is no directory {missing}"):
        create(f"sqlite:///{missing}/shop.sqlite3")
    assert not missing.exists()


def test_an_unknown_host_is_named(message: object) -> None:
    for each in message(f"postgresql://ada:{SECRET}@no-such-host.invalid/shop"):  # type: ignore[operator]
        assert "failed to resolve host 'no-such-host.invalid'" in each
        assert "Errno" not in each
        assert SECRET not in each


def test_what_the_server_answers_is_the_reason(postgres_url: str, message: object) -> None:
    place = postgres_url.partition("@")[2]
    for each in message(f"postgresql://nobody-here:{SECRET}@{place}"):  # type: ignore[operator]
        assert each.endswith("as user 'nobody-here': role \"nobody-here\" does not exist")


def test_a_database_that_is_not_there_is_named_to_a_client(postgres_server: Server) -> None:
    with pytest.raises(DatabaseUnreachableError, match='"no_such_db" does not exist'):
        _client(postgres_server.url("no_such_db"))


def test_a_file_without_a_directory_is_refused_and_none_is_made(
    tmp_path: Path, message: object
) -> None:
    file = tmp_path / "typo" / "shop.sqlite3"
    for said in message(f"sqlite:///{file}"):  # type: ignore[operator]
        assert said.endswith(
            f"Cannot connect to SQLite database {file}: there is no directory {file.parent}"
        )
    assert not file.parent.exists()


def test_a_file_that_is_no_database_stays_as_it_is(tmp_path: Path, message: object) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no database at all " * 100)
    for each in message(f"sqlite:///{file}"):  # type: ignore[operator]
        assert each.endswith(f"{file}: file is not a database")
    assert file.read_text() == "no database at all " * 100


@pytest.mark.parametrize("reserved", ["@", "/", "#", "?", "%", "[", "@/x@", "@?x@"])
def test_a_reserved_character_in_a_password_is_explained_and_nothing_is_shown(
    reserved: str,
) -> None:
    url = f"postgresql://ada:tops3{reserved}cret@127.0.0.1:1/shop"
    with pytest.raises(DatabaseUrlError, match="percent-encoded: '@' as %40") as raised:
        open_database(url)
    assert not any(part in str(raised.value) for part in ("tops3", "cret"))


def test_an_encoded_password_is_accepted() -> None:
    with pytest.raises(DatabaseUnreachableError, match="Connection refused") as raised:
        _client("postgresql://ada:t%40%2Fs3%25cret@127.0.0.1:1/shop")
    assert "s3" not in str(raised.value)


@pytest.mark.parametrize("port", ["abc", "0", "99999", "-1"])
def test_a_port_that_is_none_is_named(port: str) -> None:
    with pytest.raises(DatabaseUrlError, match=f"port '{port}' is not a number from 1 to 65535"):
        open_database(f"postgresql://ada:{SECRET}@127.0.0.1:{port}/shop")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://h/db?application_name=me@x",
        "postgresql://h:5432/db?application_name=me@x",
        "postgresql://a:b@h1:1,h2:2/db",
        "postgresql://a:b@[::1]:5/db",
        "postgresql:///db?host=/tmp",
        "postgresql://%2Ftmp%2Fx:5432/db",
        "postgresql://ada:se:cret@h/db",
    ],
)
def test_urls_that_libpq_reads_stay_as_they_are(url: str) -> None:
    assert libpq_url(url) == url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:s3@cret@h/db", "postgresql://ada:***@h/db"),
        ("postgresql://ada:s3/cret@h/db", "postgresql://ada:***@h/db"),
        ("postgresql://ada@h/db?password=s3cret&x=1", "postgresql://ada@h/db?password=***&x=1"),
        ("postgresql://h/db", "postgresql://h/db"),
    ],
)
def test_a_masked_url_shows_no_part_of_a_password(url: str, shown: str) -> None:
    assert mask_password(url) == shown
