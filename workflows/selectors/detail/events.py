"""The events of a workflow: the value of each key and its history."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dboshub.workflows.selectors.detail.values import sized
from dboshub.workflows.storage.sql import Session

MAX_EVENTS = 100
MAX_HISTORY = 500
MAX_INLINE_SIZE = 4_096


@dataclass(frozen=True, slots=True)
class EventValue:
    """A value of a key and the step that wrote it. `text` is None if hidden or too large."""

    function_id: int
    key: str
    size: int
    serialization: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Event:
    key: str
    size: int
    serialization: str | None
    text: str | None
    history: tuple[EventValue, ...] = ()


@dataclass(frozen=True, slots=True)
class Events:
    events: tuple[Event, ...]
    is_cut: bool
    is_history_cut: bool


_TEXT = "CASE WHEN :payload = 1 AND SIZE(value) <= :short THEN value END"
EVENTS = sized(
    f"SELECT key, SIZE(value), serialization, {_TEXT} FROM {{workflow_events}} "
    "WHERE workflow_uuid = :id ORDER BY key LIMIT :most"
)
WRITTEN = sized(
    f"SELECT function_id, key, SIZE(value), serialization, {_TEXT} "
    "FROM {workflow_events_history} WHERE workflow_uuid = :id "
    "ORDER BY function_id DESC LIMIT :most"
)


def events(session: Session, workflow_id: str, *, payload: bool) -> Events:
    """The value of each key with its history, newest first. Values are read only with `payload`."""
    asked = {"id": workflow_id, "payload": int(payload), "short": MAX_INLINE_SIZE}
    found = [Event(*row) for row in session.all(EVENTS, **asked, most=MAX_EVENTS + 1)]
    written = [EventValue(*row) for row in session.all(WRITTEN, **asked, most=MAX_HISTORY + 1)]
    histories: dict[str, list[EventValue]] = {}
    for each in written[:MAX_HISTORY]:
        histories.setdefault(each.key, []).append(each)
    return Events(
        tuple(
            replace(each, history=tuple(histories.get(each.key, ()))) for each in found[:MAX_EVENTS]
        ),
        is_cut=len(found) > MAX_EVENTS,
        is_history_cut=len(written) > MAX_HISTORY,
    )
