"""What a stale execution changes by a management call, in a step or in its body: nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine.errors import DBOSWorkflowConflictIDError
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.sql import Statement
from tests.support.eventually import eventually

TAKE_OVER = Statement("UPDATE {workflow_status} SET owner_xid = 'other' WHERE workflow_uuid = 'w'")
END = Statement(
    "UPDATE {workflow_status} SET status = 'SUCCESS', owner_xid = NULL WHERE workflow_uuid = 'w'"
)
OLDER = Statement(
    "INSERT INTO {application_versions}"
    " (version_id, version_name, version_timestamp, application_name)"
    " VALUES ('older', 'older', 1, 'test-app')"
)
TABLES = (
    Statement(
        "SELECT workflow_uuid, status, attributes, delay_until_epoch_ms, updated_at"
        " FROM {workflow_status}"
        " WHERE workflow_uuid <> 'w' ORDER BY workflow_uuid"
    ),
    Statement("SELECT schedule_name, status, schedule FROM {workflow_schedules} ORDER BY 1"),
    Statement("SELECT name, concurrency FROM {queues} ORDER BY name"),
    Statement("SELECT version_name, version_timestamp FROM {application_versions} ORDER BY 1"),
)
in_step, go_on, ended = threading.Event(), threading.Event(), list[str]()


@DBOS.workflow(name="stale.target")
def target() -> None: ...


@DBOS.workflow(name="stale.scheduled")
def scheduled(at: Any, context: Any) -> None: ...


def new_schedule() -> None:
    DBOS.create_schedule(
        schedule_name="another", workflow_fn=scheduled, schedule="0 0 1 1 *", context=None
    )


CHANGES: dict[str, Callable[[], object]] = {
    "cancel": lambda: DBOS.cancel_workflow("delayed"),
    "resume": lambda: DBOS.resume_workflow("delayed"),
    "delete": lambda: DBOS.delete_workflow("ended"),
    "fork": lambda: DBOS.fork_workflow("ended", 1),
    "rewind": lambda: DBOS.rewind_workflow("ended"),
    "delay": lambda: DBOS.set_workflow_delay("delayed", delay_seconds=99_999),
    "attributes": lambda: DBOS.update_workflow_attributes("ended", {"a": 1}),
    "create schedule": new_schedule,
    "pause schedule": lambda: DBOS.pause_schedule("yearly"),
    "delete schedule": lambda: DBOS.delete_schedule("yearly"),
    "register queue": lambda: DBOS.register_queue("another"),
    "change queue": lambda: DBOS.register_queue(
        "queue", concurrency=7, on_conflict="always_update"
    ),
    "delete queue": lambda: DBOS.delete_queue("queue"),
    "version": lambda: DBOS.set_latest_application_version("older"),
}


def change(how: str) -> None:
    in_step.set()
    assert go_on.wait(30)
    try:
        CHANGES[how]()
        ended.append("changed")
    except BaseException as error:
        ended.append(type(error).__name__)
        raise


@DBOS.step(name="stale.change")
def change_in_a_step(how: str) -> None:
    change(how)


@DBOS.workflow(name="stale.changer")
def changer(how: str) -> None:
    change_in_a_step(how)


@DBOS.workflow(name="stale.changer_in_its_body")
def changer_in_its_body(how: str) -> None:
    change(how)


class Tables:
    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, statement: Statement) -> None:
        database = open_database(self.url)
        with database.writing() as session:
            session.run(statement)
        database.close()

    def rows(self) -> list[list[tuple[Any, ...]]]:
        database = open_database(self.url)
        with database.reading() as session:
            found = [session.all(each) for each in TABLES]
        database.close()
        return found


@pytest.fixture
def tables(dbos: type[DBOS], database_url: str) -> Tables:
    """A workflow that has ended, one that is delayed, a schedule and a queue."""
    for event in (in_step, go_on):
        event.clear()
    ended.clear()
    DBOS.register_queue("queue")
    with SetWorkflowID("ended"):
        target()
    with SetWorkflowID("delayed"):
        DBOS.enqueue_workflow_with_options(
            {"queue_name": "queue", "workflow_name": "stale.target", "delay_seconds": 3_600}
        )
    DBOS.create_schedule(
        schedule_name="yearly", workflow_fn=scheduled, schedule="0 0 1 1 *", context=None
    )
    found = Tables(database_url)
    found.run(OLDER)
    return found


@pytest.mark.parametrize("how", CHANGES)
@pytest.mark.parametrize("workflow", [changer, changer_in_its_body], ids=["step", "body"])
def test_a_stale_execution_changes_nothing(
    workflow: Callable[[str], None], how: str, tables: Tables
) -> None:
    before = tables.rows()
    with SetWorkflowID("w"):
        DBOS.start_workflow(workflow, how)
    assert in_step.wait(30)
    tables.run(TAKE_OVER)
    go_on.set()
    eventually(lambda: ended == [DBOSWorkflowConflictIDError.__name__])
    assert tables.rows() == before
    tables.run(END)


@pytest.mark.parametrize("how", CHANGES)
def test_an_owner_changes_it(how: str, tables: Tables) -> None:
    before = tables.rows()
    go_on.set()
    with SetWorkflowID("w"):
        DBOS.start_workflow(changer, how).get_result()
    assert ended == ["changed"]
    assert tables.rows() != before
