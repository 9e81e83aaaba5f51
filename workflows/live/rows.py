"""Rows of lists: the cells of each, struck when deleted, dimmed when it left the list's filter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from functools import cache

from django.http import QueryDict

from workflows.filters import parse
from workflows.live.pace import Pace
from workflows.live.source import Body, Demand, Facts, Moment, digest
from workflows.rendering.rows import row_cells
from workflows.selectors.rows import WorkflowRow
from workflows.storage.sql import Session
from workflows.topics import Topic, viewer_of

GONE = Facts(digest="gone", body=lambda shown: {"gone": True})


def row_digest(row: WorkflowRow, matches: bool = True) -> str:
    """What a page shows of a row, for ``{% live %}``: pages show rows that match."""
    return digest(astuple(row), matches)


class RowSource:
    """One statement for all rows on all pages; each row's cells are rendered once."""

    def __init__(self) -> None:
        self._pace = Pace()

    def look(
        self, session: Session, demands: Sequence[Demand], moment: Moment
    ) -> Iterator[tuple[Topic, Facts]]:
        due = self._pace.due(demands, moment)
        rows = self._pace.rows(session, due, moment)
        # Topics differ by filter, but a row's cells do not.
        cells = cache(lambda key: row_cells(rows[key]))
        for topic in (demand.topic for demand in due):
            row = rows.get(topic.key)
            if row is None or not viewer_of(topic).may_see(row.application_name):
                yield topic, GONE
                continue
            matches = belongs(row, topic.filter, moment.now_ms)

            def body(shown: str, key: str = topic.key, matches: bool = matches) -> Body:
                return {"cells": cells(key), "matches": matches}

            yield topic, Facts(digest=row_digest(row, matches), body=body)


def belongs(row: WorkflowRow, query: str, now_ms: int) -> bool:
    """Whether a list with this query string would show the row."""
    return not query or parse(QueryDict(query), now=now_ms).matches(row)
