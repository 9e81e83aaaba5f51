"""Why a workflow has its status, in words: what its executor says, or what the tables show.

What is inferred is worded as an inference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dboshub.workflows.engine.suspension.records import EVENT, MESSAGE, RESULT, WakeKey
from dboshub.workflows.engine.waiting.notices import NULL_TOPIC
from dboshub.workflows.rendering.reason import Reason, why_it_waits
from dboshub.workflows.rendering.recovery import recovering
from dboshub.workflows.rendering.time_format import duration
from dboshub.workflows.selectors.detail.status_facts import StatusFacts, status_facts
from dboshub.workflows.selectors.detail.steps import GET_EVENT, RECV, SLEEP, StepRow
from dboshub.workflows.selectors.executors import Activity
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.statuses import status_style
from dboshub.workflows.storage.sql import Session


def reason(session: Session, row: WorkflowRow, last: Sequence[StepRow], *, now: int) -> Reason:
    """Why a workflow has its status. `last` are the last recorded steps, the last one first.

    `now` is the database's time.
    """
    if row.is_final:
        return _ended(row, last)
    if row.is_waiting and not row.is_suspended:
        return why_it_waits(session, row, now)
    facts = status_facts(session, row, last, now=now)
    if row.is_suspended:
        wakes = why_it_waits(session, row, now)
        return replace(_suspended(row, last, facts.wakes), blockers=wakes.blockers)
    return (
        recovering(session, row, facts, now) if facts.is_lost else _running(row, last, facts, now)
    )


def _ended(row: WorkflowRow, last: Sequence[StepRow]) -> Reason:
    after = after_step(last)
    match row.status:
        case "SUCCESS":
            took = f" after {duration(row.duration_ms)}" if row.duration_ms is not None else ""
            return Reason(f"Returned a value{took}.", code="succeeded")
        case "ERROR":
            failed = f"{after}, which failed" if last and last[0].is_failed else after
            return Reason(
                f"Raised an error {failed}.",
                advice="Fork it from a step once the cause is gone; a failed run is not resumed.",
                is_trouble=True,
                code="failed",
            )
        case "CANCELLED":
            if is_amid_wait(last, row.completed_at):
                text, advice = "Stopped while it waited.", "Resume waits for the rest."
            else:
                has_begun = bool(last or row.recovery_attempts)
                text = f"Stopped {after}." if has_begun else "Stopped before it began."
                advice = "Resume goes on from its first unrecorded step."
            return Reason(text, advice=advice, code="cancelled")
        case "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
            return Reason(
                f"Given up {after}: started {row.recovery_attempts or 0} times, each time its "
                "executor ended before it could finish.",
                advice="Find out what ends them, then resume: that counts from zero again.",
                is_trouble=True,
                code="gave_up",
            )
    return Reason(f"This release does not know the status {row.status}.", code="unknown_status")


def _suspended(row: WorkflowRow, last: Sequence[StepRow], wakes: Sequence[WakeKey]) -> Reason:
    """What a workflow waits for that has left memory; the timeout is that of the last wait."""
    timer = last[0] if last and last[0].name == SLEEP else None
    until = row.delay_until_epoch_ms
    if not wakes:
        text = "Sleeping"
    elif len(wakes) > 1:
        text, until = f"Waiting for the first of {len(wakes)} workflows", None
    else:
        text, until = _waiting_for(wakes[0]), None
    if wakes and wakes[0].kind != RESULT and timer is not None:
        until = timer.completed_at
    advice = "It is suspended: no executor holds it in memory meanwhile."
    since = row.updated_at
    return Reason(text, until, advice, is_wait=True, since=since, is_said=True, code="suspended")


def _waiting_for(key: WakeKey) -> str:
    kind, target, name = key
    if kind == MESSAGE:
        return _waiting_for_message("" if name == NULL_TOPIC else name)
    if kind == EVENT:
        return f"Waiting for the event {name} of {target}"
    return f"Waiting for the result of {target}"


def _waiting_for_message(topic: str) -> str:
    return f"Waiting for a message{f' on the topic {topic}' if topic else ''}"


def _running(row: WorkflowRow, last: Sequence[StepRow], facts: StatusFacts, now: int) -> Reason:
    activity = facts.activity
    if not facts.has_input:
        return Reason(
            "Its input is missing, so no executor can run it.",
            advice="Delete it, or start it again with the same arguments.",
            is_trouble=True,
            code="input_missing",
        )
    if activity is None:
        found = _inferred(last, facts.open_child, now)
        return replace(found, advice=_of_another_program(row)) if facts.is_foreign else found
    return Reason(
        activity_text(activity),
        until=activity.until,
        is_wait=activity.kind != "step",
        since=activity.since,
        is_said=True,
        code="running" if activity.kind == "step" else "waiting",
    )


def _of_another_program(row: WorkflowRow) -> str:
    executor = f"The executor {row.executor_id}" if row.executor_id else "Its executor"
    return (
        f"{executor} is of another program and sends no heartbeat. If it has ended, adopt its work."
    )


def activity_text(activity: Activity) -> str:
    """An executor's activity in words; empty for a kind that this release does not know."""
    match activity.kind:
        case "step":
            return f"Running step {activity.step} ({activity.name})."
        case "retry":
            return f"Waiting to try step {activity.step} ({activity.name}) again"
        case "sleep":
            return "Sleeping"
        case "message":
            return _waiting_for_message(activity.name)
        case "event" | "stream":
            return f"Waiting for the {activity.kind} {activity.name} of {activity.of}"
        case "result":
            return f"Waiting for the result of {activity.of}"
        case "first":
            return f"Waiting for the first of {activity.name} workflows"
    return ""


def _inferred(last: Sequence[StepRow], child: WorkflowRow | None, now: int) -> Reason:
    """What a running workflow probably does, by its last recorded steps."""
    if not last:
        return Reason("Running; no step is recorded yet.", code="running")
    step = last[0]
    wakes = step.completed_at or 0
    before = last[1].function_id if len(last) > 1 else 0
    if step.name == SLEEP and (step.function_id - before > 1 or wakes > now):
        is_gap = step.function_id - before > 1
        text = "Waiting for a message or event" if is_gap else "Sleeping"
        return Reason(text, until=wakes, is_wait=True, since=step.started_at, code="waiting")
    if child is not None:
        state = status_style(child.status).word.lower()
        text = f"Running, {after_step(last)}, a child that is {state}."
        return Reason(text, since=step.completed_at, code="running")
    return Reason(f"Running, {after_step(last)}.", since=step.completed_at, code="running")


def after_step(last: Sequence[StepRow]) -> str:
    """`after step 4 (charge)`; the timeout beside a wait is part of that wait's step."""
    if not last:
        return "before its first step was recorded"
    step = last[1] if _is_beside_wait(last) else last[0]
    return f"after step {step.function_id} ({step.name})"


def is_amid_wait(last: Sequence[StepRow], at: int | None) -> bool:
    """Whether at this time (epoch ms) a sleep, or a wait with a timeout, had not ended yet."""
    if not last or not last[0].is_timer or _is_beside_wait(last):
        return False
    return at is not None and (last[0].completed_at or 0) > at


def _is_beside_wait(last: Sequence[StepRow]) -> bool:
    """Whether the last step is the timeout of a wait that has ended."""
    if len(last) < 2 or not last[0].is_timer:
        return False
    return last[1].name in (RECV, GET_EVENT) and last[1].function_id == last[0].function_id - 1
