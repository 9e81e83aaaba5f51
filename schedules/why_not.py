"""Why the next run of a schedule would not start: by the rules of claims, before it is enqueued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dboshub.queues.why_not.prospects import reasons_of_next
from dboshub.schedules.engine.records import Schedule
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.rendering.reason import Reason
from dboshub.workflows.selectors.rows import NAMES, WorkflowRow, from_record
from dboshub.workflows.storage.sql import Session

_NOTHING = from_record([None] * len(NAMES))


def next_run_reasons(
    session: Session, schedules: Sequence[Schedule], now: int
) -> Mapping[str, Reason]:
    """What the next run of each schedule would lack, by the name of the schedule.

    Only those that would lack something are there; in at most seven statements.
    """
    if not schedules:
        return {}
    found = reasons_of_next(session, [*map(_next_run, schedules)], now)
    return {name: _of_schedule(reason) for name, reason in found.items() if reason.is_trouble}


def _of_schedule(reason: Reason) -> Reason:
    """The reason without what only a workflow that exists can be helped by."""
    blockers = tuple(
        replace(each, remedies=tuple(remedy for remedy in each.remedies if not remedy.needs))
        for each in reason.blockers
    )
    text = f"Its next run will wait: {blockers[0].text}."
    return replace(reason, text=text, blockers=blockers)


def _next_run(schedule: Schedule) -> WorkflowRow:
    """The row of a run, as far as claims look at it, with the name of the schedule for an id."""
    return replace(
        _NOTHING,
        workflow_uuid=schedule.schedule_name,
        status="",
        name=schedule.workflow_name,
        class_name=schedule.workflow_class_name,
        queue_name=schedule.queue_name or INTERNAL_QUEUE,
        application_name=schedule.application_name,
    )
