"""The numbers in the status pills: counted seldom, once for everybody with the same scope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from workflows.filters import IN_FLIGHT
from workflows.live.source import Demand, Facts, Moment, digest
from workflows.rollups.totals import all_counts
from workflows.selectors.counts import Count, total
from workflows.storage.sql import Session
from workflows.topics import Topic, viewer_of


def count_cells(counted: Mapping[str, Count]) -> dict[str, str]:
    """Numbers by status, and of all in flight, as pills show them."""
    cells = {status: str(count) for status, count in counted.items()}
    flying = [counted[status] for status in IN_FLIGHT if status in counted]
    return cells | {"in_flight": str(total(flying))}


def counts_digest(counted: Mapping[str, Count]) -> str:
    """What a page shows of the counts, for ``{% live %}``."""
    return digest(count_cells(counted))


class CountSource:
    """One statement per scope, no more often than rows that have ended are read again."""

    def __init__(self) -> None:
        self._known: dict[Topic, tuple[float, Facts]] = {}

    def look(
        self, session: Session, demands: Sequence[Demand], moment: Moment
    ) -> Iterator[tuple[Topic, Facts]]:
        topics = {demand.topic for demand in demands}
        self._known = {topic: known for topic, known in self._known.items() if topic in topics}
        for topic in topics:
            at, facts = self._known.get(topic, (float("-inf"), None))
            if facts is None or moment.at - at >= moment.timings.terminal:
                facts = _facts(session, topic)
                self._known[topic] = moment.at, facts
            yield topic, facts


def _facts(session: Session, topic: Topic) -> Facts:
    counted = all_counts(session, viewer=viewer_of(topic))
    cells = count_cells(counted)
    return Facts(digest=counts_digest(counted), body=lambda shown: {"cells": cells})
