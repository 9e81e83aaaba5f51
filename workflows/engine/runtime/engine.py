"""The engine: what every durable call of a process shares."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
import uuid
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from dboshub.workflows.engine.clock import Clock
from dboshub.workflows.engine.context import FRAME, frame, stopped_here
from dboshub.workflows.engine.fence import while_owner
from dboshub.workflows.engine.journal.group_commit import Journal
from dboshub.workflows.engine.membership.incarnations import new_incarnation, token_prefix
from dboshub.workflows.engine.observability.alerts import AlertHandler, log
from dboshub.workflows.engine.ports import (
    NO_HOOKS,
    EngineHooks,
    Storage,
)
from dboshub.workflows.engine.registration.registry import Registry
from dboshub.workflows.engine.runtime.effects import Query, Wait
from dboshub.workflows.engine.runtime.executions import Executions
from dboshub.workflows.engine.runtime.insisting import Insisting
from dboshub.workflows.engine.runtime.loop import Loop
from dboshub.workflows.engine.runtime.slots import Slots
from dboshub.workflows.engine.runtime.threads import Refused, Threads
from dboshub.workflows.engine.serialization import Codec
from dboshub.workflows.engine.suspension.departures import StayInMemory, Suspension
from dboshub.workflows.engine.waiting.notices import Notices
from dboshub.workflows.engine.waiting.waits import Waiter, Waits

# A sync wait blocks a thread, so there may be far more threads than slots.
MAX_THREADS = 10_000
# A query of a coroutine may wait for a row, and must not keep those of others waiting.
QUERY_THREADS = 64
MIN_JOIN_S = 0.05
CLAIM_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Identity of a process towards the database. A client may belong to no application."""

    application_name: str | None = None
    application_version: str | None = None
    executor_id: str | None = None
    application_id: str | None = None
    slots: int = 1
    retries_unavailable: bool = True  # whether a write is retried until the database answers


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorSettings(EngineSettings):
    """Identity of a process that executes workflows, and how many it runs at once."""

    application_name: str
    application_version: str
    executor_id: str = "local"
    application_id: str = ""
    slots: int = 1_000


class Engine:
    """Journal, waits, threads and settings of one process."""

    is_closed = False
    suspension: Suspension = StayInMemory()
    _claims_from = 0.0  # monotonic seconds

    def __init__(
        self,
        settings: EngineSettings,
        *,
        registry: Registry,
        clock: Clock,
        storage: Storage,
        codec: Codec | None = None,
        incarnation: str | None = None,
        hooks: EngineHooks = NO_HOOKS,
    ) -> None:
        self.settings = settings
        self.registry = registry
        self.clock = clock
        self.store = storage.store
        self.codec = codec or Codec()
        self.waits = Waits()
        self.notices = Notices(self.waits)
        self.journal = self._new_journal(storage, hooks)
        self.insisting = Insisting(self.store.owners, lambda: self.is_closed)
        self.slots = Slots(settings.slots)
        self.executions = Executions(self.slots, self.waits, self.store.owners)
        self.notices.is_ending = self.executions.is_ending
        self.notices.on_status = self.executions.invalidate
        self.threads = Threads("dboshub-workflow", MAX_THREADS, hooks.after_user_code)
        self.queries = Threads("dboshub-query", QUERY_THREADS, short_tasks=True)
        self.loop = Loop("dboshub-loop")
        # Runs after each sync step, so that a workflow that waits keeps nothing of its step open.
        self.after_user_code = hooks.after_user_code
        self.around_async_step = hooks.around_async_step
        self.ambient = hooks.ambient
        self.after_commit = self.notices.after_commit = hooks.after_commit
        self.application = hooks.application
        self.tracer = hooks.tracer
        self.become(incarnation or new_incarnation())
        # Called with a workflow id and a step id before the workflow runs again from that step:
        # deletes the checkpoints that are kept outside the system database.
        self.before_rewind: Callable[[str, int], None] = lambda workflow_id, start_step: None
        # Called with the queue's name after this process enqueued a workflow.
        self.on_queue_used: Callable[[str], None] = lambda queue_name: None
        # Whether a limit of a queue counts its running workflows.
        self.has_limits: Callable[[str], bool] = lambda queue_name: True
        self.alert: AlertHandler = log
        self.logger = logging.getLogger("dboshub")
        self._numbers = itertools.count(1)

    def _new_journal(self, storage: Storage, hooks: EngineHooks) -> Journal:
        return Journal(
            storage.open_journal_connection,
            self.clock,
            isolated_connections=storage.isolated_connections,
            on_durable=self.notices.publish_writes,
            ambient=hooks.ambient,
            ambient_async=hooks.ambient_async,
            retries_unavailable=self.settings.retries_unavailable,
        )

    def become(self, incarnation: str) -> None:
        """Draw the tokens of this incarnation from now on; stop what an earlier one owns."""
        self.incarnation = incarnation
        self._token_prefix = token_prefix(incarnation)
        self.executions.expect_owners(self._token_prefix)

    def new_token(self) -> str:
        """A new ownership token: it names the incarnation and is never used twice."""
        return f"{self._token_prefix}{next(self._numbers)}"

    def new_tokens(self, count: int) -> list[str]:
        """So many tokens; see ``new_token``."""
        prefix = self._token_prefix
        return [f"{prefix}{number}" for number in islice(self._numbers, count)]

    def new_workflow_id(self) -> str:
        return str(uuid.uuid4())

    @property
    def runs_workflows(self) -> bool:
        """Whether workflows are executed here; a client leaves that to other processes."""
        return isinstance(self.settings, ExecutorSettings)

    # -- effects ---------------------------------------------------------------------------

    def query(self, ask: Callable[[], Any], *, insists: bool = True) -> Query:
        """The effect of calling `ask`, which queries the database.

        Within a workflow it is called until the database answers, unless it `insists` not: see
        ``Insisting``.
        """
        return Query(self.queries, partial(self._insisted, ask) if insists else ask)

    def change(self, act: Callable[[], Any]) -> Query:
        """The effect of calling `act`, which changes rows beside the journal.

        Within a workflow it changes nothing once the execution has lost its row. What a step left
        running, such as a task, may still act when the workflow has ended.
        """
        current = frame()
        execution = current.execution if current is not None else None
        if execution is None or self.executions.find(execution.workflow_id) is not execution:
            return self.query(act)
        return self.query(partial(while_owner, execution, act))

    def _insisted(self, ask: Callable[[], Any]) -> Any:
        current = frame()
        return ask() if current is None else self.insisting.ask(current.execution, ask)

    def waiting(self, waiter: Waiter, deadline: float | None) -> Wait:
        """The effect of waiting until `deadline` (monotonic seconds), inside an execution."""
        return Wait(waiter, deadline)

    def pause(self, waiter: Waiter, until_ms: int | None) -> Wait:
        """The effect of waiting until engine time `until_ms`, outside any workflow.

        Raises if the engine is closed: DBOSException, within a step ExecutionInterrupted.
        """
        if self.is_closed:
            raise stopped_here("DBOS was destroyed during this wait")
        if until_ms is None:
            return Wait(waiter, None)
        left = (until_ms - self.clock.now_ms()) / 1000
        return Wait(waiter, self.clock.monotonic() + left)

    def run_in_thread(self, task: Callable[[], None], refused: Refused) -> None:
        """Run a task on a thread for workflows; `refused` is called if none can be started."""
        self.threads.submit(task, refused)

    def run_on_loop(
        self, coroutine: Coroutine[Any, Any, Any], caller: asyncio.AbstractEventLoop | None
    ) -> asyncio.AbstractEventLoop:
        """Run a coroutine on the caller's event loop, or without one on ours; returns the loop.

        Its task is none of the workflow body that starts it.
        """
        context = copy_context()
        context.run(FRAME.set, None)
        return context.run(self.loop.submit, coroutine, caller)

    @property
    def may_claim(self) -> bool:
        """Whether this process can take more workflows: it neither drains nor lacks threads."""
        return not self.is_draining and self.clock.monotonic() >= self._claims_from

    def pause_claims(self, shortage: BaseException) -> None:
        """Claim nothing for CLAIM_PAUSE_S: a thread or a descriptor was missing."""
        if self.may_claim:
            self.logger.warning("Workflows are enqueued again, this process lacks: %s", shortage)
        self._claims_from = self.clock.monotonic() + CLAIM_PAUSE_S

    # -- the end ---------------------------------------------------------------------------

    @property
    def is_draining(self) -> bool:
        return self.executions.is_draining

    def drain(self) -> None:
        """Start no workflow from now on; stop every execution at the end of its current step."""
        self.executions.drain()
        self.journal.hurry()

    def close(self, timeout: float) -> None:
        """Flush the journal and end every thread, all within `timeout` seconds.

        A thread that user code keeps is left to itself. Closing again does nothing.
        """
        if self.is_closed:
            return
        deadline = time.monotonic() + timeout
        try:
            self.journal.close(timeout / 2)
        finally:
            self.is_closed = True
            self.waits.wake_all()
            self.threads.stop()
            self.queries.stop()
            for stop in (self.loop.stop, self.threads.join, self.queries.join):
                stop(max(MIN_JOIN_S, deadline - time.monotonic()))
