"""Actions of people on schedules: without workers, audited, with the same inputs as ticks."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from dboshub.schedules import actions
from dboshub.schedules.engine.records import Schedule as Row
from dboshub.schedules.engine.runs import Runs
from dboshub.schedules.models import Schedule
from dboshub.workflows.actions.audit import ActionRefusedError, Actor, NotPermittedError
from dboshub.workflows.connection import atomic
from dboshub.workflows.engine.records import NewWorkflow
from dboshub.workflows.engine.serialization import Codec
from dboshub.workflows.models import AuditEvent, Workflow, WorkflowInput
from tests.support.runs import T0, insert, pickled

pytestmark = pytest.mark.django_db

NAME = "nightly/report 🐒"
# An instance of a class of a module that there is not.
NOWHERE = base64.b64encode(b"\x80\x04cnowhere\nThing\n)\x81.").decode()
START = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
def admin(make_user: Callable[..., Any]) -> Actor:
    return Actor(make_user("grace", actions.PERMISSION), "10.0.0.7")


def add(name: str = NAME, **columns: Any) -> Row:
    given: dict[str, Any] = {
        "schedule_id": name,
        "schedule_name": name,
        "workflow_name": "report",
        "schedule": "0 * * * *",
        "context": pickled(None),
        "status": "ACTIVE",
        "application_name": "shop",
    }
    given |= columns
    Schedule.objects.create(**given)
    return Row(**given)


@pytest.fixture(autouse=True)
def version(db: None) -> None:
    with atomic() as session:
        insert(
            session,
            "application_versions",
            version_id="1",
            version_name="v1",
            version_timestamp=T0,
            created_at=T0,
            application_name="shop",
        )


def status(name: str = NAME) -> str:
    return Schedule.objects.get(schedule_name=name).status


def arguments(workflow_id: str) -> tuple[Any, ...]:
    stored = WorkflowInput.objects.get(pk=workflow_id).inputs or ""
    args, kwargs = Codec().decode_args(stored, None)
    assert kwargs == {}
    return args


def test_pausing_and_resuming_is_seen_by_tickers_and_audited(admin: Actor) -> None:
    add()
    actions.pause(admin, NAME, reason="stock taking")
    assert status() == "PAUSED"
    event = AuditEvent.objects.get()
    assert (event.action, event.target_kind, event.target) == ("pause", "schedule", NAME)
    assert (event.outcome, event.reason, event.address) == ("done", "stock taking", "10.0.0.7")
    actions.resume(admin, NAME)
    assert status() == "ACTIVE"


def test_what_is_done_already_is_refused_with_advice(admin: Actor) -> None:
    add()
    with pytest.raises(ActionRefusedError, match="Trigger it to run it now"):
        actions.resume(admin, NAME)
    actions.pause(admin, NAME)
    with pytest.raises(ActionRefusedError, match="paused already"):
        actions.pause(admin, NAME)
    assert AuditEvent.objects.filter(outcome="refused").count() == 2


@pytest.mark.parametrize("verb", ["pause", "resume", "trigger", "delete"])
def test_without_the_permission_nothing_happens_and_the_attempt_is_kept(
    make_user: Callable[..., Any], verb: str
) -> None:
    add()
    viewer = Actor(make_user("viv", "dboshub_schedules.view_schedule"))
    with pytest.raises(NotPermittedError):
        getattr(actions, verb)(viewer, NAME)
    assert status() == "ACTIVE"
    assert not Workflow.objects.exists()
    assert AuditEvent.objects.get().outcome == "refused"


@pytest.mark.parametrize("name", ["nobody", "a\x00b"])
def test_an_unknown_schedule_is_refused(admin: Actor, name: str) -> None:
    with pytest.raises(ActionRefusedError, match="There is no schedule"):
        actions.pause(admin, name)


def test_deleting_leaves_its_runs(admin: Actor) -> None:
    add()
    run = actions.trigger(admin, NAME)
    actions.delete(admin, NAME)
    assert not Schedule.objects.exists()
    assert Workflow.objects.filter(pk=run).exists()


class Ticks:
    """The ticker's port: keeps the row that a tick of a worker would write."""

    row: NewWorkflow
    inputs: str

    def latest_version(self, application: str | None) -> str | None:
        return "v1"

    def fire(self, row: NewWorkflow, inputs: str, *, fired_at: str | None) -> bool:
        self.row, self.inputs = row, inputs
        return True


class Stopped:
    def now_ms(self) -> int:
        return T0

    def monotonic(self) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("columns", "two_times"),
    [
        ({"context": pickled({"tables": ["a", "b"], "limit": 10**30, "π": None})}, False),
        ({"queue_name": "mail", "cron_timezone": "Europe/Berlin"}, False),
        ({"workflow_name": NAME, "workflow_class_name": "Reports"}, True),
    ],
)
def test_a_backfilled_run_is_the_one_its_tick_would_have_been(
    admin: Actor, columns: dict[str, Any], two_times: bool
) -> None:
    schedule = add(**columns)
    (run,) = actions.backfill(admin, NAME, START, START)
    ticks = Ticks()
    takes_actual_time = {NAME} if two_times else ()
    runs = Runs(ticks, Stopped(), Codec(), application="shop", takes_actual_time=takes_actual_time)
    runs.tick(schedule, schedule.cron.after(START - timedelta(seconds=1)))

    assert run == ticks.row.workflow_uuid
    stored = Workflow.objects.get(pk=run)
    for field in ("name", "class_name", "status", "queue_name", "application_name"):
        assert getattr(stored, field) == getattr(ticks.row, field), field
    assert (stored.application_version, stored.schedule_name) == ("v1", NAME)
    assert stored.serialization is None
    expected = Codec().decode_args(ticks.inputs, None)[0]
    at, other = arguments(run)
    assert (at, at.tzinfo) == (expected[0], expected[0].tzinfo)
    if two_times:
        assert abs(other - datetime.now(UTC)) < timedelta(minutes=1)
    else:
        assert other == expected[1]


def test_a_triggered_run_is_enqueued_now_also_of_a_paused_schedule(admin: Actor) -> None:
    add(status="PAUSED")
    run = actions.trigger(admin, NAME)
    assert run.startswith(f"sched-{NAME}-trigger-")
    at, context = arguments(run)
    assert abs(at - datetime.now(UTC)) < timedelta(minutes=1)
    assert context is None
    assert Workflow.objects.get(pk=run).status == "ENQUEUED"
    assert Schedule.objects.get().last_fired_at is None
    assert AuditEvent.objects.get().detail == {"run": run}


def test_a_schedule_that_nobody_owns_runs_for_the_newest_application(admin: Actor) -> None:
    add(application_name=None)
    run = actions.trigger(admin, NAME)
    assert Workflow.objects.get(pk=run).application_name == "shop"


def test_without_a_version_nobody_could_run_it(admin: Actor) -> None:
    add(application_name="elsewhere")
    with pytest.raises(ActionRefusedError, match="has no registered version"):
        actions.trigger(admin, NAME)
    assert not Workflow.objects.exists()


@pytest.mark.parametrize(
    ("context", "advice"),
    [
        (pickled(Fraction(1, 3)), "manage.py schedule"),
        ('{"json":null}', "DBOS.trigger_schedule"),
        ("null", "DBOS.trigger_schedule"),
    ],
)
def test_what_a_page_cannot_write_is_refused_with_a_way_out(
    admin: Actor, context: str, advice: str
) -> None:
    add(context=context)
    with pytest.raises(ActionRefusedError, match=advice):
        actions.trigger(admin, NAME)
    assert not Workflow.objects.exists()


def test_a_backfill_starts_what_is_missing_and_nothing_twice(admin: Actor) -> None:
    add()
    end = START + timedelta(hours=3)
    assert len(actions.backfill(admin, NAME, START + timedelta(hours=1), end)) == 3
    assert actions.backfill(admin, NAME, START, end) == [f"sched-{NAME}-2026-01-05T09:00:00+00:00"]
    detail = AuditEvent.objects.latest("pk").detail
    assert (detail["ticks"], detail["started"]) == (4, 1)


@pytest.mark.parametrize(
    ("span", "why"),
    [
        (timedelta(days=100), "more than 1,000 ticks"),
        (timedelta(minutes=30), "There is no tick"),
        (timedelta(days=365_000), "is in the future"),
    ],
)
def test_a_span_that_makes_no_sense_is_refused(admin: Actor, span: timedelta, why: str) -> None:
    add()
    start = START + timedelta(minutes=1)
    with pytest.raises(ActionRefusedError, match=why):
        actions.backfill(admin, NAME, start, start + span)
    assert not Workflow.objects.exists()


def test_other_ticks_than_those_shown_are_refused(admin: Actor) -> None:
    add()
    with pytest.raises(ActionRefusedError, match="other ticks now"):
        actions.backfill(admin, NAME, START, START, expected=["2026-01-05T09:30:00+00:00"])
    assert not Workflow.objects.exists()


def run_command(*words: str) -> Any:
    out = StringIO()
    call_command("schedule", *words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_a_terminal_starts_what_a_page_may_not(version: None) -> None:
    add(context=pickled(Fraction(1, 3)))
    run = run_command("trigger", NAME, "--reason", "by hand")["workflow_id"]
    assert arguments(run)[1] == Fraction(1, 3)
    event = AuditEvent.objects.get()
    assert event.username.endswith("(manage.py)")
    assert event.reason == "by hand"


def test_a_terminal_answers_in_json() -> None:
    add()
    assert [each["schedule_name"] for each in run_command("list")] == [NAME]
    shown = run_command("get", NAME)
    assert shown["in_words"] == "Every hour"
    assert len(shown["next_runs"]) == 5
    assert run_command("pause", NAME)["status"] == "PAUSED"
    assert run_command("resume", NAME)["status"] == "ACTIVE"
    span = ("--from", "2026-01-05T09:00", "--to", "2026-01-05T11:00+01:00")
    assert len(run_command("backfill", NAME, *span)["workflow_ids"]) == 2
    assert run_command("delete", NAME) == {"deleted": NAME}
    with pytest.raises(CommandError, match="There is no schedule"):
        run_command("trigger", NAME)


@pytest.mark.parametrize("context", [pickled(T0)[:-6], "gASVGQAAAAAAAAA=", NOWHERE])
def test_a_context_that_cannot_be_read_is_said_to_be_so(context: str) -> None:
    add(context=context)
    with pytest.raises(CommandError, match="modules can be imported"):
        run_command("trigger", NAME)
    assert AuditEvent.objects.get().outcome == "refused"
    assert not Workflow.objects.exists()
