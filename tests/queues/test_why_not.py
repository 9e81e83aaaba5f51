"""What an answer to "why not?" names: the blockers themselves, and what lifts each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from dboshub.workflows.rendering.reason import Blocker, Reason
from dboshub.workflows.rendering.status_reasons import reason
from dboshub.workflows.selectors.detail import steps
from dboshub.workflows.selectors.rows import row
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Session, Statement
from tests.support.runs import T0, add_step, add_workflow, insert

NOW = T0 + 10_000
LIVE, DEAD = "a" * 32, "d" * 32


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.writing() as writing:
        yield writing


def add_worker(session: Session, incarnation: str = LIVE, **columns: Any) -> None:
    given = {
        "incarnation": incarnation,
        "executor_id": f"worker-{incarnation[0]}",
        "application_name": "shop",
        "application_version": "v1",
        "hostname": "box",
        "pid": 7,
        "lease_ms": 30_000,
        "registered_at": T0,
        "last_beat_at": NOW - 1_000,
    }
    insert(session, "dboshub_executor", **given | columns)


def add_version(session: Session, name: str, at: int) -> None:
    insert(
        session,
        "application_versions",
        version_id=name,
        version_name=name,
        version_timestamp=at,
        created_at=at,
        application_name="shop",
    )


def add_waiting(session: Session, workflow_id: str = "w", **columns: Any) -> None:
    add_workflow(session, workflow_id, **{"status": "ENQUEUED", "queue_name": "mail"} | columns)


def why(session: Session, workflow_id: str = "w") -> Reason:
    found = row(session, workflow_id)
    assert found is not None
    return reason(session, found, steps.latest(session, workflow_id), now=NOW)


def blocker(answer: Reason, code: str) -> Blocker:
    [found] = [each for each in answer.blockers if each.code == code]
    return found


def commands(found: Blocker) -> list[str]:
    return [each.command.partition(" ")[2] for each in found.remedies if each.command]


def names(found: Blocker, kind: str) -> list[str]:
    return [each.name for each in found.things if each.kind == kind]


def test_a_full_queue_names_its_holders_of_the_same_application(session: Session) -> None:
    insert(session, "queues", name="mail", concurrency=2)
    add_worker(session)
    running = {"queue_name": "mail", "started_at_epoch_ms": T0 + 7}
    add_workflow(session, "holder", "PENDING", **running)
    add_workflow(session, "hidden", "PENDING", application_name=None, **running)
    add_waiting(session)
    found = blocker(why(session), "concurrency")
    assert [(each.name, each.note, each.since) for each in found.things] == [
        ("holder", "checkout", T0 + 7)
    ]
    assert commands(found) == [
        "queue change mail --concurrency …",
        "workflow resume w",
        "workflow cancel holder",
    ]
    assert found.remedies[-1].url == "/workflows/do/cancel/holder"
    assert not found.is_trouble


@pytest.mark.parametrize("of", ["", "partition_"])
def test_a_used_up_rate_says_when_it_frees_a_start(session: Session, of: str) -> None:
    rate = {f"{of}rate_limit_max": 2, f"{of}rate_limit_period_sec": 60}
    insert(session, "queues", name="mail", **rate)
    add_worker(session)
    for at in (1, 2, 3):
        started = {"rate_limited": True, "started_at_epoch_ms": NOW - at * 1_000}
        add_workflow(session, f"s{at}", queue_name="mail", queue_partition_key="x", **started)
    add_waiting(session, queue_partition_key="x")
    found = blocker(why(session), f"{of}limiter")
    # Of three starts where two are allowed, the second has to leave the period.
    assert found.until == NOW - 2_000 + 60_000
    assert why(session).until == found.until


def test_a_limit_of_nothing_never_frees(session: Session) -> None:
    insert(session, "queues", name="mail", rate_limit_max=0, rate_limit_period_sec=60)
    add_worker(session)
    add_waiting(session)
    found = blocker(why(session), "limiter")
    assert (found.is_trouble, found.until) == (True, None)
    assert why(session).is_trouble


def test_who_is_before_it_is_named_and_what_nobody_could_claim_is_not(session: Session) -> None:
    insert(session, "queues", name="mail")
    add_worker(session, functions='{"checkout": {}}')
    add_waiting(session, "other-version", application_version="v0", created_at=T0 - 9)
    add_waiting(session, "unknown", name="renamed", created_at=T0 - 8)
    add_waiting(session, "first", created_at=T0 - 7)
    add_waiting(session)
    found = blocker(why(session), "not_first")
    assert (found.text, names(found, "workflow")) == ("1 ahead of it", ["first"])


def test_of_one_millisecond_nobody_knows_who_is_first(session: Session) -> None:
    insert(session, "queues", name="mail")
    add_worker(session)
    for name in ("w", "x", "y"):
        add_waiting(session, name)
    assert why(session).text == (
        "Enqueued on mail; it is one of the first 3, enqueued in the same millisecond."
    )


def test_a_dead_latest_version_is_named_with_what_to_promote(session: Session) -> None:
    insert(session, "queues", name="mail")
    add_worker(session)
    add_version(session, "v1", 1)
    add_version(session, "v0", 2)
    add_waiting(session, application_version=None)
    found = blocker(why(session), "latest_version_not_running")
    assert names(found, "version") == ["v0", "v1"]
    assert "the latest version, v0, which no live executor has" in found.text
    assert found.remedies[0].command.startswith("DBOS__APPVERSION=v0 ")
    assert found.remedies[1].url == "/workflows/executors/promote/v1"


def test_all_that_wait_for_a_dead_version_can_be_moved_at_once(session: Session) -> None:
    insert(session, "queues", name="mail")
    add_worker(session, application_version="v2")
    add_waiting(session)
    [move] = [each for each in why(session).remedies if "verb=move" in each.url]
    assert move.url == "/workflows/bulk/new/?verb=move&id=w&internal=yes"
    add_waiting(session, "x")
    add_waiting(session, "y", application_version="v2")
    [move] = [each for each in why(session).remedies if "verb=move" in each.url]
    assert move.text == "Move all 2 that wait for it to another version…"
    assert parse_qs(urlparse(move.url).query) == {
        "verb": ["move"],
        "queue": ["mail"],
        "version": ["v1"],
        "status": ["ENQUEUED"],
        "internal": ["yes"],
    }


def test_an_unknown_name_says_what_is_like_it_and_who_could_run_it(session: Session) -> None:
    insert(session, "queues", name="mail")
    add_worker(session, functions='{"checkouts": {}, "pay": {}}')
    add_worker(session, "b" * 32, application_version="v2", functions='{"checkout": {}}')
    add_waiting(session)
    found = blocker(why(session), "unknown_name")
    assert names(found, "name") == ["checkouts"]
    assert names(found, "executor") == ["worker-b"]
    assert "workflow fork w --version=v2" in commands(found)


def test_an_instance_is_of_the_class_that_the_row_names(session: Session) -> None:
    insert(session, "queues", name="mail")
    add_worker(session, functions='{"checkout": {"class": "Shop", "instances": ["eu"]}}')
    add_waiting(session, class_name="Shop", config_name=None)
    assert why(session).code == "no_instance"
    add_waiting(session, "subclass", class_name="Outlet", config_name="us")
    assert why(session, "subclass").code == "next"


def test_slots_are_those_of_the_last_heartbeat_without_what_waits(session: Session) -> None:
    insert(session, "queues", name="mail")
    waits = '[{"workflow": "x", "kind": "sleep", "step": 1}]'
    add_worker(session, slots=2, busy=3)
    add_waiting(session)
    found = blocker(why(session), "no_free_slot")
    assert found.things[0].note == "box, pid 7, 3 of 2 slots"
    session.run(Statement("UPDATE {dboshub_executor} SET busy = 2, activity = :said"), said=waits)
    assert why(session).code == "next"


def test_a_delayed_workflow_says_what_else_it_will_lack(session: Session) -> None:
    insert(session, "queues", name="mail", concurrency=0)
    insert(session, "dboshub_queue_pause", queue_name="mail", paused_at=1)
    add_worker(session)
    add_waiting(session, status="DELAYED", delay_until_epoch_ms=NOW + 5)
    answer = why(session)
    assert [each.code for each in answer.blockers] == ["delayed", "queue_paused"]
    assert (answer.code, answer.until, answer.is_trouble) == ("delayed", NOW + 5, True)
    assert answer.advice == "After that, the queue mail is paused. Resume the queue mail."


def test_a_silent_executor_is_taken_over_by_a_live_one(session: Session) -> None:
    add_worker(session, DEAD, last_beat_at=NOW - 31_000)
    add_workflow(session, "w", "PENDING", owner_xid=f"hub:{DEAD}:1")
    assert [each.code for each in why(session).blockers] == ["executor_silent", "no_executor"]
    assert why(session).is_trouble
    add_worker(session)
    answer = why(session)
    assert [each.code for each in answer.blockers] == ["executor_silent"]
    assert (answer.until, answer.is_trouble) == (NOW - 31_000 + 35_000, False)


@pytest.mark.parametrize("ended", [{"stopped_at": T0}, {"declared_dead_at": T0}, None])
def test_what_an_ended_executor_left_says_what_a_claim_of_it_will_lack(
    session: Session, ended: dict[str, int] | None
) -> None:
    if ended is not None:
        add_worker(session, DEAD, **ended)
    add_worker(session, application_version="v2")
    add_workflow(session, "w", "PENDING", owner_xid=f"hub:{DEAD}:1")
    answer = why(session)
    assert [each.code for each in answer.blockers] == ["executor_ended", "version_not_running"]
    assert answer.advice == "Once it is enqueued again, no live executor of shop for version v1."


def test_work_of_another_program_says_whose_it_is(session: Session) -> None:
    add_workflow(session, "w", "PENDING", owner_xid="12:34", executor_id="box-9")
    assert "The executor box-9 is of another program" in why(session).advice


def test_what_was_cancelled_before_and_within_its_first_step_differ(session: Session) -> None:
    add_workflow(session, "w", "CANCELLED", recovery_attempts=0)
    assert why(session).text == "Stopped before it began."
    add_workflow(session, "x", "CANCELLED", recovery_attempts=1)
    assert why(session, "x").text == "Stopped before its first step was recorded."
    add_step(session, "x", 1, "charge")
    assert why(session, "x").text == "Stopped after step 1 (charge)."
