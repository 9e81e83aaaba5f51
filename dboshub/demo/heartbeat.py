"""A scheduled workflow: every half minute, note how the machine is doing."""

from __future__ import annotations

import os
import shutil
from datetime import datetime

from dboshub import DBOS
from dboshub.demo.ledger import directory


@DBOS.step()
def look_around() -> dict[str, float]:
    usage = shutil.disk_usage(directory())
    return {
        "load": os.getloadavg()[0],
        "disk_used_percent": round(100 * usage.used / usage.total, 1),
    }


@DBOS.scheduled("*/30 * * * * *")
@DBOS.workflow()
def heartbeat(scheduled_at: datetime, started_at: datetime) -> dict[str, float]:
    """Record load and disk; `scheduled_at` is the tick, `started_at` when it was noticed."""
    seen = look_around()
    return seen | {"late_by_s": round((started_at - scheduled_at).total_seconds(), 3)}
