"""Statements, and sessions that execute them on one connection.

A `Statement` names tables as ``{table}`` and parameters as ``:name``; a `Dialect` turns it into
the SQL of one driver. This module opens no connection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Literal, Protocol

from dboshub.workflows.engine.schema_names import quoted
from dboshub.workflows.storage.stored_values import typed
from dboshub.workflows.storage.translation import sqlite_text

Vendor = Literal["postgresql", "sqlite"]
Row = tuple[Any, ...]

# Filters produce an unlimited number of texts, so a dialect keeps no more compiled ones than this.
MAX_COMPILED = 4_096

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")
_INDENTATION = re.compile(r"\n\s+")
_TABLE = re.compile(r"('?)\{([a-z_][a-z0-9_]*)\}('?)")


class Statement:
    """One SQL statement for both databases.

    `both` is PostgreSQL's SQL, which `translation.sqlite_text` translates for SQLite. Give
    `postgres` and `sqlite` instead where the translation does not suffice.
    """

    __slots__ = ("postgres", "sqlite")

    def __init__(
        self, both: str | None = None, *, postgres: str | None = None, sqlite: str | None = None
    ) -> None:
        if (both is None) == (postgres is None or sqlite is None):
            raise ValueError("a statement needs either one text, or postgres= and sqlite=")
        self.postgres = both or postgres or ""
        self.sqlite = sqlite or sqlite_text(both or "")


@lru_cache(maxsize=1_024)
def cached_statement(sql: str) -> Statement:
    """One Statement for each text built at run time: a dialect compiles each Statement once."""
    return Statement(sql)


class Dialect:
    """The SQL of one driver: table names, parameter style, lists of ids."""

    def __init__(self, vendor: Vendor, schema: str, *, pyformat: bool) -> None:
        self.vendor: Vendor = vendor
        self.schema = schema
        self._pyformat = pyformat
        self._compiled: dict[int, tuple[Statement, str]] = {}

    def table(self, name: str) -> str:
        """The qualified, quoted name of a system table."""
        return (
            f"{quoted(self.schema)}.{quoted(name)}" if self.vendor == "postgresql" else quoted(name)
        )

    def text(self, statement: Statement) -> str:
        """The statement as this driver's SQL, compiled once."""
        # The key is the identity, because statements are module constants. The statement is kept
        # beside its text, so that its id cannot be reused for another one.
        known = self._compiled.get(id(statement))
        if known is None:
            source = statement.postgres if self.vendor == "postgresql" else statement.sqlite
            if len(self._compiled) >= MAX_COMPILED:
                self._compiled.clear()
            known = self._compiled[id(statement)] = (statement, self.compile(source))
        return known[1]

    def compile(self, source: str) -> str:
        """Replace ``:name`` by the driver's parameter style, and table names.

        A schema may have any name, so what a name contains is not replaced again. Lines begin at
        the margin: psycopg parses a statement of more than 4,096 bytes each time anew.
        """
        source = _INDENTATION.sub("\n", source)
        if self._pyformat:
            source = _PARAMETER.sub(r"%(\1)s", source.replace("%", "%%"))
        return self.render(source, self._pyformat)

    def render(self, source: str, pyformat: bool = False) -> str:
        """Replace table names, also within a literal, and ``{schema}``."""

        def replaced(match: re.Match[str]) -> str:
            before, name, after = match.groups()
            found = quoted(self.schema) if name == "schema" else self.table(name)
            if before and after:
                found = found.replace("'", "''")
            return f"{before}{found.replace('%', '%%') if pyformat else found}{after}"

        return _TABLE.sub(replaced, source)

    def ids(self, values: Iterable[object]) -> Any:
        """The value of a list parameter: an array on PostgreSQL, a JSON text on SQLite."""
        return list(values) if self.vendor == "postgresql" else json.dumps(list(values))


class Cursor(Protocol):
    """The part of a DB-API cursor that both drivers and Django's wrapper have."""

    @property
    def rowcount(self) -> int: ...
    @property
    def description(self) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> Sequence[Any]: ...


Execute = Callable[[str, dict[str, Any]], Cursor]


class Session:
    """Executes statements on one connection, in the transaction of whoever opened it."""

    __slots__ = ("_execute", "_script", "dialect")

    def __init__(self, dialect: Dialect, execute: Execute, script: Callable[[str], object]) -> None:
        self.dialect = dialect
        self._execute = execute
        self._script = script

    @property
    def vendor(self) -> Vendor:
        return self.dialect.vendor

    def all(self, statement: Statement, **params: Any) -> list[Row]:
        """All rows, in the database's order (RETURNING has none)."""
        cursor = self.cursor(statement, params)
        return self._typed(cursor, cursor.fetchall())

    def one(self, statement: Statement, **params: Any) -> Row | None:
        """The first row, or None."""
        cursor = self.cursor(statement, params)
        row = cursor.fetchone()
        return None if row is None else self._typed(cursor, [row])[0]

    def _typed(self, cursor: Cursor, rows: Sequence[Any]) -> list[Row]:
        if self.vendor == "sqlite" and rows:
            return typed([each[0] for each in cursor.description], rows)
        return [tuple(row) for row in rows]

    def run(self, statement: Statement, **params: Any) -> int:
        """Execute a statement and return how many rows it changed."""
        return self.cursor(statement, params).rowcount

    def cursor(self, statement: Statement, params: dict[str, Any]) -> Cursor:
        return self._execute(self.dialect.text(statement), params)

    def with_execute(self, wrap: Callable[[Execute], Execute]) -> Session:
        """A session on the same connection whose statements run through ``wrap(execute)``."""
        return Session(self.dialect, wrap(self._execute), self._script)

    def ids(self, values: Iterable[object]) -> Any:
        """The value of a list parameter of this session's statements."""
        return self.dialect.ids(values)

    def script(self, sql: str) -> None:
        """Execute several statements without parameters. Only schema changes need this."""
        self._script(sql)
