"""Two applications, one of each library, share a database and leave each other alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from dbos import DBOSClient

from tests.interop.conftest import Run
from tests.interop.executors import OURS, THEIRS, Executor, library_url
from tests.support.eventually import eventually

pytestmark = pytest.mark.interop

OWNERS = """
    SELECT DISTINCT application_name, executor_id
    FROM {workflow_status}
    WHERE workflow_uuid LIKE :prefix || '%'
"""
STATUSES = "SELECT workflow_uuid, status FROM {workflow_status} ORDER BY workflow_uuid"
APPLICATIONS = {OURS: "our-shop", THEIRS: "their-shop"}
Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def both(run: Run) -> dict[str, Executor]:
    return {
        library: run(library, name=name, application_version=f"of-{name}")
        for library, name in APPLICATIONS.items()
    }


def test_each_runs_what_its_own_application_enqueued(both: dict[str, Executor], ask: Ask) -> None:
    for library, executor in both.items():
        executor.do("queue", f"queue-of-{library}")
        for number in range(10):
            executor.do("enqueue", f"queue-of-{library}", "who", f"{library}-{number}")
    for library, executor in both.items():
        for number in range(10):
            assert executor.do("result", f"{library}-{number}") == library
        [(application, executor_id)] = ask(OWNERS, prefix=f"{library}-")
        assert (application, executor_id) == (APPLICATIONS[library], library)


def test_the_internal_queue_they_share_keeps_applications_apart(
    both: dict[str, Executor], ask: Ask
) -> None:
    for library, executor in both.items():
        executor.do("enqueue", "unserved", "who", f"{library}-resumed")
        executor.do("cancel", f"{library}-resumed")
    for library, executor in both.items():
        executor.do("resume", f"{library}-resumed")
        forked = executor.do("fork", f"{library}-resumed", 1)
        assert executor.do("result", f"{library}-resumed") == library
        assert executor.do("result", forked) == library


def test_a_newcomer_leaves_the_running_work_of_others_alone(
    run: Run, ask: Ask, diary: Callable[[], list[str]]
) -> None:
    """Even under the executor id that all of them have by default."""
    for library, name in APPLICATIONS.items():
        executor = run(library, name=name, executor_id="local", application_version=f"of-{name}")
        executor.do("start", "long_story", f"{library}-run")
    eventually(lambda: {f"{library} waits gate" for library in APPLICATIONS} <= set(diary()))
    for library in APPLICATIONS:
        version = f"of-{library}-newcomer"
        newcomer = run(library, name="newcomer", executor_id="local", application_version=version)
        newcomer.do("start", "triple", f"{library}-new", 1)
        assert newcomer.do("result", f"{library}-new") == 3
    statuses = dict(ask(STATUSES))
    assert [statuses[f"{library}-run"] for library in APPLICATIONS] == ["PENDING", "PENDING"]
    assert all(diary().count(f"{library} waits gate") == 1 for library in APPLICATIONS)


def test_work_of_nobody_goes_to_who_serves_its_queue(
    both: dict[str, Executor], database_url: str, ask: Ask
) -> None:
    for library, executor in both.items():
        executor.do("queue", f"queue-of-{library}")
    client = DBOSClient(system_database_url=library_url(database_url))
    try:
        for library, name in APPLICATIONS.items():
            handle: Any = client.enqueue(
                {
                    "workflow_name": "who",
                    "queue_name": f"queue-of-{library}",
                    "workflow_id": f"{library}-unclaimed",
                }
            )
            assert handle.get_result(polling_interval_sec=0.05) == library
            assert ask(OWNERS, prefix=f"{library}-unclaimed") == [(name, library)]
    finally:
        client.destroy()
