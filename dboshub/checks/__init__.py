"""System checks: what `manage.py check` says of DBOSHub in a project; see docs/embedding.md."""

from __future__ import annotations

from django.core.checks import Tags, register

from dboshub.checks.databases import check_settings, check_system_database
from dboshub.checks.live_databases import check_migrations, check_same_database
from dboshub.checks.pages import check_pages

OUR_TAG = "dboshub"
# What a command without pages requires: the checks of URLs import every page of the project.
OUR_CHECKS = [OUR_TAG]


def register_checks() -> None:
    """Add them to Django's; those of databases run only for databases that are asked for."""
    register(check_settings, OUR_TAG)
    register(check_system_database, OUR_TAG)
    register(check_pages, Tags.urls)
    register(check_migrations, Tags.database)
    register(check_same_database, Tags.database)
