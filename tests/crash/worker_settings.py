"""The project's settings, with a short lease to watch takeovers, and waits that leave memory."""

from __future__ import annotations

from dboshub.settings import *

DBOS_CONFIG = {
    "name": "dboshub",
    "executor_lease_sec": 3,
    "application_version": "crash",
    "suspend_after_sec": 0.05,
}
