"""News on the first page: whether what is wrong is still what it shows."""

from __future__ import annotations

import pytest

from dboshub.home.live import ProblemsSource, problems_digest
from dboshub.incidents.current import current_incidents
from dboshub.queues.selectors.busy_queues import waiting_since
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic, reading
from dboshub.workflows.live.source import PollTick, TopicState, WatchedTopic
from dboshub.workflows.live.subscriptions import Topic
from dboshub.workflows.models.rollups import HOUR
from dboshub.workflows.selectors.scope import EVERYTHING
from tests.support.runs import add_workflow

pytestmark = pytest.mark.django_db

ALL, FEW = Topic(kind="wrong", key="queues,schedules"), Topic(kind="wrong")


def poll(source: ProblemsSource, at: float, topic: Topic = ALL) -> TopicState:
    watched = WatchedTopic(topic=topic, unread=False, since=0, shown=frozenset())
    with reading() as session:
        return dict(source.poll(session, [watched], PollTick(now_ms=now_ms(), at=at)))[topic]


def work(workflow_id: str, status: str, name: str, at: int, **columns: object) -> None:
    with atomic() as session:
        ended = at if status == "ERROR" else None
        given = {"created_at": at, "updated_at": at, "completed_at": ended, "name": name}
        add_workflow(session, workflow_id, status, **given | columns)


def test_a_page_that_was_just_rendered_shows_what_is_true() -> None:
    work("a", "ERROR", "charge", now_ms())
    with reading() as session:
        waiting = waiting_since(session, EVERYTHING)
        found = current_incidents(session, EVERYTHING, frozenset(), waiting=waiting, now=now_ms())
    assert len(found) == 1
    assert poll(ProblemsSource(), 0, FEW).digest == problems_digest(found)


def test_another_thing_that_is_wrong_is_news_and_more_of_the_same_is_not() -> None:
    work("a", "ERROR", "charge", now_ms())
    first = poll(ProblemsSource(), 0)
    work("b", "ERROR", "charge", now_ms())
    assert poll(ProblemsSource(), 0).digest == first.digest
    work("c", "ENQUEUED", "charge", now_ms(), forked_from="a")
    assert poll(ProblemsSource(), 0).digest == first.digest
    work("d", "ENQUEUED", "charge", now_ms(), forked_from="b")
    later = poll(ProblemsSource(), 0)
    assert later.digest != first.digest
    assert "have changed" in later.body("")["cells"]["news"]


def test_what_somebody_may_not_see_is_no_news_to_them() -> None:
    few, every = poll(ProblemsSource(), 0, FEW), poll(ProblemsSource(), 0)
    work("a", "ENQUEUED", "mail", now_ms() - HOUR, queue_name="slow")
    assert poll(ProblemsSource(), 0, FEW).digest == few.digest
    assert poll(ProblemsSource(), 0).digest != every.digest


def test_it_is_looked_at_again_after_a_while_and_not_before() -> None:
    source = ProblemsSource()
    first = poll(source, 0)
    work("a", "ERROR", "charge", now_ms())
    assert poll(source, 9) is first
    assert poll(source, 10).digest != first.digest
