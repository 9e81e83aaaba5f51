"""Create or upgrade a system database. ``migrate`` does this for the hub's own database."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from dboshub.management.terminal import TerminalCommand, argument, schema, url
from dboshub.runtime.schema_migration import run_dbos_database_migrations
from dboshub.workflows.django_settings import system_database_url
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.database_urls import mask_password
from dboshub.workflows.storage.schema.grants import grants
from dboshub.workflows.storage.schema.migrate import creation


class Command(TerminalCommand):
    help = (
        "Create the system tables of a database, or add what they lack, and let a role use them. "
        "Without --url: the database that DBOS_SYSTEM_DATABASE_URL names."
    )
    arguments = (
        url,
        schema,
        argument("-r", "--app-role", help="PostgreSQL role that may use the tables"),
        argument("--print-sql", action="store_true", help="show the SQL and do nothing"),
    )

    def needs_databases(self, **options: Any) -> bool:
        return False

    def run_subcommand(self, **options: Any) -> Any:
        target = options["url"] or system_database_url()
        role = options["app_role"]
        if options["print_sql"]:
            return _script(target, options["schema"], role)
        run_dbos_database_migrations(target, schema=options["schema"], application_role=role)
        return {"migrated": mask_password(target), "role": role}


def _script(target: str, schema: str, role: str | None) -> str:
    dialect = open_database(target, schema=schema).dialect
    if role and dialect.vendor == "sqlite":
        raise CommandError("--app-role is for PostgreSQL: SQLite has no roles.")
    return creation(dialect) + (f"\n{grants(schema, role)}" if role else "")
