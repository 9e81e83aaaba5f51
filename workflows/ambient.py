"""The engine on Django's connection: what it writes there commits and rolls back with Django's."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connections, transaction
from psycopg.conninfo import conninfo_to_dict

from workflows.connection import session_on, system_alias
from workflows.engine.ports import Joined
from workflows.engine.writes import Answer, StepWrite, Verdict, Write
from workflows.storage.database import Database
from workflows.storage.failures import is_passing
from workflows.storage.journal.single import apply_single
from workflows.storage.postgres import PostgresDatabase
from workflows.storage.sqlite import SqliteDatabase

logger = logging.getLogger("dboshub")


class DjangoTransaction:
    """The transaction that this thread has open on the system database."""

    def __init__(self, alias: str) -> None:
        self._alias = alias

    def apply(self, write: Write, *, now: int) -> Answer:
        return apply_single(session_on(self._alias), write, now=now)

    def on_commit(self, callback: Callable[[], None]) -> None:
        transaction.on_commit(callback, using=self._alias)


class DjangoTransactor:
    """Runs ``@DBOS.transaction`` bodies on Django's connection."""

    def __init__(self, alias: str) -> None:
        self._alias = alias

    def run(self, body: Callable[[], tuple[StepWrite, Any]], *, now: int) -> tuple[Answer, Any]:
        # Durable: within somebody's atomic() the commit below would be none.
        with transaction.atomic(using=self._alias, durable=True):
            write, value = body()
            answer = apply_single(session_on(self._alias), write, now=now)
            if answer.verdict is not Verdict.DONE:
                transaction.set_rollback(True, using=self._alias)
        return answer, value

    def is_passing(self, error: Exception) -> bool:
        return is_passing(error) or (error.__cause__ is not None and is_passing(error.__cause__))


def tidy() -> None:
    """Close what aged or broke. Whatever goes wrong here is not the step's own failure."""
    try:
        close_old_connections()
    except Exception as error:
        logger.warning("could not close Django's connections after a step: %s", error)


def ambient_on(alias: str) -> Callable[[], Joined | None]:
    """What tells whether this thread has a transaction open on an alias."""
    found = DjangoTransaction(alias)

    def ambient() -> Joined | None:
        return found if connections[alias].in_atomic_block else None

    return ambient


def alias_of(database: Database) -> str | None:
    """Django's alias of a system database, if this Django project has it."""
    if not settings.configured:
        return None
    alias = system_alias()
    return alias if alias in connections and _is_same(alias, database) else None


def _is_same(alias: str, database: Database) -> bool:
    given = connections[alias].settings_dict
    if isinstance(database, SqliteDatabase):
        is_sqlite = connections[alias].vendor == "sqlite"
        return is_sqlite and os.path.abspath(str(given["NAME"])) == str(database.path)
    if not isinstance(database, PostgresDatabase) or connections[alias].vendor != "postgresql":
        return False
    wanted = conninfo_to_dict(database.url)
    mine = (given["NAME"], given["HOST"] or None, str(given["PORT"] or "") or None)
    theirs = (wanted.get("dbname"), wanted.get("host"), str(wanted.get("port") or "") or None)
    return mine == theirs
