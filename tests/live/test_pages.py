"""Pages about much: one look for all who show one, and only what a page shows is news."""

from __future__ import annotations

from typing import Any

import pytest

from dboshub.audit.live import AuditSource
from dboshub.queues import live as queues_live
from dboshub.queues.selectors import overview
from dboshub.queues.why_not.heads import of_heads
from dboshub.schedules import live as schedules_live
from dboshub.workflows.clock import now_ms
from dboshub.workflows.live import registry
from dboshub.workflows.live.polling import IntervalSource
from dboshub.workflows.live.source import PollTick, WatchedTopic, digest
from dboshub.workflows.live.subscriptions import Topic
from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.selectors.scope import EVERYTHING
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import cached_statement
from tests.support.runs import add_workflow, insert

NOW = 1_700_000_000_000
SOURCES: dict[str, Any] = {**registry.SOURCES, **queues_live.SOURCES, **schedules_live.SOURCES}
PAGES = {
    "queues": queues_live.page_key("", "ma"),
    "queue": "mail",
    "schedules": schedules_live.page_key("", "nig", ""),
    "schedule": "nightly",
    "fleet": "",
    "errors": "",
    "comparison": "",
    "step_statistics": "1h",
}
FILTERS = {"comparison": "a=waits&b=nobody"}
NEWS = {
    "step_statistics": (
        "INSERT INTO {operation_outputs} (workflow_uuid, function_id, completed_at_epoch_ms)"
        f" VALUES ('waits', 1, {now_ms() - 60_000})"
    ),
    "queues": "UPDATE {queues} SET concurrency = 9",
    "queue": "UPDATE {workflow_status} SET status = 'PENDING' WHERE workflow_uuid = 'waits'",
    "schedules": "UPDATE {workflow_schedules} SET last_fired_at = '2023-11-14T22:00:00+00:00'",
    "schedule": "UPDATE {workflow_schedules} SET status = 'PAUSED'",
    "fleet": "UPDATE {dboshub_executor} SET last_beat_at = 0",
    "comparison": "UPDATE {workflow_status} SET status = 'PENDING' WHERE workflow_uuid = 'waits'",
    "errors": "UPDATE {workflow_status} SET status = 'ERROR', completed_at = 1700000000000",
}


@pytest.fixture
def filled(database: Database) -> Database:
    with database.writing() as session:
        insert(session, "queues", queue_id="q", name="mail", concurrency=2)
        named = {"schedule_id": "s", "schedule_name": "nightly", "workflow_name": "report"}
        insert(session, "workflow_schedules", **named, schedule="0 3 * * *", context="{}")
        add_workflow(session, "waits", "ENQUEUED", queue_name="mail", created_at=NOW - 1_000)
        who = {"incarnation": "e" * 32, "executor_id": "worker", "hostname": "box", "pid": 7}
        beats = {"registered_at": NOW, "last_beat_at": NOW, "lease_ms": 30_000}
        insert(session, "dboshub_executor", **who, **beats, slots=8, busy=0, functions="{}")
    return database


def seen(
    source: IntervalSource, database: Database, topic: Topic, at: float = 0, **how: Any
) -> str:
    watched = WatchedTopic(topic=topic, **{"unread": False, "since": 0, "shown": frozenset()} | how)
    with database.reading() as session:
        [(_, facts)] = source.poll(session, [watched], PollTick(now_ms=NOW, at=at))
    return facts.digest


@pytest.mark.parametrize("kind", PAGES)
def test_what_changes_on_a_page_is_news_and_a_second_look_is_not(
    filled: Database, kind: str
) -> None:
    topic = Topic(kind=kind, key=PAGES[kind], filter=FILTERS.get(kind, ""))
    first = seen(SOURCES[kind](), filled, topic)
    assert seen(SOURCES[kind](), filled, topic) == first
    with filled.writing() as session:
        session.run(cached_statement(NEWS[kind]))
    page_cache().clear()
    assert seen(SOURCES[kind](), filled, topic) != first


def test_a_heartbeat_alone_moves_nothing_but_when_it_was_heard(filled: Database) -> None:
    topics = [Topic(kind="fleet"), Topic(kind="queue", key="mail")]
    first = [seen(SOURCES[each.kind](), filled, each) for each in topics]
    heard = seen(SOURCES["beats"](), filled, Topic(kind="beats"))
    with filled.writing() as session:
        session.run(
            cached_statement(f"UPDATE {{dboshub_executor}} SET last_beat_at = {NOW + 5_000}")
        )
    assert [seen(SOURCES[each.kind](), filled, each) for each in topics] == first
    assert seen(SOURCES["beats"](), filled, Topic(kind="beats")) != heard


def test_what_a_person_may_not_see_is_no_news_to_them(filled: Database) -> None:
    mine = Topic(kind="fleet", scope=("bank",))
    first = seen(SOURCES["fleet"](), filled, mine)
    with filled.writing() as session:
        session.run(
            cached_statement("UPDATE {dboshub_executor} SET application_name = 'shop', busy = 3")
        )
    assert seen(SOURCES["fleet"](), filled, mine) == first


def test_one_look_serves_all_until_a_page_comes_that_differs(filled: Database) -> None:
    source, topic = SOURCES["queue"](), Topic(kind="queue", key="mail")
    first = seen(source, filled, topic)
    with filled.writing() as session:
        session.run(cached_statement(NEWS["queues"]))
    assert seen(source, filled, topic, at=9, unread=True, shown=frozenset({first})) == first
    assert seen(source, filled, topic, at=9, unread=True, shown=frozenset({"newer"})) != first
    assert seen(SOURCES["queue"](), filled, topic) == seen(source, filled, topic, at=19)


def test_a_page_that_was_just_rendered_shows_what_is_true(filled: Database) -> None:
    with filled.reading() as session:
        page = overview.page(session, EVERYTHING, now=NOW, prefix="ma")
        reasons = of_heads(session, page.queues, NOW)
    rendered = digest(queues_live.queue_facts(page.queues, reasons))
    assert seen(SOURCES["queues"](), filled, Topic(kind="queues", key=PAGES["queues"])) == rendered


@pytest.mark.django_db
def test_another_entry_is_news_to_who_shows_it() -> None:
    from dboshub.workflows.connection import reading
    from dboshub.workflows.models import AuditEvent

    def poll(topic: Topic) -> str:
        watched = WatchedTopic(topic=topic, unread=True, since=0, shown=frozenset())
        with reading() as session:
            [(_, facts)] = AuditSource().poll(session, [watched], PollTick(now_ms=NOW, at=0))
        return str(facts.digest)

    every, ada = Topic(kind="audit"), Topic(kind="audit", filter="user=ada")
    before = poll(every), poll(ada)
    AuditEvent.objects.create(at=NOW, username="bo", action="pause", outcome="done", detail={})
    assert poll(every) != before[0]
    assert poll(ada) == before[1]
