"""Renders the sections of a workflow's page, for the first view and for live updates.

A section contains no user, token, time zone or permission: the page around it does. Only `payload`,
whether payloads are shown, differs between viewers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.safestring import SafeString

from dboshub.workflows.rendering.facts import facts
from dboshub.workflows.rendering.page_templates import render_to_string
from dboshub.workflows.rendering.status_reasons import reason
from dboshub.workflows.rendering.steps_section import steps_section
from dboshub.workflows.rendering.usual_times import with_usual_times
from dboshub.workflows.rendering.values import (
    MAX_INLINE_SIZE,
    Value,
    ValueAddress,
    arguments,
    brief,
    listed,
    whole,
)
from dboshub.workflows.rendering.waterfall.scale import Interval
from dboshub.workflows.selectors.detail import events, messages, steps, streams
from dboshub.workflows.selectors.detail.values import value
from dboshub.workflows.selectors.rows import WorkflowRow, row
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.sql import Session

# Streams whose newest values are shown; the others are links.
STREAMS_SHOWN = 4

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
    opened: Sequence[str] = (),
) -> SafeString:
    """The inner HTML of one section.

    Steps begin at id `start`; `window` zooms to a time; `opened` are children far below.
    """
    shown = {"viewer": viewer, "start": start, "window": window, "opened": opened}
    options = shown if kind == "steps" else {}
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
        "error": _error(session, found, payload=payload),
        "attributes": _value(session, found, "attributes", payload=payload),
    }


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


def _error(session: Session, found: WorkflowRow, *, payload: bool) -> Value | None:
    """The error, of a long one the beginning: that is what somebody looks for first."""
    address = ValueAddress(found.pk, "error")
    if not payload:
        return Value(address, 0, is_hidden=True)
    stored = value(session, "error", found.pk, most=MAX_INLINE_SIZE)
    return None if stored is None else whole(address, stored)


def _listed(
    found: WorkflowRow, kind: str, each: Any, key: str, step: int, *, payload: bool
) -> Value:
    address = ValueAddress(found.pk, kind, key, step)
    return listed(address, each.size, each.text, each.serialization, payload=payload)
