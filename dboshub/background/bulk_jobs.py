"""Runs the worker of bulk jobs in a thread of a web or worker process."""

from __future__ import annotations

from dboshub.workflows.bulk import worker
from dboshub.workflows.django_settings import works_on_bulk_jobs


def start_bulk_job_thread() -> None:
    """Start the thread, unless DBOSHUB_BULK is off."""
    if works_on_bulk_jobs():
        worker.start_worker()
