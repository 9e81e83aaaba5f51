"""Live updates of the sections of a workflow's page.

A section is rendered once for all viewers when the facts about it change. Facts are counts, last
numbers and digests, read by the primary keys of the watched workflows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from dboshub.workflows.live.polling import STALE, RowPolling
from dboshub.workflows.live.rows import GONE
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
from dboshub.workflows.rendering.reason import Reason, why_they_wait
from dboshub.workflows.rendering.sections import section
from dboshub.workflows.selectors.rows import WorkflowRow, row_tuple, rows_by_id
from dboshub.workflows.storage.listing import watch
from dboshub.workflows.storage.sql import Row, Session, Statement

# The statements that read the facts of a section, besides the workflow's row.
FACTS: Mapping[str, tuple[Statement, ...]] = {
    "workflow": (watch.ATTRIBUTES, watch.STEPS),
    "steps": (watch.STEPS, watch.CHILDREN),
    "events": (watch.EVENTS, watch.HISTORY),
    "messages": (watch.MESSAGES,),
    "stream": (watch.STREAM_KEYS,),
}
# The section that says why a workflow waits, which its row does not contain.
REASONED = "workflow"
# The filter of a topic whose viewers have unfolded more than is rendered for all.
UNFOLDED = "unfolded=1"


def section_digest(session: Session, kind: str, workflow_id: str) -> str:
    """The digest of a section, for ``{% live %}``. Read it before the section: a change between the
    two is then sent again instead of being lost."""
    row = rows_by_id(session, [workflow_id]).get(workflow_id)
    if row is None:
        return GONE.digest
    found = _found(session, kind, [workflow_id])
    reasons = why_they_wait(session, [row]) if kind == REASONED else {}
    return digest(*_shown(row, found, reasons))


class SectionSource:
    """One kind of section. The number of statements does not depend on the number of viewers."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._polling = RowPolling()
        self._digests = DigestCache()
        self._reasons = WaitingReasons()

    def poll(
        self, session: Session, watched_topics: Sequence[WatchedTopic], tick: PollTick
    ) -> Iterator[tuple[Topic, TopicState]]:
        due = self._polling.due(watched_topics, tick)
        rows = self._polling.rows(session, due, tick)
        found = _found(session, self._kind, [*rows])
        reasons = self._reasons.of(session, rows, tick) if self._kind == REASONED else {}
        self._digests.begin()
        for watched in due:
            topic = watched.topic
            row = rows.get(topic.key)
            if row is None or not viewer_of_topic(topic).may_see(row.application_name):
                yield topic, GONE
                continue
            name = self._digests.of(topic.key, *_shown(row, found, reasons))
            if not watched.is_current(name):
                body = _stale if topic.filter else _Render(session, self._kind, topic)
                yield topic, TopicState(digest=name, body=body)


def _stale(shown: str) -> Body:
    return STALE


class _Render:
    """Renders a section when it is first needed, once for all viewers."""

    def __init__(self, session: Session, kind: str, topic: Topic) -> None:
        self._html = cache(lambda: section(kind, session, topic.key, payload=topic.payload))

    def __call__(self, shown: str) -> Body:
        return {"html": self._html()}


def _found(session: Session, kind: str, ids: Sequence[str]) -> list[dict[str, list[Row]]]:
    return [watch.grouped(session, statement, ids) for statement in FACTS[kind]]


def _shown(
    row: WorkflowRow, found: list[dict[str, list[Row]]], reasons: Mapping[str, Reason]
) -> tuple[object, object, object]:
    told = reason_facts(reasons.get(row.workflow_uuid))
    return row_tuple(row), [facts.get(row.workflow_uuid) for facts in found], told
