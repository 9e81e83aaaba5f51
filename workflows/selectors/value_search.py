"""Searches the values of the newest workflows for a text: inputs, outputs, errors, attributes.

No index leads to what is within a payload, so a search reads at most MAX_RUNS rows of the newest,
or of those older than a cursor, and tells how far it came. Payloads are searched only for viewers
who may see them, redacted, and up to MAX_LENGTH characters each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from dboshub.workflows.payloads.occurrences import Sought
from dboshub.workflows.payloads.paths import write_path
from dboshub.workflows.search.criteria import Criteria
from dboshub.workflows.selectors.keyset.pages import Page, WorkflowPager, read_cursor, write_cursor
from dboshub.workflows.selectors.keyset.ranges import Position
from dboshub.workflows.selectors.row_values import MAX_LENGTH, RowValues, row_values
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.time_budget import is_spent

MAX_RUNS = 2_000
# Payloads of this many rows are in memory at a time.
CHUNK = 250
MAX_MATCHES = 10
# Seconds after which no further chunk is read.
BUDGET_S = 1.0
# The facts of a row that no key of a filter finds by a part, and their names.
FACTS = {
    "deduplication_id": "deduplication id",
    "queue_partition_key": "partition",
    "authenticated_user": "user",
}


@dataclass(frozen=True, slots=True)
class ValueMatch:
    """A workflow, where the text was found (`input.order.id`), and the value, cut around it."""

    row: WorkflowRow
    place: str
    excerpt: str


@dataclass(slots=True)
class ValueMatches:
    """What was found in `looked` rows, back to `reached_at` (epoch ms, None without rows).

    `after` is the cursor to search on from, empty if every row was searched.
    """

    matches: list[ValueMatch] = field(default_factory=list)
    looked: int = 0
    reached_at: int | None = None
    after: str = ""


@dataclass(frozen=True, slots=True)
class ValueSearch:
    """A search for one text; `payload` says whether the viewer may see payloads."""

    session: Session
    viewer: Viewer
    text: str
    payload: bool
    clock: Callable[[], float] = time.monotonic
    budget_s: float = BUDGET_S

    def run(self, after: str = "") -> ValueMatches:
        """Search the newest rows, or those older than a cursor."""
        found = ValueMatches(after=after)
        begun = self.clock()
        while found.looked < MAX_RUNS and not is_spent():
            page = self._page(found.after)
            for row, match in self._matches(page.rows):
                found.looked += 1
                found.reached_at = row.created_at
                if match is not None:
                    found.matches.append(match)
                if len(found.matches) == MAX_MATCHES:
                    found.after = write_cursor(Position(row.created_at, "all", row.workflow_uuid))
                    return found
            found.after = page.older or ""
            found.reached_at = page.searched_to or found.reached_at
            if not found.after or self.clock() - begun > self.budget_s:
                break
        return found

    def _page(self, after: str) -> Page:
        everything = Criteria(internal=True)
        pager = WorkflowPager(
            self.session, everything, self.viewer, size=CHUNK, first_chunk=CHUNK + 1
        )
        return pager.after(read_cursor(after))

    def _matches(
        self, rows: Sequence[WorkflowRow]
    ) -> Iterator[tuple[WorkflowRow, ValueMatch | None]]:
        sought = Sought.of(self.text)
        ids = [row.pk for row in rows]
        stored = row_values(self.session, ids) if self.payload and ids else {}
        for row in rows:
            yield row, _in_facts(row, sought) or _in_payloads(row, stored.get(row.pk), sought)


def _in_facts(row: WorkflowRow, sought: Sought) -> ValueMatch | None:
    for column, word in FACTS.items():
        value = getattr(row, column)
        if value and sought.text in value.casefold():
            return ValueMatch(row, word, value)
    return None


def _in_payloads(row: WorkflowRow, values: RowValues | None, sought: Sought) -> ValueMatch | None:
    if values is None:
        return None
    for place, text in values.texts.items():
        found = sought.find(text, values.format_of(place), longest=MAX_LENGTH)
        if found is not None:
            return ValueMatch(row, write_path((place, *found.path)), found.excerpt)
    return None
