"""The running engine: what every durable call of a process shares. Composed by the lifecycle."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import uuid
from collections.abc import Callable, Coroutine, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from dboshub.workflows.engine.clock import Clock
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.journal.group_commit import Journal
from dboshub.workflows.engine.membership.incarnations import new_incarnation, token_prefix
from dboshub.workflows.engine.observability.alerts import AlertHandler, log
from dboshub.workflows.engine.ports import EngineHooks, Storage
from dboshub.workflows.engine.registration.registry import Registry
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.slots import Slots
from dboshub.workflows.engine.runtime.threads import Loop, Threads
from dboshub.workflows.engine.serialization import Codec
from dboshub.workflows.engine.waiting.notices import Notices
from dboshub.workflows.engine.waiting.waits import Waiter, Waits

# A sync wait costs a thread, so there may be far more threads than slots.
MAX_THREADS = 10_000
QUERY_THREADS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Who speaks to the database: a client may belong to no application, and executes nothing."""

    application_name: str | None = None
    application_version: str | None = None
    executor_id: str | None = None
    application_id: str | None = None
    slots: int = 1
    retries_unavailable: bool = True  # whether a write is tried until the database answers


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorSettings(EngineSettings):
    """Who this process is, and how much it runs at once."""

    application_name: str
    application_version: str
    executor_id: str = "local"
    application_id: str = ""
    slots: int = 1_000


class Engine:
    """Shared by every execution of this process."""

    def __init__(
        self,
        settings: EngineSettings,
        *,
        registry: Registry,
        clock: Clock,
        storage: Storage,
        codec: Codec | None = None,
        incarnation: str | None = None,
        around: EngineHooks = EngineHooks(),  # noqa: B008  # frozen
    ) -> None:
        self.settings = settings
        self.registry = registry
        self.clock = clock
        self.store = storage.store
        self.codec = codec or Codec()
        self.waits = Waits()
        self.notices = Notices(self.waits)
        self.notices.on_status = self._status_changed
        self.journal = Journal(
            storage.open_journal_connection,
            clock,
            side_connections=storage.side_connections,
            on_durable=self.notices.durable,
            ambient=around.ambient,
            ambient_async=around.ambient_async,
            retries_unavailable=settings.retries_unavailable,
        )
        self.slots = Slots(settings.slots)
        self.threads = Threads("dboshub-workflow", MAX_THREADS, around.tidy)
        self.queries = Threads("dboshub-query", QUERY_THREADS)
        self.loop = Loop("dboshub-loop")
        # Run after each sync step: what user code left open is not kept while a workflow waits.
        self.tidy = around.tidy
        self.ambient = around.ambient
        self.application = around.application
        self.tracer = around.tracer
        self.incarnation = incarnation or new_incarnation()
        # Checkpoints may be elsewhere, too: forget those from a step on before it runs again.
        self.before_rewind: Callable[[str, int], None] = lambda workflow_id, start_step: None
        self.alert: AlertHandler = log
        self.is_draining = False
        self.is_closed = False
        self.logger = logging.getLogger("dboshub")
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._executions: dict[str, Execution] = {}

    # -- executions ------------------------------------------------------------------------

    def new_token(self) -> str:
        """An ownership token: it names the incarnation, and no two are alike."""
        return f"{token_prefix(self.incarnation)}{next(self._numbers)}"

    def new_workflow_id(self) -> str:
        return str(uuid.uuid4())

    @property
    def executions(self) -> list[Execution]:
        with self._lock:
            return [*self._executions.values()]

    def execution(self, workflow_id: str) -> Execution | None:
        return self._executions.get(workflow_id)

    def admit(self, execution: Execution) -> None:
        """Count an execution as running here."""
        with self._lock:
            if self._executions.get(execution.workflow_id) is execution:
                return
            self._executions[execution.workflow_id] = execution
        self.slots.take(execution)
        if self.is_draining:
            execution.interrupt()

    def dismiss(self, execution: Execution) -> None:
        """An execution has ended, however it did."""
        with self._lock:
            if self._executions.get(execution.workflow_id) is execution:
                del self._executions[execution.workflow_id]
        self.slots.release_slot(execution)
        self.waits.wake("result", execution.workflow_id)

    def running_on(self, queue_name: str, partition_key: str | None = None) -> int:
        """How many claimed workflows of a queue, or of one partition, run here; parked too."""
        return sum(
            1
            for each in self.executions
            if each.queue_name == queue_name
            and (partition_key is None or each.run.partition_key == partition_key)
        )

    def revoke(self, ids: Sequence[str], status: str | None) -> None:
        """Tell local executions that an operator took their rows."""
        for workflow_id in ids:
            execution = self._executions.get(workflow_id)
            if execution is not None:
                execution.revoke(status)

    def _status_changed(self, workflow_id: str) -> None:
        """Somebody, perhaps elsewhere, moved a workflow: if it runs here it must look."""
        execution = self._executions.get(workflow_id)
        if execution is not None:
            execution.invalidate_ownership()

    def verify_ownership(self) -> None:
        """One query for all running executions: renew their proofs, stop those that lost."""
        running = self.executions
        asked_at = self.clock.monotonic()
        for start in range(0, len(running), 1_000):
            chunk = running[start : start + 1_000]
            rows = self.store.owners([each.workflow_id for each in chunk])
            for each in chunk:
                status, owner = rows.get(each.workflow_id, (None, None))
                if owner == each.owner:
                    each.ownership_verified_at = max(each.ownership_verified_at, asked_at)
                elif self._executions.get(each.workflow_id) is each:
                    each.revoke(status)

    # -- effects ---------------------------------------------------------------------------

    def query(self, ask: Callable[[], Any]) -> Query:
        return Query(self.queries, ask)

    def waiting(self, waiter: Waiter, deadline: float | None) -> Wait:
        return Wait(waiter, deadline)

    def pause(self, waiter: Waiter, until_ms: int | None) -> Wait:
        """Wait outside any workflow, until engine time `until_ms`."""
        if self.is_closed:
            raise DBOSException("DBOS was destroyed while somebody waited")
        if until_ms is None:
            return Wait(waiter, None)
        left = (until_ms - self.clock.now_ms()) / 1000
        return Wait(waiter, self.clock.monotonic() + left)

    def in_background(self, task: Callable[[], None]) -> None:
        self.threads.submit(task)

    def run_on_loop(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.loop.submit(coroutine)

    # -- the end ---------------------------------------------------------------------------

    def drain(self) -> None:
        """Start nothing more; stop every execution at the end of its current step."""
        self.is_draining = True
        for execution in self.executions:
            execution.interrupt()

    def close(self, timeout: float) -> None:
        """Flush the journal and end every thread."""
        self.journal.close(timeout)
        self.is_closed = True
        self.waits.wake_all()
        self.threads.stop()
        self.queries.stop()
        self.loop.stop(timeout)
        self.threads.join(timeout)
        self.queries.join(timeout)


class Query:
    """The effect of asking the database something."""

    __slots__ = ("_ask", "_threads")

    def __init__(self, threads: Threads, ask: Callable[[], Any]) -> None:
        self._threads = threads
        self._ask = ask

    def block(self) -> Any:
        return self._ask()

    async def wait(self) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def answer() -> None:
            try:
                value, error = self._ask(), None
            except BaseException as raised:
                value, error = None, raised
            try:
                loop.call_soon_threadsafe(_resolve, future, value, error)
            except RuntimeError:
                pass  # the loop is closed, and nobody waits any more

        # In the caller's context: what is asked may depend on whose call it is.
        context = copy_context()
        self._threads.submit(lambda: context.run(answer))
        return await future


class Wait:
    """The effect of waiting for a waiter's keys."""

    __slots__ = ("_deadline", "_waiter")

    def __init__(self, waiter: Waiter, deadline: float | None) -> None:
        self._waiter = waiter
        self._deadline = deadline

    def block(self) -> bool:
        return self._waiter.block(self._deadline)

    async def wait(self) -> bool:
        return await self._waiter.wait(self._deadline)


def _resolve(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
