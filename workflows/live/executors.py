"""Live updates of executor pages: processes, the work they own, and heartbeats."""

from __future__ import annotations

from dboshub.workflows.live.polling import IntervalSource, ReloadSource
from dboshub.workflows.live.source import PollTick, TopicState, digest
from dboshub.workflows.live.subscriptions import Topic, viewer_of_topic
from dboshub.workflows.rendering.components import time_distance
from dboshub.workflows.selectors.executor_overview import (
    ExecutorOverview,
    executor_overview,
    known_processes,
)
from dboshub.workflows.storage.sql import Session


def executor_page_facts(found: ExecutorOverview) -> object:
    """The values whose change updates the page. Heartbeats are not among them."""
    processes = [
        (
            each.executor.incarnation,
            each.executor.is_beating,
            each.executor.busy,
            each.pending_count,
            each.stopped_at,
        )
        for each in found.processes or ()
    ]
    holders = [(each.executor_id, each.version, each.count) for each in found.holders]
    return found.processes is None, processes, holders, found.versions


class ExecutorPageSource(ReloadSource):
    """Reloads the executor page; read once per scope."""

    def __init__(self) -> None:
        super().__init__(_shown)


def _shown(session: Session, topic: Topic, tick: PollTick) -> object:
    return executor_page_facts(executor_overview(session, viewer_of_topic(topic), now=tick.now_ms))


class HeartbeatSource(IntervalSource):
    """Pushes the time of each executor's last heartbeat to every page that shows it."""

    def __init__(self) -> None:
        super().__init__(_beats)


def _beats(session: Session, topic: Topic, tick: PollTick) -> TopicState:
    found = known_processes(session, viewer_of_topic(topic), tick.now_ms) or ()
    beats = {each.executor.incarnation: each.executor.last_beat_at for each in found}
    cells = {each: time_distance(at, tick.now_ms) for each, at in beats.items()}
    return TopicState(digest=digest(beats), body=lambda shown: {"cells": cells})
