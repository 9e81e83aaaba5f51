"""`manage.py runworkers` as an operator runs it: stopped, hurried, killed, and supervised."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dboshub.management.commands.runworkers import Command
from dboshub.runtime.stop_budget import ANSWER_S, CLOSE_S, MIN_SHARE_S, StopBudget
from dboshub.runtime.stop_requests import StopRequests
from dboshub.runtime.worker_end import WorkerEnd
from dboshub.workflows.engine.records import INTERNAL_QUEUE, NewWorkflow
from dboshub.workflows.payloads import PICKLE
from dboshub.workflows.payloads.encode import encode_arguments
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.journal.insert_workflow import start
from dboshub.workflows.storage.sql import Statement
from tests.support.eventually import eventually
from tests.support.leaks import assert_no_thread_but, threads
from tests.workflows.engine.test_stop_budget import GENEROUS_S, database_that_does_not_answer
from tests.workflows.executors.fleet import EXECUTOR, ROW, pending, status_of

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.slow

INCARNATIONS = Statement(
    "SELECT incarnation, pid FROM {dboshub_executor}"
    " WHERE stopped_at IS NULL AND declared_dead_at IS NULL ORDER BY registered_at, incarnation"
)
STOPPED = Statement("SELECT count(*) FROM {dboshub_executor} WHERE stopped_at IS NOT NULL")
Run = Callable[..., "Worker"]


class Worker:
    """One `runworkers` command and what it printed."""

    def __init__(self, url: str, folder: Path, *options: str, version: str = "v1") -> None:
        self.log = folder / f"log-{time.monotonic_ns()}"
        environment = {
            **os.environ,
            "DBOS_SYSTEM_DATABASE_URL": url,
            "DBOS__APPVERSION": version,
            "DBOSHUB_DATA_DIR": str(folder),
            "DBOSHUB_IMPORT": "tests.workflows.executors.jobs",
            "DIARY": str(folder / "diary"),
            "PYTHONUNBUFFERED": "1",
        }
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "runworkers", *options],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def code(self, timeout: float = 20) -> int:
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it still runs:\n{self.log.read_text()}") from None


@pytest.fixture
def run(database: Database, database_url: str, tmp_path: Path) -> Iterator[Run]:
    workers: list[Worker] = []

    def launch(*options: str, version: str = "v1") -> Worker:
        workers.append(Worker(database_url, tmp_path, *options, version=version))
        return workers[-1]

    yield launch
    for worker in workers:
        worker.process.kill()
        worker.process.wait()
    for _, pid in _live(database):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


@pytest.fixture
def diary(tmp_path: Path) -> Callable[[], list[str]]:
    path = tmp_path / "diary"
    return lambda: path.read_text().splitlines() if path.exists() else []


def enqueue(database: Database, workflow_id: str, name: str, *args: object) -> str:
    now = time.time_ns() // 1_000_000
    row = NewWorkflow(
        workflow_uuid=workflow_id,
        status="ENQUEUED",
        name=name,
        created_at=now,
        updated_at=now,
        queue_name=INTERNAL_QUEUE,
        serialization=PICKLE,
    )
    with database.writing() as session:
        start(session, row, encode_arguments([*args], {}, PICKLE))
    return workflow_id


def has_ended(database: Database, workflow_id: str) -> Callable[[], bool]:
    return lambda: status_of(database, workflow_id) == "SUCCESS"


def test_a_stopped_worker_ends_its_step_and_hands_the_rest_back(
    database: Database, run: Run, diary: Callable[[], list[str]]
) -> None:
    worker = run("--grace", "15")
    job = enqueue(database, "job", "work", "a", 3, 2.0)
    rest = enqueue(database, "rest", "nap", 3600.0)
    eventually(lambda: diary() == ["a-0 begins"], timeout=20)
    eventually(lambda: status_of(database, rest) == "PENDING")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0
    assert diary() == ["a-0 begins", "a-0 ends"]
    with database.reading() as session:
        for workflow_id in (job, rest):
            assert session.one(ROW, id=workflow_id) == ("ENQUEUED", INTERNAL_QUEUE, None, 0, None)
    run("--threads", "2")
    eventually(has_ended(database, job), timeout=30)
    assert diary().count("a-0 begins") == 1


def test_a_second_signal_hands_back_at_once(
    database: Database, run: Run, diary: Callable[[], list[str]]
) -> None:
    worker = run("--grace", "60")
    job = enqueue(database, "job", "work", "a", 1, 60.0)
    eventually(lambda: diary() == ["a-0 begins"], timeout=20)
    worker.signal(signal.SIGINT)
    eventually(lambda: "stops" in worker.log.read_text())
    worker.signal(signal.SIGINT)
    assert worker.code(10) == 0
    with database.reading() as session:
        assert session.one(ROW, id=job) == ("ENQUEUED", INTERNAL_QUEUE, None, 0, None)
        assert session.one(STOPPED) == (1,)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_an_outage_of_the_database_extends_no_grace_period(
    database: Database,
    database_url: str,
    run: Run,
    diary: Callable[[], list[str]],
    processes: str,
) -> None:
    worker = run("--grace", "0.5", "--processes", processes)
    enqueue(database, "job", "work", "a", 1, 600.0)
    eventually(lambda: diary() == ["a-0 begins"], timeout=30)
    with database_that_does_not_answer(database_url):
        worker.signal(signal.SIGTERM)
        assert worker.code(GENEROUS_S) == 0


class NeverDestroyed:
    """Does not return; ends its threads once it is released."""

    def __init__(self) -> None:
        self._released = threading.Event()

    def destroy(self, *, grace_period_sec: float) -> None:
        self._released.wait()
        raise SystemExit

    def release(self) -> None:
        self._released.set()


@pytest.fixture
def never_destroyed() -> Iterator[NeverDestroyed]:
    before = threads()
    dbos = NeverDestroyed()
    yield dbos
    dbos.release()
    assert_no_thread_but(before)


class RecordedWaits(StopRequests):
    waited: float | None = None

    def wait(self, timeout: float | None = None) -> bool:
        self.waited = timeout
        return False


def begun(dbos: NeverDestroyed, grace: float, stop: StopRequests) -> WorkerEnd:
    ending = WorkerEnd(dbos, grace, stop.ask)
    ending.begin()
    return ending


# So its threads end, which no test after this one may find.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_grace_and_the_second_after_it_are_all_that_a_worker_waits(
    never_destroyed: NeverDestroyed, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended(Exception):
        pass

    def end(code: int) -> None:
        raise Ended

    budgets: list[float] = []
    monkeypatch.setattr(StopBudget, "within", lambda self, *how: budgets.append(self.left()))
    monkeypatch.setattr("dboshub.management.commands.runworkers.os._exit", end)
    stop = RecordedWaits()
    with pytest.raises(Ended):
        Command()._end(begun(never_destroyed, 30.0, stop), stop)
    assert stop.waited is not None
    assert stop.waited + ANSWER_S <= 30 + CLOSE_S
    assert budgets[0] <= CLOSE_S
    with pytest.raises(Ended):
        Command()._end(begun(never_destroyed, -CLOSE_S - 5, stop), stop)
    assert stop.waited == 0
    assert budgets[1] == MIN_SHARE_S


def test_a_killed_worker_leaves_its_work_to_the_next_one_on_this_machine(
    database: Database, run: Run, diary: Callable[[], list[str]]
) -> None:
    worker = run()
    job = enqueue(database, "job", "work", "a", 3, 1.0)
    eventually(lambda: "a-1 begins" in diary(), timeout=20)
    worker.signal(signal.SIGKILL)
    worker.process.wait()
    run()
    eventually(has_ended(database, job), timeout=25)
    assert diary().count("a-0 begins") == 1
    assert diary().count("a-1 begins") == 2
    assert diary().count("a-2 begins") == 1


def test_a_supervised_worker_that_is_killed_is_replaced_and_its_work_goes_on(
    database: Database, run: Run, diary: Callable[[], list[str]]
) -> None:
    parent = run("--processes", "2")
    first = eventually(lambda: live if len(live := _live(database)) == 2 else None, timeout=30)
    jobs = [enqueue(database, f"job-{n}", "work", f"j{n}", 3, 1.0) for n in range(4)]
    eventually(lambda: len(diary()) >= 6)
    incarnation, pid = first[0]
    os.kill(pid, signal.SIGKILL)
    for job in jobs:
        eventually(has_ended(database, job), timeout=25)
    with database.reading() as session:
        row = session.one(EXECUTOR, incarnation=incarnation)
    assert row is not None
    assert row[5] is not None
    eventually(lambda: len(_live(database)) == 2, timeout=20)
    parent.signal(signal.SIGTERM)
    assert parent.code() == 0
    assert _live(database) == []


def test_children_end_with_their_parent(database: Database, run: Run) -> None:
    parent = run("--processes", "2")
    eventually(lambda: len(_live(database)) == 2, timeout=30)
    nap = enqueue(database, "nap", "nap", 3600.0)
    eventually(lambda: status_of(database, nap) == "PENDING")
    parent.signal(signal.SIGKILL)
    eventually(lambda: _live(database) == [], timeout=20)
    assert status_of(database, nap) == "ENQUEUED"


def test_an_executor_of_another_program_is_adopted_on_purpose(database: Database, run: Run) -> None:
    foreign = "5b1e6a1e-8d0f-4f7c-9f0d-0a5a3c9b7f11"
    with database.writing() as session:
        workflow_id = pending(session, foreign, executor_id="vm-7", application=None)
        untouched = pending(session, foreign, executor_id="vm-8", application=None)
    worker = run("--adopt-executor", "vm-7")
    eventually(lambda: "Took over 1 workflows" in worker.log.read_text(), timeout=20)
    with database.reading() as session:
        adopted, left = (session.one(ROW, id=each) for each in (workflow_id, untouched))
    assert adopted is not None
    assert adopted[2] != foreign
    assert left == ("PENDING", None, foreign, 1, None)


def test_what_cannot_be_imported_is_said_and_nothing_runs(run: Run) -> None:
    worker = run("--import", "no.such.module")
    assert worker.code() == 1
    assert "There is no module 'no' on the Python path" in worker.log.read_text()


def _live(database: Database) -> list[tuple[str, int]]:
    with database.reading() as session:
        return [(row[0], row[1]) for row in session.all(INCARNATIONS)]
