"""Other programs that use the same database: they hold rows, tables, files and connections."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing, suppress
from typing import Any

import psycopg

from dboshub.workflows.storage.database_urls import sqlite_path
from tests.chaos.connection_faults import END_ALL
from tests.chaos.world import World

ROWS = (
    "SELECT * FROM dbos.queues FOR UPDATE",
    "SELECT * FROM dbos.workflow_schedules FOR UPDATE",
    "SELECT * FROM dbos.workflow_status WHERE status IN ('PENDING', 'ENQUEUED') FOR UPDATE",
)
TABLES = ("LOCK TABLE dbos.workflow_status, dbos.operation_outputs IN ACCESS EXCLUSIVE MODE",)

PAUSE_S = 0.1


def holding(world: World, seconds: float, statements: tuple[str, ...]) -> None:
    """A transaction holds what these statements lock."""
    with world.fault(), psycopg.connect(world.database_url) as other:
        while not _has_locked(other, statements):
            other.rollback()
        world.run(seconds)
        other.rollback()


def _has_locked(other: psycopg.Connection[Any], statements: tuple[str, ...]) -> bool:
    """Whether the statements were executed; a deadlock with the engine may end this one."""
    try:
        for statement in statements:
            other.execute(statement.encode())
    except psycopg.errors.DeadlockDetected:
        return False
    return True


def writing_to_the_file(world: World, seconds: float) -> None:
    """A program holds SQLite's one lock for writing."""
    with (
        world.fault(),
        closing(sqlite3.connect(sqlite_path(world.database_url), isolation_level=None)) as other,
    ):
        other.execute("PRAGMA busy_timeout=30000")
        other.execute("BEGIN IMMEDIATE")
        world.run(seconds)
        other.execute("ROLLBACK")


def taking_all_connections(world: World, seconds: float) -> None:
    """Take each connection that the server has left, then those of the world's processes."""
    with world.fault(), ExitStack() as taken:
        first = taken.enter_context(closing(_connected(world)))
        _take_rest(world, taken)
        world.run(seconds / 2)
        first.execute(END_ALL)
        for _ in range(int(seconds / 2 / PAUSE_S)):
            _take_rest(world, taken)
            world.run(PAUSE_S)


def _take_rest(world: World, taken: ExitStack) -> None:
    with suppress(psycopg.OperationalError):
        while True:
            taken.enter_context(closing(_connected(world)))


def _connected(world: World) -> psycopg.Connection[Any]:
    return psycopg.connect(world.database_url, application_name="outsider", autocommit=True)
