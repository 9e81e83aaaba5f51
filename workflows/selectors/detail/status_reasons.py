"""Why a workflow is in its state, in words: what executors say, else what the tables show.

Inference is worded as such; nothing is claimed that no row supports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.rendering.time_format import duration
from dboshub.workflows.selectors.detail.steps import GET_EVENT, RECV, SLEEP, StepRow
from dboshub.workflows.selectors.executors import Activity, Executor, executors, fitting
from dboshub.workflows.selectors.queue_wait import QueueWait, queue_state
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.rows import row as find
from dboshub.workflows.statuses import look
from dboshub.workflows.storage.sql import Session, Statement


@dataclass(frozen=True, slots=True)
class Reason:
    """`until` is when the state ends by itself; `advice` what a person can do about it;
    `is_said` that an executor says so."""

    text: str
    until: int | None = None
    advice: str = ""
    is_trouble: bool = False
    is_wait: bool = False
    since: int | None = None
    is_said: bool = False


OWNER = Statement(
    """
    SELECT row.owner_xid, CASE WHEN row.inputs IS NOT NULL OR EXISTS (
        SELECT 1 FROM {workflow_input} AS given WHERE given.workflow_uuid = row.workflow_uuid
    ) THEN 1 ELSE 0 END
    FROM {workflow_status} AS row
    WHERE row.workflow_uuid = :id
    """
)


def reason(session: Session, row: WorkflowRow, last: Sequence[StepRow], *, now: int) -> Reason:
    """At most six statements for a workflow in flight, none for one that has ended."""
    match row.status:
        case "PENDING":
            return _running(session, row, last, now)
        case "ENQUEUED":
            return _enqueued(session, row, now)
        case "DELAYED":
            return _delayed(row)
        case _:
            return _ended(row, last)


def _ended(row: WorkflowRow, last: Sequence[StepRow]) -> Reason:
    after = after_step(last)
    match row.status:
        case "SUCCESS":
            took = f" after {duration(row.duration_ms)}" if row.duration_ms is not None else ""
            return Reason(f"Returned a value{took}.")
        case "ERROR":
            failed = f"{after}, which failed" if last and last[0].is_failed else after
            return Reason(
                f"Raised an error {failed}.",
                advice="Fork it from a step once the cause is gone; a failed run is not resumed.",
                is_trouble=True,
            )
        case "CANCELLED":
            return Reason(
                f"Stopped {after}.", advice="Resume goes on from its first unrecorded step."
            )
        case "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
            return Reason(
                f"Given up {after}: started {row.recovery_attempts or 0} times, each time its "
                "executor ended before it could finish.",
                advice="Find out what ends them, then resume: that counts from zero again.",
                is_trouble=True,
            )
    return Reason(f"This release does not know the status {row.status}.")


def _delayed(row: WorkflowRow) -> Reason:
    queue = f" on the queue {row.queue_name}" if row.queue_name else ""
    return Reason(f"Delayed; it is enqueued{queue}", until=row.delay_until_epoch_ms, is_wait=True)


def _enqueued(session: Session, row: WorkflowRow, now: int) -> Reason:
    state = queue_state(session, row, now)
    found = executors(session, now) if state.paused_reason is None else None
    return waiting(row, state, found)


def waiting(row: WorkflowRow, state: QueueWait, found: list[Executor] | None) -> Reason:
    """Why an enqueued workflow has not started, from what was read of its queue and executors."""
    if state.paused_reason is not None:
        because = f": {state.paused_reason.rstrip('.')}." if state.paused_reason else "."
        return Reason(
            f"Enqueued; the queue {row.queue_name} is paused{because}",
            advice="It starts when the queue is resumed.",
            is_trouble=True,
        )
    return _no_executor(found, row) or _waiting_in_queue(row, state)


def _no_executor(found: list[Executor] | None, row: WorkflowRow) -> Reason | None:
    """Why no process could start it; None if one could, or if no table tells."""
    if found is None:
        return None
    beating = [each for each in found if each.is_beating]
    fit = fitting(found, row)
    serving = [each for each in fit if each.serves(row.queue_name)]
    knowing = [each for each in serving if each.knows(row.name)]
    if knowing:
        return None
    version = row.application_version
    of = f" of {row.application_name}" if row.application_name else ""
    if not beating:
        text, advice = "no live executor is registered", "Start one: manage.py runworkers"
    elif not fit and version:
        text = f"no live executor{of} for version {version}"
        advice = "Start one of that version, or fork it onto a newer version."
    elif not fit:
        text, advice = f"no live executor{of}", "Start one of that application."
    elif not serving:
        text = f"no live executor serves the queue {row.queue_name}"
        advice = "Start one for it, or resume it onto another queue."
    else:
        text = f"no live executor knows a workflow named {row.name}"
        advice = "Its code may have been renamed; fork it onto a version that has it."
    # An executor of another program may share the database without being in our table.
    return Reason(f"Enqueued, {text}.", advice=advice, is_trouble=True)


def _waiting_in_queue(row: WorkflowRow, state: QueueWait) -> Reason:
    queue = "to be recovered" if row.queue_name == INTERNAL_QUEUE else f"on {row.queue_name}"
    if state.limit:
        return Reason(f"Enqueued {queue}; {state.limit}.", is_wait=True)
    if state.ahead:
        return Reason(f"Enqueued {queue}, {state.ahead} ahead of it.", is_wait=True)
    return Reason(f"Enqueued {queue}, next in line.", is_wait=True)


def _running(session: Session, row: WorkflowRow, last: Sequence[StepRow], now: int) -> Reason:
    owner = session.one(OWNER, id=row.pk)
    if owner is not None and not owner[1]:
        return Reason(
            "Its input is missing, so no executor can run it.",
            advice="Delete it, or start it again with the same arguments.",
            is_trouble=True,
        )
    holder = _holder(executors(session, now) or [], owner[0] if owner else None)
    if holder is not None and not holder.is_beating:
        return Reason(
            f"Its executor {holder.executor_id} ({holder.host}) has not been heard of for "
            f"{duration(now - holder.last_beat_at)}.",
            advice="A live executor of its version takes it over when the lease has run out.",
            is_trouble=True,
        )
    said = holder.activity_of(row.pk) if holder is not None else None
    return _said(said, last) or _inferred(session, last, now)


def _holder(found: list[Executor], owner: str | None) -> Executor | None:
    """The executor whose token the row carries: hub:<incarnation>:<number>."""
    parts = (owner or "").split(":")
    if len(parts) < 3 or parts[0] != "hub":
        return None
    return next((each for each in found if each.incarnation == parts[1]), None)


def _said(said: Activity | None, last: Sequence[StepRow]) -> Reason | None:
    """What its executor says, unless more was recorded since it said so."""
    text = "" if said is None or _is_over(said, last) else activity_text(said)
    if said is None or not text:
        return None
    is_wait = said.kind != "step"
    return Reason(text, until=said.until, is_wait=is_wait, since=said.since, is_said=True)


def _is_over(said: Activity, last: Sequence[StepRow]) -> bool:
    """Whether the tables hold the end of it already."""
    recorded = last[0].function_id if last else 0
    if said.step != recorded:
        return said.step < recorded
    # A sleep is recorded ahead, and so is the timeout of a wait: behind the wait's own step.
    waited = last[1:2] and last[1].name in (RECV, GET_EVENT)
    is_timeout_of_past = waited and last[1].function_id == recorded - 1
    return bool(last) and (last[0].name != SLEEP or bool(is_timeout_of_past))


def activity_text(said: Activity) -> str:
    """What an executor says it does; nothing for a kind this release does not know."""
    match said.kind:
        case "step":
            return f"Running step {said.step} ({said.name})."
        case "retry":
            return f"Waiting to try step {said.step} ({said.name}) again"
        case "sleep":
            return "Sleeping"
        case "message":
            return f"Waiting for a message{f' on the topic {said.name}' if said.name else ''}"
        case "event" | "stream":
            return f"Waiting for the {said.kind} {said.name} of {said.of}"
        case "result":
            return f"Waiting for the result of {said.of}"
        case "first":
            return f"Waiting for the first of {said.name} workflows"
    return ""


def _inferred(session: Session, last: Sequence[StepRow], now: int) -> Reason:
    """What the last recorded steps of a running workflow suggest it does."""
    if not last:
        return Reason("Running; no step is recorded yet.")
    step = last[0]
    wakes = step.completed_at or 0
    before = last[1].function_id if len(last) > 1 else 0
    if step.name == SLEEP and (step.function_id - before > 1 or wakes > now):
        is_gap = step.function_id - before > 1
        text = "Waiting for a message or event" if is_gap else "Sleeping"
        return Reason(text, until=wakes, is_wait=True, since=step.started_at)
    child = find(session, step.child_id) if step.starts_child and step.child_id else None
    if child is not None and not child.is_final:
        state = look(child.status).word.lower()
        text = f"Running, {after_step(last)}, a child that is {state}."
        return Reason(text, since=step.completed_at)
    return Reason(f"Running, {after_step(last)}.", since=step.completed_at)


def after_step(last: Sequence[StepRow]) -> str:
    """`after step 4 (charge)`; the timeout beside a wait is part of that wait's step."""
    if not last:
        return "before its first step"
    step = last[0]
    if step.name == SLEEP and len(last) > 1 and last[1].name in (RECV, GET_EVENT):
        step = last[1]
    return f"after step {step.function_id} ({step.name})"
