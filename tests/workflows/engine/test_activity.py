"""What a launched engine tells of its runs, as the page of a workflow words it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from dboshub import DBOS, DBOSConfig, SetWorkflowID
from dboshub.workflows.rendering.reason import Reason
from dboshub.workflows.rendering.status_reasons import reason
from dboshub.workflows.selectors.detail import steps
from dboshub.workflows.selectors.detail.status_facts import OWNER
from dboshub.workflows.selectors.executors import owner_of
from dboshub.workflows.selectors.rows import row
from dboshub.workflows.storage.database import Database, open_database
from tests.support.eventually import eventually

BEAT = {"executor_heartbeat_sec": 0.1, "executor_lease_sec": 5}
gate = threading.Event()


@pytest.fixture
def watched(config: DBOSConfig, launch: Callable[..., None]) -> Iterator[Database]:
    gate.clear()
    launch(**BEAT)
    database = open_database(str(config["system_database_url"]))
    yield database
    gate.set()
    for each in DBOS.list_workflows(status="PENDING"):
        DBOS.cancel_workflow(each.workflow_id)
    database.close()


@DBOS.step()
def charge() -> None:
    gate.wait(20)


@DBOS.step(retries_allowed=True, interval_seconds=60)
def flaky() -> None:
    raise ConnectionError


@DBOS.workflow()
def charging() -> None:
    DBOS.sleep(0.001)
    charge()


@DBOS.workflow()
def retrying() -> None:
    flaky()


@DBOS.workflow()
def napping() -> None:
    DBOS.sleep(60)


@DBOS.workflow()
def receiving(topic: str | None) -> None:
    DBOS.recv(topic, timeout_seconds=60)


@DBOS.workflow()
def expecting(other: str) -> None:
    DBOS.get_event(other, "paid", timeout_seconds=60)


@DBOS.workflow()
def reading(other: str) -> None:
    for _ in DBOS.read_stream(other, "log"):
        pass


@DBOS.workflow()
def awaiting(other: str) -> None:
    DBOS.retrieve_workflow(other).get_result()


def now_ms() -> int:
    return int(time.time() * 1000)


def said(database: Database, workflow_id: str) -> Reason | None:
    with database.reading() as session:
        found = row(session, workflow_id)
        if found is None:
            return None
        why = reason(session, found, steps.latest(session, workflow_id), now=now_ms())
        return why if why.is_said else None


def start(workflow_id: str, workflow: Callable[..., None], *args: str | None) -> None:
    with SetWorkflowID(workflow_id):
        DBOS.start_workflow(workflow, *args)


@pytest.mark.parametrize(
    ("workflow", "args", "text", "seconds"),
    [
        (charging, (), "Running step 2 (charge).", None),
        (retrying, (), "Waiting to try step 1 (flaky) again", 60),
        (napping, (), "Sleeping", 60),
        (receiving, (None,), "Waiting for a message", 60),
        (receiving, ("paid",), "Waiting for a message on the topic paid", 60),
        (expecting, ("other",), "Waiting for the event paid of other", 60),
        (reading, ("other",), "Waiting for the stream log of other", None),
        (awaiting, ("other",), "Waiting for the result of other", None),
    ],
)
def test_a_running_workflow_says_what_it_does_or_waits_for(
    watched: Database,
    workflow: Callable[..., None],
    args: tuple[str | None, ...],
    text: str,
    seconds: int | None,
) -> None:
    start("other", napping)
    start("w", workflow, *args)

    def told() -> Reason | None:
        found = said(watched, "w")
        return found if found is not None and found.text.startswith(text) else None

    why = eventually(told)
    assert why is not None
    ahead = None if why.until is None else why.until - now_ms()
    assert (ahead is None) == (seconds is None)
    assert ahead is None or 0 < ahead <= 1_000 * (seconds or 0)


@pytest.mark.parametrize("workflow", [receiving, expecting])
def test_a_wait_names_its_own_step_and_not_that_of_its_timeout(
    watched: Database, workflow: Callable[..., None]
) -> None:
    start("w", workflow, "other")
    assert eventually(lambda: said(watched, "w"))
    with watched.reading() as session:
        owner = session.one(OWNER, id="w")
        assert owner is not None
        found = owner_of(session, owner[0], now_ms())
    assert found is not None
    doing = found.activity_of("w")
    assert doing is not None
    assert doing.step == 1


def test_what_has_ended_is_told_no_more(watched: Database) -> None:
    start("w", charging)
    eventually(lambda: said(watched, "w"))
    gate.set()
    DBOS.retrieve_workflow("w").get_result()
    assert said(watched, "w") is None
