"""A host for dispatchers: runs claimed workflows in threads and ends their rows."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dboshub.queues.engine.dispatcher import Dispatcher, DispatcherConfig
from dboshub.queues.engine.ports import ClaimStore
from dboshub.queues.storage.store import QueueStore
from dboshub.workflows.engine.clock import DatabaseClock
from dboshub.workflows.engine.records import ClaimedWorkflow
from dboshub.workflows.storage.database import Database
from tests.queues.rows import APP, FINISH, VERSION, run

Body = Callable[[ClaimedWorkflow], None]


class ThreadHost:
    """One thread per workflow, at most `slots` at a time; records what it ran."""

    def __init__(self, database: Database, slots: int = 10, body: Body | None = None) -> None:
        self.started: list[str] = []
        self.most: Counter[str] = Counter()  # most at once, by queue and by "queue/partition"
        self.dispatcher: Dispatcher | None = None
        self._database = database
        self._slots = slots
        self._body = body or (lambda workflow: None)
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self._inside: Counter[str] = Counter()  # whose bodies run; their rows count as running
        self._used = 0
        self._threads: list[threading.Thread] = []

    def free_slots(self) -> int:
        return self._slots - self._used

    def running_on(self, queue: str, partition: str | None = None) -> int:
        with self._lock:
            return self._running[queue if partition is None else f"{queue}/{partition}"]

    def accepts(self, workflow: ClaimedWorkflow) -> bool:
        return True

    def prepare(self, workflows: Sequence[ClaimedWorkflow]) -> None:
        """A body reads what it needs."""

    def run_claimed(self, workflow: ClaimedWorkflow) -> None:
        with self._lock:
            self._used += 1
            self.started.append(workflow.workflow_id)
            for key in _keys(workflow):
                self._running[key] += 1
                self._inside[key] += 1
                self.most[key] = max(self.most[key], self._inside[key])
        thread = threading.Thread(target=self._work, args=(workflow,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(10)

    def _work(self, workflow: ClaimedWorkflow) -> None:
        self._body(workflow)
        with self._lock:
            # Once the row has ended, the next one may start before this thread goes on.
            self._inside.subtract(_keys(workflow))
        run(self._database, FINISH, id=workflow.workflow_id)
        with self._lock:
            self._used -= 1
            self._running.subtract(_keys(workflow))
        if self.dispatcher is not None:
            self.dispatcher.released(workflow.queue_name)


def _keys(workflow: ClaimedWorkflow) -> list[str]:
    return [f"{workflow.queue_name}", f"{workflow.queue_name}/{workflow.partition_key}"]


_processes = itertools.count(1)


@contextmanager
def dispatching(
    database: Database, host: ThreadHost, store: ClaimStore | None = None, **config: Any
) -> Iterator[Dispatcher]:
    """A running dispatcher for this host, as in a process of its own."""
    process, numbers = next(_processes), itertools.count(1)
    own = QueueStore(database, application=APP, version=VERSION, executor_id="local")
    dispatcher = Dispatcher(
        store or own,
        host,
        clock=DatabaseClock(),
        new_tokens=lambda count: [f"p{process}:{next(numbers)}" for _ in range(count)],
        config=DispatcherConfig(**config),
    )
    host.dispatcher = dispatcher
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        assert dispatcher.stop()
        host.join()
        for each in (store, own):
            if isinstance(each, QueueStore):
                each.close()
