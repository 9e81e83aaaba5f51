"""Storage sessions on Django's connections: pages and actions run the engine's statements there.

They commit and roll back with what the caller does through Django in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from django.db import connections, transaction

from dboshub.workflows.django_settings import system_alias as system_alias
from dboshub.workflows.django_settings import system_schema
from dboshub.workflows.slow_queries import SLOW_QUERIES
from dboshub.workflows.storage.sql import Cursor, Dialect, Session
from dboshub.workflows.storage.sqlite import split_script


@contextmanager
def reading() -> Iterator[Session]:
    """A session for reads, in autocommit mode unless the caller has opened a transaction."""
    yield session_on(system_alias())


@contextmanager
def atomic() -> Iterator[Session]:
    """A transaction, or a savepoint in the caller's; rolled back if the block raises."""
    alias = system_alias()
    with transaction.atomic(using=alias):
        yield session_on(alias)


def session_on(alias: str) -> Session:
    """A session on this thread's connection to an alias. The first statement connects."""
    connection = connections[alias]

    def execute(text: str, params: dict[str, Any]) -> Cursor:
        cursor = connection.cursor()
        with SLOW_QUERIES.timing():
            cursor.execute(text, params)
        return cursor

    def script(text: str) -> None:
        # SQLite executes one statement at a time, and executescript() would commit first.
        parts = split_script(text) if connection.vendor == "sqlite" else [text]
        with connection.cursor() as cursor:
            for part in parts:
                cursor.execute(part)

    return Session(system_dialect(connection.vendor), execute, script)


@cache
def system_dialect(vendor: str) -> Dialect:
    """The dialect of Django's cursors, which take ``%(name)s`` parameters on both databases."""
    if vendor == "postgresql":
        return Dialect("postgresql", system_schema(), pyformat=True)
    return Dialect("sqlite", "main", pyformat=True)
