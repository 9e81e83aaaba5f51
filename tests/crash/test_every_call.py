"""The engine dies before and after every storage call, and the outcome is always the same.

Either the start was never acknowledged and never happened, or the workflow completes with the
result of an uninterrupted run, and no step runs again once its checkpoint is recorded.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.config import checked
from dboshub.lifecycle import Runtime
from tests.crash.deaths import Death, Died
from tests.crash.story import LOG, RESULT, effects, story
from tests.support.eventually import eventually
from workflows.engine import current
from workflows.engine.registry import registry
from workflows.engine.tickets import JournalClosedError
from workflows.storage.database import open_database
from workflows.storage.sql import Session, Statement

# A dead engine's threads end by the death that struck them.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

WORKFLOW = "order-1"
BURY = Statement(
    "UPDATE {dboshub_executor} SET declared_dead_at = 1 WHERE declared_dead_at IS NULL"
)
RECORDED = Statement("SELECT workflow_uuid, function_id FROM {operation_outputs}")
EXISTS = Statement("SELECT 1 FROM {workflow_status} WHERE workflow_uuid = :id")


class Mortals:
    """Engines on one database, the first of which dies."""

    def __init__(self, url: str) -> None:
        self.config = checked({"name": "crash-app", "system_database_url": url})

    def run(self, death: Death) -> bool:
        """Start the story in an engine that dies; say whether the start was acknowledged."""
        runtime = Runtime(self.config, registry, None, around=death.around)
        acknowledged = False
        try:
            runtime.start()
            with SetWorkflowID(WORKFLOW):
                handle = DBOS.start_workflow(story, 5)
            acknowledged = True
            waiting = threading.Thread(target=_quietly, args=(handle,), daemon=True)
            waiting.start()
            eventually(lambda: death.struck.is_set() or not waiting.is_alive(), timeout=20)
        except (Died, JournalClosedError):
            pass
        finally:
            self._vanish(runtime)
        return acknowledged

    def recover(self) -> Any:
        """A new engine takes over; the result it comes to."""
        runtime = Runtime(self.config, registry, None)
        runtime.start()
        try:
            result = DBOS.get_result(WORKFLOW)
            log = [*DBOS.read_stream(WORKFLOW, "log")]
            runtime.stop(completion_timeout=10, grace=2)
            return result, log
        finally:
            current.install(None)

    def ask(self, statement: Statement, **params: Any) -> list[Any]:
        database = open_database(self.config["system_database_url"])
        try:
            with database.reading() as session:
                return session.all(statement, **params)
        finally:
            database.close()

    def _vanish(self, runtime: Runtime) -> None:
        """End the threads without a word to the database, and let others see it dead."""
        runtime.heart._stopping.set()
        runtime.ticker.stop(2)
        runtime.dispatcher.stop(2)
        runtime.maintenance.stop(2)
        runtime.engine.drain()
        runtime.engine.close(timeout=2)
        runtime.wakeups.stop()
        current.install(None)
        with runtime.database.writing() as session:
            bury(session)
        runtime.database.close()


def bury(session: Session) -> None:
    session.run(BURY)


def _quietly(handle: Any) -> None:
    try:
        handle.get_result()
    except BaseException:
        pass


def live_and_let_die(url: str, at: int, *, after: bool) -> Death:
    effects.clear()
    engines = Mortals(url)
    death = Death(at, after=after)
    acknowledged = engines.run(death)
    recorded = {(workflow, step) for workflow, step in engines.ask(RECORDED)}
    before = Counter(effects)
    if not acknowledged and not engines.ask(EXISTS, id=WORKFLOW):
        assert not effects
        return death
    assert engines.recover() == (RESULT, LOG)
    for name, times in Counter(effects).items():
        workflow, step, _ = name.rsplit("/", 2)
        if (workflow, int(step)) in recorded:
            assert times == before[name], f"{name} ran again after its checkpoint"
        assert times <= 2
    return death


def test_an_uninterrupted_run_comes_to_the_expected_result(database_url: str) -> None:
    death = live_and_let_die(database_url, at=10_000, after=True)
    assert not death.struck.is_set()
    assert len(death.calls) > 25


@pytest.mark.parametrize("at", [3, 12, 21, 30])
def test_dying_here_and_there_changes_nothing(database_url: str, at: int) -> None:
    live_and_let_die(database_url, at, after=True)


@pytest.mark.crash
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 46))
def test_dying_at_a_storage_call_changes_nothing(database_url: str, at: int, after: bool) -> None:
    live_and_let_die(database_url, at, after=after)
