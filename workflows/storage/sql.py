"""SQL written once where the databases agree, and side by side where they do not.

A ``Statement`` names tables as ``{table}`` and parameters as ``:name``; a ``Dialect``
turns it into what one driver expects. Nothing here opens a connection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Literal, Protocol

Vendor = Literal["postgresql", "sqlite"]
Row = tuple[Any, ...]

# Beyond, texts that filters made are forgotten: there is no end to those.
MAX_COMPILED = 4_096

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")
_TABLE = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


class Statement:
    """One SQL statement; give ``both``, or ``postgres`` and ``sqlite`` where they differ."""

    __slots__ = ("postgres", "sqlite")

    def __init__(
        self, both: str | None = None, *, postgres: str | None = None, sqlite: str | None = None
    ) -> None:
        if (both is None) == (postgres is None or sqlite is None):
            raise ValueError("a statement needs either one text, or postgres= and sqlite=")
        self.postgres = both or postgres or ""
        self.sqlite = both or sqlite or ""


@lru_cache(maxsize=1_024)
def cached_statement(sql: str) -> Statement:
    """One Statement per text built at run time: dialects remember each one they compiled."""
    return Statement(sql)


class Dialect:
    """How one driver wants its SQL: table names, parameter style, lists of ids."""

    def __init__(self, vendor: Vendor, schema: str, *, pyformat: bool) -> None:
        self.vendor: Vendor = vendor
        self.schema = schema
        self._pyformat = pyformat
        self._compiled: dict[int, tuple[Statement, str]] = {}

    def table(self, name: str) -> str:
        """The qualified, quoted name of a system table."""
        return f'"{self.schema}"."{name}"' if self.vendor == "postgresql" else f'"{name}"'

    def text(self, statement: Statement) -> str:
        """The statement as this driver's SQL, compiled once."""
        # Keyed by identity: statements are module constants. The statement is kept
        # beside its text so that an id can never be reused for another one.
        known = self._compiled.get(id(statement))
        if known is None:
            source = statement.postgres if self.vendor == "postgresql" else statement.sqlite
            if len(self._compiled) >= MAX_COMPILED:
                self._compiled.clear()
            known = self._compiled[id(statement)] = (statement, self.compile(source))
        return known[1]

    def compile(self, source: str) -> str:
        """Fill in table names and rewrite ``:name`` to the driver's parameter style."""
        text = _TABLE.sub(lambda match: self.table(match[1]), source)
        if self._pyformat:
            text = _PARAMETER.sub(r"%(\1)s", text.replace("%", "%%"))
        return text

    def ids(self, values: Iterable[object]) -> Any:
        """A list parameter: an array for ``ANY(:ids)``, JSON for ``json_each(:ids)``."""
        return list(values) if self.vendor == "postgresql" else json.dumps(list(values))


class Cursor(Protocol):
    """The part of a DB-API cursor that both drivers, and Django's wrapper, share."""

    @property
    def rowcount(self) -> int: ...
    @property
    def description(self) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> Sequence[Any]: ...


Execute = Callable[[str, dict[str, Any]], Cursor]


class Session:
    """Runs statements on one connection. Whoever opened it owns the transaction."""

    __slots__ = ("_execute", "_script", "dialect")

    def __init__(self, dialect: Dialect, execute: Execute, script: Callable[[str], object]) -> None:
        self.dialect = dialect
        self._execute = execute
        self._script = script

    @property
    def vendor(self) -> Vendor:
        return self.dialect.vendor

    def all(self, statement: Statement, **params: Any) -> list[Row]:
        """Every row, in the database's order (RETURNING promises none)."""
        return [tuple(row) for row in self.cursor(statement, params).fetchall()]

    def one(self, statement: Statement, **params: Any) -> Row | None:
        """The first row, or None."""
        row = self.cursor(statement, params).fetchone()
        return None if row is None else tuple(row)

    def run(self, statement: Statement, **params: Any) -> int:
        """Run for effect; how many rows it touched."""
        return self.cursor(statement, params).rowcount

    def cursor(self, statement: Statement, params: dict[str, Any]) -> Cursor:
        return self._execute(self.dialect.text(statement), params)

    def with_execute(self, wrap: Callable[[Execute], Execute]) -> Session:
        """A session on the same connection whose statements run through ``wrap(execute)``."""
        return Session(self.dialect, wrap(self._execute), self._script)

    def ids(self, values: Iterable[object]) -> Any:
        return self.dialect.ids(values)

    def script(self, sql: str) -> None:
        """Run several parameterless statements: schema work only."""
        self._script(sql)
