"""Working on bulk jobs from within a process that is there anyway: the web server, or a worker."""

from __future__ import annotations

from dboshub import env
from dboshub.workflows.bulk import worker


def start_bulk_job_thread() -> None:
    """Take part in it until the process ends, unless it is told not to."""
    if env.flag("DBOSHUB_BULK", True):
        worker.start()
