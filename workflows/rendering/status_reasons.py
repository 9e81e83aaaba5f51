"""Why a workflow has its status, in words: what its executor says, or what the tables show.

What is inferred is worded as an inference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.engine.suspension.records import EVENT, MESSAGE, RESULT, WakeKey
from dboshub.workflows.engine.waiting.notices import NULL_TOPIC
from dboshub.workflows.invocation import command
from dboshub.workflows.rendering.time_format import duration
from dboshub.workflows.selectors.detail.status_facts import StatusFacts, status_facts
from dboshub.workflows.selectors.detail.steps import GET_EVENT, RECV, SLEEP, StepRow
from dboshub.workflows.selectors.executors import Activity, Executor, fitting
from dboshub.workflows.selectors.queue_wait import MAX_COUNTED as MAX_AHEAD
from dboshub.workflows.selectors.queue_wait import QueueWait
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.statuses import status_style
from dboshub.workflows.storage.sql import Session


@dataclass(frozen=True, slots=True)
class Reason:
    """`until` and `since` are epoch ms: when the status ends by itself, and when it began.

    `advice` is what a person can do. `is_trouble` means that the workflow does not go on by
    itself, `is_wait` that it waits, `is_said` that its executor says or has recorded so.
    """

    text: str
    until: int | None = None
    advice: str = ""
    is_trouble: bool = False
    is_wait: bool = False
    since: int | None = None
    is_said: bool = False

    @property
    def lacks_stop(self) -> bool:
        """Whether the sentence that `until` completes has no full stop yet."""
        return self.until is not None or not self.text.endswith(".")


def reason(session: Session, row: WorkflowRow, last: Sequence[StepRow], *, now: int) -> Reason:
    """Read the facts and describe them. `last` are the last recorded steps, the last one first."""
    return describe(row, last, status_facts(session, row, last, now=now), now=now)


def describe(row: WorkflowRow, last: Sequence[StepRow], facts: StatusFacts, *, now: int) -> Reason:
    """The reason that these facts give. `now` is the database's time."""
    match row.status:
        case "PENDING":
            return _running(last, facts, now)
        case "ENQUEUED":
            return _enqueued(row, facts.wait or QueueWait(), facts.executors)
        case "DELAYED":
            return _suspended(row, last, facts.wakes) if row.is_suspended else _delayed(row)
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
            if is_amid_wait(last, row.completed_at):
                return Reason("Stopped while it waited.", advice="Resume waits for the rest.")
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
    return Reason(text, until=until, advice=advice, is_wait=True, since=since, is_said=True)


def _waiting_for(key: WakeKey) -> str:
    kind, target, name = key
    if kind == MESSAGE:
        return _waiting_for_message("" if name == NULL_TOPIC else name)
    if kind == EVENT:
        return f"Waiting for the event {name} of {target}"
    return f"Waiting for the result of {target}"


def _waiting_for_message(topic: str) -> str:
    return f"Waiting for a message{f' on the topic {topic}' if topic else ''}"


def _enqueued(row: WorkflowRow, wait: QueueWait, executors: list[Executor] | None) -> Reason:
    if wait.paused_reason is not None:
        return paused(row, wait.paused_reason)
    limit, ahead = "", f"{wait.ahead:,}" if wait.ahead else ""
    if wait.full_at is not None:
        limit = concurrency_reached(wait.full_at)
    elif wait.rate is not None:
        limit = rate_reached(*wait.rate)
    if wait.ahead >= MAX_AHEAD:
        ahead += " or more"
    return waiting(row, executors, limit=limit, ahead=ahead)


def paused(row: WorkflowRow, why: str) -> Reason:
    """The reason of a workflow whose queue is paused."""
    because = f": {why.rstrip('.')}." if why else "."
    return Reason(
        f"Enqueued; the queue {row.queue_name} is paused{because}",
        advice="It starts when the queue is resumed.",
        is_trouble=True,
    )


def waiting(
    row: WorkflowRow, executors: list[Executor] | None, *, limit: str = "", ahead: str = ""
) -> Reason:
    """Why an enqueued workflow has not started, if its queue is not paused.

    `executors` is None where no table names them. `limit` is the end of a sentence that names the
    reached limit; `ahead` the number of workflows that are claimed earlier, in words.
    """
    return _no_executor(executors, row) or _waiting_in_queue(row, limit, ahead)


def concurrency_reached(concurrency: int) -> str:
    return f"all {concurrency:,} places of the queue are taken"


def rate_reached(starts: int, period_s: float) -> str:
    return f"its rate of {starts:,} in {period_s:g} s is used up"


def _no_executor(found: list[Executor] | None, row: WorkflowRow) -> Reason | None:
    """Why no executor can start it; None if one can, or if no table names them."""
    if found is None:
        return None
    beating = [each for each in found if each.is_beating]
    fit = fitting(found, row)
    serving = [each for each in fit if each.serves(row.queue_name)]
    knowing = [each for each in serving if each.knows(row.name)]
    if any(each.has_instance_for(row) for each in knowing):
        return None
    version = row.application_version
    of = f" of {row.application_name}" if row.application_name else ""
    if not beating:
        text, advice = "no live executor is registered", f"Start one: {command('runworkers')}"
    elif not fit and version:
        text = f"no live executor{of} for version {version}"
        advice = "Start one of that version, or fork it onto a newer version."
    elif not fit:
        text, advice = f"no live executor{of}", "Start one of that application."
    elif not serving:
        text = f"no live executor serves the queue {row.queue_name}"
        advice = "Start one for it, or resume it onto another queue."
    elif knowing:
        text = f"no live executor has made the instance {row.config_name} of {row.class_name}"
        advice = "Its code makes it before DBOS.launch(); start one that does."
    else:
        text = f"no live executor knows a workflow named {row.name}"
        advice = "Its code may have been renamed; fork it onto a version that has it."
    # An executor of another program may share the database without being in our table.
    return Reason(f"Enqueued, {text}.", advice=advice, is_trouble=True)


def _waiting_in_queue(row: WorkflowRow, limit: str, ahead: str) -> Reason:
    enqueued = "Enqueued" if row.queue_name == INTERNAL_QUEUE else f"Enqueued on {row.queue_name}"
    if limit:
        return Reason(f"{enqueued}; {limit}.", is_wait=True)
    if ahead:
        return Reason(f"{enqueued}, {ahead} ahead of it.", is_wait=True)
    return Reason(f"{enqueued}, next in line.", is_wait=True)


def _running(last: Sequence[StepRow], facts: StatusFacts, now: int) -> Reason:
    owner, activity = facts.owner, facts.activity
    if not facts.has_input:
        return Reason(
            "Its input is missing, so no executor can run it.",
            advice="Delete it, or start it again with the same arguments.",
            is_trouble=True,
        )
    if owner is not None and not owner.is_beating:
        return Reason(
            f"Its executor {owner.executor_id} ({owner.host}) has sent no heartbeat for "
            f"{duration(now - owner.last_beat_at)}.",
            advice="A live executor of its version takes it over when the lease has run out.",
            is_trouble=True,
        )
    if activity is None:
        return _inferred(last, facts.open_child, now)
    return Reason(
        activity_text(activity),
        until=activity.until,
        is_wait=activity.kind != "step",
        since=activity.since,
        is_said=True,
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
        return Reason("Running; no step is recorded yet.")
    step = last[0]
    wakes = step.completed_at or 0
    before = last[1].function_id if len(last) > 1 else 0
    if step.name == SLEEP and (step.function_id - before > 1 or wakes > now):
        is_gap = step.function_id - before > 1
        text = "Waiting for a message or event" if is_gap else "Sleeping"
        return Reason(text, until=wakes, is_wait=True, since=step.started_at)
    if child is not None:
        state = status_style(child.status).word.lower()
        text = f"Running, {after_step(last)}, a child that is {state}."
        return Reason(text, since=step.completed_at)
    return Reason(f"Running, {after_step(last)}.", since=step.completed_at)


def after_step(last: Sequence[StepRow]) -> str:
    """`after step 4 (charge)`; the timeout beside a wait is part of that wait's step."""
    if not last:
        return "before its first step"
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
