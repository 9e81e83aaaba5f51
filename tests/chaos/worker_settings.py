"""The project's settings for the suite's processes: a lease short enough to outlast."""

from __future__ import annotations

import os

from dboshub.settings import *

DBOS_CONFIG = {
    "name": "chaos",
    "application_version": "1",
    "executor_lease_sec": float(os.environ["CHAOS_LEASE"]),
}
