"""Live updates of list rows: their cells, whether they were deleted or left the list's filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

from django.http import QueryDict

from dboshub.workflows.live.polling import RowPolling
from dboshub.workflows.live.source import (
    Body,
    DigestCache,
    PollTick,
    TopicState,
    WatchedTopic,
    digest,
)
from dboshub.workflows.live.subscriptions import Topic, viewer_of_topic
from dboshub.workflows.live.waiting_reasons import WaitingReasons, reason_facts
from dboshub.workflows.rendering.listing.row_cells import row_cells
from dboshub.workflows.rendering.reason import Reason
from dboshub.workflows.search.criteria import parse
from dboshub.workflows.selectors.rows import WorkflowRow, row_tuple
from dboshub.workflows.storage.sql import Session

GONE = TopicState(digest="gone", body=lambda shown: {"gone": True})


def row_digest(row: WorkflowRow, reason: Reason | None = None, matches: bool = True) -> str:
    """The digest of a row that a page shows, for ``{% live %}``; `reason` says why it waits."""
    return digest(row_tuple(row), reason_facts(reason), matches)


class RowSource:
    """Reads all rows of all pages in one statement and renders each row once.

    Why those wait that do is read apart from it, in a fixed number of statements.
    """

    def __init__(self) -> None:
        self._polling = RowPolling()
        self._digests = DigestCache()
        self._reasons = WaitingReasons()

    def poll(
        self, session: Session, watched_topics: Sequence[WatchedTopic], tick: PollTick
    ) -> Iterator[tuple[Topic, TopicState]]:
        due = self._polling.due(watched_topics, tick)
        rows = self._polling.rows(session, due, tick)
        # Topics differ by filter, but a row's cells do not; topics with one filter share its tests.
        reasons = self._reasons.of(session, rows, tick)
        cells = cache(lambda key: row_cells(rows[key], reason=reasons.get(key)))
        lists = cache(lambda query: list_matcher(query, tick.now_ms))
        self._digests.begin()
        for watched in due:
            topic = watched.topic
            row = rows.get(topic.key)
            if row is None or not viewer_of_topic(topic).may_see(row.application_name):
                yield topic, GONE
                continue
            matches = lists(topic.filter)(row)
            told = reason_facts(reasons.get(topic.key))
            name = self._digests.of((topic.key, matches), row_tuple(row), told, matches)
            if watched.is_current(name):
                continue

            def body(shown: str, key: str = topic.key, matches: bool = matches) -> Body:
                return {"cells": cells(key), "matches": matches}

            yield topic, TopicState(digest=name, body=body)


def list_matcher(query: str, now_ms: int) -> Callable[[WorkflowRow], bool]:
    """A function that says whether a list with this query string shows a row."""
    return parse(QueryDict(query), now=now_ms).matcher() if query else lambda row: True
