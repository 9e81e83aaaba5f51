"""A database, workers, and a load on them: what a fault is brought into.

A test makes the fault between two stretches of load, ends it, and asks for the verdict::

    with World(database_url, tmp_path) as world:
        world.run(2)
        with world.fault():
            world.workers[0].kill()
        world.run(2)
        world.settle()
        world.verdict().assert_holds()

Processes reach the database by `url_for_workers`, behind which a proxy may stand, the harness by
`database_url`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dboshub import SQLAlchemyDatasource
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Statement
from tests.chaos.ledger import LEDGER, Ledger
from tests.chaos.processes import ROOT, Process
from tests.chaos.verdict import Verdict, judge
from tests.support.eventually import eventually

HANDICAPS = ROOT / "tests" / "chaos" / "handicaps"
BOOKS, SALES = (
    Statement(f"CREATE TABLE {name} (workflow text NOT NULL, number integer NOT NULL)")
    for name in ("chaos_books", "chaos_sales")
)
UNFINISHED = Statement(
    """
    SELECT workflow_uuid, status, queue_name, owner_xid
    FROM {workflow_status}
    WHERE status IN ('PENDING', 'ENQUEUED', 'DELAYED')
    """
)


class World:
    """Two workers and a load process by default, while it is used in a ``with`` block.

    `rate` is requests a second, `lease` the seconds after which a silent process counts as dead.
    """

    def __init__(
        self,
        database_url: str,
        folder: Path,
        *,
        url_for_workers: str | None = None,
        workers: int = 2,
        lease: float = 3.0,
        rate: float = 30.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.database_url = database_url
        self.url_for_workers = url_for_workers or database_url
        self.folder, self.lease, self.rate = folder, lease, rate
        self.ledger = Ledger(folder / "ledger")
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.chaos.worker_settings",
            "DBOS_SYSTEM_DATABASE_URL": self.url_for_workers,
            "DBOSHUB_DATA_DIR": str(folder),
            # Only the tables of the engine are there.
            "DBOSHUB_ROLLUPS": "0",
            "DBOSHUB_BULK": "0",
            "CHAOS_LEASE": str(lease),
            LEDGER: str(folder / "ledger"),
            "PYTHONPATH": os.pathsep.join((str(HANDICAPS), str(ROOT))),
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        }
        self.workers: list[Process] = []
        self.load: Process | None = None
        self._how_many = workers

    def __enter__(self) -> World:
        with self.opened() as database:
            migrate(database)
            with database.writing() as session:
                session.run(BOOKS)
                session.run(SALES)
        SQLAlchemyDatasource.migrate(self.database_url)
        self.start_load()
        for _ in range(self._how_many):
            self.add_worker()
        try:
            self.until_all_work()
        except BaseException:
            self._kill_all()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if error[0] is None:
                self._stop_all()
        finally:
            self._kill_all()
            self.ledger.close()

    def start_load(self) -> None:
        """Start the program that asks for work; what an earlier one left it asks for again."""
        name = f"load-{len(list(self.folder.glob('load-*')))}"
        self.load = self._process(name, "-m", "tests.chaos.load", str(self.rate))

    def add_worker(self, *options: str, **environment: str) -> Process:
        """Start one more `runworkers`, with these options and variables beside those of all."""
        name = f"worker-{len(list(self.folder.glob('worker-*')))}"
        command = (str(ROOT / "manage.py"), "runworkers", "--import", "tests.chaos.program")
        worker = self._process(name, *command, *options, **environment)
        self.workers.append(worker)
        return worker

    def until_all_work(self) -> None:
        """Wait until each process runs a step, so that a fault meets what it is meant for."""
        now = self.ledger.size()
        eventually(lambda: self._all_work(since=now), timeout=60, interval=0.05)

    def run(self, seconds: float) -> None:
        """Let the load go on for so many seconds."""
        time.sleep(seconds)

    @contextmanager
    def fault(self) -> Iterator[None]:
        """Note when the fault begins and ends; service has to be back soon after its end."""
        self.ledger.write("fault begins")
        yield
        self.ledger.write("fault ends")

    def settle(self, timeout: float = 60) -> None:
        """End the load, and wait until every workflow has ended."""
        assert self.load is not None
        now = self.ledger.size()
        self.load.say("stop")
        eventually(lambda: [*self.ledger.facts("asked for all", start=now)], timeout, interval=0.1)
        try:
            eventually(lambda: self.unfinished() == [], timeout, interval=0.1)
        except AssertionError as late:
            raise AssertionError(f"after {timeout} s: {self.unfinished()}") from late

    def unfinished(self) -> list[tuple[object, ...]]:
        with self.opened() as database, database.reading() as session:
            return session.all(UNFINISHED)

    def verdict(self) -> Verdict:
        """Judge what the ledger and the database say; the processes may still run."""
        with self.opened() as database:
            return judge(self.ledger, database)

    @contextmanager
    def opened(self) -> Iterator[Database]:
        """The database itself, past any proxy."""
        database = open_database(self.database_url)
        try:
            yield database
        finally:
            database.close()

    def _all_work(self, since: int) -> bool:
        for process in self._processes():
            process.assert_alive()
        began = {fact.pid for fact in self.ledger.facts("began", start=since)}
        return all(process.pid in began for process in self._processes())

    def _process(self, name: str, *arguments: str, **environment: str) -> Process:
        command = [sys.executable, *arguments]
        return Process(command, {**self.environment, **environment}, self.folder / name)

    def _processes(self) -> list[Process]:
        return [*self.workers, *([self.load] if self.load else [])]

    def _stop_all(self) -> None:
        for worker in self.workers:
            worker.terminate()
        assert self.load is not None
        self.load.end_of_input()
        for process in self._processes():
            process.assert_ended_well()

    def _kill_all(self) -> None:
        for process in self._processes():
            process.kill()
