"""Debouncing: of many calls with one key only the last one is executed, after a quiet period.

The calls share one DELAYED workflow by its deduplication id. Each call postpones it and replaces
its arguments. When it is enqueued it loses the id, and the next call starts another workflow.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from dboshub.queues.engine.ports import Postponement
from dboshub.queues.engine.queue import Queue
from dboshub.queues.engine.queue_registry import queue_registry
from dboshub.workflows.engine import validation
from dboshub.workflows.engine.context import frame
from dboshub.workflows.engine.control.management import as_step
from dboshub.workflows.engine.current_engine import ClientContext, engine, using_client
from dboshub.workflows.engine.errors import DBOSException, DBOSQueueDeduplicatedError
from dboshub.workflows.engine.handles import WorkflowHandle, WorkflowHandleAsync
from dboshub.workflows.engine.identity import Identity, current_identity
from dboshub.workflows.engine.options import NO_OPTIONS, OPTIONS, StartOptions
from dboshub.workflows.engine.programs import Program, run, run_async
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.engine.registration.registry import registry
from dboshub.workflows.engine.runtime.call_options import EnqueueOptions, checked_parameters
from dboshub.workflows.engine.runtime.effects import drawn_late
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.enqueueing import enqueue_as
from dboshub.workflows.engine.runtime.start_request import FunctionReference, StartParameters

STEP = "DBOS.debounce_delayed_workflow"
# A call tries again if there was no workflow to postpone, but one when it enqueued its own.
ATTEMPTS = 5

P = ParamSpec("P")
R = TypeVar("R")


class HasClientContext(Protocol):
    @property
    def _client_context(self) -> ClientContext: ...


@dataclass(frozen=True, slots=True)
class _DebounceCall:
    """One call, with the options of the surrounding ``with`` blocks; times in seconds."""

    parameters: StartParameters
    timeout_s: float | None
    key: str
    period_s: float
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def deduplication_id(self) -> str:
        return f"{self.parameters.function.name}-{self.key}"


class Debouncer(Generic[P, R]):
    """Debounces the calls of one workflow; calls with different keys are independent."""

    def __init__(
        self,
        workflow_name: str,
        *,
        debounce_timeout_sec: float | None = None,
        queue: Queue | str | None = None,
        application_name: str | None = None,
    ) -> None:
        """The workflow runs at most `debounce_timeout_sec` seconds after a key's first call."""
        self._function = FunctionReference(
            name=validation.name("the name of a workflow", workflow_name)
        )
        self._timeout_s = _timeout(debounce_timeout_sec)
        self._queue_name = _queue_name(queue) or INTERNAL_QUEUE
        self._application = application_name

    @overload
    @classmethod
    def create(
        cls,
        workflow: Callable[P, Coroutine[Any, Any, R]],
        *,
        debounce_timeout_sec: float | None = None,
        queue: Queue | str | None = None,
        application_name: str | None = None,
    ) -> Debouncer[P, R]: ...
    @overload
    @classmethod
    def create(
        cls,
        workflow: Callable[P, R],
        *,
        debounce_timeout_sec: float | None = None,
        queue: Queue | str | None = None,
        application_name: str | None = None,
    ) -> Debouncer[P, R]: ...
    @classmethod
    def create(
        cls,
        workflow: Callable[..., Any],
        *,
        debounce_timeout_sec: float | None = None,
        queue: Queue | str | None = None,
        application_name: str | None = None,
    ) -> Debouncer[P, R]:
        """A debouncer of a decorated function. Raises TypeError for a method."""
        target = registry.target(workflow)
        if target.receiver is not None or target.workflow.is_bound:
            raise TypeError(f"{target.workflow.name} is a method: only functions are debounced")
        debouncer = cls(
            target.workflow.name,
            debounce_timeout_sec=debounce_timeout_sec,
            queue=queue,
            application_name=application_name,
        )
        debouncer._function = FunctionReference.of(target)
        return debouncer

    create_async = create

    def debounce(
        self, debounce_key: str, debounce_period_sec: float, *args: P.args, **kwargs: P.kwargs
    ) -> WorkflowHandle[R]:
        """Execute the workflow with these arguments unless another call follows in the period."""
        call = self._call(debounce_key, debounce_period_sec, args, kwargs)
        return WorkflowHandle(run(debounce(call)))

    async def debounce_async(
        self, debounce_key: str, debounce_period_sec: float, *args: P.args, **kwargs: P.kwargs
    ) -> WorkflowHandleAsync[R]:
        """Do the same without blocking."""
        call = self._call(debounce_key, debounce_period_sec, args, kwargs)
        return WorkflowHandleAsync(await run_async(drawn_late(lambda: debounce(call))))

    def _call(
        self, key: str, period_s: float, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> _DebounceCall:
        self._expect_known(engine())
        options = replace(_allowed_options(OPTIONS.get()), application_name=self._application)
        parameters = StartParameters(self._function, self._queue_name, options, current_identity())
        return _checked(_DebounceCall(parameters, self._timeout_s, key, period_s, args, kwargs))

    def _expect_known(self, launched: Engine) -> None:
        """Raise DBOSException for a name of this application that this executor does not know."""
        is_own = self._application in (None, launched.settings.application_name)
        name = self._function.name
        if is_own and launched.runs_workflows and name not in launched.registry.workflows:
            raise DBOSException(f"Invalid workflow name provided to debouncer: {name}")


class DebouncerClient:
    """Debounces the calls of one workflow through a client, by the names in its options."""

    def __init__(
        self,
        client: HasClientContext,
        workflow_options: EnqueueOptions,
        *,
        debounce_timeout_sec: float | None = None,
        queue: Queue | str | None = None,
        application_name: str | None = None,
    ) -> None:
        """Options that debouncing sets itself are refused by ``debounce``."""
        self._client = client
        self._options = _options(workflow_options, queue, application_name)
        self._timeout_s = _timeout(debounce_timeout_sec)

    def debounce(
        self, debounce_key: str, debounce_period_sec: float, *args: Any, **kwargs: Any
    ) -> WorkflowHandle[Any]:
        """Execute the workflow with these arguments unless another call follows in the period."""
        with using_client(self._client._client_context):
            call = self._call(debounce_key, debounce_period_sec, args, kwargs)
            return WorkflowHandle(run(debounce(call)))

    async def debounce_async(
        self, debounce_key: str, debounce_period_sec: float, *args: Any, **kwargs: Any
    ) -> WorkflowHandleAsync[Any]:
        """Do the same without blocking."""
        with using_client(self._client._client_context):
            call = self._call(debounce_key, debounce_period_sec, args, kwargs)
            return WorkflowHandleAsync(await run_async(debounce(call)))

    def _call(
        self, key: str, period_s: float, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> _DebounceCall:
        parameters = checked_parameters(self._options)
        parameters = replace(
            parameters,
            options=_allowed_options(parameters.options),
            identity=parameters.identity or Identity(),
        )
        return _checked(_DebounceCall(parameters, self._timeout_s, key, period_s, args, kwargs))


def debounce(call: _DebounceCall) -> Program[str]:
    """Postpone the key's delayed workflow, or enqueue one; return its id."""
    postponed = as_step(engine(), STEP, lambda: _postpone(call))
    return _debounced(call, postponed)


def _debounced(call: _DebounceCall, postponed: Program[str | None]) -> Program[str]:
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


def _postpone(call: _DebounceCall) -> str | None:
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


def _new_parameters(call: _DebounceCall) -> StartParameters:
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


def _allowed_options(options: StartOptions) -> StartOptions:
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


def _options(
    given: EnqueueOptions, queue: Queue | str | None, application_name: str | None
) -> EnqueueOptions:
    changes: Mapping[str, Any] = {
        "queue_name": _queue_name(queue) or given.get("queue_name") or INTERNAL_QUEUE,
        "application_name": application_name or given.get("application_name"),
    }
    return {**given, **changes}  # type: ignore[typeddict-item]  # names known to be options


def _checked(call: _DebounceCall) -> _DebounceCall:
    validation.text("a debounce key", call.key)
    if validation.seconds("debounce_period_sec", call.period_s) < 0:
        raise DBOSException(f"debounce_period_sec cannot be negative: {call.period_s}")
    return call


def _timeout(seconds: float | None) -> float | None:
    return None if seconds is None else validation.seconds("debounce_timeout_sec", seconds)


def _queue_name(queue: Queue | str | None) -> str | None:
    return queue.name if isinstance(queue, Queue) else queue
