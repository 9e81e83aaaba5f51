"""What a workflow recorded, read for its page: steps, events, messages, streams, kin."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from dboshub.workflows.selectors.detail import events, messages, steps, streams, values
from dboshub.workflows.selectors.relations import lineage
from dboshub.workflows.selectors.rows import row
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Session
from tests.support.runs import (
    add_event,
    add_message,
    add_step,
    add_stream,
    add_workflow,
    insert,
)

ID = "order/7 🐒"


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.writing() as writing:
        yield writing


def test_steps_come_a_page_at_a_time_from_either_end(session: Session) -> None:
    add_workflow(session, ID)
    for number in range(1, 451):
        add_step(session, ID, number, "charge", error=ValueError() if number == 3 else None)
    first, last = steps.page(session, ID), steps.page(session, ID, newest=True)
    assert (first.first, first.last, first.has_earlier, first.has_later) == (1, 200, False, True)
    assert (last.first, last.last, last.has_earlier, last.has_later) == (251, 450, True, False)
    assert (first.total, first.failed, first.is_capped) == (450, 1, False)
    middle = steps.page(session, ID, start=201)
    assert (middle.first, middle.last, middle.has_earlier, middle.has_later) == (
        201,
        400,
        True,
        True,
    )


def test_counting_steps_stops_at_a_cap(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "MAX_COUNTED", 5)
    add_workflow(session, ID)
    for number in range(1, 10):
        add_step(session, ID, number, "charge")
    page = steps.page(session, ID)
    assert (page.total, page.is_capped) == (5, True)


def test_the_family_of_steps_goes_down_three_generations_and_no_further(session: Session) -> None:
    for number, parent in enumerate(("a", "b", "c", "d")):
        add_workflow(session, parent)
        add_step(session, parent, 1, "start", child="abcde"[number + 1])
    add_workflow(session, "e")
    found = steps.child_steps(session, steps.page(session, "a").steps)
    # The row of the last one has its true times.
    assert set(found.rows) == {"b", "c", "d", "e"}
    assert found.read == {"b", "c", "d"}
    below = steps.child_steps(session, steps.page(session, "a").steps, opened=["e"])
    assert below.read == {"b", "c", "d", "e"}


def test_a_chain_of_children_unfolds_at_any_depth(session: Session) -> None:
    chain = [f"c{depth}" for depth in range(12)]
    for parent, child in pairwise(chain):
        add_workflow(session, parent)
        add_step(session, parent, 1, "start", child=child)
    add_workflow(session, chain[-1])
    add_step(session, chain[-1], 1, "leaf")
    found = steps.child_steps(session, steps.page(session, "c0").steps, opened=chain[4:])
    assert found.read == {*chain[1:]}
    assert [step.name for step in found.steps["c11"]] == ["leaf"]


def test_children_in_a_circle_end(session: Session) -> None:
    for parent, child in (("a", "b"), ("b", "a")):
        add_workflow(session, parent)
        add_step(session, parent, 1, "start", child=child)
    found = steps.child_steps(session, steps.page(session, "a").steps, opened=["a", "b"])
    assert found.read == {"a", "b"}


def test_a_child_with_more_steps_than_are_shown_says_so(session: Session) -> None:
    add_workflow(session, "a")
    for number, child in enumerate(("few", "many"), 1):
        add_workflow(session, child)
        add_step(session, "a", number, "start", child=child)
        for step in range(1, steps.MAX_CHILD_STEPS + number):
            add_step(session, child, step, "work")
    found = steps.child_steps(session, steps.page(session, "a").steps)
    assert found.cut == {"many"}
    assert {each: len(of) for each, of in found.steps.items()} == {"few": 50, "many": 50}


def test_a_child_outside_the_viewers_scope_does_not_exist(session: Session) -> None:
    add_workflow(session, "a")
    add_workflow(session, "secret", application_name="bank", parent_workflow_id="a")
    add_step(session, "a", 1, "start", child="secret")
    viewer = Viewer(applications=frozenset({"shop"}))
    found = steps.page(session, "a").steps
    assert steps.child_steps(session, found, viewer=viewer).rows == {}
    parent = row(session, "a", viewer=viewer)
    assert parent is not None
    assert lineage.lineage(session, parent, viewer=viewer).is_empty


def test_errors_of_steps_are_read_apart_and_cut(session: Session) -> None:
    add_workflow(session, ID)
    add_step(session, ID, 1, "fine")
    add_step(session, ID, 2, "bad", error=ValueError("x" * 10_000))
    add_step(session, ID, 3, "short", error=ValueError("x"))
    found = steps.errors(session, ID, [1, 2, 3])
    assert set(found) == {2, 3}
    assert (len(found[2].text), found[2].is_cut) == (steps.MAX_ERROR_EXCERPT, True)
    assert not found[3].is_cut
    assert steps.errors(session, ID, []) == {}


def test_an_event_has_its_history_newest_first(session: Session) -> None:
    add_workflow(session, ID)
    add_event(session, ID, "progress", "one", "two", "three", step=4)
    found = events.events(session, ID, payload=True)
    (event,) = found.events
    assert event.key == "progress"
    assert [written.function_id for written in event.history] == [6, 5, 4]
    assert event.text == event.history[0].text != event.history[1].text


def test_values_are_read_only_for_those_who_may_see_them(session: Session) -> None:
    add_workflow(session, ID)
    add_event(session, ID, "progress", "secret")
    add_message(session, ID, "secret")
    add_stream(session, ID, "log", "secret")
    (event,) = events.events(session, ID, payload=False).events
    assert (event.text, event.history[0].text) == (None, None)
    assert event.size > 0
    assert messages.inbox(session, ID, payload=False).messages[0].text is None
    (stream,) = streams.streams(session, ID)
    assert streams.window(session, ID, stream, payload=False).values[0].text is None
    assert streams.window(session, ID, stream, payload=True).values[0].text is not None


def test_a_large_value_stays_where_it_is_until_it_is_asked_for(session: Session) -> None:
    add_workflow(session, ID)
    add_event(session, ID, "big", "x" * 10_000)
    (event,) = events.events(session, ID, payload=True).events
    assert event.text is None
    stored = values.value(session, "event", ID, key="big", most=100)
    assert stored is not None
    assert (len(stored.text), stored.size, stored.is_cut) == (100, event.size, True)


def test_messages_tell_topic_and_who_received_them(session: Session) -> None:
    add_workflow(session, ID)
    add_message(session, ID, "a", topic="paid", consumed=True, consumed_by_function_id=4)
    add_message(session, ID, "b")
    found = messages.inbox(session, ID, payload=True)
    assert {(each.topic, each.is_consumed, each.consumed_by) for each in found.messages} == {
        ("paid", True, 4),
        (None, False, None),
    }
    assert found.waiting == 1


def test_the_end_marker_of_a_stream_is_no_value(session: Session) -> None:
    add_workflow(session, ID)
    add_stream(session, ID, "closed", 1, 2, closed=True)
    add_stream(session, ID, "empty", closed=True)
    add_stream(session, ID, "open", *range(120))
    found = streams.streams(session, ID)
    assert [(each.key, each.end, each.is_closed) for each in found] == [
        ("closed", 2, True),
        ("empty", 0, True),
        ("open", 120, False),
    ]
    assert [streams.stream(session, ID, each.key) for each in found] == found
    assert streams.stream(session, ID, "no such") is None
    newest = streams.window(session, ID, found[2], payload=True)
    assert (newest.start, newest.stop, newest.has_earlier, newest.has_later) == (
        70,
        120,
        True,
        False,
    )
    early = streams.window(session, ID, found[2], payload=True, start=10)
    assert (early.start, early.stop, early.has_later) == (10, 60, True)


def test_lineage_knows_ancestors_children_origin_and_forks(session: Session) -> None:
    add_workflow(session, "root")
    add_workflow(session, "parent", parent_workflow_id="root")
    add_workflow(session, "me", parent_workflow_id="parent", forked_from="origin")
    add_workflow(session, "origin")
    add_workflow(session, "child", parent_workflow_id="me")
    add_workflow(session, "fork", forked_from="me")
    me = row(session, "me")
    assert me is not None
    found = lineage.lineage(session, me)
    assert [each.pk for each in found.ancestors] == ["root", "parent"]
    assert found.origin is not None
    assert found.origin.pk == "origin"
    assert [each.pk for each in (*found.children, *found.forks)] == ["child", "fork"]


def test_a_child_that_failed_after_many_others_is_found_first(session: Session) -> None:
    for number in range(lineage.MAX_RELATIVES + 10):
        is_last = number == lineage.MAX_RELATIVES + 9
        status = "ERROR" if is_last else "SUCCESS"
        add_workflow(session, f"c-{number:02}", status, parent_workflow_id="p", created_at=number)
    found = [each.pk for each in lineage.first_children(session, "p", EVERYTHING)]
    assert found[:2] == ["c-59", "c-00"]
    assert lineage.first_children(session, "p", Viewer(frozenset(), unclaimed=False)) == []


def test_ancestors_in_a_circle_end(session: Session) -> None:
    add_workflow(session, "a", parent_workflow_id="b")
    add_workflow(session, "b", parent_workflow_id="a")
    a = row(session, "a")
    assert a is not None
    assert {each.pk for each in lineage.lineage(session, a).ancestors} == {"a", "b"}


@pytest.mark.parametrize("kind", sorted(values.KINDS))
def test_a_value_that_is_not_there_is_none(session: Session, kind: str) -> None:
    assert values.value(session, kind, ID, key="x", step=1) is None


def test_an_outcome_of_an_older_release_lies_in_the_row_itself(session: Session) -> None:
    insert(
        session,
        "workflow_status",
        workflow_uuid=ID,
        status="SUCCESS",
        created_at=1,
        updated_at=1,
        inputs="in",
        output="out",
    )
    for kind, text in (("input", "in"), ("output", "out")):
        stored = values.value(session, kind, ID)
        assert stored is not None
        assert stored.text == text
