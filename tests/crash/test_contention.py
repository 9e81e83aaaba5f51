"""Several worker processes, of two versions, on one queue: no limit is ever exceeded, nothing
starts twice and nothing is left behind."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from itertools import accumulate

import pytest

from dboshub.workflows.engine.records import NewWorkflow
from dboshub.workflows.payloads import PICKLE
from dboshub.workflows.payloads.encode import encode_arguments
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.journal.insert_workflow import start
from dboshub.workflows.storage.sql import Statement
from tests.support.eventually import eventually
from tests.workflows.executors.test_runworkers import Run, diary, run

__all__ = ["diary", "run"]
pytestmark = pytest.mark.crash

JOBS = 60
LIMIT = 3
QUEUE = Statement("INSERT INTO {queues} (queue_id, name, concurrency) VALUES ('1', 'narrow', 3)")
DONE = Statement("SELECT count(*) FROM {workflow_status} WHERE status = 'SUCCESS'")
RAN_AS = Statement(
    "SELECT application_version, count(*) FROM {workflow_status} GROUP BY application_version"
)
TWICE = Statement("SELECT count(*) FROM {workflow_status} WHERE recovery_attempts > 1")


def enqueue(database: Database) -> None:
    now = time.time_ns() // 1_000_000
    with database.writing() as session:
        session.run(QUEUE)
        for number in range(JOBS):
            row = NewWorkflow(
                workflow_uuid=f"job-{number}",
                status="ENQUEUED",
                name="work",
                created_at=now + number,
                updated_at=now,
                queue_name="narrow",
                application_version="v1" if number % 3 else "v2",
                serialization=PICKLE,
            )
            start(session, row, encode_arguments([f"j{number}", 1, 0.05], {}, PICKLE))


def test_a_limit_holds_across_processes_and_versions(
    database: Database, run: Run, diary: Callable[[], list[str]]
) -> None:
    enqueue(database)
    for version in ("v1", "v1", "v2"):
        run(version=version)

    def done() -> int:
        with database.reading() as session:
            row = session.one(DONE)
        assert row is not None
        return int(row[0])

    eventually(lambda: done() == JOBS, timeout=90)
    lines = diary()
    begun = Counter(line for line in lines if line.endswith(" begins"))
    assert len(begun) == JOBS
    assert set(begun.values()) == {1}
    at_once = accumulate(1 if line.endswith(" begins") else -1 for line in lines)
    assert max(at_once) <= LIMIT
    with database.reading() as session:
        assert dict(session.all(RAN_AS)) == {"v1": 40, "v2": 20}
        assert session.one(TWICE) == (0,)
