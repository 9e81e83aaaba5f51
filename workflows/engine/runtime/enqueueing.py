"""Enqueue a workflow; its function need not exist in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dboshub.workflows.engine import validation
from dboshub.workflows.engine.options import NO_OPTIONS, OPTIONS, StartOptions
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import INTERNAL_QUEUE, UnseenId
from dboshub.workflows.engine.runtime import running
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.refusals import refuse_queue_options
from dboshub.workflows.engine.runtime.start_request import (
    FunctionReference,
    PreparedStart,
    StartParameters,
)
from dboshub.workflows.engine.runtime.starting import (
    in_this_context,
    prepare,
    record_start,
)


def enqueue(
    engine: Engine, parameters: StartParameters, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program[str]:
    """Enqueue a workflow; returns its id once its row is durable."""
    validation.queue_name(parameters.queue_name)
    return _enqueue(engine, prepare(engine, parameters, args, kwargs))


def _enqueue(engine: Engine, start: PreparedStart) -> Program[str]:
    started = yield from record_start(engine, start)
    if start.queue_name is not None:
        engine.on_queue_used(start.queue_name)
    # In an open transaction nobody else sees the row yet.
    is_open = engine.ambient() is not None
    return UnseenId(started.workflow_id) if is_open else started.workflow_id


def enqueue_as(
    engine: Engine, parameters: StartParameters, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program[str]:
    """Enqueue a workflow in the caller's trace; returns its id once its row is durable.

    Its id is drawn, and its options are taken, before anything is awaited.
    """
    options, trace = parameters.options, OPTIONS.get().trace
    if trace is not options.trace:
        parameters = replace(parameters, options=replace(options, trace=trace))
    return enqueue(engine, parameters, args, kwargs)


def options_of_client() -> StartOptions:
    """What a client's call takes from the blocks around it: their trace alone."""
    return replace(NO_OPTIONS, trace=OPTIONS.get().trace)


def start(
    engine: Engine,
    function: Callable[..., Any] | str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Program[str]:
    """Start a workflow in the background; returns its id once its row is durable.

    If it is given by name, or this process executes nothing, it is enqueued on the internal
    queue: any executor of the application runs it, without queue limits.
    """
    if isinstance(function, str):
        reference = FunctionReference(name=validation.name("the name of a workflow", function))
    else:
        target, args = engine.registry.target_of_call(function, args)
        if engine.runs_workflows:
            return running.start(engine, target, args, kwargs)
        reference = FunctionReference.of(target)
    refuse_queue_options(OPTIONS.get())
    return enqueue(engine, in_this_context(reference, INTERNAL_QUEUE), args, kwargs)
