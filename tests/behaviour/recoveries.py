"""Recovery on request, attempts that are counted, and dead letters."""

from __future__ import annotations

import threading
from typing import Any

from tests.behaviour.cases import DBOS, behaviour, library, raised

HAS_BEGUN, MAY_END = threading.Semaphore(0), threading.Event()


@DBOS.step()
def recoveries_step() -> int:
    return 1


@DBOS.workflow(max_recovery_attempts=2)
def recoveries_limited() -> str:
    recoveries_step()
    HAS_BEGUN.release()
    MAY_END.wait(30)
    return "ended"


def _attempt() -> int:
    """Wait until an attempt has begun; returns how many are counted."""
    assert HAS_BEGUN.acquire(timeout=30)
    attempts: int = DBOS.get_workflow_status("dead letter").recovery_attempts
    return attempts


def _told(handle: Any) -> list[Any]:
    status = handle.get_status()
    return [status.status, status.recovery_attempts, status.queue_name]


@behaviour(
    [
        [1, 2, 3],
        "DBOSAwaitedWorkflowMaxRecoveryAttemptsExceeded",
        ["MAX_RECOVERY_ATTEMPTS_EXCEEDED", 4, None],
        [],
        "DBOSAwaitedWorkflowMaxRecoveryAttemptsExceeded",
        [1, "ended"],
        ["SUCCESS", 1, "_dbos_internal_queue"],
        "ended",
    ]
)
def a_workflow_that_is_recovered_too_often_is_a_dead_letter() -> list[Any]:
    MAY_END.clear()
    with library.SetWorkflowID("dead letter"):
        handle = DBOS.start_workflow(recoveries_limited)
    attempts = [_attempt()]
    for _ in range(2):
        DBOS._recover_pending_workflows()
        attempts.append(_attempt())
    DBOS._recover_pending_workflows()
    dead = DBOS.retrieve_workflow("dead letter")
    found = [attempts, raised(dead.get_result), _told(dead)]
    found.append([each.workflow_id for each in DBOS._recover_pending_workflows()])
    with library.SetWorkflowID("dead letter"):
        found.append(raised(DBOS.start_workflow(recoveries_limited).get_result))
    resumed = DBOS.resume_workflow("dead letter")
    again = _attempt()
    MAY_END.set()
    found += [[again, resumed.get_result()], _told(dead), handle.get_result()]
    return found
