"""SQLAlchemy sessions on Django's connection: they work in Django's transaction.

A session begins and ends no transaction. Importing this module needs both libraries.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from django.db import connections
from sqlalchemy import Engine, create_engine, types
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

Process = Callable[[Any], Any] | None


class _DjangoConnectionDialect:
    """A dialect on a connection that Django opened, configured and commits."""

    supports_statement_cache = True

    def on_connect(self) -> Any:
        """Nothing: Django has configured the connection."""

    def do_nothing(self, connection: Any) -> None: ...

    do_begin = do_commit = do_rollback = do_close = do_terminate = do_nothing


class _FromText:
    """A type whose values the driver may have converted: Django configures the driver so."""

    def result_processor(self, dialect: Any, coltype: Any) -> Process:
        process = super().result_processor(dialect, coltype)  # type: ignore[misc]
        if process is None and isinstance(self, types.JSON):
            process = json.loads

        def read(value: Any) -> Any:
            return process(value) if process is not None and isinstance(value, str) else value

        return read


def _adapted_types(kinds: Any, *base: type) -> dict[Any, Any]:
    """Type implementations; subclasses of `base` accept the values of Django's driver."""
    return {
        kind: type(each.__name__, (_FromText, each), {}) if issubclass(each, base) else each
        for kind, each in kinds.items()
    }


class DjangoPostgresDialect(_DjangoConnectionDialect, PGDialect_psycopg):
    supports_statement_cache = True
    colspecs = _adapted_types(PGDialect_psycopg.colspecs, types.JSON)


class DjangoSqliteDialect(_DjangoConnectionDialect, SQLiteDialect_pysqlite):
    supports_statement_cache = True
    colspecs = _adapted_types(SQLiteDialect_pysqlite.colspecs, types.DateTime, types.Date)


registry.register("postgresql.django", __name__, "DjangoPostgresDialect")
registry.register("sqlite.django", __name__, "DjangoSqliteDialect")


def session_on(alias: str) -> Session:
    """A session in the transaction that this thread has open on an alias."""
    return Session(_engine(alias, connections[alias].vendor), expire_on_commit=False)


@cache
def _engine(alias: str, vendor: str) -> Engine:
    return create_engine(
        f"{vendor}+django://", creator=lambda: connections[alias].connection, poolclass=NullPool
    )
