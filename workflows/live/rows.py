"""Rows of lists: the cells of each, struck when deleted, dimmed when it left the list's filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

from django.http import QueryDict

from dboshub.workflows.filters import parse
from dboshub.workflows.live.pace import Pace
from dboshub.workflows.live.source import Body, Demand, Digests, Facts, Moment, digest
from dboshub.workflows.rendering.rows import row_cells
from dboshub.workflows.selectors.rows import WorkflowRow, facts_of
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.topics import Topic, viewer_of

GONE = Facts(digest="gone", body=lambda shown: {"gone": True})


def row_digest(row: WorkflowRow, matches: bool = True) -> str:
    """What a page shows of a row, for ``{% live %}``: pages show rows that match."""
    return digest(facts_of(row), matches)


class RowSource:
    """One statement for all rows on all pages; each row's cells are rendered once."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._digests = Digests()

    def look(
        self, session: Session, demands: Sequence[Demand], moment: Moment
    ) -> Iterator[tuple[Topic, Facts]]:
        due = self._pace.due(demands, moment)
        rows = self._pace.rows(session, due, moment)
        # Topics differ by filter, but a row's cells do not; a hundred lists share a filter's tests.
        cells = cache(lambda key: row_cells(rows[key]))
        lists = cache(lambda query: shown_by(query, moment.now_ms))
        self._digests.begin()
        for demand in due:
            topic = demand.topic
            row = rows.get(topic.key)
            if row is None or not viewer_of(topic).may_see(row.application_name):
                yield topic, GONE
                continue
            matches = lists(topic.filter)(row)
            name = self._digests.of((topic.key, matches), facts_of(row), matches)
            if demand.rests(name):
                continue

            def body(shown: str, key: str = topic.key, matches: bool = matches) -> Body:
                return {"cells": cells(key), "matches": matches}

            yield topic, Facts(digest=name, body=body)


def shown_by(query: str, now_ms: int) -> Callable[[WorkflowRow], bool]:
    """Whether a list with this query string would show a row."""
    return parse(QueryDict(query), now=now_ms).matcher() if query else lambda row: True
