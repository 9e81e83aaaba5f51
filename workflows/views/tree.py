"""The list as a tree: children are shown below their parent. The URL holds the open parents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from dboshub.workflows.selectors.counts import Count
from dboshub.workflows.selectors.relations.child_counts import child_counts
from dboshub.workflows.selectors.relations.lineage import first_children
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.sql import Session

MAX_OPEN, MAX_DEPTH = 20, 8
# Children shown below one parent; a link leads to the list of all.
MAX_CHILDREN = 20


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A row of the tree. `children` is None if there are none; `shown` is the number shown."""

    row: WorkflowRow
    depth: int = 0
    children: Count | None = None
    shown: int = 0
    toggle: str = ""


@dataclass(frozen=True, slots=True)
class ListTree:
    """The open parents; `query` is the query string of the list without them."""

    query: str
    opened: tuple[str, ...]

    @classmethod
    def read(cls, query: str, opened: Sequence[str]) -> ListTree:
        return cls(query, tuple(each for each in dict.fromkeys(opened) if each)[:MAX_OPEN])

    def lines(
        self, session: Session, rows: Sequence[WorkflowRow], viewer: Viewer, depth: int = 0
    ) -> Iterator[TreeRow]:
        """The rows, each followed by its open children."""
        counted = child_counts(session, [each.pk for each in rows], viewer=viewer)
        for row in rows:
            count = counted.get(row.pk)
            is_open = count is not None and row.pk in self.opened and depth < MAX_DEPTH
            below = first_children(session, row.pk, viewer)[:MAX_CHILDREN] if is_open else []
            yield TreeRow(row, depth, count, len(below), self._toggled(row.pk) if count else "")
            if below:
                yield from self.lines(session, below, viewer, depth + 1)

    def _toggled(self, workflow_id: str) -> str:
        opened = [each for each in self.opened if each != workflow_id]
        if workflow_id not in self.opened:
            opened.append(workflow_id)
        parts = [self.query, urlencode([("open", each) for each in opened])]
        return "&".join(filter(None, parts))
