"""Which workflows this process can run: it knows function, receiver and serializer."""

from __future__ import annotations

import threading

from dboshub.workflows.engine.errors import DBOSWorkflowFunctionNotFoundError
from dboshub.workflows.engine.records import ClaimedWorkflow
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.serialization import UnknownFormatError

MAX_REFUSED = 1_000
CHECK_EVERY_S = 0.5


def obstacle(engine: Engine, workflow: ClaimedWorkflow) -> Exception | None:
    """Why this process cannot run a workflow; None if it can."""
    try:
        engine.registry.find(
            workflow.workflow_id, workflow.name, workflow.class_name, workflow.config_name
        )
        engine.codec.check_format(workflow.serialization)
    except (DBOSWorkflowFunctionNotFoundError, UnknownFormatError) as error:
        return error
    return None


class Refusals:
    """What this process could not run when it claimed it, for claims to leave out.

    A function or an instance that is registered later is asked for again.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._refused: dict[str, ClaimedWorkflow] = {}
        self._check_at = 0.0  # monotonic seconds

    def accepts(self, workflow: ClaimedWorkflow) -> bool:
        """Whether this process can run a workflow. What it cannot run is logged once."""
        reason = obstacle(self._engine, workflow)
        if reason is None:
            return True
        key = workflow.claim_key
        with self._lock:
            is_new = key not in self._refused
            self._refused.pop(key, None)
            self._refused[key] = workflow
            if len(self._refused) > MAX_REFUSED:
                del self._refused[next(iter(self._refused))]
        if is_new:
            self._engine.logger.error(
                "Workflow %s is left to a process that can run it: %s",
                workflow.workflow_id,
                reason,
            )
        return False

    def keys(self) -> list[str]:
        """The claim keys of what this process could not run CHECK_EVERY_S ago, or later."""
        now = self._engine.clock.monotonic()
        with self._lock:
            if now >= self._check_at:
                self._check_at = now + CHECK_EVERY_S
                for key, workflow in [*self._refused.items()]:
                    if obstacle(self._engine, workflow) is None:
                        del self._refused[key]
            return [*self._refused]
