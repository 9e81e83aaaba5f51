"""Maintains the rollups in a thread of a web or worker process.

The thread has its own connections, so it delays neither pages nor steps.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from django.db import DatabaseError, connections

from dboshub.queues.selectors.busy_queues import busy_depths
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.django_settings import counts_rollups
from dboshub.workflows.engine.background import BackgroundLoop
from dboshub.workflows.models import QueueSample
from dboshub.workflows.models.rollups import MAX_NAME_LENGTH, MINUTE
from dboshub.workflows.rollups.lease import LeaseHandle, LeaseLostError
from dboshub.workflows.rollups.maintenance import RollupMaintainer
from dboshub.workflows.storage.sql import Session, Statement
from dboshub.workflows.storage.stored_values import LARGEST

STATEMENT_LIMIT_MS = 60_000
RETRY_S = 60.0
# Counting uses one core, and memory instead of temporary files. JIT compilation of its long
# expressions would take longer than running them.
BACKGROUND_SETTINGS = Statement("""
    SELECT set_config('max_parallel_workers_per_gather', '0', true),
        set_config('work_mem', '32MB', true), set_config('jit', 'off', true)
""")


def start_rollup_thread() -> Callable[[], object]:
    """Start the thread, unless DBOSHUB_ROLLUPS is off; return what stops it, without waiting."""
    if not counts_rollups():
        return lambda: None
    work = new_maintainer()
    loop = BackgroundLoop(
        "rollups",
        "Counting for the charts",
        lambda: _turn(work),
        after_turn=connections.close_all,
        longest_pause_s=RETRY_S,
    )
    threading.Thread(target=_run, args=(loop, work), name="dboshub-rollups", daemon=True).start()
    return partial(loop.stop, timeout=0)


def new_maintainer() -> RollupMaintainer:
    """A maintainer with a unique owner."""
    lease = LeaseHandle("rollups", secrets.token_hex(16))
    return RollupMaintainer(lease, background_reading, samples)


@contextmanager
def background_reading() -> Iterator[Session]:
    """A session whose statements may take STATEMENT_LIMIT_MS, with limited resources."""
    with bounded_reading(STATEMENT_LIMIT_MS) as session:
        if session.vendor == "postgresql":
            session.one(BACKGROUND_SETTINGS)
        yield session


def samples(session: Session, now: int) -> Iterator[QueueSample]:
    """A sample of each busy queue for this minute."""
    for name, depth in busy_depths(session, now):
        if len(name) > MAX_NAME_LENGTH:
            continue
        yield QueueSample(
            width=MINUTE,
            at=now // MINUTE * MINUTE,
            queue=name,
            waiting=depth.waiting.number,
            running=depth.running.number,
            is_at_least=depth.waiting.at_least or depth.running.at_least,
            oldest_ms=None if depth.oldest_at is None else _age(now - depth.oldest_at),
        )


def _age(ms: int) -> int:
    """As its column holds it: a row may say that it is older than any clock."""
    return max(0, min(ms, LARGEST))


def _turn(work: RollupMaintainer) -> float:
    try:
        return work.run_once()
    except LeaseLostError:
        return 0.0


def _run(loop: BackgroundLoop, work: RollupMaintainer) -> None:
    loop.run()
    with suppress(DatabaseError):
        work.lease.release()
    connections.close_all()
