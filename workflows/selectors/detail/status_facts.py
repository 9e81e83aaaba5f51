"""What explains the status of a workflow that runs: its executor, its activity, its open child.

Only facts: ``rendering.status_reasons`` puts them into words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dboshub.workflows.engine.membership.incarnations import incarnation_of
from dboshub.workflows.engine.suspension.records import WakeKey
from dboshub.workflows.selectors.detail.steps import GET_EVENT, RECV, SLEEP, StepRow
from dboshub.workflows.selectors.executors import Activity, Executor, owner_of
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.rows import row as find
from dboshub.workflows.selectors.tables import EXECUTORS, WAITS, has_table
from dboshub.workflows.storage.sql import Session, Statement

# The kinds of activity that this release can describe.
ACTIVITY_KINDS = frozenset(
    {"step", "retry", "sleep", "message", "event", "stream", "result", "first"}
)
TIMED_KINDS = ("message", "event")

OWNER = Statement(
    """
    SELECT row.owner_xid, CASE WHEN row.inputs IS NOT NULL OR EXISTS (
        SELECT 1 FROM {workflow_input} AS given WHERE given.workflow_uuid = row.workflow_uuid
    ) THEN 1 ELSE 0 END
    FROM {workflow_status} AS row
    WHERE row.workflow_uuid = :id
    """
)


MAX_WAKES = 100
WAKES = Statement(
    """
    SELECT kind, target, name
    FROM {dboshub_wait}
    WHERE workflow_uuid = :id AND created_at = :created_at
    ORDER BY kind, target, name
    LIMIT :most
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFacts:
    """What was read about one workflow; only the facts that its status calls for are set.

    Of a suspended one: `wakes`, what ends its wait beside time, at most MAX_WAKES. Of
    a running one: `has_input`, the `owner` whose token the row carries, the `activity` that this
    owner published unless more was recorded since, and the `open_child` of the last step. `is_lost`
    means that the owner has ended or is silent, `is_foreign` that it is another program's.
    """

    has_input: bool = True
    owner: Executor | None = None
    is_lost: bool = False
    is_foreign: bool = False
    activity: Activity | None = None
    open_child: WorkflowRow | None = None
    wakes: tuple[WakeKey, ...] = ()


def status_facts(
    session: Session, row: WorkflowRow, last: Sequence[StepRow], *, now: int
) -> StatusFacts:
    """At most four statements for one that runs or waits in its run; none otherwise.

    `last` are its last recorded steps, the last one first; `now` is the database's time.
    """
    if row.status == "PENDING":
        return _running(session, row, last, now)
    if row.is_suspended and has_table(session, WAITS):
        found = session.all(WAKES, id=row.pk, created_at=row.created_at, most=MAX_WAKES)
        return StatusFacts(wakes=tuple(WakeKey(*each) for each in found))
    return StatusFacts()


def _running(session: Session, row: WorkflowRow, last: Sequence[StepRow], now: int) -> StatusFacts:
    record = session.one(OWNER, id=row.pk)
    if record is not None and not record[1]:
        return StatusFacts(has_input=False)
    token = record[0] if record else None
    if incarnation_of(token or "") is None:
        is_known = has_table(session, EXECUTORS)
        return StatusFacts(is_foreign=is_known, open_child=_open_child(session, last))
    owner = owner_of(session, token, now)
    if owner is None or owner.has_ended or not owner.is_beating:
        return StatusFacts(owner=owner, is_lost=True)
    activity = owner.activity_of(row.pk)
    if activity is not None and activity.kind in ACTIVITY_KINDS and not _is_over(activity, last):
        return StatusFacts(owner=owner, activity=activity)
    return StatusFacts(owner=owner, open_child=_open_child(session, last))


def _is_over(activity: Activity, last: Sequence[StepRow]) -> bool:
    """Whether the end of an activity is recorded already."""
    recorded = last[0].function_id if last else 0
    if activity.step == recorded - 1 and activity.kind in TIMED_KINDS and last[0].name == SLEEP:
        # The timeout of a wait is recorded when the wait begins, after the wait's own number.
        return last[1:2] != () and last[1].function_id == activity.step
    if activity.step != recorded:
        return activity.step < recorded
    # A sleep is recorded when it begins. Older releases name the timeout's number for the wait.
    waited = last[1:2] and last[1].name in (RECV, GET_EVENT)
    is_timeout_of_past = waited and last[1].function_id == recorded - 1
    return bool(last) and (last[0].name != SLEEP or bool(is_timeout_of_past))


def _open_child(session: Session, last: Sequence[StepRow]) -> WorkflowRow | None:
    """The child that the last step started, unless it has ended."""
    step = last[0] if last else None
    if step is None or not step.starts_child or not step.child_id:
        return None
    child = find(session, step.child_id)
    return None if child is None or child.is_final else child
