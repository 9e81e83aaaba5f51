"""The project's settings, with a lease short enough to watch takeovers."""

from __future__ import annotations

from dboshub.settings import *

DBOS_CONFIG = {"name": "dboshub", "executor_lease_sec": 3, "application_version": "crash"}
