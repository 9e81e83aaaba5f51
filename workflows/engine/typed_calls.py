"""Types of the calls that get a function and its arguments.

A type checker then knows the arguments, and the result that a handle or a step gives.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

from dboshub.workflows.engine.handles import WorkflowHandle, WorkflowHandleAsync
from dboshub.workflows.engine.operations.step_reservation import StepOptions
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.sync_async import (
    async_form,
    async_handle_form,
    sync_form,
    sync_handle_form,
)

P = ParamSpec("P")
R = TypeVar("R")


class Start(Protocol):
    """Start a function; returns a handle of its result."""

    @overload
    def __call__(
        self, func: Callable[P, Coroutine[Any, Any, R]], *args: P.args, **kwargs: P.kwargs
    ) -> WorkflowHandle[R]: ...
    @overload
    def __call__(
        self, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> WorkflowHandle[R]: ...
    @overload
    def __call__(self, func: str, *args: Any, **kwargs: Any) -> WorkflowHandle[Any]: ...


class StartAsync(Protocol):
    """Start a function, awaited."""

    @overload
    async def __call__(
        self, func: Callable[P, Coroutine[Any, Any, R]], *args: P.args, **kwargs: P.kwargs
    ) -> WorkflowHandleAsync[R]: ...
    @overload
    async def __call__(
        self, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> WorkflowHandleAsync[R]: ...
    @overload
    async def __call__(self, func: str, *args: Any, **kwargs: Any) -> WorkflowHandleAsync[Any]: ...


class Enqueue(Protocol):
    """Enqueue a function by the name of a queue; returns a handle of its result."""

    @overload
    def __call__(
        self,
        queue_name: str,
        func: Callable[P, Coroutine[Any, Any, R]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> WorkflowHandle[R]: ...
    @overload
    def __call__(
        self, queue_name: str, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> WorkflowHandle[R]: ...


class EnqueueAsync(Protocol):
    """Enqueue a function by the name of a queue, awaited."""

    @overload
    async def __call__(
        self,
        queue_name: str,
        func: Callable[P, Coroutine[Any, Any, R]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> WorkflowHandleAsync[R]: ...
    @overload
    async def __call__(
        self, queue_name: str, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> WorkflowHandleAsync[R]: ...


class RunStep(Protocol):
    """Run a function as a step; returns its result."""

    @overload
    def __call__(
        self,
        dbos_step_options: StepOptions | None,
        func: Callable[P, Coroutine[Any, Any, R]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R: ...
    @overload
    def __call__(
        self,
        dbos_step_options: StepOptions | None,
        func: Callable[P, R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R: ...


class RunStepAsync(Protocol):
    """Run a function as a step, awaited."""

    @overload
    async def __call__(
        self,
        dbos_step_options: StepOptions | None,
        func: Callable[P, Coroutine[Any, Any, R]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R: ...
    @overload
    async def __call__(
        self,
        dbos_step_options: StepOptions | None,
        func: Callable[P, R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R: ...


def start_form(define: Callable[..., Program[str]]) -> Start:
    """The sync form of a call that starts a function."""
    return cast("Start", sync_handle_form(define))


def async_start_form(call: Start) -> StartAsync:
    """The async form of a ``start_form``."""
    return cast("StartAsync", async_handle_form(cast("Any", call)))


def enqueue_form(define: Callable[..., Program[str]]) -> Enqueue:
    """The sync form of a call that enqueues a function."""
    return cast("Enqueue", sync_handle_form(define))


def async_enqueue_form(call: Enqueue) -> EnqueueAsync:
    """The async form of an ``enqueue_form``."""
    return cast("EnqueueAsync", async_handle_form(cast("Any", call)))


def run_step_form(define: Callable[..., Program[Any]]) -> RunStep:
    """The sync form of a call that runs a function as a step."""
    return cast("RunStep", sync_form(define))


def async_run_step_form(call: RunStep) -> RunStepAsync:
    """The async form of a ``run_step_form``."""
    return cast("RunStepAsync", async_form(cast("Any", call)))
