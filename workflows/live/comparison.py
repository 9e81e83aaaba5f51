"""Live updates of a comparison: a notice when one of the two workflows has gone on."""

from __future__ import annotations

from functools import partial
from urllib.parse import parse_qs, urlencode

from dboshub.workflows.live.polling import NoticeSource
from dboshub.workflows.live.source import PollTick, digest
from dboshub.workflows.live.subscriptions import Topic, viewer_of_topic
from dboshub.workflows.selectors.detail import steps
from dboshub.workflows.selectors.rows import WorkflowRow, row_tuple, rows_by_id
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.sql import Session


def pair_filter(left: WorkflowRow, right: WorkflowRow) -> str:
    """The filter of the topic of two workflows."""
    return urlencode({"a": left.pk, "b": right.pk})


def pair_digest(session: Session, filter: str, viewer: Viewer) -> str:
    """The digest of the page of two workflows, without their payloads."""
    return digest(_facts(session, filter, viewer))


def _facts(session: Session, filter: str, viewer: Viewer) -> object:
    ids = [each for found in parse_qs(filter).values() for each in found]
    rows = rows_by_id(session, ids, viewer=viewer)
    active = [row.pk for row in rows.values() if not row.is_final]
    last = [step.function_id for each in active for step in steps.latest(session, each, most=1)]
    return [row_tuple(rows[each]) for each in ids if each in rows], last


def _shown(session: Session, topic: Topic, tick: PollTick) -> object:
    return _facts(session, topic.filter, viewer_of_topic(topic))


ComparisonSource = partial(NoticeSource, _shown, "One of the two has gone on. Compare again.")
