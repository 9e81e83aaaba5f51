"""Working on bulk jobs from within a process that is there anyway: the web server, or a worker."""

from __future__ import annotations

from dboshub.workflows.bulk import worker
from dboshub.workflows.django_settings import works_on_bulk_jobs


def start_bulk_job_thread() -> None:
    """Take part in it until the process ends, unless it is told not to."""
    if works_on_bulk_jobs():
        worker.start_worker()
