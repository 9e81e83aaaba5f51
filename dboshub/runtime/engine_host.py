"""What the dispatcher and the heartbeat loop ask of the engine of this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import chain, islice

from dboshub.workflows.engine import background
from dboshub.workflows.engine.records import Checkpoint, ClaimedWorkflow
from dboshub.workflows.engine.registration.parameter_schema import FunctionPublisher
from dboshub.workflows.engine.runtime.claimed import run_claimed
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.history import HISTORY_AT_ONCE
from dboshub.workflows.engine.runtime.runnable import Refusals

MAX_ACTIVITIES = 500
UNPREPARED_S = 30.0  # after a read of checkpoints that failed


class EngineHost:
    """Host of a dispatcher (``queues.engine.ports``) and of a ``HeartbeatLoop``."""

    def __init__(self, engine: Engine, wake_queues: Callable[[], None]) -> None:
        """`wake_queues` makes the dispatcher look for work in every queue."""
        self._engine = engine
        self._functions = FunctionPublisher(engine.registry)
        self._refusals = Refusals(engine)
        self._histories: dict[str, list[Checkpoint]] = {}
        self._prepares_from = 0.0  # monotonic seconds
        self._is_declared_dead = False
        self.wake_queues = wake_queues

    # -- for the dispatcher ----------------------------------------------------------------

    def free_slots(self) -> int:
        """How many more workflows this process can run now.

        0 while it drains or lacks threads, and from its death, as others see it, until it is
        registered again.
        """
        may_claim = self._engine.may_claim and not self._is_declared_dead
        return self._engine.slots.free if may_claim else 0

    def running_on(self, queue: str, partition: str | None = None) -> int:
        """How many workflows of a queue, or of one of its partitions, run here."""
        return self._engine.executions.count_on_queue(queue, partition)

    def accepts(self, workflow: ClaimedWorkflow) -> bool:
        """Whether this process can run a workflow."""
        return self._refusals.accepts(workflow)

    def refused_keys(self) -> list[str]:
        """The claim keys of what this process has refused, for claims to leave out."""
        return self._refusals.keys()

    def prepare(self, workflows: Sequence[ClaimedWorkflow]) -> None:
        """Read the first checkpoints of these workflows, by one query.

        If it fails, each replay reads its own, as long as that takes, and for a while nothing is
        read here: the queries that claim would wait for it.
        """
        self._histories = {}
        engine = self._engine
        replayed = [each.workflow_id for each in workflows if each.has_history]
        if replayed and engine.clock.monotonic() >= self._prepares_from:
            try:
                self._histories = engine.store.histories(replayed, most=HISTORY_AT_ONCE)
            except Exception as error:
                engine.logger.info("The first steps of workflows are read by each: %s", error)
                self._prepares_from = engine.clock.monotonic() + UNPREPARED_S

    def run_claimed(self, workflow: ClaimedWorkflow) -> None:
        """Run a workflow that the dispatcher claimed."""
        run_claimed(self._engine, workflow, self._histories.pop(workflow.workflow_id, None))

    # -- for the heartbeat -----------------------------------------------------------------

    def running_ids(self) -> set[str]:
        """Ids of all workflows that run here."""
        return {each.workflow_id for each in self._engine.executions}

    def activity(self) -> str:
        """What fails here and current activities, a JSON array of at most MAX_ACTIVITIES."""
        failing = (each.as_json() for each in background.failing())
        latest = ((each.workflow_id, each.activities.latest) for each in self._engine.executions)
        found = (activity.as_json(id_) for id_, activity in latest if activity is not None)
        return json.dumps([*islice(chain(failing, found), MAX_ACTIVITIES)])

    def functions(self) -> str:
        """The functions that this process can run, as JSON."""
        return self._functions()

    def on_declared_dead(self) -> None:
        """Stop every execution, and claim nothing: other processes own the rows."""
        self._is_declared_dead = True
        for execution in self._engine.executions:
            execution.revoke(None)

    def on_reregistered(self, incarnation: str) -> None:
        """Draw ownership tokens of a new incarnation from now on, and claim again."""
        self._engine.become(incarnation)
        self._is_declared_dead = False
        self.wake_queues()
