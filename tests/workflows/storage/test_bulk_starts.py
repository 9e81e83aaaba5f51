"""Many starts as one write: repeated, refused, or by somebody who lost its row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dboshub.workflows.engine.journal.writes import (
    Answer,
    BulkStartWrite,
    Sender,
    StartWrite,
    StepWrite,
    Verdict,
)
from dboshub.workflows.engine.records import NewWorkflow
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.journal import starts as starts_module
from dboshub.workflows.storage.journal.insert_workflow import start
from dboshub.workflows.storage.journal.single import apply_single
from dboshub.workflows.storage.sql import Statement

NOW = 1_800_000_000_000
PARENT = "parent"
COUNTS = Statement(
    """
    SELECT (SELECT count(*) FROM {workflow_status}),
        (SELECT count(*) FROM {workflow_input}),
        (SELECT count(*) FROM {operation_outputs})
    """
)
INPUT = Statement("SELECT inputs FROM {workflow_input} WHERE workflow_uuid = :id")
DIFFERENCES = Statement(
    """
    SELECT attributes, priority, is_debounced, queue_partition_key, assumed_role
    FROM {workflow_status}
    WHERE workflow_uuid LIKE 'child%'
    ORDER BY workflow_uuid
    """
)


def row(name: str, **columns: Any) -> NewWorkflow:
    return NewWorkflow(
        workflow_uuid=name,
        name="order",
        created_at=NOW,
        updated_at=NOW,
        **{"status": "ENQUEUED", "queue_name": "q", "creator_xid": f"by {name}"} | columns,
    )


def step(number: int, child: str | None = None, owner: str = "owner") -> StepWrite:
    return StepWrite(
        workflow_id=PARENT,
        owner=owner,
        function_id=number,
        name="order",
        child_id=child,
        completed_at=NOW,
    )


def child(number: int, **columns: Any) -> StartWrite:
    name = f"child{number}"
    return StartWrite(
        row=row(name, **columns), inputs=f"input of {name}", parent=step(number, name)
    )


def bulk(*starts: StartWrite, owner: str = "owner", **how: Any) -> BulkStartWrite:
    return BulkStartWrite(starts=starts, by=Sender(PARENT, owner), **how)


@pytest.fixture(autouse=True)
def parent(database: Database) -> None:
    with database.writing() as session:
        start(session, row(PARENT, status="PENDING", owner_xid="owner"), "input")


def applied(database: Database, write: BulkStartWrite) -> Answer:
    with database.writing() as session:
        return apply_single(session, write, now=NOW)


def counts(database: Database) -> tuple[int, int, int]:
    """Children, their inputs, and steps of the parent."""
    with database.reading() as session:
        found = session.one(COUNTS)
    assert found is not None
    return found[0] - 1, found[1] - 1, found[2]


@pytest.mark.parametrize("is_atomic", [False, True])
def test_a_repetition_after_a_lost_answer_is_answered_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch, is_atomic: bool
) -> None:
    monkeypatch.setattr(starts_module, "MAX_ROWS", 2)
    write = bulk(*map(child, range(1, 6)), refused=(step(9),), is_atomic=is_atomic)
    first = applied(database, write)
    assert first.verdict is Verdict.DONE
    assert [each.created for each in first.starts] == [True] * 5
    again = applied(database, write)
    assert again.verdict is Verdict.DONE
    assert [each.created for each in again.starts] == [True] * 5
    assert counts(database) == (5, 5, 6)
    with database.reading() as session:
        assert session.one(INPUT, id="child3") == ("input of child3",)


def test_of_two_with_one_id_the_first_is_there(database: Database) -> None:
    first, second = child(1), replace(child(2), row=row("child1", creator_xid="other"))
    answer = applied(database, bulk(first, replace(second, parent=step(2, "child1"))))
    assert [each.created for each in answer.starts] == [True, False]
    assert counts(database) == (1, 1, 2)
    with database.reading() as session:
        assert session.one(INPUT, id="child1") == ("input of child1",)


def test_of_two_with_one_deduplication_id_the_first_holds_it(database: Database) -> None:
    answer = applied(
        database, bulk(*(child(each, deduplication_id="one") for each in (1, 2)), child(3))
    )
    assert [each.deduplicated_by for each in answer.starts] == [None, "child1", None]
    assert counts(database) == (2, 2, 2)


def test_an_atomic_write_of_which_one_is_refused_leaves_nothing(database: Database) -> None:
    applied(database, bulk(child(1, deduplication_id="one")))
    refused = child(2, deduplication_id="one")
    answer = applied(database, bulk(child(3), refused, child(4), is_atomic=True))
    assert answer.verdict is Verdict.NOTHING
    assert [each.deduplicated_by for each in answer.starts] == [None, "child1", None]
    assert counts(database) == (1, 1, 1)
    accepted = replace(refused, accept_duplicate=True)
    answer = applied(database, bulk(child(3), accepted, child(4), is_atomic=True))
    assert answer.verdict is Verdict.DONE
    assert counts(database) == (3, 3, 3)


@pytest.mark.parametrize("is_atomic", [False, True])
def test_who_lost_its_row_starts_nothing(database: Database, is_atomic: bool) -> None:
    write = bulk(child(1), child(2), owner="another", is_atomic=is_atomic)
    assert applied(database, write).verdict is Verdict.REFUSED
    assert counts(database) == (0, 0, 0)


@pytest.mark.parametrize(("is_atomic", "left"), [(False, 2), (True, 0)])
def test_a_step_with_another_checkpoint_is_a_conflict(
    database: Database, is_atomic: bool, left: int
) -> None:
    assert applied(database, bulk(refused=(step(2, "somebody"),))).verdict is Verdict.DONE
    answer = applied(database, bulk(child(1), child(2), is_atomic=is_atomic))
    assert (answer.verdict, answer.conflict) == (Verdict.CONFLICT, 2)
    assert counts(database)[0] == left


def test_each_row_keeps_what_differs_from_the_others(database: Database) -> None:
    given: list[dict[str, Any]] = [
        {"attributes": '{"a": 1}', "priority": 1},
        {"attributes": '{"a": true}', "priority": 2, "is_debounced": True},
        {"queue_partition_key": "k", "assumed_role": "admin"},
    ]
    applied(database, bulk(*(child(number, **each) for number, each in enumerate(given))))
    with database.reading() as session:
        found = session.all(DIFFERENCES)
    assert [tuple(each) for each in found] == [
        ('{"a": 1}', 1, False, None, None),
        ('{"a": true}', 2, True, None, None),
        (None, 0, False, "k", "admin"),
    ]
