"""The last successful run of a workflow's name, before it or else after it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dboshub.workflows.search.criteria import Criteria
from dboshub.workflows.selectors.keyset.merge import BUDGET_S
from dboshub.workflows.selectors.keyset.pages import WorkflowPager
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.sql import Session


@dataclass(frozen=True, slots=True)
class LastGood:
    """`searched_to` (epoch ms) is set if the time for the search ran out before a run was found."""

    row: WorkflowRow | None
    searched_to: int | None = None


def last_good(session: Session, row: WorkflowRow, viewer: Viewer) -> LastGood:
    """The newest success of the same name and application that was created before this run.

    If it is the first one, the newest success of all.
    """
    earlier = _newest(session, row, viewer, replace(_alike(row), until=row.created_at))
    if earlier.row is not None or earlier.searched_to is not None:
        return earlier
    return _newest(session, row, viewer, _alike(row))


def last_good_ended(
    session: Session, row: WorkflowRow, viewer: Viewer, since: int, until: int
) -> WorkflowRow | None:
    """The newest one that ended in a span (epoch ms), which an index serves."""
    span = replace(_alike(row), by="completed", since=since, until=until)
    return _newest(session, row, viewer, span).row


def _alike(row: WorkflowRow) -> Criteria:
    texts = (("name", _exactly(row.name)), ("app", _exactly(row.application_name)))
    return Criteria(statuses=("SUCCESS",), texts=texts, internal=True)


def _exactly(value: str | None) -> str:
    """A value of a filter that stands for this text alone; `-` is for none."""
    return "-" if value is None else f"={value}"


def _newest(session: Session, row: WorkflowRow, viewer: Viewer, criteria: Criteria) -> LastGood:
    found = WorkflowPager(session, criteria, viewer, size=2, budget_s=BUDGET_S).first()
    good = next((each for each in found.rows if each.pk != row.pk), None)
    return LastGood(good, None if good else found.searched_to)
