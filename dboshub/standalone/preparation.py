"""What a dashboard needs before it serves: tables of its own, static files, an administrator."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor

from dboshub.standalone.static_collection import collect_static_files
from dboshub.workflows.django_settings import (
    data_dir,
    given_system_database_url,
    hub_database_url,
)
from dboshub.workflows.invocation import command

Say = Callable[[str], object]


def prepare(say: Say) -> None:
    """Make what is missing in the data directory and in the hub's own database.

    Raises CommandError where tables are missing in a database that is not the hub's own, or in a
    project that is not ours: those are made by `migrate` alone.
    """
    if not getattr(settings, "IS_STANDALONE", False):
        if missing := unapplied():
            raise CommandError(f"{_counted(missing)}: run `{command('migrate')}`.")
        return
    if _is_own():
        make_tables()
    elif missing := unapplied():
        raise CommandError(
            f"{_counted(missing)} of DBOS_SYSTEM_DATABASE_URL: run `{command('migrate')}` to "
            f"create the hub's tables in it, or `{command('dashboard', '--url', '…')}` to look at "
            "it without creating anything."
        )
    collect_static_files()
    call_command("ensure_admin", stdout=_Lines(say))


def make_tables() -> None:
    """Create or upgrade the tables of the hub in its own database."""
    connections[DEFAULT_DB_ALIAS].prepare_database()
    if unapplied():
        call_command("migrate", interactive=False, verbosity=0, skip_checks=True)


def prepare_for_other_database() -> None:
    """Make the file for what the hub keeps about the database of ``--sys-db-url``.

    Raises CommandError in a Django project, whose settings name its databases.
    """
    if not (hub_database_url() and given_system_database_url()):
        raise CommandError(
            "--sys-db-url works with the settings of DBOSHub alone: run `dboshub` without "
            "DJANGO_SETTINGS_MODULE and --settings."
        )
    make_tables()


def unapplied() -> list[str]:
    """Migrations that the hub's database lacks; nothing is written.

    Raises CommandError if the database cannot be read.
    """
    try:
        executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        raise CommandError(f"The hub's database cannot be read: {error}".rstrip()) from error
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def _is_own() -> bool:
    """Whether the default database is for the hub's tables: named as such, or the default file."""
    if hub_database_url():
        return True
    connection = connections[DEFAULT_DB_ALIAS]
    is_file = connection.vendor == "sqlite"
    return is_file and data_dir() in Path(str(connection.settings_dict["NAME"])).parents


def _counted(missing: list[str]) -> str:
    verb = "migration is" if len(missing) == 1 else "migrations are"
    return f"{len(missing)} {verb} not applied to the database"


class _Lines:
    """A text stream for Django's commands."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def write(self, text: str) -> None:
        self._say(text.rstrip("\n"))

    def flush(self) -> None:
        sys.stdout.flush()
