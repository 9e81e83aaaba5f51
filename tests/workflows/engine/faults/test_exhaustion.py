"""Without threads or descriptors a row goes back into line, and the process can be stopped."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.runtime import engine as engine_module
from dboshub.workflows.engine.runtime.threads import Threads
from tests.support.eventually import eventually

Launch = Callable[..., None]
validated: list[object] = []
ran: list[int] = []


@DBOS.workflow()
def short_plain(value: int) -> int:
    return value


@DBOS.workflow()
async def short_with_loop(value: int) -> int:
    return value


def validate(args: tuple[object, ...], kwargs: dict[str, object]) -> tuple[object, object]:
    validated.append(args)
    return args, kwargs


@DBOS.workflow(validate_args=validate)  # type: ignore[arg-type, call-overload, untyped-decorator]
def short_checked(value: int) -> int:
    return value


@DBOS.step()
async def short_step_on_a_loop() -> int:
    return 1


@DBOS.workflow()
async def short_reads_by_a_query() -> object:
    return await DBOS.get_event_async("nobody", "key", timeout_seconds=0)


def short_plain_step() -> int:
    ran.append(1)
    return 1


@DBOS.workflow()
async def short_step_off_the_loop() -> int:
    return await DBOS.run_step_async(None, short_plain_step)


@contextmanager
def shortage(monkeypatch: pytest.MonkeyPatch, *prefixes: str) -> Iterator[list[str]]:
    """Threads with these names cannot be started, nor event loops be made."""
    start, refused = threading.Thread.start, list[str]()

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith(prefixes):
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    def no_loop() -> asyncio.AbstractEventLoop:
        refused.append("loop")
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", refuse)
        if "dboshub-loop" in prefixes:
            short.setattr(asyncio, "new_event_loop", no_loop)
        yield refused


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "CLAIM_PAUSE_S", 0.05)


@pytest.mark.parametrize("workflow", [short_plain, short_with_loop], ids=["thread", "loop"])
def test_a_start_that_finds_no_thread_runs_when_there_is_one(
    workflow: Callable[[int], int], dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    with shortage(monkeypatch, "dboshub-workflow", "dboshub-loop") as refused:
        with SetWorkflowID("w"):
            handle = DBOS.start_workflow(workflow, 7)
        eventually(lambda: handle.get_status().status == "ENQUEUED")
        eventually(lambda: len(refused) > 1)  # it is claimed, and refused, again
        eventually(lambda: not current_engine.engine().executions)
    assert handle.get_result() == 7
    assert handle.get_status().recovery_attempts == 1
    eventually(lambda: current_engine.engine().slots.used == 0)


@pytest.mark.parametrize(
    "workflow", [short_plain, short_with_loop, short_checked], ids=["thread", "loop", "checked"]
)
def test_a_claimed_workflow_that_finds_no_thread_goes_back_into_line(
    workflow: Callable[[int], int], dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    DBOS.register_queue("short", concurrency=1)
    with shortage(monkeypatch, "dboshub-workflow", "dboshub-loop") as refused:
        handles = [DBOS.enqueue_workflow("short", workflow, each) for each in range(3)]
        eventually(lambda: len(refused) > 1)
    assert [handle.get_result() for handle in handles] == [0, 1, 2]
    assert {handle.get_status().recovery_attempts for handle in handles} == {1}


@pytest.mark.parametrize("workflow", [short_plain, short_with_loop], ids=["thread", "loop"])
def test_a_row_goes_back_into_line_before_any_query_has_had_a_thread(
    workflow: Callable[[int], int],
    launch: Launch,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The hand-back does not begin with a thread that cannot be started, either."""
    launch()
    with shortage(monkeypatch, "dboshub-workflow", "dboshub-loop", "dboshub-query") as refused:
        handle = DBOS.start_workflow(workflow, 7)
        eventually(lambda: len(refused) > 1)
        eventually(lambda: handle.get_status().status == "ENQUEUED")
    assert not [name for name in refused if name.startswith("dboshub-query")]
    assert "this process lacks: " in caplog.text
    assert "None" not in caplog.text
    assert handle.get_result() == 7


def test_a_step_that_finds_no_thread_beside_its_loop_is_no_error_of_its_workflow(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert DBOS.start_workflow(short_with_loop, 1).get_result() == 1
    ran.clear()
    with shortage(monkeypatch, "asyncio_") as refused:
        handle = DBOS.start_workflow(short_step_off_the_loop)
        eventually(lambda: len(refused) > 1)
        assert not ran
    assert handle.get_result() == 1
    assert ran == [1]  # what its executor refused is not run later


def test_destroy_works_while_no_thread_can_be_started(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch()
    with shortage(monkeypatch, "") as refused:
        handle = DBOS.start_workflow(short_plain, 1)
        assert refused
        DBOS.destroy()
    launch()
    assert DBOS.retrieve_workflow(handle.workflow_id).get_result() == 1


def test_a_short_task_waits_for_a_busy_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads, busy, done = Threads("short", 4, short_tasks=True), threading.Event(), list[int]()
    threads.submit(lambda: busy.wait(10) and None)
    with shortage(monkeypatch, "short"):
        threads.submit(lambda: done.append(1))
    busy.set()
    eventually(lambda: done)
    threads.stop()
    assert threads.join(5)


def test_threads_that_could_not_be_started_are_not_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = Threads("few", 4)
    with shortage(monkeypatch, "few"), pytest.raises(RuntimeError):
        threads.submit(lambda: None)
    threads.stop()
    assert threads.join(1)


def test_a_query_of_a_coroutine_without_any_thread_is_no_error_of_the_body(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_loop_running = DBOS.start_workflow(short_with_loop, 1)
    assert with_loop_running.get_result() == 1
    engine = current_engine.engine()
    engine.queries.stop()
    assert engine.queries.join(5)
    monkeypatch.setattr(engine, "queries", Threads("dboshub-query", 4, short_tasks=True))
    with shortage(monkeypatch, "dboshub-query") as refused:
        assert DBOS.start_workflow(short_reads_by_a_query).get_result() is None
    assert refused
