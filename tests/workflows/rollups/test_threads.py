"""The thread that keeps the rollups: it outlives errors, and hands the lease on when it stops."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import DatabaseError

from dboshub.background import rollups
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import Lease, QueueSample, RolledSpan
from dboshub.workflows.rollups.lease import LeaseHandle, LeaseLostError
from dboshub.workflows.rollups.maintenance import RECOUNTED_MINUTES
from tests.support.eventually import eventually
from tests.support.runs import add_workflow


def thread() -> threading.Thread | None:
    return next((each for each in threading.enumerate() if each.name == "dboshub-rollups"), None)


@pytest.mark.django_db(transaction=True)
def test_errors_do_not_end_it_and_a_stop_hands_the_lease_on(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [DatabaseError("not migrated"), LeaseLostError("rollups"), RuntimeError("odd")]
    turned = threading.Event()

    class Work:
        lease = LeaseHandle("rollups", "me")

        def run_once(self) -> float:
            if errors:
                raise errors.pop()
            assert self.lease.take(now_ms())
            turned.set()
            return 60.0

    settings.DBOSHUB_ROLLUPS = True
    monkeypatch.setattr(rollups, "new_maintainer", Work)
    monkeypatch.setattr(rollups, "RETRY_S", 0.0)
    stop = rollups.start_rollup_thread()
    try:
        assert turned.wait(30)
    finally:
        stop()
    eventually(lambda: thread() is None)
    assert (Lease.objects.get().owner, Lease.objects.get().until) == ("me", 0)


@pytest.mark.django_db
def test_a_process_that_is_told_not_to_takes_no_part() -> None:
    rollups.start_rollup_thread()
    assert thread() is None


@pytest.mark.django_db
def test_a_run_of_the_real_maintainer_counts_minutes_and_samples_busy_queues() -> None:
    at = now_ms() - 90_000
    with atomic() as session:
        for queue, status in (("mail", "ENQUEUED"), ("mail", "PENDING"), ("web", "PENDING")):
            times = {"created_at": at, "updated_at": at}
            add_workflow(session, f"{queue}-{status}", status, queue_name=queue, **times)
    rollups.new_maintainer().run_once()
    mail, web = QueueSample.objects.order_by("queue")
    assert (mail.queue, mail.waiting, mail.running) == ("mail", 1, 1)
    assert mail.oldest_ms is not None
    # The clocks of this process and the database can differ by some milliseconds.
    assert mail.oldest_ms >= 89_900
    assert (web.queue, web.waiting, web.running, web.oldest_ms) == ("web", 0, 1, None)
    assert RolledSpan.objects.count() == RECOUNTED_MINUTES + 1
