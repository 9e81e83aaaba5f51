"""Options of a start that a mapping names, and their checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Required, TypedDict

from dboshub.workflows.engine import shard_keys, validation
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.identity import Identity, roles_of
from dboshub.workflows.engine.observability.tracing import TRACE_ATTRIBUTE, carrier_of
from dboshub.workflows.engine.options import (
    NO_OPTIONS,
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
from dboshub.workflows.engine.runtime.start_request import FunctionReference, StartParameters
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat


class CallOptions(TypedDict, total=False):
    """Options of a workflow to start or enqueue; times are seconds."""

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


class EnqueueOptions(CallOptions, total=False):
    """Function, queue and options of a workflow to enqueue; times are seconds."""

    workflow_name: Required[str]
    queue_name: Required[str]
    shard_key: None


# The options of SetEnqueueOptions, by the fields of StartOptions.
_QUEUE_OPTIONS = {
    "deduplication_id": "deduplication_id",
    "priority": "priority",
    "application_version": "app_version",
    "partition_key": "queue_partition_key",
    "delay_s": "delay_seconds",
    "duplication_policy": "duplication_policy",
}


def checked_parameters(
    given: Mapping[str, Any], ambient: StartOptions = NO_OPTIONS
) -> StartParameters:
    """The parameters that options ask for; `ambient` has those that they do not name.

    Raises DBOSException for options that are missing, unknown or impossible.
    """
    refuse_unknown(given, EnqueueOptions)
    for key in ("workflow_name", "queue_name"):
        if key not in given:
            raise DBOSException(f"the options to enqueue lack {key!r}")
    shard_keys.refuse_shard_key(given.get("shard_key"))
    function = named_function(given["workflow_name"], given)
    queue_name = validation.queue_name(given["queue_name"])
    return StartParameters(function, queue_name, start_options(given, ambient), identity_of(given))


def refuse_unknown(given: Mapping[str, Any], options: type) -> None:
    """Raise DBOSException for options that a type of options does not have."""
    known = options.__annotations__
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        raise DBOSException(f"unknown option {', '.join(unknown)}; known are {', '.join(known)}")


def named_function(name: Any, given: Mapping[str, Any]) -> FunctionReference:
    """A function by name, with what its options say of it."""
    return FunctionReference(
        name=validation.name("the name of a workflow", name),
        class_name=validation.optional_text("a class name", given.get("class_name")),
        config_name=validation.optional_text("an instance name", given.get("instance_name")),
        serialization=given.get("serialization_type"),
    )


def start_options(given: Mapping[str, Any], ambient: StartOptions) -> StartOptions:
    """The options that are given, in place of those of `ambient`."""
    blocks: list[OptionsBlock] = []
    queue_options = {key: given[key] for key in _QUEUE_OPTIONS.values() if key in given}
    if queue_options:
        blocks.append(_enqueue_options(queue_options, ambient))
    if "attributes" in given or "otel_context" in given:
        blocks.append(SetWorkflowAttributes(_attributes(given, ambient)))
    if given.get("workflow_timeout") is not None:
        blocks.append(SetWorkflowTimeout(given["workflow_timeout"]))
    policy = checked_reuse_policy(given.get("workflow_id_reuse_policy"))
    if given.get("workflow_id") is not None:
        blocks.append(SetWorkflowID(given["workflow_id"], workflow_id_reuse_policy=policy))
    application = validation.optional_text("an application name", given.get("application_name"))
    changes: dict[str, Any] = {}
    for block in blocks:
        changes |= block.changes()
    if application is not None:
        changes["application_name"] = application
    return replace(ambient, **changes) if changes else ambient


def _enqueue_options(given: Mapping[str, Any], ambient: StartOptions) -> SetEnqueueOptions:
    around = {key: getattr(ambient, field) for field, key in _QUEUE_OPTIONS.items()}
    around["priority"] = ambient.priority or None
    named = {key: value for key, value in given.items() if value is not None}
    return SetEnqueueOptions(**(around | named))


def _attributes(given: Mapping[str, Any], ambient: StartOptions) -> dict[str, Any] | None:
    attributes, trace = given.get("attributes"), carrier_of(given.get("otel_context"))
    if ambient.attributes is not None and (attributes is None or isinstance(attributes, dict)):
        attributes = {**ambient.attributes, **(attributes or {})}
    if trace is None:
        return attributes
    return {**(attributes or {}), TRACE_ATTRIBUTE: trace}


def identity_of(given: Mapping[str, Any]) -> Identity | None:
    """The user and the roles that the options name; None if they name none."""
    user = validation.optional_text("a user", given.get("authenticated_user"))
    roles: Sequence[str] | None = given.get("authenticated_roles")
    if user is None and roles is None:
        return None
    return Identity(user, roles_of(roles))
