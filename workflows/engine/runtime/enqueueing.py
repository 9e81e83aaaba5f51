"""Enqueue a workflow by names and options; its function need not exist in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Required, TypedDict

from dboshub.workflows.engine import shard_keys, validation
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.identity import Identity
from dboshub.workflows.engine.observability.tracing import TRACE_ATTRIBUTE, carrier_of
from dboshub.workflows.engine.options import (
    NO_OPTIONS,
    OPTIONS,
    DuplicationPolicy,
    OptionsBlock,
    SetEnqueueOptions,
    SetWorkflowAttributes,
    SetWorkflowID,
    SetWorkflowTimeout,
    StartOptions,
    WorkflowIDReusePolicy,
    checked_reuse_policy,
)
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import INTERNAL_QUEUE, UnseenId
from dboshub.workflows.engine.runtime import running
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.start_request import (
    FunctionReference,
    PreparedStart,
    StartParameters,
)
from dboshub.workflows.engine.runtime.starting import (
    in_this_context,
    prepare,
    record_start,
    refuse_queue_options,
)
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat


class EnqueueOptions(TypedDict, total=False):
    """Function, queue and options of a workflow to enqueue; times are seconds."""

    workflow_name: Required[str]
    queue_name: Required[str]
    workflow_id: str | None
    workflow_id_reuse_policy: WorkflowIDReusePolicy | None
    app_version: str | None
    workflow_timeout: float | None
    delay_seconds: float | None
    deduplication_id: str | None
    duplication_policy: DuplicationPolicy | None
    priority: int | None
    queue_partition_key: str | None
    authenticated_user: str | None
    authenticated_roles: list[str] | None
    serialization_type: WorkflowSerializationFormat | None
    class_name: str | None
    instance_name: str | None
    attributes: dict[str, Any] | None
    application_name: str | None
    otel_context: Any  # a context of OpenTelemetry, or a dict with a traceparent
    shard_key: None


def checked_parameters(
    given: Mapping[str, Any], ambient: StartOptions = NO_OPTIONS
) -> StartParameters:
    """The parameters that options ask for; `ambient` has those that they do not name.

    Raises DBOSException for options that are missing, unknown or impossible.
    """
    known = EnqueueOptions.__annotations__
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        raise DBOSException(f"unknown option {', '.join(unknown)}; known are {', '.join(known)}")
    for key in ("workflow_name", "queue_name"):
        if key not in given:
            raise DBOSException(f"the options to enqueue lack {key!r}")
    shard_keys.refuse_shard_key(given.get("shard_key"))
    function = FunctionReference(
        name=validation.name("the name of a workflow", given["workflow_name"]),
        class_name=validation.optional_text("a class name", given.get("class_name")),
        config_name=validation.optional_text("an instance name", given.get("instance_name")),
        serialization=given.get("serialization_type"),
    )
    queue_name = validation.queue_name(given["queue_name"])
    return StartParameters(function, queue_name, _start_options(given, ambient), _identity(given))


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
    options = replace(parameters.options, trace=OPTIONS.get().trace)
    return enqueue(engine, replace(parameters, options=options), args, kwargs)


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


def _start_options(given: Mapping[str, Any], ambient: StartOptions) -> StartOptions:
    blocks: list[OptionsBlock] = [
        _enqueue_options(given, ambient),
        SetWorkflowAttributes(_attributes(given, ambient)),
    ]
    if given.get("workflow_timeout") is not None:
        blocks.append(SetWorkflowTimeout(given["workflow_timeout"]))
    policy = checked_reuse_policy(given.get("workflow_id_reuse_policy"))
    if given.get("workflow_id") is not None:
        blocks.append(SetWorkflowID(given["workflow_id"], workflow_id_reuse_policy=policy))
    application = validation.optional_text("an application name", given.get("application_name"))
    options = replace(ambient, application_name=application)
    for block in blocks:
        options = replace(options, **block.changes())
    return options


def _enqueue_options(given: Mapping[str, Any], ambient: StartOptions) -> SetEnqueueOptions:
    around = {
        "deduplication_id": ambient.deduplication_id,
        "priority": ambient.priority or None,
        "app_version": ambient.application_version,
        "queue_partition_key": ambient.partition_key,
        "delay_seconds": ambient.delay_s,
        "duplication_policy": ambient.duplication_policy,
    }
    named = {name: given[name] for name in around if given.get(name) is not None}
    return SetEnqueueOptions(**(around | named))


def _attributes(given: Mapping[str, Any], ambient: StartOptions) -> dict[str, Any] | None:
    attributes, trace = given.get("attributes"), carrier_of(given.get("otel_context"))
    if ambient.attributes is not None and (attributes is None or isinstance(attributes, dict)):
        attributes = {**ambient.attributes, **(attributes or {})}
    if trace is None:
        return attributes
    return {**(attributes or {}), TRACE_ATTRIBUTE: trace}


def _identity(given: Mapping[str, Any]) -> Identity | None:
    user = validation.optional_text("a user", given.get("authenticated_user"))
    roles: Sequence[str] | None = given.get("authenticated_roles")
    if user is None and roles is None:
        return None
    return Identity(user, None if roles is None else tuple(roles))
