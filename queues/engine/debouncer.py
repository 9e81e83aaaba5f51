"""Debouncing: of many calls with one key only the last one is executed, after a quiet period.

The calls share one DELAYED workflow by its deduplication id. Each call postpones it and replaces
its arguments. When it is enqueued it loses the id, and the next call starts another workflow.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from dboshub.queues.engine.debouncing import DebounceCall, allowed_options, checked, debounce
from dboshub.queues.engine.queue import Queue
from dboshub.workflows.engine import validation
from dboshub.workflows.engine.current_engine import ClientContext, engine, using_client
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.handles import WorkflowHandle, WorkflowHandleAsync
from dboshub.workflows.engine.identity import Identity, current_identity
from dboshub.workflows.engine.options import OPTIONS
from dboshub.workflows.engine.programs import run, run_async
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.engine.registration.registry import registry
from dboshub.workflows.engine.runtime.call_options import EnqueueOptions, checked_parameters
from dboshub.workflows.engine.runtime.effects import drawn_late
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.start_request import FunctionReference, StartParameters

P = ParamSpec("P")
R = TypeVar("R")


class HasClientContext(Protocol):
    @property
    def _client_context(self) -> ClientContext: ...


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
    ) -> DebounceCall:
        self._expect_known(engine())
        options = replace(allowed_options(OPTIONS.get()), application_name=self._application)
        parameters = StartParameters(self._function, self._queue_name, options, current_identity())
        return checked(DebounceCall(parameters, self._timeout_s, key, period_s, args, kwargs))

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
    ) -> DebounceCall:
        parameters = checked_parameters(self._options)
        parameters = replace(
            parameters,
            options=allowed_options(parameters.options),
            identity=parameters.identity or Identity(),
        )
        return checked(DebounceCall(parameters, self._timeout_s, key, period_s, args, kwargs))


def _options(
    given: EnqueueOptions, queue: Queue | str | None, application_name: str | None
) -> EnqueueOptions:
    changes: Mapping[str, Any] = {
        "queue_name": _queue_name(queue) or given.get("queue_name") or INTERNAL_QUEUE,
        "application_name": application_name or given.get("application_name"),
    }
    return {**given, **changes}  # type: ignore[typeddict-item]  # names known to be options


def _timeout(seconds: float | None) -> float | None:
    return None if seconds is None else validation.seconds("debounce_timeout_sec", seconds)


def _queue_name(queue: Queue | str | None) -> str | None:
    return queue.name if isinstance(queue, Queue) else queue
