"""A data directory as `dboshub dashboard` leaves one, to be copied: made anew it takes a second."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from dboshub.standalone.dashboard_options import SCHEMA, hub_file
from dboshub.standalone.foreign_database import ForeignDatabase
from dboshub.workflows.storage.database import open_database

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"
HUB, SYSTEM = "hub.sqlite3", "system.sqlite3"
PREPARE = """
import os
import django
django.setup()

from django.db import connections
from dboshub.standalone.preparation import prepare
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.schema.migrate import migrate

system = open_database(os.environ["DBOS_SYSTEM_DATABASE_URL"])
migrate(system)
system.close()
prepare(print)
# A file that nobody has open is whole, and may be copied.
connections.close_all()
"""


def make(folder: Path) -> None:
    """Fill a folder with static files, accounts and a system database that nobody needs."""
    given = {
        "DJANGO_SETTINGS_MODULE": "dboshub.settings",
        "DBOSHUB_DATA_DIR": str(folder),
        "DBOSHUB_DATABASE_URL": f"sqlite:///{folder / HUB}",
        "DBOS_SYSTEM_DATABASE_URL": f"sqlite:///{folder / SYSTEM}",
        "DBOSHUB_ADMIN_PASSWORD": PASSWORD,
    }
    done = subprocess.run(
        [sys.executable, "-c", PREPARE],
        cwd=ROOT,
        env=os.environ | given,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def copy(made: Path, data: Path, url: str) -> None:
    """Make `data` the directory of a dashboard that has been used on the database of a URL."""
    looked_at = ForeignDatabase(url, open_database(url), SCHEMA)
    file = hub_file(data, looked_at.identity, looked_at.name)
    file.parent.mkdir(parents=True)
    shutil.copy(made / HUB, file)
    (data / "static").symlink_to(made / "static")
