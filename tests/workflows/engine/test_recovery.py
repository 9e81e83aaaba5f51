"""What happens after a process stops, dies, or loses what it was running."""

from __future__ import annotations

import runpy
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine.registration.registry import Registry
from dboshub.workflows.engine.registration.workflow import Workflow
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.sql import Statement
from tests.support.eventually import eventually
from tests.support.launched import engine_threads
from tests.workflows.engine.calls import Calls

calls = Calls()
hold = threading.Event()

TAKE_OVER = Statement(
    "UPDATE {workflow_status} SET owner_xid = 'somebody else' WHERE workflow_uuid = :id"
)
FINISH = Statement(
    "UPDATE {workflow_status} SET status = 'SUCCESS', owner_xid = NULL WHERE workflow_uuid = :id"
)
ATTEMPTS = Statement(
    "SELECT status, recovery_attempts, owner_xid FROM {workflow_status} WHERE workflow_uuid = :id"
)


@DBOS.step()
def mark(name: str) -> str:
    calls.note(name)
    return name


@DBOS.workflow()
def long_way() -> list[str]:
    first = mark("first")
    DBOS.set_event("halfway", True)
    DBOS.sleep(0.4)
    return [first, mark("last")]


@DBOS.workflow()
def recovery_waits() -> list[str]:
    first = mark("first")
    DBOS.set_event("halfway", True)
    DBOS.recv("go on", 60)
    return [first, mark("last")]


@DBOS.workflow()
def held() -> str:
    mark("before")
    DBOS.set_event("halfway", True)
    hold.wait(10)
    return mark("after")


def begin(function: Callable[..., Any]) -> None:
    calls.clear()
    hold.clear()
    with SetWorkflowID("w"):
        DBOS.start_workflow(function)
    DBOS.get_event("w", "halfway", 10)


def run_sql(url: str, statement: Statement) -> Any:
    database = open_database(url)
    try:
        with database.writing() as session:
            return session.cursor(statement, {"id": "w"}).rowcount
    finally:
        database.close()


def test_a_stopped_process_hands_back_and_the_next_one_goes_on(
    launch: Callable[..., None], database_url: str
) -> None:
    launch()
    begin(recovery_waits)
    DBOS.destroy(grace_period_sec=2)
    database = open_database(database_url)
    with database.reading() as session:
        # Being stopped is not failing: the attempt is not counted.
        assert session.one(ATTEMPTS, id="w") == ("ENQUEUED", 0, None)
    database.close()
    launch()
    DBOS.send("w", "now", "go on")
    assert DBOS.get_result("w") == ["first", "last"]
    assert (calls.count("first"), calls.count("last")) == (1, 1)


def test_destroy_leaves_nothing_and_tolerates_never_having_launched(
    launch: Callable[..., None],
) -> None:
    DBOS.destroy()
    launch()
    assert long_way() == ["first", "last"]
    DBOS.destroy(workflow_completion_timeout_sec=30)
    assert engine_threads() == []
    launch()
    assert long_way() == ["first", "last"]


def test_destroy_waits_for_running_workflows_if_asked(launch: Callable[..., None]) -> None:
    launch()
    begin(long_way)
    DBOS.destroy(workflow_completion_timeout_sec=30)
    launch()
    assert DBOS.get_workflow_status("w").status == "SUCCESS"


def test_an_execution_that_lost_its_row_records_nothing_and_shares_the_outcome(
    dbos: type[DBOS], database_url: str
) -> None:
    begin(held)
    assert run_sql(database_url, TAKE_OVER) == 1
    hold.set()
    result = threading.Thread(target=lambda: DBOS.get_result("w"))
    result.start()
    eventually(lambda: "after" not in [step["output"] for step in DBOS.list_workflow_steps("w")])
    assert run_sql(database_url, FINISH) == 1
    result.join(5)
    assert not result.is_alive()
    assert [step["function_name"] for step in DBOS.list_workflow_steps("w")] == [
        "mark",
        "DBOS.setEvent",
    ]


def test_the_application_version_follows_the_code_and_can_be_set(
    launch: Callable[..., None],
) -> None:
    launch()
    computed = DBOS.application_version
    DBOS.destroy()
    launch()
    assert computed == DBOS.application_version
    DBOS.destroy()
    launch(application_version="v7")
    assert DBOS.application_version == "v7"


def test_the_version_is_of_the_code_that_runs_though_its_file_is_edited(tmp_path: Path) -> None:
    file = tmp_path / "edited.py"
    file.write_text("def runs(): return 1")
    module = runpy.run_path(str(file))

    def registered() -> Registry:
        registry = Registry()
        registry.add(Workflow("runs", module["runs"], is_async=False))
        return registry

    running = registered()
    before = running.version("shop", "1")
    file.write_text("def runs(): return 'another'")
    assert running.version("shop", "1") == before
    assert registered().version("shop", "1") != before


def test_another_version_leaves_the_work_alone(launch: Callable[..., None]) -> None:
    launch(application_version="v1")
    begin(recovery_waits)
    DBOS.destroy(grace_period_sec=2)
    launch(application_version="v2")
    DBOS.send("w", "now", "go on")
    with pytest.raises(AssertionError):
        eventually(lambda: DBOS.get_workflow_status("w").status == "SUCCESS", timeout=1.5)
    DBOS.destroy()
    launch(application_version="v1")
    assert DBOS.get_result("w") == ["first", "last"]
