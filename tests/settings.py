"""Settings of the test run: the project's own, on a database of the run's own.

`DBOSHUB_TEST_DATABASE=postgres` puts Django's database on a PostgreSQL the tests start; the table
names differ per database, so the tests marked django_db run once in each of two processes.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from tests.support.memory import scratch_root

DATA_DIR_OF_RUN = tempfile.mkdtemp(prefix="dboshub-test-", dir=scratch_root())
atexit.register(shutil.rmtree, DATA_DIR_OF_RUN, ignore_errors=True)
os.environ["DBOSHUB_DATA_DIR"] = DATA_DIR_OF_RUN
os.environ["DBOSHUB_DATABASE_POOL"] = "0"
os.environ["DBOSHUB_ROLLUPS"] = "0"
os.environ["DBOSHUB_BULK"] = "0"
for name in ("DBOS_SYSTEM_DATABASE_URL", "DBOSHUB_DATABASE_URL", "DBOSHUB_DEBUG"):
    os.environ.pop(name, None)

WANTED = os.environ.get("DBOSHUB_TEST_DATABASE", "sqlite")
if WANTED == "postgres":
    from tests.support.postgres import shared_server

    os.environ["DBOS_SYSTEM_DATABASE_URL"] = shared_server().url(f"dboshub_{os.getpid()}")
elif WANTED != "sqlite":
    raise RuntimeError(f"DBOSHUB_TEST_DATABASE is {WANTED!r}; write sqlite or postgres")

from dboshub.settings import *
from dboshub.settings import DATABASES, STORAGES

os.environ.pop("DBOS_SYSTEM_DATABASE_URL", None)

if WANTED == "postgres":
    # Django's flush sees only the search path; the system tables are in a schema of their own.
    DATABASES["default"]["ENGINE"] = "tests.support.django_postgres"
else:
    # A file, because sockets and worker threads bring connections of their own.
    DATABASES["default"]["TEST"] = {"NAME": f"{DATA_DIR_OF_RUN}/django.sqlite3"}

STORAGES = STORAGES | {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
