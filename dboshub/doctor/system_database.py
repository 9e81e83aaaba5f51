"""Checks of the database that holds the workflows, on a connection that can only read."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator

import psycopg
from django.core.exceptions import ImproperlyConfigured

from dboshub.doctor.findings import Finding, note, ok, skipped, wrong
from dboshub.doctor.notifications import notifications
from dboshub.workflows.django_settings import (
    is_behind_pooler,
    system_database_url,
    system_schema,
)
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.invocation import command
from dboshub.workflows.selectors import database_health
from dboshub.workflows.selectors.executor_overview import ExecutorOverview, executor_overview
from dboshub.workflows.selectors.scope import EVERYTHING
from dboshub.workflows.storage.access import access_to_read
from dboshub.workflows.storage.connection_errors import reason_of
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.schema.state import VERSION, SchemaState
from dboshub.workflows.storage.sql import Session

# Further apart, times that different machines write mislead whoever compares them.
MAX_SKEW_MS = 1_000
SHOWN = 5
LATER = ("schema", "clock", "notifications", "executors")


def system_database() -> Iterator[Finding]:
    """Connect, then ask; what cannot be asked without a connection is named as skipped."""
    try:
        url = system_database_url()
        database = open_database(
            url,
            schema=system_schema(),
            pool_size=1,
            behind_pooler=is_behind_pooler(),
            access=access_to_read(url),
        )
        begun = time.monotonic()
        database.check_connection(create=False)
        took_ms = (time.monotonic() - begun) * 1_000
    except (DBOSException, ImproperlyConfigured) as error:
        says = error.message if isinstance(error, DBOSException) else str(error)
        yield wrong(
            "system database",
            says,
            "Check DBOS_SYSTEM_DATABASE_URL and the server. What is not there, "
            f"`{command('migrate')}` creates.",
        )
        for name in LATER:
            yield skipped(name, "the database cannot be asked")
        return
    try:
        yield from _ask(database, took_ms)
    except (psycopg.Error, sqlite3.Error, OSError) as error:
        yield wrong(
            "system database", reason_of(error), "See whether the role may read the tables."
        )
    finally:
        database.close()


def _ask(database: Database, took_ms: float) -> Iterator[Finding]:
    with database.reading() as session:
        server = database_health.server(session)
        replica = ", a replica that cannot be written to" if server.is_replica else ""
        yield ok(
            "system database",
            f"{server.vendor} {server.version}, {server.name}, connected in {took_ms:.0f} ms, "
            f"{server.trip_ms:.1f} ms a query{replica}",
        )
        yield from _schema(session, server.schema)
        yield _clock(server)
        yield from notifications(database, is_replica=server.is_replica)
        if server.schema.usable:
            yield from _executors(executor_overview(session, EVERYTHING, now=database_now(session)))


def _schema(session: Session, schema: SchemaState) -> Iterator[Finding]:
    try:
        schema.verify()
    except DBOSException as error:
        yield wrong("schema", error.message, f"Run `{command('migrate')}` on an empty database.")
        return
    missing = [each.name for each in database_health.expected(session) if not each.is_there]
    says = f"version {schema.version}"
    if schema.newer:
        yield note("schema", f"{says}, and this release knows {VERSION}", "Upgrade DBOSHub.")
    elif missing:
        yield note(
            "schema",
            f"{says} without {len(missing)} of its indexes: {', '.join(missing[:SHOWN])}",
            f"Run `{command('migrate_system_database')}`, or leave it to its application.",
        )
    else:
        yield ok("schema", says)
    if schema.missing_hub_tables:
        yield note(
            "hub tables",
            f"not beside the system tables: {', '.join(schema.missing_hub_tables)}",
            f"To run workers here, run `{command('migrate_system_database')}`. To look, none is "
            "needed.",
        )
    else:
        yield ok("hub tables", "all are there")


def _clock(server: database_health.Server) -> Finding:
    says = f"{server.apart_ms:,} ms {'ahead of' if server.skew_ms > 0 else 'behind'} this machine"
    if server.apart_ms > MAX_SKEW_MS + server.trip_ms:
        return wrong("clock", f"the database's is {says}", "Set both clocks by NTP.")
    return ok("clock", f"the database's is {says}")


def _executors(found: ExecutorOverview) -> Iterator[Finding]:
    live = [each for each in found.of(live=True) if each.executor.is_beating]
    if found.processes is None:
        yield note("executors", "unknown: only workers of DBOSHub say that they live")
    elif not live:
        yield note("executors", "none is alive", f"Start one: `{command('runworkers')}`.")
    else:
        counted: dict[str, int] = {}
        for each in live:
            name = f"{each.executor.application or 'any'} {each.executor.version or 'any version'}"
            counted[name] = counted.get(name, 0) + 1
        shown = [f"{count} of {name}" for name, count in sorted(counted.items())]
        yield ok("executors", f"{len(live)} alive: {', '.join(shown[:SHOWN])}")
    stranded = [
        f"{each.name} ({each.in_flight:,})"
        for each in found.versions
        if found.processes and each.name and each.in_flight and not each.executors
    ]
    if stranded:
        yield note(
            "versions",
            f"hold unfinished work that no live executor has: {', '.join(stranded[:SHOWN])}",
            "Start a worker of that version, or fork the work to another.",
        )
