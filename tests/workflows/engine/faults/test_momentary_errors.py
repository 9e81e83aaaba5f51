"""A statement timeout or a full disk for a moment is outlasted: the body never hears of it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.runtime import insisting
from dboshub.workflows.storage.transient_errors import is_momentary, is_transient
from tests.support.eventually import eventually

Launch = Callable[..., None]

reached = threading.Event()
go_on = threading.Event()
caught: list[Exception] = []


@DBOS.step()
def moment_large(number: int) -> str:
    return f"{number}" * 300_000


@DBOS.workflow()
def moment_works() -> int:
    reached.set()
    assert go_on.wait(20)
    try:
        done = len(moment_large(1))
        DBOS.set_event("key", "x" * 300_000)
        done += len(moment_large(2))
        assert DBOS.get_event("nobody", "key", timeout_seconds=0) is None
    except Exception as error:
        caught.append(error)
        return -1
    return done


@DBOS.workflow()
async def moment_works_async() -> int:
    reached.set()
    try:
        for _ in range(1_000):
            if go_on.is_set():
                break
            await DBOS.sleep_async(0.01)
        assert await DBOS.get_event_async("nobody", "key", timeout_seconds=0) is None
    except Exception as error:
        caught.append(error)
        return -1
    return 600_000


@DBOS.workflow()
def moment_asks_other_tables() -> int:
    reached.set()
    assert go_on.wait(20)
    try:
        assert DBOS.list_schedules() == []
        DBOS.register_queue("moments")
    except Exception as error:
        caught.append(error)
        return -1
    return 600_000


@pytest.fixture(autouse=True)
def gates() -> Iterator[None]:
    caught.clear()
    reached.clear()
    go_on.clear()
    yield
    go_on.set()


@contextmanager
def full_disk() -> Iterator[None]:
    """The file of the engine's writer may not grow."""
    database: Any = DBOS._runtime.database  # type: ignore[union-attr]
    with database._write_lock:
        raw: sqlite3.Connection = database._writer.raw
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [pages] = raw.execute("PRAGMA page_count").fetchone()
        raw.execute(f"PRAGMA max_page_count = {pages}")
    try:
        yield
    finally:
        with database._write_lock:
            raw.execute("PRAGMA max_page_count = 1000000")


@contextmanager
def locked_tables(url: str) -> Iterator[None]:
    """Another session has locked the tables that every call needs, however long that took."""
    patient = psycopg.connect(url, options="-c statement_timeout=0")
    with patient as connection, connection.transaction():
        connection.execute(
            "LOCK TABLE dbos.workflow_status, dbos.operation_outputs, dbos.workflow_events, "
            "dbos.workflow_schedules, dbos.queues IN ACCESS EXCLUSIVE MODE"
        )
        yield


def test_a_full_disk_for_a_moment_is_no_error_of_a_workflow(
    sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    DBOS(config={"name": "test-app", "system_database_url": sqlite_url})
    DBOS.launch()
    try:
        with SetWorkflowID("w"):
            handle = DBOS.start_workflow(moment_works)
        assert reached.wait(10)
        with full_disk():
            go_on.set()
            eventually(lambda: "disk is full" in caplog.text)
        assert handle.get_result() == 600_000
        assert caught == []
    finally:
        DBOS.destroy()


@pytest.mark.parametrize(
    "workflow",
    [moment_works, moment_works_async, moment_asks_other_tables],
    ids=["sync", "async", "other tables"],
)
def test_a_statement_timeout_is_no_error_of_a_workflow(
    workflow: Callable[[], Any],
    postgres_url: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(insisting, "LONGEST_PAUSE_S", 0.02)
    DBOS(config={"name": "test-app", "system_database_url": postgres_url})
    DBOS.launch()
    try:
        with SetWorkflowID("w"):
            handle = DBOS.start_workflow(workflow)
        assert reached.wait(10)
        engine = current_engine.engine()
        attempts = engine.store.attempts  # type: ignore[attr-defined]
        engine.store.attempts = 1  # type: ignore[attr-defined]
        short_statements(postgres_url)
        with locked_tables(postgres_url):
            go_on.set()
            eventually(lambda: "statement timeout" in caplog.text)
        engine.store.attempts = attempts  # type: ignore[attr-defined]
        assert handle.get_result() == 600_000
        assert caught == []
    finally:
        DBOS.destroy()


def test_a_connection_that_an_error_left_within_a_statement_is_replaced(postgres_url: str) -> None:
    DBOS(config={"name": "test-app", "system_database_url": postgres_url})
    DBOS.launch()
    try:
        journal: Any = current_engine.engine().journal._main.connection
        broken = journal._open().raw
        broken.pgconn.send_query(b"SELECT 1")  # as if its answer was not read
        assert moment_is_quick() == 1
        assert broken.closed
    finally:
        DBOS.destroy()


@DBOS.workflow()
def moment_is_quick() -> int:
    return 1


def short_statements(url: str) -> None:
    """Limit the statements of the sessions of this database, those that are open included."""
    name = url.rpartition("/")[2]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET statement_timeout = 100'.encode())
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_transaction_that_the_disk_ended_leaves_the_writer_usable(
    sqlite_url: str, dbos_on_sqlite: Any
) -> None:
    with full_disk(), pytest.raises(sqlite3.OperationalError, match="disk is full"):
        fill(dbos_on_sqlite)
    with dbos_on_sqlite.writing() as session:
        session.script("CREATE TABLE more (text TEXT)")


@pytest.fixture
def dbos_on_sqlite(sqlite_url: str) -> Iterator[Any]:
    DBOS(config={"name": "test-app", "system_database_url": sqlite_url})
    DBOS.launch()
    yield DBOS._runtime.database  # type: ignore[union-attr]
    DBOS.destroy()


def fill(database: Any) -> None:
    with database.writing() as session:
        session.script("CREATE TABLE filler (text TEXT)")
        session.script("INSERT INTO filler VALUES (zeroblob(10000000))")


def test_what_is_momentary_for_the_engine_is_an_error_of_a_users_transaction(
    tmp_path: Path,
) -> None:
    with pytest.raises(sqlite3.OperationalError) as cannot_open:
        sqlite3.connect(tmp_path)
    cases = [cannot_open.value, psycopg.errors.QueryCanceled(), psycopg.errors.IoError()]
    assert [is_momentary(each) for each in cases] == [True] * 3
    assert [is_transient(each) for each in cases] == [False] * 3
    assert is_momentary(OSError(24, "Too many open files"))
    assert not is_momentary(psycopg.errors.UndefinedTable())
    assert not is_momentary(sqlite3.OperationalError("no such table: x"))
