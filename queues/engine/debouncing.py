"""The program of a debounced call: postpone the delayed workflow of its key, or enqueue one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from dboshub.queues.engine.ports import Postponement
from dboshub.queues.engine.queue_registry import queue_registry
from dboshub.workflows.engine import validation
from dboshub.workflows.engine.context import frame
from dboshub.workflows.engine.control.management import as_step
from dboshub.workflows.engine.current_engine import engine
from dboshub.workflows.engine.errors import DBOSException, DBOSQueueDeduplicatedError
from dboshub.workflows.engine.options import NO_OPTIONS, StartOptions
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.engine.runtime.enqueueing import enqueue_as
from dboshub.workflows.engine.runtime.start_request import StartParameters

STEP = "DBOS.debounce_delayed_workflow"
# A call tries again if there was no workflow to postpone, but one when it enqueued its own.
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class DebounceCall:
    """One call, with the options of the surrounding ``with`` blocks; times in seconds."""

    parameters: StartParameters
    timeout_s: float | None
    key: str
    period_s: float
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def deduplication_id(self) -> str:
        return f"{self.parameters.function.name}-{self.key}"


def debounce(call: DebounceCall) -> Program[str]:
    """Postpone the key's delayed workflow, or enqueue one; return its id."""
    postponed = as_step(engine(), STEP, lambda: _postpone(call))
    return _debounced(call, postponed)


def _debounced(call: DebounceCall, postponed: Program[str | None]) -> Program[str]:
    attempts = ATTEMPTS if frame() is None else 1
    while True:
        waiting = yield from postponed
        if waiting is not None:
            return waiting
        attempts -= 1
        try:
            return (yield from enqueue_as(engine(), _new_parameters(call), call.args, call.kwargs))
        except DBOSQueueDeduplicatedError:
            if not attempts:
                raise
        postponed = as_step(engine(), STEP, lambda: _postpone(call))


def _postpone(call: DebounceCall) -> str | None:
    parameters, codec, current = call.parameters, engine().codec, frame()
    inherited = None if current is None else current.execution.serialization
    name = codec.format_name(parameters.function.serialization, inherited)
    wanted = Postponement(
        workflow_name=parameters.function.name,
        queue_name=parameters.queue_name or INTERNAL_QUEUE,
        deduplication_id=call.deduplication_id(),
        period_ms=int(call.period_s * 1000),
        inputs=codec.encode_args(
            call.args, call.kwargs, name, engine().registry.arguments(parameters.function.name)
        ),
        serialization=name,
        application_name=parameters.options.application_name,
    )
    return queue_registry.table.postpone_debounced(wanted)


def _new_parameters(call: DebounceCall) -> StartParameters:
    options, timeout_s = call.parameters.options, call.timeout_s
    delay_s = call.period_s if timeout_s is None else min(call.period_s, timeout_s)
    return replace(
        call.parameters,
        options=replace(
            options,
            deduplication_id=call.deduplication_id(),
            delay_s=delay_s,
            is_debounced=True,
            debounce_timeout_s=timeout_s,
        ),
    )


def allowed_options(options: StartOptions) -> StartOptions:
    """The options of a new workflow. Raises DBOSException for those that debouncing sets."""
    chosen = options.chosen_id
    refusals = {
        "a deduplication_id set: the debounce key is used as the workflow's deduplication ID": (
            options.deduplication_id is not None
        ),
        "a delay set: the debounce period controls the workflow's delay": (
            options.delay_s is not None
        ),
        "a priority set: priority is not supported for debounced workflows": (
            options.priority != NO_OPTIONS.priority
        ),
        "a queue partition key set: partitioned queues do not support deduplication, which "
        "debouncing requires": options.partition_key is not None,
        f"duplication_policy {options.duplication_policy!r}: a debounce owns the workflow's "
        "deduplication behavior": options.duplication_policy != NO_OPTIONS.duplication_policy,
        "workflow_id_reuse_policy 'reject': a debounce owns how its workflow is started": (
            chosen is not None and chosen.reuse_policy == "reject"
        ),
    }
    for refusal, applies in refusals.items():
        if applies:
            raise DBOSException(f"Cannot debounce a workflow with {refusal}.")
    # The debounced workflow does not inherit the deadline of the calling workflow.
    return options if options.has_timeout else replace(options, has_timeout=True)


def checked(call: DebounceCall) -> DebounceCall:
    """The call. Raises DBOSException for a key or a period that cannot be."""
    validation.text("a debounce key", call.key)
    if validation.seconds("debounce_period_sec", call.period_s) < 0:
        raise DBOSException(f"debounce_period_sec cannot be negative: {call.period_s}")
    return call
