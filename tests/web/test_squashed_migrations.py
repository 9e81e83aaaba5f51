"""A database with some of the migrations that a later one replaces is refused, and not touched."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from dboshub.workflows.system_tables import APPS

pytestmark = pytest.mark.django_db

REPLACED = sorted(
    each
    for migration in MigrationLoader(None).disk_migrations.values()
    if migration.app_label in APPS
    for each in migration.replaces
)


def test_what_has_them_all_or_none_is_migrated() -> None:
    assert REPLACED
    call_command("migrate", verbosity=0)


@pytest.mark.parametrize(("app", "name"), REPLACED)
def test_what_lacks_one_is_told_what_to_do(app: str, name: str) -> None:
    MigrationRecorder(connection).record_unapplied(app, name)
    with pytest.raises(CommandError, match=rf"{app}\.{name}.* Run `migrate` of the version"):
        call_command("migrate", verbosity=0)
