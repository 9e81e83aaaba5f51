"""Checks of the system database as settings describe it; none of them connects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.connection import ConnectionDoesNotExist

from dboshub.workflows import django_settings
from dboshub.workflows.django_database_url import is_in_memory, url_of_alias
from dboshub.workflows.engine.errors import DatabaseUrlError
from dboshub.workflows.environment import EnvironmentValueError
from dboshub.workflows.models import Workflow
from dboshub.workflows.sqlite_connections import IMMEDIATE, MODE_OPTION, TIMEOUT_OPTION
from dboshub.workflows.storage.database_urls import is_sqlite, libpq_url, sqlite_path
from dboshub.workflows.storage.postgres import database_identity

READERS = (
    django_settings.system_alias,
    django_settings.system_schema,
    django_settings.given_system_database_url,
    django_settings.listen_url,
    django_settings.application_name,
    django_settings.is_behind_pooler,
    django_settings.imported_modules,
    django_settings.redacted_names,
    django_settings.counts_rollups,
    django_settings.works_on_bulk_jobs,
    django_settings.data_dir,
    django_settings.is_https,
    django_settings.is_behind_proxy,
    django_settings.login_attempts,
    django_settings.login_attempts_per_address,
    django_settings.login_window_s,
    django_settings.hub_database_url,
)
LEAST_TIMEOUT_S = 5
POOLERS_PORT = "6432"


def check_settings(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Values that cannot be used, each in the words of what reads it."""
    found: list[CheckMessage] = []
    for read in READERS:
        try:
            read()
        except (ImproperlyConfigured, EnvironmentValueError) as error:
            message = Error(
                f"{error}.", hint="Change it, or leave it out for its default.", id="dboshub.E012"
            )
            if message not in found:
                found.append(message)
    return found


def check_system_database(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Whether the alias leads to a database that workflows can be in, by one way alone."""
    try:
        alias = django_settings.system_alias()
        connection = connections[alias]
        if connection.vendor == "sqlite" and is_in_memory(connection):
            return [_in_memory(alias)]
        url_of_alias(alias)
    except ConnectionDoesNotExist:
        return [_unusable(f"DBOS_SYSTEM_DATABASE_ALIAS is {alias!r}, which DATABASES lacks.")]
    except ImproperlyConfigured as error:
        return [_unusable(f"{error}.")]
    of_vendor = _of_sqlite if connection.vendor == "sqlite" else _of_postgres
    return [*_mixed_up(alias), *of_vendor(connection)]


def _unusable(problem: str) -> CheckMessage:
    return Error(
        problem,
        hint="Name an entry of DATABASES with PostgreSQL, or SQLite in a file.",
        id="dboshub.E010",
    )


def _in_memory(alias: str) -> CheckMessage:
    return Warning(
        f"The system database, DATABASES[{alias!r}], is SQLite in memory: no worker can reach it.",
        hint="Name a file. For tests that run no worker this is fine: silence this id there.",
        id="dboshub.W011",
    )


def _mixed_up(alias: str) -> Iterator[CheckMessage]:
    """Pages and models use the alias, workers the URL: they must lead to one database."""
    routed = {router.db_for_read(Workflow), router.db_for_write(Workflow)}
    if routed != {alias}:
        yield Error(
            f"DATABASE_ROUTERS sends the system tables to {', '.join(sorted(routed))}, but "
            f"DBOS_SYSTEM_DATABASE_ALIAS says {alias}.",
            hint="Use dboshub.routers.SystemTables, before your own routers.",
            id="dboshub.E007",
        )
    given = django_settings.given_system_database_url()
    if given and _named(given) != _named(url_of_alias(alias)):
        yield Error(
            f"DBOS_SYSTEM_DATABASE_URL names another database than DATABASES[{alias!r}]: what "
            "workers do would not be what pages show.",
            hint="Leave DBOS_SYSTEM_DATABASE_URL out, or let both name the same database.",
            id="dboshub.E007",
        )


def _named(url: str) -> str:
    """The file or the database that a URL names; a service of libpq may name it instead."""
    try:
        if is_sqlite(url):
            return f"file {sqlite_path(url).resolve()}"
        return f"database {database_identity(libpq_url(url))[0]}"
    except DatabaseUrlError:
        return url


def _of_sqlite(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    options = connection.settings_dict["OPTIONS"]
    where = f"DATABASES[{connection.alias!r}]['OPTIONS']"
    mode = options.get(MODE_OPTION, IMMEDIATE)
    if str(mode).upper() != IMMEDIATE:
        yield Warning(
            f"{where}[{MODE_OPTION!r}] is {mode!r}: a transaction that reads and then writes fails "
            'with "database is locked" as soon as a worker has written in between.',
            hint=f"Leave {MODE_OPTION!r} out, or set it to {IMMEDIATE!r}.",
            id="dboshub.W003",
        )
    timeout = options.get(TIMEOUT_OPTION, LEAST_TIMEOUT_S)
    if not isinstance(timeout, int | float) or timeout < LEAST_TIMEOUT_S:
        yield Warning(
            f"{where}[{TIMEOUT_OPTION!r}] is {timeout!r}: SQLite has one writer at a time, and "
            "whoever waits longer for it fails.",
            hint=f"Leave {TIMEOUT_OPTION!r} out, or give some 20 seconds.",
            id="dboshub.W003",
        )
    if connection.settings_dict["ATOMIC_REQUESTS"]:
        yield Warning(
            f"DATABASES[{connection.alias!r}] has ATOMIC_REQUESTS: on SQLite each request keeps "
            "workers from writing until its response is made.",
            hint="Use transaction.atomic() where a view writes, or PostgreSQL.",
            id="dboshub.W013",
        )


def _of_postgres(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    given = connection.settings_dict
    hint = (
        "Say DBOSHUB_BEHIND_POOLER = True, and name a direct connection in DBOSHUB_LISTEN_DSN. "
        "If there is no pooler in transaction mode, silence this id."
    )
    if django_settings.is_behind_pooler():
        if not django_settings.listen_url():
            yield Warning(
                "A pooler in transaction mode carries no LISTEN, and DBOSHUB_LISTEN_DSN names no "
                "way past it: workers and live pages notice changes by polling, up to a second "
                "late.",
                hint="Name a direct connection to the same database in DBOSHUB_LISTEN_DSN.",
                id="dboshub.W005",
            )
        return
    is_direct = bool(django_settings.given_system_database_url())
    looks_pooled = given.get("DISABLE_SERVER_SIDE_CURSORS") or str(given["PORT"]) == POOLERS_PORT
    if looks_pooled and not is_direct:
        yield Warning(
            f"DATABASES[{connection.alias!r}] seems to lead to a pooler such as PgBouncer, of "
            "which workers know nothing: they would prepare statements and LISTEN.",
            hint=hint,
            id="dboshub.W005",
        )
