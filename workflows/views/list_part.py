"""The rows of one request for the list: a page of them, or the next part of a page.

A search that no index serves answers after PAGE_S with what it has found. The page then asks for
part after part, which it puts below its rows, until it is full or has asked MAX_PARTS times.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from dboshub.workflows.actions.audit import may_act
from dboshub.workflows.bulk.verbs import OFFERED
from dboshub.workflows.live.rows import row_digest
from dboshub.workflows.live.subscriptions import Subscription, subscription_for
from dboshub.workflows.permissions import VIEW_PAYLOAD
from dboshub.workflows.rendering.listing.columns import Column, columns, withheld
from dboshub.workflows.rendering.listing.row_cells import row_cells
from dboshub.workflows.rendering.listing.value_cells import value_cells
from dboshub.workflows.rendering.reason import why_they_wait
from dboshub.workflows.search.criteria import Criteria, parse
from dboshub.workflows.selectors.keyset.merge import MAX_CHUNK
from dboshub.workflows.selectors.keyset.pages import PAGE_SIZE, Page, WorkflowPager, read_cursor
from dboshub.workflows.selectors.layouts import layout_of
from dboshub.workflows.selectors.row_values import row_values
from dboshub.workflows.selectors.scope import Viewer, viewer_for
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.views.htmx import HtmxHttpRequest
from dboshub.workflows.views.tree import ListTree, TreeRow

# How long a search takes, in seconds: of a page, of each part that follows by itself, and of a
# page of newer rows, which no part follows.
PAGE_S, PART_S, BACK_S = 0.03, 0.08, 0.2
# A part begins with a large chunk, because smaller ones have not filled the page.
PART_CHUNK = MAX_CHUNK
MAX_PARTS = 25
SMALL = re.compile(r"\d{1,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListRequest:
    """One request for the list: user, filter, columns, and time (epoch ms).

    `withheld` are the titles of the chosen columns that the user may not see.
    """

    request: HtmxHttpRequest
    criteria: Criteria
    viewer: Viewer
    columns: Sequence[Column]
    withheld: Sequence[str]
    density: str
    now: int

    @classmethod
    def of(cls, request: HtmxHttpRequest) -> ListRequest:
        now = int(time.time() * 1_000)
        payload = request.user.has_perm(VIEW_PAYLOAD)
        criteria = parse(request.GET, now=now, attributes=payload)
        kept = layout_of(request.user)
        chosen = criteria.columns, kept.columns
        shown = columns(*chosen, by=criteria.by, payload=payload)
        hidden = [] if payload else withheld(*chosen)
        return cls(request, criteria, viewer_for(request.user), shown, hidden, kept.density, now)

    @property
    def shown(self) -> list[Column]:
        return [column for column in self.columns if column.is_shown]

    @property
    def values(self) -> list[Column]:
        """The shown columns that are payload."""
        return [column for column in self.shown if column.is_value]

    @property
    def context(self) -> dict[str, object]:
        """What templates need for rows, whether they could be read or not."""
        user, query = self.request.user, self.criteria.query()
        # A criterion that was left out would make the set of a bulk job larger: it is refused.
        is_whole = not self.criteria.problems
        return {
            "criteria": self.criteria,
            "query": query,
            "bulk_filter": query if is_whole else self.request.GET.urlencode(),
            "columns": self.columns,
            "withheld": self.withheld,
            "density": self.density,
            "verbs": [each for each in OFFERED.values() if may_act(user, each.permission)],
        }

    def topic(self, kind: str, key: str = "") -> Subscription:
        """A subscription with the filter of the list, without columns and attributes."""
        without = dict.fromkeys((*self.criteria.attributes, "columns"))
        listed = self.criteria.query(**without)
        return subscription_for(self.request, kind, key, filter=listed, since=self.now)

    def unfiltered(self, workflow_id: str) -> Subscription:
        """A subscription to a row without the filter of the list."""
        return subscription_for(self.request, "row", workflow_id, since=self.now)

    def query(self, **places: object) -> str:
        """The query string of the filter and a place in the list, with the open parents."""
        opened = [each for each in self.request.GET.getlist("open") if each]
        parts = [self.criteria.query(**places)]
        parts += [urlencode([("open", each) for each in opened])] if self.criteria.top_level else []
        return "&".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows already: `found` rows after the cursor `start`, in `parts` parts."""

    start: str
    found: int = 0
    parts: int = 0

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Shown:
        return cls(
            start=query.get("start", ""),
            found=min(_number(query.get("found", "")), PAGE_SIZE - 1),
            parts=max(_number(query.get("part", "")), 1),
        )


def read_part(session: Session, list_request: ListRequest, shown: Shown) -> dict[str, Any]:
    """The context of the rows and of the links below them."""
    page, criteria = _page(session, list_request, shown), list_request.criteria
    found = shown.found + len(page.rows)
    newer = shown.start if shown.parts else page.newer
    more = {"after": page.older, "start": shown.start, "found": found, "part": shown.parts + 1}
    return {
        "page": page,
        "rows": _rows(session, list_request, page, shown),
        "shown": shown,
        "found": found,
        "is_first": not newer,
        "older": criteria.query(after=page.older) if page.older else "",
        "newer": criteria.query(before=newer) if newer else "",
        # What is cut short says how far it came; what is all here is its own count.
        "counts_lazily": bool(page.older) and not page.searched_to and not criteria.is_empty,
        "count_query": list_request.query(count="yes"),
        "next_part": list_request.query(**more) if _goes_on(page, shown) else "",
    }


def _page(session: Session, list_request: ListRequest, shown: Shown) -> Page:
    query, criteria, viewer = list_request.request.GET, list_request.criteria, list_request.viewer
    before = read_cursor(query.get("before", ""))
    if before and not shown.parts:
        # Rows that are found later would move those above which they belong: no parts follow.
        return WorkflowPager(session, criteria, viewer, budget_s=BACK_S).before(before)
    cursor = read_cursor(query.get("after", ""))
    if not shown.parts:
        return WorkflowPager(session, criteria, viewer, budget_s=PAGE_S).after(cursor)
    size, chunk = PAGE_SIZE - shown.found, PART_CHUNK
    pager = WorkflowPager(session, criteria, viewer, size=size, budget_s=PART_S, first_chunk=chunk)
    return pager.after(cursor)


def _goes_on(page: Page, shown: Shown) -> bool:
    """Whether the page asks for the next part by itself."""
    return page.goes_on_older and shown.parts < MAX_PARTS


def _rows(
    session: Session, list_request: ListRequest, page: Page, shown: Shown
) -> list[dict[str, object]]:
    facts = [column.key for column in list_request.shown if not column.is_value]
    values = list_request.values
    found: list[dict[str, object]] = []
    lines = [*_lines(session, list_request, page, shown)]
    reasons = why_they_wait(session, (line.row for line in lines))
    ids = [line.row.pk for line in lines]
    stored = row_values(session, ids) if values and ids else {}
    for line in lines:
        row = line.row
        # Children are shown because of their parent, so the filter does not apply to them.
        subscription = (
            list_request.topic("row", row.pk) if not line.depth else list_request.unfiltered(row.pk)
        )
        cells = row_cells(row, facts, reason=reasons.get(row.pk))
        cells |= value_cells(stored.get(row.pk), values)
        found.append(
            {
                "id": row.pk,
                "cells": [(column, cells[column.key]) for column in list_request.shown],
                "subscription": subscription,
                "digest": row_digest(row, reasons.get(row.pk)),
                "line": line,
            }
        )
    return found


def _lines(
    session: Session, list_request: ListRequest, page: Page, shown: Shown
) -> Iterable[TreeRow]:
    if not list_request.criteria.top_level:
        return [TreeRow(row) for row in page.rows]
    query = list_request.request.GET
    before = "" if shown.parts else query.get("before", "")
    place = list_request.criteria.query(after=shown.start, before=before)
    return ListTree.read(place, query.getlist("open")).lines(
        session, page.rows, list_request.viewer
    )


def _number(text: str) -> int:
    return int(text) if SMALL.fullmatch(text) else 0
