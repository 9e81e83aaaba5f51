"""Over rows that hold whatever the database takes, each loop of an engine lives on, and good work
beside them is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest

from dboshub import DBOS, DBOSClient
from dboshub.doctor import system_database
from dboshub.doctor.findings import State
from dboshub.workflows.engine.background import failing
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Session, Statement
from tests.fuzz.columns import tables
from tests.fuzz.filling import WHOLE, Filled, fill
from tests.fuzz.rows import good, insert
from tests.fuzz.seeds import seeded
from tests.support.eventually import eventually

# A queue of each kind, by its settings.
QUEUES: dict[str, dict[str, Any]] = {
    "orders": {},
    "limited": {"concurrency": 2},
    "rated": {"rate_limit_max": 100, "rate_limit_period_sec": 1.0},
    "parts": {"partition_queue": True, "partition_concurrency": 1},
    "here": {"worker_concurrency": 1},
}
STATUSES = Statement(
    "SELECT DISTINCT status FROM {workflow_status} WHERE workflow_uuid = ANY(:ids)"
)
RUNS = Statement("SELECT COUNT(*) FROM {workflow_status} WHERE schedule_name = 'tick'")
BEATS = Statement("SELECT beat FROM {dboshub_executor} WHERE executor_id = 'mine'")


@DBOS.workflow(name="checkout")
def checkout(*_arguments: Any, **_named: Any) -> str:
    return paid()


@DBOS.step()
def paid() -> str:
    return "paid"


@pytest.mark.fuzz
@pytest.mark.timeout(600)
def test_good_work_is_done_beside_hostile_rows(
    database: Database,
    database_url: str,
    launch: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with database.writing() as session:
        filled = fill(session, seeded(), is_short=False)
        ids = [*add_work(session)]
    # Of hostile executors none has beaten when this lease has passed.
    launch(name="shop", application_version="v1", executor_id="mine", executor_lease_sec=3)
    eventually(lambda: read(database, STATUSES, ids) == {"SUCCESS"}, timeout=60)
    eventually(lambda: read(database, RUNS) != {0}, timeout=60)
    eventually(lambda: max(read(database, BEATS)) > 8, timeout=60)
    assert failing() == []
    assert [each.getMessage() for each in caplog.records if is_of_a_loop(each)] == []
    assert refused_calls(database_url, filled) == []
    monkeypatch.setattr(system_database, "system_database_url", lambda: database_url)
    said = {each.name: each for each in system_database.system_database()}
    assert "alive" in said["executors"].says
    assert [each.says for each in said.values() if each.state is State.WRONG] == []
    assert DBOS.retrieve_workflow(ids[0]).get_result() == "paid"


def add_work(session: Session) -> Iterator[str]:
    """Work on each queue: enqueued, left by a dead process, and delayed until now."""
    models = tables()
    for name, given in QUEUES.items():
        assert insert(session, "queues", good(models["queues"], name=name, **given))
        for status in ("ENQUEUED", "PENDING", "DELAYED"):
            key = "p" if name == "parts" else None
            of = {"queue_name": name, "status": status, "queue_partition_key": key}
            row = good(models["workflow_status"], **of)
            assert insert(session, "workflow_status", row)
            yield row["workflow_uuid"]
    tick = {"schedule_name": "tick", "schedule": "* * * * * *"}
    assert insert(session, "workflow_schedules", good(models["workflow_schedules"], **tick))


def is_of_a_loop(record: Any) -> bool:
    return "is tried again" in record.getMessage() or "did not start" in record.getMessage()


def read(database: Database, statement: Statement, ids: list[str] | None = None) -> set[Any]:
    with database.reading() as session:
        given = {} if ids is None else {"ids": session.ids(ids)}
        return {value for (value,) in session.all(statement, **given)}


def refused_calls(url: str, filled: Filled) -> list[str]:
    """The calls of a client that fail over these rows, with other errors than the library's."""
    client = DBOSClient(system_database_url=url)
    calls: dict[str, Callable[[], object]] = {
        "list": client.list_workflows,
        "queued": client.list_queued_workflows,
        "steps": lambda: client.list_workflow_steps(WHOLE),
        "schedules": client.list_schedules,
        "versions": client.list_application_versions,
        "event": lambda: client.get_event(WHOLE, "progress", 0.1),
        "stream": lambda: [*islice(client.read_stream(WHOLE, "log"), 1)],
        "result": lambda: client.retrieve_workflow(WHOLE).get_result(),
    }
    for workflow_id, what in filled.ids():
        calls[what] = client.retrieve_workflow(workflow_id).get_status
    failed = [f"{name}: {error!r}" for name, call in calls.items() if (error := error_of(call))]
    client.destroy()
    return failed


def error_of(call: Callable[[], object]) -> Exception | None:
    try:
        call()
    except (DBOSException, ValueError):
        return None  # of a row that is none, and the error of WHOLE
    except Exception as error:
        return error
    return None
