"""A mistyped database is one sentence at once, and leaves nothing behind."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from dboshub.workflows.storage.database_urls import mask_password
from tests.first_failures.unreachable import SECRET, silent_server
from tests.standalone.process import run
from tests.support.postgres import Server

# Seconds: two for a server that does not answer, the rest to start Python on a busy machine.
AT_ONCE = 20.0

WRONG = {
    "a missing file": ("sqlite:///{folder}/none.sqlite3", "there is no such file"),
    "a missing directory": ("sqlite:///{folder}/none/x.sqlite3", "there is no directory"),
    "a directory": ("sqlite:///{folder}", "Is a directory"),
    "no database": ("sqlite:///{folder}/text", "file is not a database"),
    "an empty file": ("sqlite:///{folder}/empty", "There are no tables of DBOS in SQLite"),
    "a plain path": ("{folder}/text", "for a SQLite file write sqlite:///"),
    "nothing": ("", "it must start with sqlite:///"),
    "a mistyped scheme": (f"postgre://ada:{SECRET}@h/shop", "it must start with sqlite:///"),
    "a missing colon": (f"postgresql//ada:{SECRET}@h/shop", "it must start with sqlite:///"),
    "no database name": (f"postgresql://ada:{SECRET}@127.0.0.1:1", "it names no database"),
    "a refused port": (
        f"postgresql://ada:{SECRET}@127.0.0.1:1/shop",
        "PostgreSQL database 'shop' on 127.0.0.1, port 1, as user 'ada': Connection refused",
    ),
    "an unknown host": (
        f"postgresql://ada:{SECRET}@nobody.invalid/shop",
        "on nobody.invalid, port 5432, as user 'ada': failed to resolve host",
    ),
    "no number of a port": (f"postgresql://ada:{SECRET}@h:x/shop", "port 'x' is not a number"),
    "a password with a slash": (f"postgresql://ada:{SECRET}/a@h/shop", "percent-encoded"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a person works: with a file of text and an empty one."""
    path = tmp_path / "work"
    path.mkdir()
    (path / "text").write_text("not a database, and longer than its header would be" * 10)
    (path / "empty").touch()
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def refused(folder: Path, url: str, *options: str) -> str:
    """What `dashboard` says of a URL; it ends at once and makes nothing."""
    before, begun = files(folder), time.monotonic()
    given = {"HOME": str(folder.parent / "home"), "XDG_DATA_HOME": ""}
    done = run("dashboard", "--url", url, *options, cwd=folder, **given)
    assert time.monotonic() - begun < AT_ONCE
    assert done.returncode == 1
    assert done.stdout == ""
    assert SECRET not in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert files(folder) == before
    assert not (folder.parent / "home").exists()
    return done.stderr


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_url_is_one_sentence(folder: Path, what: str) -> None:
    url, expected = WRONG[what]
    assert expected in refused(folder, url.format(folder=folder))


def test_a_silent_server_is_given_up_after_two_seconds(folder: Path) -> None:
    with silent_server() as url:
        assert "as user 'ada': no answer within 2 s" in refused(folder, url)


def test_a_server_that_has_no_such_database_user_or_schema(
    folder: Path, postgres_server: Server, postgres_url: str
) -> None:
    name = postgres_url.rpartition("/")[2]
    assert 'database "none" does not exist' in refused(folder, postgres_server.url("none"))
    nobody = postgres_url.replace("postgres@", f"nobody:{SECRET}@")
    assert 'role "nobody" does not exist' in refused(folder, nobody)
    assert f"There are no tables of DBOS in schema 'dbos' of PostgreSQL database '{name}'" in (
        refused(folder, postgres_url)
    )


def test_the_schema_that_has_the_tables_is_named(folder: Path, postgres_url: str) -> None:
    made = run("migrate_system_database", "--url", postgres_url, "--schema", "theirs", cwd=folder)
    assert made.returncode == 0, made.stderr
    assert "there are some in schema 'theirs': give it as --schema" in refused(folder, postgres_url)


def test_the_hubs_own_database_must_be_another(folder: Path) -> None:
    url = f"sqlite:///{folder}/system.sqlite3"
    made = run("migrate_system_database", "--url", url, cwd=folder)
    assert made.returncode == 0, made.stderr
    assert "is the same database" in refused(folder, url, "--hub-database", url)


def test_a_file_that_a_crash_left_within_a_transaction_is_left_alone(folder: Path) -> None:
    path = folder / "system.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE workflow_status (text)")
    crashed = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('PRAGMA cache_size = 1'); c.execute('BEGIN IMMEDIATE');"
        "c.executemany('INSERT INTO workflow_status VALUES (?)', [('x' * 1000,)] * 1000);"
        "os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", crashed, str(path)], check=False)
    assert (folder / "system.sqlite3-journal").stat().st_size
    assert "start the application once" in refused(folder, f"sqlite:///{path}")


@pytest.mark.parametrize("what", ["a missing file", "a refused port"])
def test_the_doctor_says_it_with_a_remedy_and_changes_nothing(folder: Path, what: str) -> None:
    url, expected = WRONG[what]
    before = files(folder)
    given = {
        "DBOS_SYSTEM_DATABASE_URL": url.format(folder=folder),
        "DBOSHUB_DATA_DIR": str(folder / "data"),
    }
    done = run("doctor", "--json", cwd=folder, **given)
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr
    found = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    assert found["system database"]["state"] == "wrong"
    assert expected in found["system database"]["says"]
    assert found["system database"]["remedy"]
    assert files(folder) == before


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:s@c/r:e@t@h:1/d?x=1", "postgresql://ada:***@h:1/d?x=1"),
        ("postgresql://ada@h/d?password=secret&sslmode=require", "postgresql://ada@h/d?password=***&sslmode=require"),
        ("host=h password='a secret' dbname=d", "host=h password=*** dbname=d"),
        ("postgresql//ada:secret@h", "postgresql//ada:***@h"),
        ("ada:secret@h/d", "ada:***@h/d"),
        ("sqlite:////srv/data.sqlite3", "sqlite:////srv/data.sqlite3"),
        ("postgresql://ada@h:5432/d", "postgresql://ada@h:5432/d"),
    ],
)  # fmt: skip
def test_a_password_is_hidden_wherever_it_stands(url: str, shown: str) -> None:
    assert mask_password(url) == shown
