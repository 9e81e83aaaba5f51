"""Checks of the database that holds accounts, the audit log and the hub's other tables."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, Error, connections, router
from django.db.migrations.executor import MigrationExecutor

from dboshub.doctor.findings import Finding, ok, wrong
from dboshub.management.readiness import require_answer
from dboshub.workflows.invocation import command
from dboshub.workflows.models import AuditEvent

SHOWN = 3


def hub_database() -> Iterator[Finding]:
    alias = router.db_for_read(AuditEvent) or DEFAULT_DB_ALIAS
    try:
        require_answer([alias])
        executor = MigrationExecutor(connections[alias])
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (CommandError, Error) as error:
        says = str(error).strip().splitlines()[0]
        yield wrong("hub database", says, f"Mend the connection, then `{command('migrate')}`.")
        return
    finally:
        connections[alias].close()
    yield ok("hub database", _place(alias))
    missing = [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        yield wrong(
            "migrations",
            f"not applied: {', '.join(missing[:SHOWN])}{more}",
            f"Run `{command('migrate')}`.",
        )
    else:
        yield ok("migrations", "all are applied")


def _place(alias: str) -> str:
    connection = connections[alias]
    given = connection.settings_dict
    host = f" on {given['HOST'] or 'the local socket'}" if connection.vendor != "sqlite" else ""
    return f"{connection.display_name}, {given['NAME']}{host}"
