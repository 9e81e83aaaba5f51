"""A queue whose claims fail pauses alone: the others are served, and somebody hears of it."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import pytest

from dboshub.queues.engine.ports import Claim
from dboshub.queues.engine.queue_state import QueueClaimState
from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.storage.store import QueueStore
from dboshub.workflows.engine import background
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Statement
from tests.queues.host import ThreadHost, dispatching
from tests.queues.rows import APP, VERSION, enqueue, refusing, run
from tests.queues.test_dispatcher import register
from tests.support.eventually import eventually

# Whatever one row makes a claim fail with, the driver raises it.
BREAK = refusing("PENDING", "not this row")
MEND = Statement(postgres="DROP TRIGGER refuse ON {workflow_status}", sqlite="DROP TRIGGER refuse")
WHAT = "Claiming from queue 'bad'"


@pytest.mark.parametrize("settings", [{}, {"concurrency": 1}], ids=["free", "limited"])
def test_a_queue_whose_claims_fail_pauses_alone(
    database: Database, settings: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    register(database, "bad", **settings)
    register(database, "good")
    run(database, BREAK)
    [held] = enqueue(database, "bad")
    host = ThreadHost(database)
    with dispatching(database, host, polling_interval=60) as dispatcher:
        eventually(lambda: failures() >= 2)
        for _ in range(3):
            wanted = enqueue(database, "good")
            dispatcher.wake("good")
            eventually(partial(host.started.__contains__, *wanted))
        assert "Claiming from queues" not in caplog.text
        assert caplog.text.count(f"{WHAT} fails") == 1
        run(database, MEND)
        eventually(lambda: held in host.started)
        eventually(lambda: not failures())


class LostReplies(QueueStore):
    """Claims whose first one is committed, and its reply lost."""

    is_lost = False

    def claim(self, *args: Any, **how: Any) -> Claim:
        found = super().claim(*args, **how)
        if found.workflows and not self.is_lost:
            self.is_lost = True
            raise ConnectionError("the reply was lost")
        return found


def test_what_a_lost_claim_has_taken_counts_against_the_limit(database: Database) -> None:
    register(database, "q", worker_concurrency=1)
    enqueue(database, "q", count=4)
    host = ThreadHost(database, body=lambda workflow: time.sleep(0.05))
    store = LostReplies(database, application=APP, version=VERSION, executor_id="local")
    with dispatching(database, host, store):
        eventually(lambda: len(host.started) == 4)
    assert store.is_lost
    assert host.most["q"] == 1


def test_no_wake_cuts_the_pause_of_a_failing_queue_short() -> None:
    state = QueueClaimState(QueueSettings(name="bad"))
    state.failed(OSError("not this row"), now=10.0)
    state.woken(10.01, is_local=True)
    assert not state.wants(10.05)
    assert state.wants(10.2)
    assert 10.05 < (state.next_claim_at() or 0) < 10.2


def failures() -> int:
    """How often in a row the claims of the bad queue have failed, as health shows it."""
    return sum(each.failures for each in background.failing() if each.what == WHAT)
