"""Schedule operations of the public API; in a workflow most of them are recorded as steps."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from dboshub.queues.engine.queue_registry import queue_registry
from dboshub.schedules.engine.cron import Cron
from dboshub.schedules.engine.records import (
    ACTIVE,
    PAUSED,
    ClientScheduleInput,
    Schedule,
    ScheduleInput,
    WorkflowSchedule,
)
from dboshub.schedules.engine.schedule_registry import schedule_registry
from dboshub.schedules.engine.signatures import FOR_CONTEXT, receiver_problem, warn_of_signature
from dboshub.workflows.engine import validation
from dboshub.workflows.engine.context import frame
from dboshub.workflows.engine.control.management import as_step
from dboshub.workflows.engine.current_engine import current_client, engine
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.registration.decorated import with_parentheses
from dboshub.workflows.engine.registration.places import WORKFLOW_MARK
from dboshub.workflows.engine.registration.registry import Target, registry
from dboshub.workflows.engine.status import readable
from dboshub.workflows.engine.unserializable import Subject

F = TypeVar("F", bound=Callable[..., Any])


@with_parentheses("@DBOS.scheduled('0 * * * *')")
def scheduled(cron: str) -> Callable[[F], F]:
    """Start a workflow at every tick, with the tick's time and the actual time as arguments."""

    def decorate(function: F) -> F:
        workflow = getattr(function, WORKFLOW_MARK, None)
        if workflow is None:
            raise DBOSException(
                f"{function.__qualname__} is not a workflow: put @DBOS.scheduled above "
                "@DBOS.workflow()"
            )
        try:
            schedule_registry.declare(workflow.name, cron)
        except DBOSException as error:
            raise DBOSException(f"the schedule of {workflow.name}: {error.message}") from None
        return function

    return decorate


def create(given: ScheduleInput | ClientScheduleInput) -> Program[None]:
    schedule = schedule_of(given)
    return as_step(engine(), "DBOS.createSchedule", _then_wake(lambda: _table().create(schedule)))


def apply(given: Sequence[ScheduleInput | ClientScheduleInput]) -> Program[None]:
    _refuse_in_workflow("apply_schedules")
    for number, each in enumerate(given):
        _expect_fields(number, each)
    wanted = [schedule_of(each) for each in given]
    return as_step(engine(), "", _then_wake(lambda: _table().apply(wanted)))


def _expect_fields(number: int, entry: Mapping[str, Any]) -> None:
    function = "workflow_name" if current_client() is not None else "workflow_fn"
    for field in ("schedule_name", function, "schedule"):
        if field not in entry:
            raise DBOSException(f"Schedule entry {number} is missing required field {field!r}")


def find(**filters: str | list[str] | None) -> Program[list[WorkflowSchedule]]:
    wanted = {name: [value] if isinstance(value, str) else value for name, value in filters.items()}
    return as_step(
        engine(), "DBOS.listSchedules", lambda: [shown(each) for each in _table().find(**wanted)]
    )


def get(name: str) -> Program[WorkflowSchedule | None]:
    def act() -> WorkflowSchedule | None:
        found = _table().find(names=[name])
        return shown(found[0]) if found else None

    return as_step(engine(), "DBOS.getSchedule", act)


def pause(name: str) -> Program[None]:
    act = _then_wake(lambda: _table().set_status(name, PAUSED))
    return as_step(engine(), "DBOS.pauseSchedule", act)


def resume(name: str) -> Program[None]:
    act = _then_wake(lambda: _table().set_status(name, ACTIVE))
    return as_step(engine(), "DBOS.resumeSchedule", act)


def delete(name: str) -> Program[None]:
    act = _then_wake(lambda: _table().delete(name))
    return as_step(engine(), "DBOS.deleteSchedule", act)


def backfill(name: str, start: datetime, end: datetime) -> Program[list[str]]:
    """Start the missing runs of all ticks strictly between two times; return the ids of all."""
    _refuse_in_workflow("backfill_schedule")

    def act() -> list[str]:
        return schedule_registry.services.runs.backfill(_expected(name), start, end)

    return as_step(engine(), "", act)


def trigger(name: str) -> Program[str]:
    """Start a run now, also of a paused schedule; return its id."""
    _refuse_in_workflow("trigger_schedule")
    return as_step(engine(), "", lambda: schedule_registry.services.runs.trigger(_expected(name)))


def schedule_of(wanted: ScheduleInput | ClientScheduleInput) -> Schedule:
    """A schedule from public arguments. Raises DBOSException for one that could never run."""
    given: dict[str, Any] = {**wanted}
    name = given["schedule_name"]
    if not name.strip() or "\x00" in name:
        raise DBOSException(f"{name!r} cannot be the name of a schedule: give text, not blank")
    try:
        Cron(given["schedule"], given.get("cron_timezone"))
    except DBOSException as error:
        raise DBOSException(f"schedule {name!r}: {error.message}") from None
    workflow_name, class_name = _named(given)
    queue_name = given.get("queue_name")
    if queue_name is not None:
        _expect_queue(queue_name)
    backfills = given.get("automatic_backfill", False)
    if not isinstance(backfills, bool):
        raise DBOSException(f"automatic_backfill is {backfills!r:.100}: give True or False")
    return Schedule(
        schedule_id=str(uuid.uuid4()),
        schedule_name=name,
        workflow_name=workflow_name,
        workflow_class_name=class_name,
        schedule=given["schedule"],
        context=engine().codec.encode(
            given.get("context"), subject=Subject("the context", f"schedule {name!r}", "context")
        ),
        automatic_backfill=backfills,
        cron_timezone=given.get("cron_timezone"),
        queue_name=queue_name,
        application_name=given.get("application_name") or engine().settings.application_name,
    )


def _expect_queue(name: str) -> None:
    # The application of a client's schedule may register its queue later.
    if current_client() is None and queue_registry.table.retrieve(name) is None:
        raise DBOSException(
            f"Queue {name!r} is not declared. Please create the queue before using it in a "
            "schedule: call DBOS.register_queue(…)"
        )


def shown(schedule: Schedule) -> WorkflowSchedule:
    codec = engine().codec
    return WorkflowSchedule(
        schedule_id=schedule.schedule_id,
        schedule_name=schedule.schedule_name,
        workflow_name=schedule.workflow_name,
        workflow_class_name=schedule.workflow_class_name,
        schedule=schedule.schedule,
        status=schedule.status,
        context=readable(schedule.context, lambda text: codec.decode(text, None)),
        last_fired_at=schedule.last_fired_at,
        automatic_backfill=schedule.automatic_backfill,
        cron_timezone=schedule.cron_timezone,
        queue_name=schedule.queue_name,
        application_name=schedule.application_name,
        shard_key=None,
    )


def _named(given: dict[str, Any]) -> tuple[str, str | None]:
    """The names of the workflow and its class, of a function or as a client gives them."""
    if "workflow_fn" in given:
        target = _target(given["workflow_fn"])
        return target.workflow.name, target.class_name
    return validation.name("the name of a workflow", given["workflow_name"]), given.get(
        "workflow_class_name"
    )


def _target(function: Callable[..., Any]) -> Target:
    target = registry.target(function)
    if (problem := receiver_problem(target)) is not None:
        raise DBOSException(problem)
    # Only a warning, as programs for the dbos library make such schedules.
    warn_of_signature(target, *FOR_CONTEXT)
    return target


def _table() -> Any:
    return schedule_registry.services.table


def _expected(name: str) -> Schedule:
    found: list[Schedule] = _table().find(names=[name])
    if not found:
        raise DBOSException(f"Schedule {name!r} does not exist")
    return found[0]


def _then_wake(act: Callable[[], object]) -> Callable[[], None]:
    def acted() -> None:
        act()
        schedule_registry.services.wake()

    return acted


def _refuse_in_workflow(call: str) -> None:
    current = frame()
    if current is not None and current.step is None:
        current.execution.next_id()  # as in the dbos library: later steps have the same ids
        raise DBOSException(f"DBOS.{call} cannot be called from within a workflow")
