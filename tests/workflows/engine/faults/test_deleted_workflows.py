"""Who waits for a workflow that is deleted gets an error: thread, task, client and parent."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from dboshub import DBOS, DBOSClient, SetWorkflowID
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.errors import DBOSNonExistentWorkflowError
from dboshub.workflows.engine.waiting.waits import KNOWN
from dboshub.workflows.storage.control.delete import delete
from dboshub.workflows.storage.database import open_database
from tests.support.eventually import eventually


@DBOS.workflow()
def gone_waits_long() -> None:
    DBOS.recv("never", timeout_seconds=60)


@DBOS.workflow()
def gone_is_quick(value: int) -> int:
    return value


@DBOS.workflow()
def gone_awaits(workflow_id: str) -> str:
    try:
        DBOS.retrieve_workflow(workflow_id).get_result()
    except DBOSNonExistentWorkflowError as error:
        return error.workflow_id
    return "an outcome"


@DBOS.workflow()
async def gone_awaits_async(workflow_id: str) -> str:
    handle = await DBOS.retrieve_workflow_async(workflow_id)
    try:
        await handle.get_result()
    except DBOSNonExistentWorkflowError as error:
        return error.workflow_id
    return "an outcome"


@DBOS.workflow()
def gone_awaits_its_child() -> int:
    with SetWorkflowID("child"):
        DBOS.start_workflow(gone_is_quick, 7)
    handle = DBOS.retrieve_workflow("child")
    DBOS.set_event("found", True)
    DBOS.recv("deleted", timeout_seconds=30)
    result: int = handle.get_result()
    return result


@DBOS.workflow()
def gone_awaits_the_first(workflow_id: str) -> str:
    return DBOS.wait_first([DBOS.retrieve_workflow(workflow_id)]).workflow_id


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    found = ThreadPoolExecutor()
    yield found
    found.shutdown(wait=False)  # the engine, which is destroyed next, ends what still waits


def begin() -> Any:
    with SetWorkflowID("w"):
        return DBOS.start_workflow(gone_waits_long)


def waited_for() -> bool:
    return current_engine.engine().waits.is_waiting(KNOWN, "w")


def by_another_process(url: str) -> Callable[[str], None]:
    """Delete rows without a word to anybody, as retention elsewhere does."""

    def deleting(workflow_id: str) -> None:
        database = open_database(url)
        with database.writing() as session:
            delete(session, [workflow_id])
        database.close()

    return deleting


@pytest.mark.parametrize("is_foreign", [False, True], ids=["here", "elsewhere"])
def test_waiting_ends_when_the_workflow_is_deleted(
    is_foreign: bool, dbos: type[DBOS], database_url: str, pool: ThreadPoolExecutor
) -> None:
    handle = begin()
    client = DBOSClient(system_database_url=database_url)
    try:
        in_client = client.retrieve_workflow("w")
        waiting: list[Future[Any]] = [
            pool.submit(handle.get_result),
            pool.submit(in_client.get_result),
            pool.submit(DBOS.get_result, "w"),
        ]
        parents = [
            DBOS.start_workflow(gone_awaits, "w"),
            DBOS.start_workflow(gone_awaits_async, "w"),
        ]
        first = DBOS.start_workflow(gone_awaits_the_first, "w")
        eventually(waited_for)
        eventually(lambda: client._client_context.engine.waits.is_waiting(KNOWN, "w"))
        # Each of the two parents and the first one has its status read by now, and waits.
        eventually(lambda: len(current_engine.engine().waits) >= 6)
        delete_it = by_another_process(database_url) if is_foreign else DBOS.delete_workflow
        delete_it("w")
        for each in waiting:
            with pytest.raises(DBOSNonExistentWorkflowError, match="w"):
                each.result(30)
        assert [parent.get_result() for parent in parents] == ["w", "w"]
        assert first.get_result() == "w"
    finally:
        client.destroy()


def test_who_asks_afterwards_gets_the_error_at_once(dbos: type[DBOS], database_url: str) -> None:
    handle = begin()
    kept = pickle.loads(pickle.dumps(handle))
    DBOS.delete_workflow("w")
    for each in (handle, kept):
        with pytest.raises(DBOSNonExistentWorkflowError, match="w"):
            each.get_result()
    with pytest.raises(DBOSNonExistentWorkflowError, match="w"):
        DBOS.retrieve_workflow("w")


def test_a_parent_of_a_deleted_child_fails_alike_in_every_replay(dbos: type[DBOS]) -> None:
    with SetWorkflowID("parent"):
        parent = DBOS.start_workflow(gone_awaits_its_child)
    assert DBOS.get_event("parent", "found", timeout_seconds=30)
    assert DBOS.retrieve_workflow("child").get_result() == 7
    DBOS.delete_workflow("child")
    DBOS.send("parent", None, "deleted")
    with pytest.raises(DBOSNonExistentWorkflowError, match="child"):
        parent.get_result()
    [last] = [step for step in DBOS.list_workflow_steps("parent") if step["error"] is not None]
    assert last["function_name"] == "DBOS.getResult"
    forked = DBOS.fork_workflow("parent", 100)
    with pytest.raises(DBOSNonExistentWorkflowError, match="child"):
        forked.get_result()


@pytest.mark.parametrize("ask", ["get_result", "handle", "wait_first"])
def test_an_id_that_nobody_used_yet_may_still_be_waited_for(
    ask: str, dbos: type[DBOS], pool: ThreadPoolExecutor
) -> None:
    later = DBOS.retrieve_workflow("later", existing_workflow=False)
    assert not later.must_exist
    asked: dict[str, Callable[[], Any]] = {
        "get_result": lambda: DBOS.get_result("later"),
        "handle": pickle.loads(pickle.dumps(later)).get_result,
        "wait_first": lambda: DBOS.wait_first([later]).get_result(),
    }
    began = threading.Event()

    def wait() -> Any:
        began.set()
        return asked[ask]()

    waiting = pool.submit(wait)
    assert began.wait(10)
    eventually(lambda: current_engine.engine().waits.is_waiting("result", "later"))
    with SetWorkflowID("later"):
        DBOS.start_workflow(gone_is_quick, 3)
    assert waiting.result(30) == 3
