"""The demo's stories do what they tell, on both databases, and survive kill -9."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.eventually import eventually

ROOT = Path(__file__).resolve().parents[2]


class Worker:
    """A process of the demo, told what to do by lines."""

    def __init__(self, url: str, data: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.demo.program"],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "dboshub.settings",
                "DBOS_SYSTEM_DATABASE_URL": url,
                "DBOSHUB_DATA_DIR": str(data),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._read() == ["READY", None]

    def do(self, story: str, *arguments: Any, workflow_id: str | None = None) -> list[Any]:
        assert self.process.stdin
        self.process.stdin.write(json.dumps([story, arguments, workflow_id]) + "\n")
        self.process.stdin.flush()
        return self._read()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.communicate(timeout=30)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe and not pipe.closed:
                pipe.close()

    def _read(self) -> list[Any]:
        assert self.process.stdout
        found: list[Any] = json.loads(self.process.stdout.readline())
        return found


@pytest.fixture
def start_worker(database_url: str, tmp_path: Path) -> Iterator[Callable[[], Worker]]:
    started: list[Worker] = []

    def start() -> Worker:
        started.append(Worker(database_url, tmp_path))
        return started[-1]

    yield start
    for worker in started:
        worker.close()


def ledger(data: Path, question: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(data / "demo" / "ledger.sqlite3")) as connection:
        return connection.execute(question).fetchall()


def test_an_order_is_charged_and_shipped_once_it_is_paid(
    start_worker: Callable[[], Worker], tmp_path: Path
) -> None:
    worker = start_worker()
    worker.do("start", "checkout", "lamp", 2, workflow_id="order-1")
    assert worker.do("event", "payment_id", workflow_id="order-1") == ["SUCCESS", "pay-order-1"]
    worker.do("send", "paid", "payment", workflow_id="order-1")
    assert worker.do("result", workflow_id="order-1")[1] == "shipped as parcel-order-1"
    assert ledger(tmp_path, "SELECT * FROM charge") == [("order-1", "pay-order-1", 9800)]
    assert ledger(tmp_path, "SELECT order_id FROM shipment") == [("order-1",)]
    assert ledger(tmp_path, "SELECT stock FROM product WHERE name = 'lamp'") == [(13,)]


def test_a_declined_payment_puts_the_pieces_back(
    start_worker: Callable[[], Worker], tmp_path: Path
) -> None:
    worker = start_worker()
    worker.do("start", "checkout", "lamp", 2, workflow_id="order-2")
    worker.do("send", "declined", "payment", workflow_id="order-2")
    assert worker.do("result", workflow_id="order-2")[1] == "payment declined"
    assert ledger(tmp_path, "SELECT stock FROM product WHERE name = 'lamp'") == [(15,)]
    assert ledger(tmp_path, "SELECT * FROM charge") == []


def test_what_the_shop_does_not_sell_ends_in_error(start_worker: Callable[[], Worker]) -> None:
    assert start_worker().do("checkout", "yacht", 1) == ["ERROR", "UnknownProductError"]


def test_an_order_killed_between_charge_and_shipping_is_finished_once(
    start_worker: Callable[[], Worker], tmp_path: Path
) -> None:
    first = start_worker()
    first.do("start", "checkout", "mug", 1, workflow_id="order-3")
    first.do("send", "paid", "payment", workflow_id="order-3")
    eventually(lambda: ledger(tmp_path, "SELECT 1 FROM charge"))
    first.kill()
    assert ledger(tmp_path, "SELECT 1 FROM shipment") == []

    second = start_worker()
    assert second.do("result", workflow_id="order-3")[1] == "shipped as parcel-order-3"
    assert len(ledger(tmp_path, "SELECT * FROM charge")) == 1
    assert len(ledger(tmp_path, "SELECT * FROM shipment")) == 1


def test_ten_items_take_about_the_time_of_one(start_worker: Callable[[], Worker]) -> None:
    worker = start_worker()
    begun = time.monotonic()
    status, results = worker.do("process_items", 10)
    assert status == "SUCCESS"
    assert [result.split(":")[0] for result in results] == [f"item {n}" for n in range(10)]
    assert time.monotonic() - begun < 15  # one by one they take twenty


def test_the_pipeline_reports_every_line_and_streams_its_progress(
    start_worker: Callable[[], Worker],
) -> None:
    worker = start_worker()
    _, path = worker.do("measure_summits", workflow_id="climb")
    heights = json.loads(Path(path).read_text())
    assert next(iter(heights.items())) == ("Mount Everest", 29032)
    _, progress = worker.do("stream", "progress", workflow_id="climb")
    assert [value["done"] for value in progress] == list(range(1, 13))


def test_the_gazette_counts_what_it_published(start_worker: Callable[[], Worker]) -> None:
    _, counters = start_worker().do("publish_gazette", 3)
    assert counters["published_ever"] == 3
