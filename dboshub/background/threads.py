"""The background threads of a process that serves pages.

They start at the first request or with the ASGI application, and not in management commands.
"""

from __future__ import annotations

import os
import threading

from dboshub.background.bulk_jobs import start_bulk_job_thread
from dboshub.background.rollups import start_rollup_thread
from dboshub.exports.store import sweep_at_start

_lock = threading.Lock()
_started_in: int | None = None


def ensure_background_threads() -> None:
    """Start the threads once per process. A forked process has none of its parent's threads."""
    global _started_in
    if _started_in == os.getpid():
        return
    with _lock:
        if _started_in == os.getpid():
            return
        _started_in = os.getpid()
    start_rollup_thread()
    start_bulk_job_thread()
    sweep_at_start()
