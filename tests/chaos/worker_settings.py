"""The project's settings for the suite's processes: a short lease, and waits that leave memory."""

from __future__ import annotations

import os

from dboshub.settings import *

DBOS_CONFIG = {
    "name": "chaos",
    "application_version": "1",
    "executor_lease_sec": float(os.environ["CHAOS_LEASE"]),
    "suspend_after_sec": 0.1,
}
