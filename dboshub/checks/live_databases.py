"""Checks that connect: `manage.py check --database default`."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg
from django.core.checks import CheckMessage, Error
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, router
from django.db.migrations.executor import MigrationExecutor

from dboshub.workflows import django_settings
from dboshub.workflows.django_database_url import url_of_alias
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.invocation import command
from dboshub.workflows.models import AuditEvent
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.sql import Session, Statement

LABELS = ("dboshub", "dboshub_workflows", "dboshub_queues", "dboshub_schedules")
# What tells one database from all others, whatever the way to it.
SERVER = Statement(
    postgres="SELECT current_database(), pg_postmaster_start_time()",
    sqlite="SELECT file, 0 FROM pragma_database_list WHERE name = 'main'",
)


def check_migrations(
    app_configs: Any, databases: Iterable[str] | None = None, **_kwargs: Any
) -> list[CheckMessage]:
    """Our migrations that were not applied, on each of our databases that is asked for."""
    if sys.argv[1:2] == ["migrate"]:
        return []  # which runs this check before it does just that
    return [
        message for alias in databases or () if alias in _ours() for message in _unapplied(alias)
    ]


def check_same_database(
    app_configs: Any, databases: Iterable[str] | None = None, **_kwargs: Any
) -> list[CheckMessage]:
    """Whether DBOS_SYSTEM_DATABASE_URL and the alias lead to one database, by whatever ways."""
    alias, url = django_settings.system_alias(), django_settings.given_system_database_url()
    if not url or alias not in (databases or ()):
        return []
    named_by_alias = url_of_alias(alias)
    if not _answers(named_by_alias):
        return []  # which check_migrations reports
    try:
        here, there = _identity(named_by_alias), _identity(url)
    except (DBOSException, psycopg.Error, sqlite3.Error) as error:
        return [_mixed_up(f"DBOS_SYSTEM_DATABASE_URL cannot be compared: {error}.")]
    if here == there:
        return []
    return [
        _mixed_up(
            f"DBOS_SYSTEM_DATABASE_URL and DATABASES[{alias!r}] lead to two databases: what "
            "workers do is not what pages show."
        )
    ]


def _ours() -> set[str]:
    return {django_settings.system_alias(), router.db_for_write(AuditEvent)}


def _unapplied(alias: str) -> Iterator[CheckMessage]:
    option = "" if alias == DEFAULT_DB_ALIAS else f" --database {alias}"
    try:
        names = _names_unapplied(alias)
    except DatabaseError as error:
        reason = " ".join(str(error).split())
        yield Error(
            f"Which migrations were applied to {alias} cannot be read: {reason}.",
            hint=f"Let it be reached, then run {command('migrate')}{option}",
            id="dboshub.E004",
        )
        return
    if names:
        yield Error(
            f"Migrations of DBOSHub are not applied to {alias}: {', '.join(names)}.",
            hint=f"Run {command('migrate')}{option}",
            id="dboshub.E004",
        )


def _names_unapplied(alias: str) -> list[str]:
    executor = MigrationExecutor(connections[alias])
    wanted = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] in LABELS]
    return [
        f"{each.app_label}.{each.name}"
        for each, _ in executor.migration_plan(wanted)
        if each.app_label in LABELS
    ]


def _mixed_up(problem: str) -> CheckMessage:
    return Error(
        problem,
        hint="Leave DBOS_SYSTEM_DATABASE_URL out, or let both lead to the same database.",
        id="dboshub.E007",
    )


def _answers(url: str) -> bool:
    database = open_database(url, pool_size=1)
    try:
        database.check_connection(create=False)
    except DBOSException:
        return False
    finally:
        database.close()
    return True


def _identity(url: str) -> Sequence[Any] | None:
    database = open_database(url, pool_size=1)
    try:
        # A pool would wait much longer for a server that is away.
        database.check_connection(create=False)
        with database.reading() as session:
            return _server(session)
    finally:
        database.close()


def _server(session: Session) -> Sequence[Any] | None:
    return session.one(SERVER)
