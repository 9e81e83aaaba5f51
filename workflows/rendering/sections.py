"""Renders the sections of a workflow's page, for the first view and for live updates.

A section contains no user, token, time zone or permission: the page around it does. Only `payload`,
whether payloads are shown, differs between viewers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.safestring import SafeString

from dboshub.workflows.payloads.inline import inline
from dboshub.workflows.payloads.redacted import readable
from dboshub.workflows.rendering.facts import facts
from dboshub.workflows.rendering.page_templates import render_to_string
from dboshub.workflows.rendering.reason import Reason
from dboshub.workflows.rendering.status_reasons import reason
from dboshub.workflows.rendering.usual_times import with_usual_times
from dboshub.workflows.rendering.values import (
    MAX_INLINE_SIZE,
    Value,
    ValueAddress,
    arguments,
    brief,
    listed,
)
from dboshub.workflows.rendering.waterfall.chart import ChartInput, chart
from dboshub.workflows.rendering.waterfall.lines import LiveEdge
from dboshub.workflows.rendering.waterfall.minimap import StepMap
from dboshub.workflows.rendering.waterfall.scale import Interval
from dboshub.workflows.selectors.detail import (
    attempts,
    events,
    messages,
    step_search,
    steps,
    streams,
)
from dboshub.workflows.selectors.detail.usual_durations import usual_durations
from dboshub.workflows.selectors.detail.values import value
from dboshub.workflows.selectors.rows import WorkflowRow, row
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.sql import Session

# Streams whose newest values are shown; the others are links.
STREAMS_SHOWN = 4
MAX_NOTE_LENGTH = 90

Context = dict[str, Any]


def section(kind: str, session: Session, workflow_id: str, *, payload: bool) -> str:
    """The inner HTML of one section, or a sentence if the workflow was deleted."""
    found = row(session, workflow_id)
    if found is None:
        return render_to_string("dboshub/workflows/_gone.html", {"workflow_id": workflow_id})
    return render_section(kind, session, found, payload=payload)


def render_section(
    kind: str,
    session: Session,
    found: WorkflowRow,
    *,
    payload: bool,
    viewer: Viewer = EVERYTHING,
    start: int | None = None,
    window: Interval | None = None,
) -> SafeString:
    """The inner HTML of one section. Steps begin at id `start`; `window` zooms to a time."""
    is_steps = kind == "steps"
    options = {"viewer": viewer, "start": start, "window": window} if is_steps else {}
    context = SECTIONS[kind](session, found, payload=payload, **options)
    return render_to_string(
        f"dboshub/workflows/_{kind}.html", context | {"row": found, "payload": payload}
    )


def workflow_section(session: Session, found: WorkflowRow, *, payload: bool) -> Context:
    """Status, reason, metadata, input and outcome."""
    now = database_now(session)
    last = steps.latest(session, found.pk)
    return {
        "now": now,
        "reason": with_usual_times(session, reason(session, found, last, now=now), found),
        "facts": facts(found, ran_before=steps.ran_before(session, found)),
        "input": arguments(_value(session, found, "input", payload=payload)),
        "output": _value(session, found, "output", payload=payload),
        "error": _value(session, found, "error", payload=payload),
        "attributes": _value(session, found, "attributes", payload=payload),
    }


def steps_section(
    session: Session,
    found: WorkflowRow,
    *,
    payload: bool,
    viewer: Viewer = EVERYTHING,
    start: int | None = None,
    window: Interval | None = None,
) -> Context:
    """The waterfall of the first steps, or of the last ones if the workflow did not succeed."""
    now = database_now(session)
    page = steps.page(session, found.pk, start=start, newest=found.status != "SUCCESS")
    retries = attempts.counts(session, found.pk, page.first, page.last + 1)
    edge = None
    if (found.status == "PENDING" or found.is_suspended) and not page.has_later:
        edge = _edge(session, found, page.steps, now)
        if edge is not None and page.last + 1 in retries:
            edge = replace(edge, retried=page.last + 1, retries=retries[page.last + 1])
    usual = usual_durations(session, found, page.first)
    drawn = chart(
        ChartInput(
            row=found,
            steps=page.steps,
            children=steps.child_steps(session, page.steps, viewer=viewer),
            now=now,
            edge=edge,
            notes=_notes(session, found, page.steps) if payload else {},
            retries=retries,
            window=window,
            usual=usual,
        )
    )
    # The part of the query string that links to another time of these steps keep.
    kept = "" if start is None else f"steps={start}&"
    context = {"now": now, "page": page, "chart": drawn, "kept": kept, "usual": usual}
    return context | (_among(session, found, page) if page.has_earlier or page.has_later else {})


def _among(session: Session, found: WorkflowRow, page: steps.StepPage) -> Context:
    """The map of many steps, and the next failed step after the page, or else the first one."""
    failure = None
    if page.failed:
        after = step_search.search(session, found.pk, failed=True, start=page.last + 1)
        again = after if after.steps else step_search.search(session, found.pk, failed=True)
        failure = again.steps[0].function_id if again.steps else None
    parts = step_search.step_map(session, found.pk, page.total)
    return {"next_failure": failure, "map": StepMap.of(parts, page)}


def events_section(session: Session, found: WorkflowRow, *, payload: bool) -> Context:
    """Each event key with its value and its history."""
    known = events.events(session, found.pk, payload=payload)
    shown = [
        {
            "key": event.key,
            "value": _listed(found, "event", event, event.key, 0, payload=payload),
            "history": [
                {
                    "step": written.function_id,
                    "value": _listed(
                        found, "history", written, event.key, written.function_id, payload=payload
                    ),
                }
                for written in event.history
            ],
        }
        for event in known.events
    ]
    return {"events": shown, "is_cut": known.is_cut, "is_history_cut": known.is_history_cut}


def messages_section(session: Session, found: WorkflowRow, *, payload: bool) -> Context:
    """The messages, newest first."""
    inbox = messages.inbox(session, found.pk, payload=payload)
    shown = [
        {
            "message": each,
            "value": _listed(found, "message", each, each.message_uuid, 0, payload=payload),
        }
        for each in inbox.messages
    ]
    return {"messages": shown, "inbox": inbox, "now": database_now(session)}


def stream_section(session: Session, found: WorkflowRow, *, payload: bool) -> Context:
    """The newest values of each stream."""
    known = streams.streams(session, found.pk)
    windows = [
        stream_window(found, streams.window(session, found.pk, each, payload=payload), payload)
        for each in known[:STREAMS_SHOWN]
    ]
    others = [(each.key, stream_url(found, each.key)) for each in known[STREAMS_SHOWN:]]
    return {"windows": windows, "others": others}


def stream_window(found: WorkflowRow, window: streams.Window, payload: bool) -> Context:
    """A window of one stream with its values as shown."""
    key = window.stream.key
    values = [
        {
            "offset": each.offset,
            "value": _listed(found, "stream", each, key, each.offset, payload=payload),
        }
        for each in window.values
    ]
    url = stream_url(found, key)
    return {"window": window, "stream": window.stream, "values": values, "url": url}


def stream_url(found: WorkflowRow, key: str) -> str:
    return f"{reverse('dboshub:workflows:stream', args=[found.pk])}?{urlencode({'key': key})}"


SECTIONS: dict[str, Callable[..., Context]] = {
    "workflow": workflow_section,
    "steps": steps_section,
    "events": events_section,
    "messages": messages_section,
    "stream": stream_section,
}


def _value(session: Session, found: WorkflowRow, kind: str, *, payload: bool) -> Value | None:
    address = ValueAddress(found.pk, kind)
    if not payload:
        return Value(address, 0, is_hidden=True)
    return brief(address, value(session, kind, found.pk, most=MAX_INLINE_SIZE + 1))


def _listed(
    found: WorkflowRow, kind: str, each: Any, key: str, step: int, *, payload: bool
) -> Value:
    address = ValueAddress(found.pk, kind, key, step)
    return listed(address, each.size, each.text, each.serialization, payload=payload)


def _edge(
    session: Session, found: WorkflowRow, known: tuple[steps.StepRow, ...], now: int
) -> LiveEdge | None:
    """What a workflow that has begun does now, unless the last recorded step shows it."""
    why: Reason = reason(session, found, known[:-3:-1], now=now)
    if why.is_trouble or _is_timed(why, known):
        return None
    since = why.since or found.began_at or found.created_at
    label = why.text if why.is_said else "nothing recorded since"
    return LiveEdge(label, min(since, now), why.is_wait or not why.is_said)


def _is_timed(why: Reason, known: tuple[steps.StepRow, ...]) -> bool:
    """Whether the last recorded step is the timer of this wait."""
    if not why.is_wait or why.until is None or not known or known[-1].name != steps.SLEEP:
        return False
    # The recorded time was converted from seconds in a float.
    return abs(why.until - (known[-1].completed_at or 0)) <= 1


def _notes(
    session: Session, found: WorkflowRow, known: tuple[steps.StepRow, ...]
) -> dict[int, str]:
    failed = {step.function_id: step for step in known if step.is_failed}
    texts = steps.error_texts(session, found.pk, list(failed))
    return {
        number: inline(readable(text, failed[number].serialization), MAX_NOTE_LENGTH)
        for number, text in texts.items()
    }
