"""The page of executors and versions: who came, died or stopped, and what each holds."""

from __future__ import annotations

from workflows.live.seldom import PageSource
from workflows.live.source import Moment
from workflows.selectors.fleet import Fleet, fleet
from workflows.storage.sql import Session
from workflows.topics import Topic, viewer_of


def fleet_facts(found: Fleet) -> object:
    """What is news on the page. A heartbeat alone is none."""
    processes = [
        (
            each.executor.incarnation,
            each.executor.is_beating,
            each.busy,
            each.holds,
            each.stopped_at,
        )
        for each in found.processes or ()
    ]
    holders = [(each.executor_id, each.version, each.count) for each in found.holders]
    return found.processes is None, processes, holders, found.versions


class FleetSource(PageSource):
    """One page, the same for all with the same scope."""

    def __init__(self) -> None:
        super().__init__(_shown)


def _shown(session: Session, topic: Topic, moment: Moment) -> object:
    return fleet_facts(fleet(session, viewer_of(topic), now=moment.now_ms))
