"""Live updates of the status counts, read once per scope at an interval."""

from __future__ import annotations

from collections.abc import Mapping

from dboshub.workflows.live.polling import IntervalSource
from dboshub.workflows.live.source import PollTick, TopicState, digest
from dboshub.workflows.live.subscriptions import Topic, viewer_of_topic
from dboshub.workflows.rollups.totals import all_counts
from dboshub.workflows.selectors.counts import Count, total
from dboshub.workflows.statuses import IN_FLIGHT
from dboshub.workflows.storage.sql import Session


def count_cells(counted: Mapping[str, Count]) -> dict[str, str]:
    """The shown count of each status, and of all in flight."""
    cells = {status: str(count) for status, count in counted.items()}
    flying = [counted[status] for status in IN_FLIGHT if status in counted]
    return cells | {"in_flight": str(total(flying))}


def counts_digest(counted: Mapping[str, Count]) -> str:
    """The digest of the counts that a page shows, for ``{% live %}``."""
    return digest(count_cells(counted))


class CountSource(IntervalSource):
    """Runs one statement per scope."""

    def __init__(self) -> None:
        super().__init__(_facts)


def _facts(session: Session, topic: Topic, tick: PollTick) -> TopicState:
    counted = all_counts(session, viewer=viewer_of_topic(topic))
    cells = count_cells(counted)
    return TopicState(digest=counts_digest(counted), body=lambda shown: {"cells": cells})
