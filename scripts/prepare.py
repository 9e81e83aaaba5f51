"""What a dashboard and a worker of a checkout need before they start, made in one process."""

from __future__ import annotations

import sys

from dboshub.standalone.command_line import execute
from dboshub.standalone.static_collection import collect_static_files
from dboshub.workflows.django_settings import hub_database_url


def prepare() -> None:
    """Migrate, collect static files and make an administrator.

    The first that fails says why and raises SystemExit.
    """
    _manage("migrate", "--no-input", "--verbosity", "0")
    if hub_database_url():
        _manage("migrate_system_database")
    collect_static_files()
    _manage("ensure_admin")


def _manage(*words: str) -> None:
    # Checks and advice ask which command it is.
    sys.argv[:] = ["manage.py", *words]
    execute(words, program="manage.py")


if __name__ == "__main__":
    prepare()
