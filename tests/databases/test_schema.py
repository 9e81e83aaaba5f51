"""Schema compatibility: migrate creates what `dbos` creates, and keeps existing tables."""

from __future__ import annotations

from contextlib import closing

import pytest

from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.schema.errors import SchemaTooOldError
from dboshub.workflows.storage.schema.migrate import inspect, migrate
from dboshub.workflows.storage.sql import Statement
from tests.databases.conftest import Manage, UseUrl
from tests.support.shape import rows_of, shape_of

SET_VERSION = Statement("UPDATE {dbos_migrations} SET version = :version")


def make_by_command(url: str, manage: Manage) -> None:
    done = manage(url, "migrate")
    assert done.returncode == 0, done.stderr


def pretend_version(url: str, version: int) -> None:
    with closing(open_database(url)) as database, database.writing() as session:
        session.run(SET_VERSION, version=version)


def test_storage_makes_exactly_the_tables_that_dbos_makes(
    database_url: str, another_url: str, make_by_dbos: UseUrl
) -> None:
    with closing(open_database(database_url)) as database:
        migrate(database)
    make_by_dbos(another_url)

    ours, theirs = shape_of(database_url), shape_of(another_url)

    assert len(ours) > 150
    assert ours == theirs


def test_manage_migrate_makes_exactly_the_tables_that_dbos_makes(
    database_url: str, another_url: str, make_by_dbos: UseUrl, manage: Manage
) -> None:
    make_by_command(database_url, manage)
    make_by_dbos(another_url)

    assert shape_of(database_url) == shape_of(another_url)
    with closing(open_database(database_url)) as database:
        state = inspect(database)
    assert (state.version, state.missing_hub_tables) == (125, ())


def test_adopting_a_database_of_dbos_leaves_its_rows_and_tables_as_they_are(
    database_url: str, make_by_dbos: UseUrl, manage: Manage
) -> None:
    make_by_dbos(database_url)
    shape, rows = shape_of(database_url), rows_of(database_url)
    filled = {table for table, found in rows.items() if found}
    assert {"workflow_status", "operation_outputs", "queues", "streams", "notifications"} <= filled

    make_by_command(database_url, manage)

    assert rows_of(database_url) == rows
    assert shape_of(database_url) == shape


def test_dbos_works_on_tables_that_migrate_made(
    database_url: str, run_dbos: UseUrl, manage: Manage
) -> None:
    make_by_command(database_url, manage)
    shape = shape_of(database_url)

    run_dbos(database_url)

    assert shape_of(database_url) == shape


def test_a_database_of_version_123_gets_the_two_indexes_it_lacks(
    database_url: str, make_by_dbos: UseUrl, manage: Manage
) -> None:
    make_by_dbos(database_url)
    whole = shape_of(database_url)
    prefix = "" if database_url.startswith("sqlite") else "dbos."
    with closing(open_database(database_url)) as database, database.writing() as session:
        session.script(f"DROP INDEX {prefix}idx_application_versions_timestamp;")
        session.script(f"DROP INDEX {prefix}idx_application_versions_owner_timestamp;")
        session.run(SET_VERSION, version=123)
    assert shape_of(database_url) != whole

    make_by_command(database_url, manage)

    assert shape_of(database_url) == whole
    assert rows_of(database_url)["dbos_migrations"] == [(125,)]


def test_an_older_database_is_refused_with_the_way_out_and_not_touched(
    database_url: str, make_by_dbos: UseUrl, manage: Manage
) -> None:
    make_by_dbos(database_url)
    pretend_version(database_url, 122)
    rows = rows_of(database_url)

    done = manage(database_url, "migrate")

    assert done.returncode == 1
    assert "schema version 122" in done.stderr
    assert "dbos migrate" in done.stderr
    assert "Traceback" not in done.stderr
    assert rows_of(database_url) == rows
    with closing(open_database(database_url)) as database:
        assert inspect(database).missing_hub_tables
        with pytest.raises(SchemaTooOldError):
            migrate(database)


def test_a_newer_database_opens_and_keeps_its_version(
    database_url: str, make_by_dbos: UseUrl, manage: Manage
) -> None:
    make_by_dbos(database_url)
    pretend_version(database_url, 131)

    make_by_command(database_url, manage)

    with closing(open_database(database_url)) as database:
        state = inspect(database)
    assert (state.version, state.newer, state.usable) == (131, True, True)


def test_the_models_agree_with_their_migrations(sqlite_url: str, manage: Manage) -> None:
    done = manage(sqlite_url, "makemigrations", "--check", "--dry-run")

    assert done.returncode == 0, done.stdout
