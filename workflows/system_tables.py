"""Names and creation of the system tables, for models and migrations."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils.connection import ConnectionDoesNotExist

from dboshub.workflows.connection import session_on, system_alias, system_dialect
from dboshub.workflows.django_sqlite.base import DatabaseWrapper as SqliteWrapper
from dboshub.workflows.storage.schema.errors import SchemaError
from dboshub.workflows.storage.schema.migrate import migrate_in
from dboshub.workflows.storage.schema.state import read_state

APPS = ("dboshub", "dboshub_workflows", "dboshub_queues", "dboshub_schedules")


def system_table(name: str) -> str:
    """``db_table`` of a system table: in its schema on PostgreSQL, a bare name on SQLite."""
    try:
        vendor = connections[system_alias()].vendor
    except ConnectionDoesNotExist:
        return name  # a system check says so
    return system_dialect(vendor).table(name) if vendor == "postgresql" else name


def make_system_tables(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Create schema 125, or adopt an existing one, in the transaction of the migration."""
    migrate_in(session_on(editor.connection.alias))


def adopt_database(using: str, **_signal: Any) -> None:
    """Check a database before it is migrated: one that is refused was not touched at all."""
    _refuse_unusable_tables(using)
    connection = connections[using]
    _refuse_some_of_replaced(connection)
    if isinstance(connection, SqliteWrapper):
        connection.adopt()


def _refuse_unusable_tables(using: str) -> None:
    """Refuse an unusable schema before any migration runs. Raises CommandError."""
    if using != system_alias():
        return
    state = read_state(session_on(using))
    try:
        if not state.empty:
            state.verify()
    except SchemaError as error:
        raise CommandError(error.message) from error


def _refuse_some_of_replaced(connection: BaseDatabaseWrapper) -> None:
    """Refuse a database with some of the migrations that one of ours replaces.

    Django would take that one for applied, and the tables of the others would be missing.
    """
    applied = MigrationRecorder(connection).applied_migrations()
    for migration in MigrationLoader(None).disk_migrations.values():
        missing = [each for each in migration.replaces if each not in applied]
        if migration.app_label in APPS and 0 < len(missing) < len(migration.replaces):
            app, name = missing[0]
            raise CommandError(
                f"The database {connection.alias} was migrated by an unfinished DBOSHub: it lacks "
                f"{app}.{name}, which {migration.name} replaces. Run `migrate` of the version that "
                "follows the one that made it, or make a new database."
            )
