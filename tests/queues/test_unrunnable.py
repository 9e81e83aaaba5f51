"""What this process cannot run holds no place of a queue, and waits for one that can."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from dboshub import DBOS, DBOSClient, DBOSConfiguredInstance
from dboshub.queues.storage.store import QueueStore
from dboshub.workflows.engine.registration.registry import registry
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.sql import Statement
from tests.support.eventually import eventually
from tests.support.launched import config, dbos, launch

__all__ = ["config", "dbos", "launch"]

FORMAT = Statement(
    "UPDATE {workflow_status} SET serialization = 'java_objects' WHERE workflow_uuid = :id"
)


@DBOS.workflow()
def unrun_known(value: int) -> int:
    return value


@DBOS.dbos_class()
class UnrunShop(DBOSConfiguredInstance):
    @DBOS.workflow()
    def sell(self, value: int) -> int:
        return value


@pytest.fixture
def client(dbos: type[DBOS], database_url: str) -> Iterator[DBOSClient]:
    found = DBOSClient(system_database_url=database_url)
    yield found
    found.destroy()


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The workflows of each claim that took any."""
    found: list[list[str]] = []
    claim = QueueStore.claim

    def counted(self: QueueStore, *args: object, **how: object) -> object:
        taken = claim(self, *args, **how)  # type: ignore[arg-type]
        if taken.workflows:
            found.append([each.workflow_id for each in taken.workflows])
        return taken

    monkeypatch.setattr(QueueStore, "claim", counted)
    return found


def enqueue_unknown(client: DBOSClient, url: str, kind: str, number: int = 0) -> str:
    id_ = f"unknown-{kind}-{number}"
    named: dict[str, str] = {"workflow_name": "renamed_away"}
    if kind == "instance":
        named = {
            "workflow_name": UnrunShop.sell.__qualname__,
            "class_name": "UnrunShop",
            "instance_name": "not made yet",
        }
    if kind == "format":
        named = {"workflow_name": unrun_known.__qualname__}
        client.enqueue(
            {**named, "queue_name": "one", "workflow_id": id_, "delay_seconds": 3600},  # type: ignore[typeddict-item]
            1,
        )
        database = open_database(url)
        with database.writing() as session:
            session.run(FORMAT, id=id_)
        database.close()
        DBOS.set_workflow_delay(id_, delay_seconds=0)
        return id_
    client.enqueue({**named, "queue_name": "one", "workflow_id": id_}, 1)  # type: ignore[typeddict-item]
    return id_


def status_of(workflow_id: str) -> tuple[str, int | None]:
    status = DBOS.retrieve_workflow(workflow_id).get_status()
    return status.status, status.recovery_attempts


KINDS = ("function", "instance", "format")


@pytest.mark.parametrize("limits", [{"concurrency": 1}, {"worker_concurrency": 1}, {}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_run_here_keeps_nobody_waiting(
    kind: str,
    limits: dict[str, int],
    client: DBOSClient,
    database_url: str,
    claims: list[list[str]],
) -> None:
    DBOS.register_queue("one", **limits)  # type: ignore[arg-type]
    ids = [enqueue_unknown(client, database_url, kind, number) for number in range(3)]
    behind = [DBOS.enqueue_workflow("one", unrun_known, value) for value in range(3)]
    assert [handle.get_result() for handle in behind] == [0, 1, 2]
    eventually(lambda: any(each in taken for taken in claims for each in ids))
    eventually(lambda: {status_of(each) for each in ids} == {("ENQUEUED", 0)})
    # One claim was enough to know: later ones ask for other names.
    assert all(sum(each in taken for taken in claims) <= 1 for each in ids)


def test_a_worker_that_can_run_it_takes_it(
    client: DBOSClient, database_url: str, launch: Callable[..., None]
) -> None:
    DBOS.register_queue("one", concurrency=1)
    waiting = enqueue_unknown(client, database_url, "function")
    assert DBOS.enqueue_workflow("one", unrun_known, 1).get_result() == 1
    DBOS.destroy()

    def body(value: int) -> int:
        return value

    try:
        DBOS.workflow(name="renamed_away")(body)
        launch(application_version=client.retrieve_workflow(waiting).get_status().app_version)
        assert DBOS.retrieve_workflow(waiting).get_result() == 1
    finally:
        del registry.workflows["renamed_away"]


def test_what_is_registered_later_is_asked_for_again(client: DBOSClient, database_url: str) -> None:
    DBOS.register_queue("one", concurrency=1)
    waiting = enqueue_unknown(client, database_url, "function")
    assert DBOS.enqueue_workflow("one", unrun_known, 1).get_result() == 1
    try:
        DBOS.workflow(name="renamed_away")(lambda value: value)
        assert DBOS.retrieve_workflow(waiting).get_result() == 1
    finally:
        del registry.workflows["renamed_away"]
