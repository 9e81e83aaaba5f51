"""Real workers, really killed: 200 workflows complete, and no checkpointed step runs again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dboshub.workflows.engine.records import INTERNAL_QUEUE, NewWorkflow
from dboshub.workflows.engine.serialization import DefaultSerializer
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.journal.insert_workflow import start
from dboshub.workflows.storage.sql import Statement
from tests.support.eventually import eventually

ROOT = Path(__file__).resolve().parents[2]
HOW_MANY = 200
KILLS = 8
UNFINISHED = Statement("SELECT count(*) FROM {workflow_status} WHERE status <> 'SUCCESS'")
RESULTS = Statement(
    """
    SELECT o.workflow_uuid, o.output
    FROM {workflow_output} AS o
    WHERE o.workflow_uuid LIKE 'delivery-___'
    """
)
CHECKPOINTS = Statement(
    "SELECT workflow_uuid, function_id, completed_at_epoch_ms FROM {operation_outputs}"
)


class Workers:
    """Two worker processes on one database, replaced when they are killed."""

    def __init__(self, url: str, folder: Path) -> None:
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.crash.worker_settings",
            "DBOS_SYSTEM_DATABASE_URL": url,
            "DBOSHUB_DATA_DIR": str(folder),
            "CRASH_LOG": str(folder / "log"),
        }
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []

    def manage(self, *words: str) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), *words]

    def migrate(self) -> None:
        command = self.manage("migrate", "--no-input", "--verbosity", "0")
        subprocess.run(command, env=self.environment, check=True)

    def start(self) -> None:
        with (self.folder / "workers").open("ab") as output:
            self.running.append(
                subprocess.Popen(
                    self.manage("runworkers", "--import", "tests.crash.deliveries"),
                    env=self.environment,
                    stdout=output,
                    stderr=output,
                    cwd=ROOT,
                )
            )

    def kill_one(self) -> None:
        victim = self.running.pop(random.randrange(len(self.running)))
        victim.send_signal(signal.SIGKILL)
        victim.wait()

    def stop(self) -> None:
        for worker in self.running:
            worker.terminate()
        for worker in self.running:
            try:
                worker.wait(15)
            except subprocess.TimeoutExpired:
                worker.kill()


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = open_database(url)
    try:
        yield database
    finally:
        database.close()


def enqueue(database: Database) -> None:
    now = int(time.time() * 1000)
    for number in range(HOW_MANY):
        name = "deliveries.weigh_all" if number % 2 else "deliveries.deliver"
        row = NewWorkflow(
            workflow_uuid=f"delivery-{number:03}",
            status="ENQUEUED",
            name=name,
            created_at=now,
            updated_at=now,
            queue_name="deliveries" if number % 3 else INTERNAL_QUEUE,
            application_name="dboshub",
            application_version="crash",
            serialization="py_pickle",
        )
        inputs = DefaultSerializer().serialize({"args": (number,), "kwargs": {}})
        with database.writing() as session:
            start(session, row, inputs)


@pytest.mark.crash
def test_two_hundred_workflows_survive_killed_workers(database_url: str, tmp_path: Path) -> None:
    workers = Workers(database_url, tmp_path)
    workers.migrate()
    with opened(database_url) as database:
        enqueue(database)
        try:
            workers.start()
            workers.start()
            for _ in range(KILLS):
                time.sleep(random.uniform(1.5, 3.0))
                workers.kill_one()
                workers.start()
            eventually(lambda: left(database) == 0, timeout=90, interval=0.2)
        finally:
            workers.stop()
        check_results(database)
        check_steps(database, (tmp_path / "log").read_text())


def left(database: Database) -> int:
    with database.reading() as session:
        row = session.one(UNFINISHED)
    return int(row[0]) if row else 0


def check_results(database: Database) -> None:
    with database.reading() as session:
        results: dict[str, Any] = dict(session.all(RESULTS))  # type: ignore[arg-type]
    assert len(results) == HOW_MANY
    decode = DefaultSerializer().deserialize
    for number in range(HOW_MANY):
        wanted = number * 6 if number % 2 else (number * 2 + 1) * 2
        assert decode(results[f"delivery-{number:03}"]) == wanted


def check_steps(database: Database, log: str) -> None:
    """No execution of a step began after its checkpoint was taken."""
    with database.reading() as session:
        recorded = {(row[0], row[1]): row[2] for row in session.all(CHECKPOINTS)}
    lines = log.splitlines()
    for line in lines:
        workflow, step, name, pid, at = line.split()
        checkpoint = recorded[workflow, int(step)]
        assert float(at) * 1000 <= checkpoint + 50, f"{name} of {workflow} ran again in {pid}"
    # Two steps of a weighing, three of a delivery, one of its child.
    assert len(lines) >= HOW_MANY // 2 * 2 + HOW_MANY // 2 * 4
