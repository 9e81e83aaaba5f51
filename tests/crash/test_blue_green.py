"""Two versions side by side, in processes of their own: each claims and recovers its own work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dboshub import DBOSClient
from tests.interop.conftest import Run, ask, diary, open_gate, run
from tests.interop.executors import OURS, Executor
from tests.support.eventually import eventually

__all__ = ["ask", "diary", "open_gate", "run"]

RAN_BY = """
    SELECT executor_id, application_version
    FROM {workflow_status}
    WHERE workflow_uuid LIKE :prefix || '%' AND status = 'SUCCESS'
"""
STATUS = "SELECT status FROM {workflow_status} WHERE workflow_uuid = 'blue-run'"
Ask = Callable[..., list[tuple[Any, ...]]]
Diary = Callable[[], list[str]]


def blue(run: Run, **config: Any) -> Executor:
    return run(OURS, application_version="blue", executor_id="blue", **config)


def green(run: Run, **config: Any) -> Executor:
    return run(OURS, application_version="green", executor_id="green", **config)


def test_each_claims_its_own_from_one_queue(run: Run, ask: Ask, database_url: str) -> None:
    colours = {"blue": blue(run), "green": green(run)}
    colours["green"].do("queue", "shared")
    for colour, executor in colours.items():
        for number in range(10):
            executor.do("enqueue", "shared", "triple", f"{colour}-{number}", number)
    client = DBOSClient(system_database_url=database_url)
    try:
        of_no_version: Any = {"workflow_name": "triple", "queue_name": "shared"}
        handle = client.enqueue({**of_no_version, "workflow_id": "latest-1"}, 5)
        assert handle.get_result() == 15
    finally:
        client.destroy()
    for colour, executor in colours.items():
        for number in range(10):
            assert executor.do("result", f"{colour}-{number}") == 3 * number
        assert ask(RAN_BY, prefix=f"{colour}-") == [(colour, colour)] * 10
    assert ask(RAN_BY, prefix="latest-") == [("green", "green")]


def test_each_recovers_its_own(
    run: Run, ask: Ask, diary: Diary, open_gate: Callable[[], None]
) -> None:
    dead = blue(run)
    dead.do("start", "long_story", "blue-run")
    eventually(lambda: f"{OURS} waits gate" in diary(), timeout=30)
    dead.kill()
    open_gate()
    newer = green(run)
    newer.do("start", "triple", "green-run", 1)
    assert newer.do("result", "green-run") == 3
    # Enqueued again by any process of the application, but claimed by none of another version.
    assert ask(STATUS) in ([("PENDING",)], [("ENQUEUED",)])
    assert blue(run).do("result", "blue-run")[-1] == 12
    assert ask(RAN_BY, prefix="blue-run") == [("blue", "blue")] * 3


@pytest.mark.parametrize(
    ("before", "after", "number"),
    [("old", "patched", 2), ("patched", "patched", 200), ("patched", "deprecated", 200)],
)
def test_patched_code_finishes_what_the_code_before_it_began(
    run: Run,
    diary: Diary,
    open_gate: Callable[[], None],
    before: str,
    after: str,
    number: int,
) -> None:
    def deploy(code: str) -> Executor:
        return run(OURS, code=code, enable_patching=True, application_version=None)

    dead = deploy(before)
    dead.do("start", "upgraded", "run")
    eventually(lambda: f"{OURS} waits gate" in diary(), timeout=30)
    dead.kill()
    open_gate()
    live = deploy(after)
    assert live.do("result", "run") == number
    live.do("start", "upgraded", "new")
    assert live.do("result", "new") == 200
