"""The section of a workflow's page with its steps: the waterfall, and the map of many steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from dboshub.workflows.payloads.inline import inline
from dboshub.workflows.payloads.redacted import readable
from dboshub.workflows.rendering.reason import Reason
from dboshub.workflows.rendering.status_reasons import reason
from dboshub.workflows.rendering.waterfall.chart import ChartInput, chart
from dboshub.workflows.rendering.waterfall.lines import LiveEdge
from dboshub.workflows.rendering.waterfall.minimap import StepMap
from dboshub.workflows.rendering.waterfall.scale import Interval, query
from dboshub.workflows.rendering.waterfall.step_lines import UsualByName
from dboshub.workflows.selectors.detail import attempts, step_search, steps
from dboshub.workflows.selectors.detail.queue_places import times_without_a_place
from dboshub.workflows.selectors.detail.run_activity import run_activity
from dboshub.workflows.selectors.detail.usual_durations import usual_durations
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.sql import Session

MAX_NOTE_LENGTH = 90
# Names of children whose usual durations are read.
MAX_USUAL_NAMES = 3

Context = dict[str, Any]


def steps_section(
    session: Session,
    found: WorkflowRow,
    *,
    payload: bool,
    viewer: Viewer = EVERYTHING,
    start: int | None = None,
    window: Interval | None = None,
    opened: Sequence[str] = (),
) -> Context:
    """The waterfall of the first steps, or of the last ones if the workflow did not succeed."""
    now = database_now(session)
    page = steps.page(session, found.pk, start=start, newest=found.status != "SUCCESS")
    is_part = page.has_earlier or page.has_later
    retries = attempts.counts(session, found.pk, page.first, page.last + 1)
    children = steps.child_steps(session, page.steps, viewer=viewer, opened=opened)
    usual = _usual(session, found, page, children)
    activity = run_activity(session, found, page, now) if is_part else None
    drawn = chart(
        ChartInput(
            row=found,
            steps=page.steps,
            children=children,
            now=now,
            edge=_edge(session, found, page, retries, now),
            notes=_notes(session, found, page.steps) if payload else {},
            retries=retries,
            window=window,
            usual=usual,
            activity=activity,
            has_last=not page.has_later,
            full=times_without_a_place(session, [found, *children.rows.values()], now),
        )
    )
    own = usual[found.name, found.application_name]
    context = {"now": now, "page": page, "chart": drawn, "activity": activity, "usual": own}
    context["has_usual"] = any(each.runs for each in usual.values())
    context |= _links(start, window, opened)
    return context | (_among(session, found, page) if is_part else {})


def _links(start: int | None, window: Interval | None, opened: Sequence[str]) -> Context:
    """The parts of the query string that links keep: to another time, and to what is unfolded."""
    begins = [] if start is None else [("steps", str(start))]
    kept = urlencode([*begins, *(("open", each) for each in opened)])
    here = "&".join(filter(None, [kept, query(*window) if window else ""]))
    return {"kept": f"{kept}&" if kept else "", "here": f"{here}&" if here else ""}


def _usual(
    session: Session, found: WorkflowRow, page: steps.StepPage, children: steps.StepChildren
) -> UsualByName:
    """The usual durations of the workflow's name, and of the most frequent names of children."""
    usual = {(found.name, found.application_name): usual_durations(session, found, page.first)}
    rows = {(each.name, each.application_name): each for each in children.rows.values()}
    counted = Counter((each.name, each.application_name) for each in children.rows.values())
    for key, _ in counted.most_common(MAX_USUAL_NAMES):
        if key not in usual:
            usual[key] = usual_durations(session, rows[key], 0)
    return usual


def _among(session: Session, found: WorkflowRow, page: steps.StepPage) -> Context:
    """The map of many steps, and the next failed step after the page, or else the first one."""
    failure = None
    if page.failed:
        after = step_search.search(session, found.pk, failed=True, start=page.last + 1)
        again = after if after.steps else step_search.search(session, found.pk, failed=True)
        failure = again.steps[0].function_id if again.steps else None
    parts = step_search.step_map(session, found.pk, page)
    return {"next_failure": failure, "map": StepMap.of(parts, page)}


def _edge(
    session: Session,
    found: WorkflowRow,
    page: steps.StepPage,
    retries: dict[int, int],
    now: int,
) -> LiveEdge | None:
    """What a workflow that has begun does now, unless the last recorded step shows it."""
    if not (found.status == "PENDING" or found.is_suspended) or page.has_later:
        return None
    why: Reason = reason(session, found, page.steps[:-3:-1], now=now)
    if why.is_trouble or _is_timed(why, page.steps):
        return None
    since = why.since or found.began_at or found.created_at
    label = why.text if why.is_said else "nothing recorded since"
    edge = LiveEdge(label, min(since, now), why.is_wait or not why.is_said)
    coming = page.last + 1
    return replace(edge, retried=coming, retries=retries[coming]) if coming in retries else edge


def _is_timed(why: Reason, known: tuple[steps.StepRow, ...]) -> bool:
    """Whether the last recorded step is the timer of this wait."""
    if not why.is_wait or why.until is None or not known or known[-1].name != steps.SLEEP:
        return False
    # The recorded time was converted from seconds in a float.
    return abs(why.until - (known[-1].completed_at or 0)) <= 1


def _notes(
    session: Session, found: WorkflowRow, known: tuple[steps.StepRow, ...]
) -> dict[int, str]:
    failed = [step.function_id for step in known if step.is_failed]
    return {
        number: inline(
            readable(error.text, error.serialization, is_cut=error.is_cut), MAX_NOTE_LENGTH
        )
        for number, error in steps.errors(session, found.pk, failed).items()
    }
