"""The numbers in the status pills, as pages follow them."""

from __future__ import annotations

from dboshub.workflows.live.counts import CountSource, counts_digest
from dboshub.workflows.live.source import PollTick, TopicState, WatchedTopic
from dboshub.workflows.live.subscriptions import Topic
from dboshub.workflows.selectors.counts import counts
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Statement
from tests.support.rows import insert

EVERYTHING = Topic(kind="counts")
SHOP = Topic(kind="counts", scope=("shop",))


def looked(
    source: CountSource, database: Database, at: float, *topics: Topic
) -> dict[Topic, TopicState]:
    watched_topics = [
        WatchedTopic(topic=topic, unread=False, since=0, shown=frozenset()) for topic in topics
    ]
    with database.reading() as session:
        return dict(source.poll(session, watched_topics, PollTick(now_ms=0, at=at)))


def cells(facts: TopicState) -> dict[str, str]:
    found: dict[str, str] = facts.body("")["cells"]
    return found


def fill(database: Database) -> None:
    with database.writing() as session:
        insert(session, workflow_uuid="a", status="PENDING", application_name="shop")
        insert(session, workflow_uuid="b", status="ENQUEUED", queue_name="q")
        insert(session, workflow_uuid="c", status="ERROR", application_name="shop")


def test_a_page_that_was_just_rendered_shows_what_is_true(database: Database) -> None:
    fill(database)
    facts = looked(CountSource(), database, 0, EVERYTHING)[EVERYTHING]
    with database.reading() as session:
        assert facts.digest == counts_digest(counts(session))
    assert cells(facts)["in_flight"] == "2"
    assert cells(facts)["ERROR"] == "1"


def test_each_scope_has_its_own_numbers(database: Database) -> None:
    fill(database)
    found = looked(CountSource(), database, 0, EVERYTHING, SHOP)
    assert cells(found[EVERYTHING])["in_flight"] == "2"
    assert cells(found[SHOP])["in_flight"] == "1"


def test_numbers_are_counted_again_after_a_while_and_not_before(database: Database) -> None:
    fill(database)
    source = CountSource()
    first = looked(source, database, 0, EVERYTHING)[EVERYTHING]
    with database.writing() as session:
        session.run(Statement("UPDATE {workflow_status} SET status = 'SUCCESS'"))
    assert looked(source, database, 9, EVERYTHING)[EVERYTHING] is first
    later = looked(source, database, 10, EVERYTHING)[EVERYTHING]
    assert cells(later)["in_flight"] == "0"
    assert cells(later)["SUCCESS"] == "3"
    assert later.digest != first.digest
