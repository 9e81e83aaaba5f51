"""Schedules on a launched engine: one run per tick, pauses, triggers, backfills."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dboshub import DBOS
from dboshub.workflows.engine.errors import DBOSException
from tests.support.eventually import eventually

ran: list[tuple[datetime, Any]] = []


@DBOS.workflow(name="schedules.note")
def note(at: datetime, context: Any) -> Any:
    ran.append((at, context))
    return context


@DBOS.workflow(name="schedules.note_async")
async def note_async(at: datetime, context: Any) -> Any:
    return context


@DBOS.scheduled("* * * * * *")
@DBOS.workflow(name="schedules.every_second")
def every_second(scheduled_at: datetime, actual: datetime) -> float:
    return (actual - scheduled_at).total_seconds()


def create(name: str = "s", **changes: Any) -> None:
    given = {"schedule_name": name, "workflow_fn": note, "schedule": "0 0 1 1 *", **changes}
    DBOS.create_schedule(**given)


def test_a_decorated_workflow_runs_at_each_tick(dbos: type[DBOS]) -> None:
    runs = eventually(lambda: finished("schedules.every_second", 2))
    assert all(each.workflow_id.startswith("sched-schedules.every_second-") for each in runs)
    assert all(0 <= each.output < 5 for each in runs)
    assert len({each.workflow_id for each in runs}) == len(runs)
    row = DBOS.get_schedule("schedules.every_second")
    assert row is not None
    assert row["last_fired_at"] is not None


def test_a_schedule_made_at_run_time_fires_with_its_context(dbos: type[DBOS]) -> None:
    ran.clear()
    DBOS.register_queue("schedule-queue")
    create(schedule="* * * * * *", context={"shop": 7}, queue_name="schedule-queue")
    eventually(lambda: ran)
    at, context = ran[0]
    assert at.tzinfo is not None
    assert at.microsecond == 0
    assert context == {"shop": 7}
    run = DBOS.list_workflows(name="schedules.note")[0]
    assert (run.queue_name, run.schedule_name) == ("schedule-queue", "s")


def test_pausing_stops_the_ticks_and_triggering_does_not_mind(dbos: type[DBOS]) -> None:
    create(context="c")
    DBOS.pause_schedule("s")
    assert [each["schedule_name"] for each in DBOS.list_schedules(status="PAUSED")] == ["s"]
    handle = DBOS.trigger_schedule("s")
    assert handle.get_workflow_id().startswith("sched-s-trigger-")
    assert handle.get_result() == "c"
    DBOS.resume_schedule("s")
    schedule = DBOS.get_schedule("s")
    assert schedule is not None
    assert schedule["status"] == "ACTIVE"
    DBOS.delete_schedule("s")
    assert DBOS.get_schedule("s") is None


def test_a_backfill_runs_every_tick_once(dbos: type[DBOS]) -> None:
    create(schedule="0 * * * *")
    start = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
    for _ in range(2):
        handles = DBOS.backfill_schedule("s", start, start + timedelta(hours=3))
        assert [handle.get_workflow_id() for handle in handles] == [
            "sched-s-2026-03-01T01:00:00+00:00",
            "sched-s-2026-03-01T02:00:00+00:00",
        ]
        assert [handle.get_result() for handle in handles] == [None, None]
    assert len(DBOS.list_workflows(name="schedules.note")) == 2


def test_applying_changes_what_is_declared_and_keeps_the_rest(dbos: type[DBOS]) -> None:
    create()
    before = DBOS.get_schedule("s")
    DBOS.pause_schedule("s")
    DBOS.apply_schedules(
        [
            {"schedule_name": "s", "workflow_fn": note_async, "schedule": "5 5 * * *"},
            {"schedule_name": "t", "workflow_fn": note, "schedule": "@daily"},
        ]
    )
    after = DBOS.get_schedule("s")
    assert before is not None
    assert after is not None
    assert (after["schedule_id"], after["status"]) == (before["schedule_id"], "PAUSED")
    assert (after["schedule"], after["workflow_name"]) == ("5 5 * * *", "schedules.note_async")
    assert DBOS.get_schedule("t") is not None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"schedule": "every day"}, "Invalid cron schedule"),
        ({"schedule": "0 0 30 2 *"}, "matches no date"),
        ({"cron_timezone": "Mars/Olympus"}, "Invalid timezone"),
        ({"workflow_fn": len}, "not a registered workflow function"),
        ({"queue_name": "nowhere"}, "is not declared"),
        ({"schedule_name": " "}, "name of a schedule"),
    ],
)
def test_what_could_never_run_is_refused(
    dbos: type[DBOS], changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(DBOSException, match=complaint):
        create(**changes)


def test_a_name_is_taken_once(dbos: type[DBOS]) -> None:
    create()
    with pytest.raises(DBOSException, match="already"):
        create()
    with pytest.raises(DBOSException, match="does not exist"):
        DBOS.trigger_schedule("unknown")


def test_scheduling_needs_a_workflow_below_it() -> None:
    with pytest.raises(DBOSException, match="above"):
        DBOS.scheduled("* * * * *")(len)


def finished(name: str, least: int) -> list[Any]:
    found = DBOS.list_workflows(name=name, status="SUCCESS")
    return found if len(found) >= least else []
