"""Live updates of the error pages: a notice when the newest failed runs of a filter change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from django.http import QueryDict

from dboshub.workflows.live.polling import NoticeSource
from dboshub.workflows.live.source import PollTick
from dboshub.workflows.live.subscriptions import Topic, viewer_of_topic
from dboshub.workflows.search.criteria import Criteria, parse
from dboshub.workflows.selectors.failures.works import FailedWork, failed_works
from dboshub.workflows.selectors.keyset.pages import WorkflowPager
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.statuses import FAILED_NOT_CANCELLED
from dboshub.workflows.storage.sql import Session

# Ordered by creation: the failure of an older run is noticed if it is among this many.
NEWEST_ROWS = 50


def only_failed(criteria: Criteria) -> Criteria:
    """The filter restricted to failed runs, internal ones included."""
    return replace(criteria, statuses=FAILED_NOT_CANCELLED, internal=True)


def newest_failed(rows: Sequence[WorkflowRow], works: Iterable[FailedWork]) -> object:
    """The values whose change updates a page that begins with these rows: which, and how far."""
    states = {row.pk: work.state for work in works for row in work.runs}
    return [(row.pk, states.get(row.pk)) for row in rows[:NEWEST_ROWS]]


def _shown(session: Session, topic: Topic, tick: PollTick) -> object:
    criteria = only_failed(parse(QueryDict(topic.filter), now=tick.now_ms))
    viewer = viewer_of_topic(topic)
    rows = WorkflowPager(session, criteria, viewer, size=NEWEST_ROWS).first().rows
    return newest_failed(rows, failed_works(session, rows, viewer=viewer))


ErrorSource = partial(NoticeSource, _shown, "The failed runs have changed. Reload the page.")
