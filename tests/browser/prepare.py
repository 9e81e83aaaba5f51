"""Migrate, collect the static files and make an administrator, in one process."""

from __future__ import annotations

import django
from django.core.management import call_command
from django.db import connection

if __name__ == "__main__":
    django.setup()
    connection.prepare_database()
    call_command("migrate", verbosity=0, skip_checks=True)
    call_command("collectstatic", interactive=False, verbosity=0, skip_checks=True)
    call_command("ensure_admin")
