"""Whether the databases of a command answer and have their tables, asked before it does anything.

Nothing is created: not the file of a SQLite database either.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import psycopg
from django.core.management.base import CommandError
from django.db import Error, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from dboshub.web.outages import NOT_MIGRATED, outage_of
from dboshub.workflows.connection import session_on, system_alias
from dboshub.workflows.invocation import command
from dboshub.workflows.models import AuditEvent
from dboshub.workflows.storage.connection_errors import REACH_TIMEOUT_S, cannot_connect, reason_of
from dboshub.workflows.storage.schema.errors import SchemaError, SchemaMissingError
from dboshub.workflows.storage.schema.state import read_state
from dboshub.workflows.system_tables import APPS


def require_databases(*, needs_hub: bool = True, runs_workflows: bool = False) -> None:
    """Raise CommandError unless the system database and the hub's answer and are migrated.

    A server that does not answer is given up after 2 s. `needs_hub` is false for who touches the
    system tables alone; who `runs_workflows` also needs the tables of executors beside them.
    """
    hub = router.db_for_read(AuditEvent) or "default"
    require_answer({hub, system_alias()} if needs_hub else {system_alias()})
    if needs_hub:
        _require_migrations(hub)
    _require_system_tables(runs_workflows=runs_workflows)


def require_answer(aliases: Iterable[str]) -> None:
    """Raise CommandError with place and reason for the first database that cannot be used."""
    for alias in sorted(aliases):
        connection = connections[alias]
        if connection.connection is not None:
            continue
        if connection.vendor == "postgresql":
            _reach_server(connection)
        elif connection.vendor == "sqlite":
            _find_file(connection)


def failure_of(error: BaseException) -> CommandError:
    """The sentence for a statement that the database refused or did not finish.

    Raises the error itself if it is no outage but a fault of the statement.
    """
    outage = outage_of(error)
    if outage is None:
        raise error
    if outage is NOT_MIGRATED:
        return CommandError(f"{outage.title} ({reason_of(error)}). Run `{command('migrate')}`.")
    return CommandError(f"{outage.title}: {reason_of(error)}.")


def _reach_server(connection: BaseDatabaseWrapper) -> None:
    """Connect beside Django's pool, which would wait until its own timeout."""
    parameters = connection.get_connection_params()
    timeout = int(parameters.get("connect_timeout") or REACH_TIMEOUT_S)
    try:
        psycopg.connect(**parameters | {"connect_timeout": timeout}).close()
    except psycopg.Error as error:
        sentence = cannot_connect(parameters, error, timeout=timeout).message
        raise CommandError(f"{sentence}.") from None


def _find_file(connection: BaseDatabaseWrapper) -> None:
    """Look for the file before SQLite creates an empty one."""
    name = str(connection.settings_dict["NAME"])
    is_file = name != ":memory:" and not name.startswith("file:")
    if is_file and not Path(name).exists():
        raise CommandError(
            f"Cannot connect to SQLite database {name}: there is no such file. "
            f"{_advice(connection.alias)}"
        )
    try:
        connection.ensure_connection()
        connection.cursor().execute("SELECT count(*) FROM sqlite_master").fetchone()
    except Error as error:
        connection.close()
        raise CommandError(
            f"Cannot connect to SQLite database {name}: {reason_of(error)}."
        ) from None


def _require_migrations(alias: str) -> None:
    applied = MigrationLoader(connections[alias], ignore_no_migrations=True)
    missing = [
        f"{app}.{name}"
        for app, name in sorted(applied.disk_migrations)
        if app in APPS and (app, name) not in applied.applied_migrations
    ]
    if not missing:
        return
    shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    raise CommandError(f"The database lacks the migrations {shown}. {_advice(alias)}")


def _require_system_tables(*, runs_workflows: bool) -> None:
    alias = system_alias()
    state = read_state(session_on(alias))
    try:
        state.verify()
    except SchemaMissingError:
        raise CommandError(
            f"There are no system tables in {state.place}. {_advice(alias)}"
        ) from None
    except SchemaError as error:
        raise CommandError(error.message) from None
    if runs_workflows and state.missing_hub_tables:
        missing = ", ".join(state.missing_hub_tables)
        raise CommandError(f"The database lacks the tables {missing}. {_advice(alias)}")


def _advice(alias: str) -> str:
    words = ["migrate"] if alias == "default" else ["migrate", "--database", alias]
    return f"Run `{command(*words)}`."
