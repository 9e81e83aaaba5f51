"""Live updates of schedule pages when a schedule changes, or one of its runs starts or ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from urllib.parse import parse_qs, urlencode

from dboshub.schedules import selectors
from dboshub.schedules.engine.records import Schedule
from dboshub.schedules.rendering import show
from dboshub.schedules.why_not import next_run_reasons
from dboshub.workflows.live.polling import ReloadSource
from dboshub.workflows.live.source import PollTick, Source
from dboshub.workflows.live.subscriptions import Topic, viewer_of_topic
from dboshub.workflows.live.waiting_reasons import reason_facts
from dboshub.workflows.rendering.reason import Reason
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session


def schedule_facts(
    schedules: Sequence[Schedule],
    runs: Mapping[str, WorkflowRow],
    reasons: Mapping[str, Reason],
) -> object:
    """The values whose change updates a page about these schedules and their runs."""
    states = [(each.definition, each.status, each.last_fired_at) for each in schedules]
    missing = sorted((name, reason_facts(reason)) for name, reason in reasons.items())
    return states, sorted((key, row.status) for key, row in runs.items()), missing


def page_key(after: str, prefix: str, status: str) -> str:
    """The topic key of a page of the list."""
    return urlencode({"after": after, "q": prefix, "status": status})


def _page(session: Session, topic: Topic, tick: PollTick) -> object:
    said = {key: values[0] for key, values in parse_qs(topic.key).items()}
    place = {"after": said.get("after", ""), "prefix": said.get("q", "")}
    viewer = viewer_of_topic(topic)
    page = selectors.page(session, viewer, status=said.get("status", ""), **place)
    return _facts(session, topic, page.schedules, tick)


def _schedule(session: Session, topic: Topic, tick: PollTick) -> object:
    found = selectors.one(session, topic.key, viewer_of_topic(topic))
    return _facts(session, topic, [found] if found else [], tick)


def _facts(session: Session, topic: Topic, schedules: Iterable[Schedule], tick: PollTick) -> object:
    now = datetime.fromtimestamp(tick.now_ms / 1000, UTC)
    found = [*schedules]
    ids = [each for one in found for each in show(one, now).ids]
    runs = selectors.runs(session, ids, viewer_of_topic(topic))
    return schedule_facts(found, runs, next_run_reasons(session, found, tick.now_ms))


SOURCES: Mapping[str, Callable[[], Source]] = {
    "schedules": partial(ReloadSource, _page),
    "schedule": partial(ReloadSource, _schedule),
}
