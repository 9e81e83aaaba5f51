"""An execution that lost its row, or may have: it starts no step, and what it sends is not sent."""

from __future__ import annotations

import contextvars
import threading
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.errors import DBOSWorkflowCancelledError, DBOSWorkflowConflictIDError
from dboshub.workflows.engine.identity import ANONYMOUS
from dboshub.workflows.engine.operations.sending import SendMessage
from dboshub.workflows.engine.records import Status
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.ownership import VALID_S, Ownership
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.sql import Statement
from tests.support.eventually import eventually

TAKE_OVER = Statement("UPDATE {workflow_status} SET owner_xid = 'other' WHERE workflow_uuid = 'w'")
FINISH = Statement(
    "UPDATE {workflow_status} SET status = 'SUCCESS', owner_xid = NULL WHERE workflow_uuid = 'w'"
)
MESSAGES = Statement("SELECT message_uuid FROM {notifications}")

in_step, go_on, sent = threading.Event(), threading.Event(), list[str]()


@DBOS.workflow(name="stale.receiver")
def receiver() -> Any:
    return DBOS.recv("stale", 30)


@DBOS.step(name="stale.send")
def send_late(how: str) -> None:
    in_step.set()
    assert go_on.wait(30)
    try:
        if how == "send":
            DBOS.send("receiver", "from a step", "stale")
        else:
            DBOS.send_bulk([SendMessage("receiver", each, "stale") for each in ("a", "b")])
        sent.append("sent")
    except BaseException as error:
        sent.append(type(error).__name__)
        raise


@DBOS.workflow(name="stale.sender")
def sender(how: str) -> None:
    send_late(how)


@DBOS.workflow(name="stale.leaves_a_thread")
def leaves_a_thread() -> None:
    send_from_thread()


@DBOS.step(name="stale.thread")
def send_from_thread() -> None:
    context = contextvars.copy_context()
    threading.Thread(target=lambda: (go_on.wait(30), context.run(send_now))).start()


def send_now() -> None:
    DBOS.send("receiver", "later", "stale")


def run_sql(url: str, statement: Statement) -> None:
    database = open_database(url)
    with database.writing() as session:
        session.cursor(statement, {})
    database.close()


def messages(url: str) -> int:
    database = open_database(url)
    with database.reading() as session:
        found = len(session.all(MESSAGES))
    database.close()
    return found


@pytest.fixture(autouse=True)
def from_the_start() -> None:
    in_step.clear()
    go_on.clear()
    sent.clear()


@pytest.mark.parametrize("how", ["send", "bulk"])
def test_what_a_stale_execution_sends_within_a_step_is_not_sent(
    dbos: type[DBOS], database_url: str, how: str
) -> None:
    with SetWorkflowID("receiver"):
        dbos.start_workflow(receiver)
    with SetWorkflowID("w"):
        dbos.start_workflow(sender, how)
    assert in_step.wait(30)
    run_sql(database_url, TAKE_OVER)
    go_on.set()
    eventually(lambda: sent == [DBOSWorkflowConflictIDError.__name__])
    assert messages(database_url) == 0
    run_sql(database_url, FINISH)
    dbos.cancel_workflow("receiver")


@pytest.mark.parametrize("how", ["send", "bulk"])
def test_an_owner_sends_within_a_step(dbos: type[DBOS], database_url: str, how: str) -> None:
    go_on.set()
    with SetWorkflowID("receiver"):
        received = dbos.start_workflow(receiver)
    dbos.start_workflow(sender, how).get_result()
    assert received.get_result() == ("from a step" if how == "send" else "a")
    assert messages(database_url) == (1 if how == "send" else 2)


def test_what_a_step_left_running_sends_after_the_workflow(dbos: type[DBOS]) -> None:
    with SetWorkflowID("receiver"):
        received = dbos.start_workflow(receiver)
    leaves_a_thread()
    go_on.set()
    assert received.get_result() == "later"


# -- a reading of the owner that is older than a doubt -----------------------------------------


class Clock:
    at = 1.0

    def monotonic(self) -> float:
        return self.at

    def now_ms(self) -> int:
        return int(self.at * 1000)


def test_a_doubt_outdates_the_readings_that_began_before_it() -> None:
    clock = Clock()
    ownership = Ownership(clock)
    assert ownership.is_valid
    reading = ownership.begin_reading()
    ownership.doubt()
    ownership.confirm(reading)  # its result comes after the doubt
    assert not ownership.is_valid
    ownership.confirm(ownership.begin_reading())
    assert ownership.is_valid
    clock.at += VALID_S
    assert not ownership.is_valid
    late = ownership.begin_reading()
    ownership.confirm(late)
    ownership.confirm(reading)  # an older one changes nothing
    assert ownership.is_valid


@pytest.fixture
def execution(dbos: type[DBOS]) -> Execution:
    return Execution(
        engine=current_engine.engine(), workflow_id="x", owner="me", name="n", identity=ANONYMOUS
    )


MINE = {"x": ("PENDING", "me")}


def reading_of(execution: Execution) -> Any:
    """A check before a step, as far as its query."""
    execution.invalidate_ownership()
    check = execution.verify_can_continue()
    next(check)
    return check


def test_a_check_reads_again_what_was_doubted_meanwhile(execution: Execution) -> None:
    check = reading_of(execution)
    execution.invalidate_ownership()
    check.send(MINE)  # it queries again
    with pytest.raises(DBOSWorkflowCancelledError):
        check.send({"x": ("CANCELLED", None)})


def test_a_check_ends_if_nothing_was_doubted(execution: Execution) -> None:
    check = reading_of(execution)
    with pytest.raises(StopIteration):
        check.send(MINE)


def test_a_cancellation_during_the_check_stops_it(execution: Execution) -> None:
    check = reading_of(execution)
    execution.revoke(Status.CANCELLED)
    with pytest.raises(DBOSWorkflowCancelledError):
        check.send(MINE)


def test_the_check_of_all_executions_keeps_a_doubt_that_came_meanwhile(
    execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    executions = execution.engine.executions
    executions.add(execution)

    def owners(ids: Any) -> dict[str, tuple[str, str | None]]:
        execution.invalidate_ownership()
        return dict.fromkeys(ids, ("PENDING", "me"))

    monkeypatch.setattr(executions, "_owners", owners)
    try:
        executions.verify_ownership()
        assert not execution.ownership.is_valid
    finally:
        executions.remove(execution)
