"""Migrate, collect the static files and make an administrator, in one process."""

from __future__ import annotations

import django
from django.core.management import call_command
from django.db import connection

from dboshub.standalone.static_collection import collect_static_files

if __name__ == "__main__":
    django.setup()
    connection.prepare_database()
    call_command("migrate", verbosity=0, skip_checks=True)
    collect_static_files()
    call_command("ensure_admin")
    # A file that nobody has open is whole, and may be copied.
    connection.close()
