"""Sync and async form of public calls from one definition: ``name`` and ``name_async``.

In the body of a class, with parameters and results that type checkers know::

    @sync_form
    def sleep(seconds: float) -> Program[None]: ...

    sleep_async = async_form(sleep)
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from dboshub.workflows.engine.context import numbered_refusal
from dboshub.workflows.engine.current_engine import (
    CLIENT_CONTEXT,
    ClientContext,
    using_client,
)
from dboshub.workflows.engine.handles import WorkflowHandle, WorkflowHandleAsync
from dboshub.workflows.engine.observability.spans import CALLS, traced
from dboshub.workflows.engine.programs import Program, awaitable, refuse_in_loop, run
from dboshub.workflows.engine.runtime.effects import drawn_late
from dboshub.workflows.engine.shard_keys import accept_null_shard_key

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

Handle = WorkflowHandle[Any]
HandleAsync = WorkflowHandleAsync[Any]
Answers = list[str | Exception]
HandleAnswers = list[WorkflowHandle[Any] | Exception]
HandleAsyncAnswers = list[WorkflowHandleAsync[Any] | Exception]
# The attribute of a sync form that holds its program and its results.
_DEFINITION = "__dboshub_definition__"
# Calls that may block a running event loop, as every call of a client may: they are short, and
# programs for the dbos library make them in coroutines.
_MAY_BLOCK_A_LOOP = frozenset(
    {
        *("start_workflow", "enqueue_workflow", "enqueue_workflow_with_options"),
        *("create_schedule", "apply_schedules", "list_schedules", "get_schedule"),
        *("pause_schedule", "resume_schedule", "delete_schedule"),
        *("trigger_schedule", "backfill_schedule"),
        *("list_application_versions", "get_latest_application_version"),
        "set_latest_application_version",
    }
)

# Calls whose async forms draw their step ids after the tasks beside them, as in the dbos library.
_DRAWN_LATE = frozenset({"create_schedule", "list_schedules", "get_schedule", "delete_schedule"})

# Calls whose async forms draw their step id also for a function that is no workflow.
_DRAWN_IF_REFUSED = frozenset({"start_workflow", "enqueue_workflow"})


def sync_form(define: Callable[P, Program[R]]) -> staticmethod[P, R]:
    """The sync form of a call: it blocks until the program ends.

    On the thread of a running event loop most calls raise RuntimeError; those of a client do not.
    """
    return _sync(define, _PLAIN)


def sync_handle_form(define: Callable[P, Program[str]]) -> staticmethod[P, Handle]:
    """The sync form of a call whose program returns a workflow id: it returns a handle."""
    return _sync(define, _HANDLE)


def sync_handles_form(define: Callable[P, Program[list[str]]]) -> staticmethod[P, list[Handle]]:
    """The sync form of a call whose program returns workflow ids: it returns handles."""
    return _sync(define, _HANDLES)


def sync_answers_form(define: Callable[P, Program[Answers]]) -> staticmethod[P, HandleAnswers]:
    """The sync form of a call whose program returns ids or errors: it returns handles or errors."""
    return _sync(define, _ANSWERS)


def async_form(call: staticmethod[P, R]) -> staticmethod[P, Coroutine[Any, Any, R]]:
    """The async form of a ``sync_form``."""
    return _async(call)


def async_handle_form(
    call: staticmethod[P, Handle],
) -> staticmethod[P, Coroutine[Any, Any, HandleAsync]]:
    """The async form of a ``sync_handle_form``."""
    return _async(call)


def async_handles_form(
    call: staticmethod[P, list[Handle]],
) -> staticmethod[P, Coroutine[Any, Any, list[HandleAsync]]]:
    """The async form of a ``sync_handles_form``."""
    return _async(call)


def async_answers_form(
    call: staticmethod[P, HandleAnswers],
) -> staticmethod[P, Coroutine[Any, Any, HandleAsyncAnswers]]:
    """The async form of a ``sync_answers_form``."""
    return _async(call)


class Method(Protocol[P, R_co]):
    """A function of a class; on an instance it is called without its first parameter."""

    def __get__(self, instance: object, owner: type | None = None) -> Callable[P, R_co]: ...


def client_method(call: Callable[P, R]) -> Method[P, R]:
    """A public call, in either form, as a method of a client: it uses that client's engine."""
    if inspect.iscoroutinefunction(call):

        @functools.wraps(call)
        async def async_method(self: _Client, *args: Any, **kwargs: Any) -> Any:
            with using_client(self._client_context):
                return await call(*args, **kwargs)

        return cast("Method[P, R]", async_method)

    @functools.wraps(call)
    def method(self: _Client, *args: Any, **kwargs: Any) -> Any:
        with using_client(self._client_context):
            return call(*args, **kwargs)

    return cast("Method[P, R]", method)


class _Client(Protocol):
    _client_context: ClientContext


@dataclass(frozen=True, slots=True)
class _Results:
    """How both forms convert a program's value, and how their signatures name the result."""

    of_sync: Callable[[Any], Any] = lambda value: value
    of_async: Callable[[Any], Any] = lambda value: value
    sync_name: str = ""
    async_name: str = ""


_PLAIN = _Results()
_HANDLE = _Results(WorkflowHandle, WorkflowHandleAsync, "WorkflowHandle", "WorkflowHandleAsync")
_HANDLES = _Results(
    lambda ids: [WorkflowHandle(each) for each in ids],
    lambda ids: [WorkflowHandleAsync(each) for each in ids],
    "list[WorkflowHandle]",
    "list[WorkflowHandleAsync]",
)


def as_handles(answers: Answers) -> HandleAnswers:
    """Handles in place of ids; errors stay."""
    return [each if isinstance(each, Exception) else WorkflowHandle(each) for each in answers]


def as_async_handles(answers: Answers) -> HandleAsyncAnswers:
    """Handles of coroutines in place of ids; errors stay."""
    return [each if isinstance(each, Exception) else WorkflowHandleAsync(each) for each in answers]


_ANSWERS = _Results(
    as_handles,
    as_async_handles,
    "list[WorkflowHandle | Exception]",
    "list[WorkflowHandleAsync | Exception]",
)


def _sync(define: Callable[P, Program[Any]], results: _Results) -> staticmethod[P, Any]:
    name = define.__name__
    program = accept_null_shard_key(traced(name, define) if name in CALLS else define)
    may_block_a_loop = name in _MAY_BLOCK_A_LOOP

    @functools.wraps(define)
    def sync_call(*args: P.args, **kwargs: P.kwargs) -> Any:
        if not may_block_a_loop and CLIENT_CONTEXT.get() is None:
            refuse_in_loop(name)
        return results.of_sync(run(program(*args, **kwargs)))

    setattr(sync_call, _DEFINITION, (program, results))
    _set_signature(sync_call, program, results.sync_name)
    return staticmethod(sync_call)


def _async(sync_call: staticmethod[P, Any]) -> staticmethod[P, Any]:
    definition: tuple[Callable[..., Program[Any]], _Results]
    definition = getattr(sync_call.__func__, _DEFINITION)
    program, results = definition
    name = sync_call.__func__.__name__
    if name in _DRAWN_LATE:
        program = _late_form(program)
    elif name in _DRAWN_IF_REFUSED:
        program = numbered_refusal(program)
    call = awaitable(program)

    @functools.wraps(call)
    async def async_call(*args: P.args, **kwargs: P.kwargs) -> Any:
        return results.of_async(await call(*args, **kwargs))

    _set_signature(async_call, program, results.async_name)
    return staticmethod(async_call)


def _late_form(program: Callable[P, Program[R]]) -> Callable[P, Program[R]]:
    @functools.wraps(program)
    def call(*args: P.args, **kwargs: P.kwargs) -> Program[R]:
        return drawn_late(lambda: program(*args, **kwargs))

    return call


def _set_signature(call: Any, program: Callable[..., Program[Any]], result: str) -> None:
    """Give a call the parameters of its program, and its own result in place of ``Program[…]``."""
    signature = inspect.signature(program)
    returned = result or signature.return_annotation.removeprefix("Program[").removesuffix("]")
    call.__signature__ = signature.replace(return_annotation=returned)
