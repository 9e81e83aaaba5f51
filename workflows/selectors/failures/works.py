"""Failed runs as pieces of work: each with its cause, its state and the run to act on.

A run and its forks are one piece of work, and so is a child that failed with its parent: who acts
on the parent acts on both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dboshub.workflows.search.criteria import Criteria
from dboshub.workflows.selectors.failures.families import Attempt, Family, families
from dboshub.workflows.selectors.keyset.pages import WorkflowPager
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.statuses import FAILED_NOT_CANCELLED
from dboshub.workflows.storage.sql import Session

# Failed runs that are read, the newest first, and those among the last that ended.
MAX_RUNS, MAX_LATE = 500, 200
# Parents above a failed child that are looked at.
MAX_PARENTS = 3


class State(StrEnum):
    """Where a piece of work, or an incident, stands."""

    OPEN = "open"
    ACTED_ON = "acted_on"
    IGNORED = "ignored"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class FailedWork:
    """`runs` are its failed runs among those that were read, what failed last first.

    `head` is the newest of them that is no child of another, `first` the one of its descendants, or
    itself, that failed first. `target` is the id of the run to fork while the work is open, and
    `retry` the attempt that is under way or made it good.
    """

    runs: tuple[WorkflowRow, ...]
    head: WorkflowRow
    first: WorkflowRow
    state: State
    target: str
    retry: Attempt | None

    @property
    def first_at(self) -> int:
        return min(failed_at(row) for row in self.runs)

    @property
    def last_at(self) -> int:
        """When it failed last (epoch ms)."""
        return max(failed_at(row) for row in self.runs)

    @property
    def is_open(self) -> bool:
        return self.state is State.OPEN

    @property
    def resolved_at(self) -> int | None:
        return self.retry.ended_at if self.retry and self.state is State.RESOLVED else None


@dataclass(frozen=True, slots=True)
class Failures:
    """The failed work since a time; `is_cut` if there are more failed runs than were read."""

    works: list[FailedWork]
    is_cut: bool


def failed_at(row: WorkflowRow) -> int:
    return row.completed_at or row.updated_at


def recent_failures(session: Session, viewer: Viewer, *, since: int, until: int) -> Failures:
    """The work whose last failure was at `since` (epoch ms) or later.

    The index of failed runs is by creation: what was created before the newest MAX_RUNS is found
    among the last that ended, in the hour before `until`.
    """
    criteria = Criteria(statuses=FAILED_NOT_CANCELLED, internal=True)
    page = WorkflowPager(session, criteria, viewer, size=MAX_RUNS).first()
    rows = {row.pk: row for row in page.rows}
    if page.older:
        late = Criteria(
            statuses=FAILED_NOT_CANCELLED, internal=True, by="completed", since=until - 3_600_000
        )
        found = WorkflowPager(session, late, viewer, size=MAX_LATE).first().rows
        rows |= {row.pk: row for row in found}
    works = failed_works(session, rows.values(), viewer=viewer)
    return Failures([each for each in works if each.last_at >= since], bool(page.older))


def failed_works(
    session: Session, rows: Iterable[WorkflowRow], *, viewer: Viewer = EVERYTHING
) -> list[FailedWork]:
    """The failed runs by the work that they belong to, what failed last first.

    Takes one statement for each generation of parents, origins and forks that exists.
    """
    given = [*rows]
    heads = _heads(session, given, viewer)
    known = families(session, heads.values(), viewer=viewer)
    members: dict[str, list[WorkflowRow]] = {}
    for row in given:
        head = heads[row.pk].pk
        members.setdefault(known[head].origin, []).append(row)
    works = [_work(each, heads, known) for each in members.values()]
    return sorted(works, key=lambda work: (-work.last_at, work.target))


def _heads(session: Session, rows: Sequence[WorkflowRow], viewer: Viewer) -> dict[str, WorkflowRow]:
    """The topmost failed ancestor of each row, itself if its parent has not failed."""
    heads = {row.pk: row for row in rows}
    known = dict(heads)
    for _ in range(MAX_PARENTS):
        parents = (head.parent_workflow_id for head in heads.values())
        above = {each for each in parents if each and each not in known}
        if above:
            known |= rows_by_id(session, above, viewer=viewer)
        heads = {pk: _parent(head, known) for pk, head in heads.items()}
    return heads


def _parent(row: WorkflowRow, known: dict[str, WorkflowRow]) -> WorkflowRow:
    parent = known.get(row.parent_workflow_id or "")
    return parent if parent is not None and parent.status in FAILED_NOT_CANCELLED else row


def _work(
    rows: list[WorkflowRow], heads: dict[str, WorkflowRow], known: dict[str, Family]
) -> FailedWork:
    newest = max(rows, key=lambda row: (heads[row.pk].created_at, heads[row.pk].pk))
    head = heads[newest.pk]
    family = known[head.pk]
    last, success, going = family.failed, family.success, family.in_flight
    below = [row for row in rows if heads[row.pk] is head]
    first = min(below, key=lambda row: (failed_at(row), -row.created_at, row.pk))
    state = State.RESOLVED if success else State.ACTED_ON if going else State.OPEN
    return FailedWork(
        tuple(sorted(rows, key=lambda row: (-failed_at(row), row.pk))),
        head,
        first,
        state,
        last.workflow_id if last else head.pk,
        success or going,
    )
