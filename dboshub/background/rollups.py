"""Keeping the rollups from within a process that is there anyway: the web server, or a worker.

It has a thread and connections of its own: what it does delays no page and no step.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import DatabaseError, connections

from dboshub.queues.selectors.busy_queues import busy_depths
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.django_settings import counts_rollups
from dboshub.workflows.models import QueueSample
from dboshub.workflows.models.rollups import MINUTE
from dboshub.workflows.rollups.lease import LeaseHandle, LeaseLostError
from dboshub.workflows.rollups.maintenance import RollupMaintainer
from dboshub.workflows.storage.sql import Session, Statement

logger = logging.getLogger(__name__)

STATEMENT_LIMIT_MS = 60_000
RETRY_S = 60.0
# What counts in the background takes one core, and memory rather than the disk; compiling its
# long expressions would take longer than running them.
BACKGROUND_SETTINGS = Statement("""
    SELECT set_config('max_parallel_workers_per_gather', '0', true),
        set_config('work_mem', '32MB', true), set_config('jit', 'off', true)
""")


def start_rollup_thread() -> threading.Event:
    """Take part in keeping them, unless settings say no, until the event is set."""
    stop = threading.Event()
    if counts_rollups():
        threading.Thread(target=_keep, args=(stop,), name="dboshub-rollups", daemon=True).start()
    return stop


def keeper() -> RollupMaintainer:
    """A keeper with an owner of its own."""
    lease = LeaseHandle("rollups", secrets.token_hex(16))
    return RollupMaintainer(lease, background_reading, samples)


@contextmanager
def background_reading() -> Iterator[Session]:
    """A session whose statements may take a while, but not the machine."""
    with bounded_reading(STATEMENT_LIMIT_MS) as session:
        if session.vendor == "postgresql":
            session.one(BACKGROUND_SETTINGS)
        yield session


def samples(session: Session, now: int) -> Iterator[QueueSample]:
    """How every busy queue stands at this minute."""
    for name, depth in busy_depths(session, now):
        yield QueueSample(
            width=MINUTE,
            at=now // MINUTE * MINUTE,
            queue=name,
            waiting=depth.waiting.number,
            running=depth.running.number,
            is_at_least=depth.waiting.at_least or depth.running.at_least,
            oldest_ms=None if depth.oldest_at is None else max(0, now - depth.oldest_at),
        )


def _keep(stop: threading.Event) -> None:
    work, wait, is_well = keeper(), 0.0, True
    while not stop.wait(wait):
        wait = RETRY_S
        try:
            wait, is_well = work.run_once(), True
        except LeaseLostError:
            wait = 0.0
        except DatabaseError as error:
            # Said once: a database that is not migrated yet stays so for a while.
            if is_well:
                logger.warning("rollups wait: %s", str(error).split("\n", 1)[0])
            is_well = False
        except Exception:
            logger.exception("rollups.failed")
        finally:
            connections.close_all()
    with suppress(DatabaseError):
        work.lease.release()
    connections.close_all()
