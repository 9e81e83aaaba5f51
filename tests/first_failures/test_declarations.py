"""Queues nobody declared, schedules that cannot run, and calls of DBOS in the wrong order."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from dboshub import DBOS, DBOSClient, DBOSConfig, Queue, SetWorkflowID
from dboshub.workflows.engine.errors import DBOSConflictingWorkflowError, DBOSException
from tests.first_failures.conftest import ROOT
from tests.support.eventually import eventually

Launch = Callable[..., None]

DECLARED = Queue("first_declared")


@DBOS.workflow()
def first_double(value: int) -> int:
    return 2 * value


@DBOS.workflow()
def first_triple(value: int) -> int:
    return 3 * value


@DBOS.workflow()
def first_without_arguments() -> None: ...


@DBOS.workflow()
def first_with_any(*values: Any) -> None: ...


@DBOS.workflow()
def first_with_context(at: datetime, context: Any, more: int = 0) -> None: ...


# -- queues --------------------------------------------------------------------------------


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING, "dboshub")
    return lambda: [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]


Warnings = Callable[[], list[str]]


def test_enqueueing_on_a_queue_nobody_declared_is_warned_of_once(
    dbos: type[DBOS], warnings: Warnings
) -> None:
    for _ in range(3):
        DBOS.enqueue_workflow("first_declraed", first_double, 1)
    DBOS.enqueue_workflow("first_declared", first_double, 1)
    [told] = eventually(warnings)
    assert told == (
        "what is enqueued on queue 'first_declraed' waits, for nobody has registered it (did you "
        "mean 'first_declared'?): declare it where it is served, by Queue('first_declraed') or "
        "DBOS.register_queue('first_declraed')"
    )
    DBOS.enqueue_workflow("first_declraed", first_double, 1)
    assert len(warnings()) == 1


def test_a_delayed_workflow_is_no_exception(dbos: type[DBOS], warnings: Warnings) -> None:
    options: Any = {
        "workflow_name": "first_double",
        "queue_name": "first_unheard_of",
        "delay_seconds": 1000,
    }
    DBOS.enqueue_workflow_with_options(options, 1)
    [told] = eventually(warnings)
    assert "queue 'first_unheard_of' waits" in told


def test_a_client_is_warned_of_too(dbos: type[DBOS], database_url: str, warnings: Warnings) -> None:
    client = DBOSClient(system_database_url=database_url)
    try:
        client.enqueue({"workflow_name": "first_double", "queue_name": "first_clients"}, 1)
        [told] = eventually(warnings)
    finally:
        client.destroy()
    assert "queue 'first_clients' waits" in told


async def test_a_coroutine_that_enqueues_is_warned_of_too(
    dbos: type[DBOS], warnings: Warnings
) -> None:
    await DBOS.enqueue_workflow_async("first_async", first_double, 1)
    await asyncio.to_thread(eventually, warnings)
    assert "queue 'first_async' waits" in warnings()[0]


def test_registered_queues_are_not_warned_of(dbos: type[DBOS], warnings: Warnings) -> None:
    DBOS.register_queue("first_registered")
    assert DBOS.enqueue_workflow("first_registered", first_double, 1).get_result() == 2
    assert DECLARED.enqueue(first_double, 1).get_result() == 2
    assert warnings() == []


def test_serving_a_queue_nobody_declared_is_warned_of_at_launch(
    launch: Launch, warnings: Warnings
) -> None:
    DBOS.listen_queues(["first_declraed", "first_declared"])
    launch()
    [told] = warnings()
    assert told.startswith(
        "queue 'first_declraed', which this process is to serve, is not registered (did you mean "
        "'first_declared'?)"
    )


# -- schedules -----------------------------------------------------------------------------


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_scheduled_function_that_cannot_be_called_is_warned_of_at_launch(
    launch: Launch, warnings: Warnings
) -> None:
    @DBOS.scheduled("0 0 1 1 *")
    @DBOS.workflow(name="first.unfit")
    def unfit(at: datetime) -> None: ...

    @DBOS.scheduled("0 0 1 1 *")
    @DBOS.workflow(name="first.fit")
    def fit(at: datetime, started: datetime) -> None: ...

    launch()
    assert warnings() == [
        "every scheduled run will fail: first.unfit does not take what a scheduled run is given: "
        "it needs the signature unfit(scheduled_at: datetime, started_at: datetime)"
    ]


def test_a_schedule_of_a_function_that_cannot_be_called_is_warned_of(
    dbos: type[DBOS], warnings: Warnings
) -> None:
    DBOS.create_schedule(
        schedule_name="first", workflow_fn=first_without_arguments, schedule="0 0 1 1 *"
    )
    [told] = warnings()
    assert "it needs the signature first_without_arguments(scheduled_at: datetime, context)" in told
    for name, fits in (("any", first_with_any), ("context", first_with_context)):
        DBOS.create_schedule(schedule_name=name, workflow_fn=fits, schedule="0 0 1 1 *")
    assert [each["schedule_name"] for each in DBOS.list_schedules()] == ["any", "context", "first"]


@pytest.mark.parametrize(
    ("cron", "field"),
    [
        ("61 * * * *", "the field minute is '61', and takes 0 to 59"),
        ("* 24 * * *", "the field hour is '24', and takes 0 to 23"),
        ("* * 32 * *", "the field day is '32', and takes 1 to 31"),
        ("* * * 13 *", "the field month is '13', and takes 1 to 12 or jan to dec"),
        ("* * * * mo", "the field weekday is 'mo', and takes 0 to 7 or sun to sat"),
        ("60 * * * * *", "the field second is '60', and takes 0 to 59"),
        ("* * * *", "give five fields (minute hour day month weekday)"),
    ],
)
def test_a_cron_expression_names_function_and_field(
    cron: str, field: str, dbos: type[DBOS]
) -> None:
    with pytest.raises(DBOSException) as raised:
        DBOS.scheduled(cron)(first_with_any)
    said = f"the schedule of first_with_any: Invalid cron schedule: {cron!r}: {field}"
    assert said in str(raised.value)
    with pytest.raises(DBOSException) as raised:
        DBOS.create_schedule(schedule_name="first", workflow_fn=first_with_any, schedule=cron)
    assert f"schedule 'first': Invalid cron schedule: {cron!r}: {field}" in str(raised.value)


# -- calls in the wrong order --------------------------------------------------------------


BEFORE_LAUNCH = """
from dboshub import DBOS, Queue

orders = Queue("first_orders")

@DBOS.workflow()
def double(value):
    return 2 * value

for call in (
    lambda: double(1),
    lambda: DBOS.start_workflow(double, 1),
    lambda: orders.enqueue(double, 1),
    lambda: DBOS.enqueue_workflow("first_orders", double, 1),
    lambda: DBOS.register_queue("first_orders"),
    lambda: DBOS.list_workflows(),
    lambda: DBOS.list_schedules(),
):
    try:
        call()
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_before_launch_every_call_of_a_script_says_what_to_do() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEFORE_LAUNCH], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    called, *others = done.stdout.splitlines()
    advice = "call DBOS(config=…) and DBOS.launch() first"
    start = "DBOSException DBOS Error: "
    assert called == f"{start}Function double invoked before DBOS initialized: {advice}"
    sentence = (
        "No DBOS was created yet. System database accessed before DBOS was launched: " + advice
    )
    assert others == [start + sentence] * 6, done.stderr


def test_launch_needs_a_configuration() -> None:
    with pytest.raises(DBOSException, match="called without a DBOS instance"):
        DBOS.launch()


def test_a_second_launch_does_nothing_and_says_so(dbos: type[DBOS], warnings: Warnings) -> None:
    DBOS.launch()
    assert warnings() == ["DBOS is launched already: DBOS.launch() again does nothing"]
    assert first_double(2) == 4


def test_a_second_configuration_is_ignored_and_named(
    dbos: type[DBOS], config: DBOSConfig, warnings: Warnings
) -> None:
    assert DBOS(config=config) is DBOS(config=config)
    assert warnings() == []
    DBOS(
        config={
            "name": "another-app",
            "system_database_url": "postgresql://ada:tops3cret@127.0.0.1:1/x",
        }
    )
    [told] = warnings()
    assert "configured already as 'test-app'" in told
    assert "differs in name, system_database_url, is ignored" in told
    assert "tops3cret" not in told


def test_an_id_of_another_function_is_refused(dbos: type[DBOS]) -> None:
    with SetWorkflowID("first-one"):
        first_double(1)
    with (
        pytest.raises(DBOSConflictingWorkflowError) as raised,
        SetWorkflowID("first-one"),
    ):
        first_triple(1)
    assert (
        "(first-one): Workflow already exists with a different function name: first_double, but "
        "the provided function name is: first_triple"
    ) in str(raised.value)


async def test_launch_and_calls_work_within_a_running_loop(launch: Launch) -> None:
    launch()
    assert first_double(2) == 4
    handle = await DBOS.start_workflow_async(first_double, 3)
    assert await handle.get_result() == 6
    DBOS.destroy()
