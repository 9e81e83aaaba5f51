"""The clock of this process. Statements use the database's: see ``storage.database_clock``."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
