"""Claims: which workflows, in which order, and the columns of their rows afterwards."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from dboshub.queues.engine.settings import RateLimit
from dboshub.queues.storage import claim
from dboshub.workflows.engine.records import ClaimedWorkflow
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Statement
from tests.queues.rows import (
    APP,
    PAUSE,
    UNPAUSE,
    VERSION,
    VERSION_ROW,
    claim_request,
    columns_of,
    enqueue,
    run,
    tokens,
)

CHECKPOINT = Statement("""
    INSERT INTO {operation_outputs} (workflow_uuid, function_id, function_name)
    VALUES (:id, 1, 'step')
""")
INPUT = Statement("INSERT INTO {workflow_input} (workflow_uuid, inputs) VALUES (:id, :inputs)")


def take(
    database: Database, most: int = 10, queue: str = "q", *, now: int | None = None
) -> list[ClaimedWorkflow]:
    with database.writing() as session:
        return claim.claim(session, claim_request(tokens(most), queue, now=now))


def ids(claimed: Sequence[ClaimedWorkflow]) -> list[str]:
    return [each.workflow_id for each in claimed]


def test_priority_goes_first_and_then_age(database: Database) -> None:
    late, early = enqueue(database, priority=5, count=2)
    [urgent] = enqueue(database, priority=1)
    [unset] = enqueue(database)
    assert ids(take(database)) == [unset, urgent, late, early]


def test_no_more_than_the_tokens_given_are_taken(database: Database) -> None:
    waiting = enqueue(database, count=5)
    assert ids(take(database, 2)) == waiting[:2]
    assert ids(take(database, 2)) == waiting[2:4]
    assert ids(take(database, 2)) == waiting[4:]
    assert take(database) == []


def test_a_claim_gives_every_row_an_owner_of_its_own(database: Database) -> None:
    enqueue(database, count=3)
    given = tokens(3)
    with database.writing() as session:
        claimed = claim.claim(session, claim_request(given))
    assert [each.owner for each in claimed] == given
    for each in claimed:
        assert columns_of(database, each.workflow_id, "status", "owner_xid", "executor_id") == (
            "PENDING",
            each.owner,
            "local",
        )


def test_a_claim_stamps_the_row(database: Database) -> None:
    [workflow_id] = enqueue(database, application_name=None, application_version=None)
    [claimed] = take(database)
    assert (claimed.application_name, claimed.application_version) == (APP, VERSION)
    assert claimed.recovery_attempts == 1
    started, updated, attempts, limited = columns_of(
        database,
        workflow_id,
        "started_at_epoch_ms",
        "updated_at",
        "recovery_attempts",
        "rate_limited",
    )
    assert abs(started - time.time() * 1000) < 60_000
    assert (updated, attempts, limited) == (started, 1, False)


@pytest.mark.parametrize(("limiter", "expected"), [(None, 77), (RateLimit(3, 1.0), 5_000)])
def test_a_suspended_workflow_keeps_its_start_unless_a_rate_counts_starts(
    database: Database, limiter: RateLimit | None, expected: int
) -> None:
    [workflow_id] = enqueue(database, started_at_epoch_ms=77)
    request = claim_request(tokens(1), now=5_000)
    request = replace(request, queue=replace(request.queue, limiter=limiter))
    with database.writing() as session:
        claim.claim(session, request)
    assert columns_of(database, workflow_id, "started_at_epoch_ms") == (expected,)


@pytest.mark.parametrize(
    ("timeout", "deadline", "expected"),
    [(None, None, None), (500, None, 1_500), (500, 77, 77), (2**63 - 1, None, 2**63 - 1)],
)
def test_the_deadline_begins_with_the_claim(
    database: Database, timeout: int | None, deadline: int | None, expected: int | None
) -> None:
    enqueue(database, workflow_timeout_ms=timeout, workflow_deadline_epoch_ms=deadline)
    [claimed] = take(database, now=1_000)
    assert claimed.deadline_ms == expected


def test_unknown_attempts_stay_unknown(database: Database) -> None:
    enqueue(database, recovery_attempts=None)
    [claimed] = take(database)
    assert claimed.recovery_attempts is None


def test_inputs_come_from_their_own_table_or_the_legacy_column(database: Database) -> None:
    [new] = enqueue(database, inputs="legacy, superseded")
    run(database, INPUT, id=new, inputs="[1]")
    [old] = enqueue(database, inputs="legacy")
    [none] = enqueue(database)
    assert {each.workflow_id: each.inputs for each in take(database)} == {
        new: "[1]",
        old: "legacy",
        none: None,
    }


def test_only_a_workflow_that_may_have_checkpoints_has_history(database: Database) -> None:
    [fresh, recorded] = enqueue(database, count=2)
    run(database, CHECKPOINT, id=recorded)
    claimed = {each.workflow_id: each.has_history for each in take(database)}
    assert claimed == {fresh: False, recorded: True}


def test_work_of_other_applications_versions_and_queues_is_left(database: Database) -> None:
    enqueue(database, application_name="other")
    enqueue(database, application_version="v0")
    enqueue(database, queue="elsewhere")
    enqueue(database, status="DELAYED")
    assert take(database) == []


@pytest.mark.parametrize(
    ("registered", "takes"),
    [
        ([], True),
        ([("v1", 5, APP)], True),
        ([("v1", 5, APP), ("v2", 6, APP)], False),
        ([("v1", 5, APP), ("v2", 6, None)], False),
        ([("v1", 5, APP), ("v2", 6, "other")], True),
        ([("v1", 7, APP), ("v2", 6, APP)], True),
    ],
)
def test_a_row_without_version_belongs_to_the_latest_one(
    database: Database, registered: list[tuple[str, int, str | None]], takes: bool
) -> None:
    for name, at, application in registered:
        run(database, VERSION_ROW, name=name, at=at, application=application)
    enqueue(database, application_version=None)
    assert bool(take(database)) is takes


def test_a_paused_queue_gives_nothing(database: Database) -> None:
    waiting = enqueue(database)
    run(database, PAUSE, name="q")
    assert take(database) == []
    run(database, UNPAUSE, name="q")
    assert ids(take(database)) == waiting


def test_a_claim_whose_reply_was_lost_is_read_back(database: Database) -> None:
    enqueue(database, count=3)
    lost = tokens(2)
    with database.writing() as session:
        taken = claim.claim(session, claim_request(lost))
    take(database)
    with database.reading() as session:
        unread = [replace(each, is_read=False) for each in taken]
        assert claim.read_back(session, "q", lost) == unread
        assert claim.read_back(session, "q", tokens(2)) == []
