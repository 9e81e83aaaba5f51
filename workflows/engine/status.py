"""Workflows and steps as the public API returns them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

from dboshub.workflows.engine.records import Checkpoint
from dboshub.workflows.engine.serialization import PICKLE, PORTABLE, Codec
from dboshub.workflows.engine.stored_json import readable_json, stored_texts


@dataclass(kw_only=True)
class WorkflowStatus:
    """A workflow at the time of the query; times are epoch milliseconds."""

    workflow_id: str
    status: str
    name: str | None
    class_name: str | None = None
    config_name: str | None = None
    authenticated_user: str | None = None
    assumed_role: str | None = None
    authenticated_roles: list[str] | None = None
    input: dict[str, Any] | str | None = None
    output: Any = None
    error: Any = None
    created_at: int | None = None
    updated_at: int | None = None
    queue_name: str | None = None
    executor_id: str | None = None
    app_version: str | None = None
    app_id: str | None = None
    application_name: str | None = None
    workflow_timeout_ms: int | None = None
    workflow_deadline_epoch_ms: int | None = None
    deduplication_id: str | None = None
    priority: int | None = None
    queue_partition_key: str | None = None
    forked_from: str | None = None
    was_forked_from: bool = False
    parent_workflow_id: str | None = None
    dequeued_at: int | None = None
    delay_until_epoch_ms: int | None = None
    completed_at: int | None = None
    attributes: dict[str, Any] | None = None
    schedule_name: str | None = None
    recovery_attempts: int | None = None
    shard_key: str | None = None  # only sharded databases have this and the next
    parent_shard_key: str | None = None


class StepInfo(TypedDict):
    """A recorded step; times are epoch milliseconds."""

    function_id: int
    function_name: str
    output: Any
    error: Exception | None
    child_workflow_id: str | None
    child_shard_key: str | None
    started_at_epoch_ms: int | None
    completed_at_epoch_ms: int | None


def workflow_status(row: dict[str, Any], codec: Codec) -> WorkflowStatus:
    """A row with its payloads decoded. A payload that cannot be decoded stays text."""
    given = dict(row)
    name = given.pop("serialization")
    given["was_forked_from"] = bool(given["was_forked_from"])
    roles = given["authenticated_roles"]
    given["authenticated_roles"] = None if roles is None else stored_texts(roles)
    attributes = given["attributes"]
    given["attributes"] = readable_json(attributes) if isinstance(attributes, str) else attributes
    given["input"] = readable(given["input"], lambda text: _arguments(codec, text, name))
    given["output"] = readable(given["output"], lambda text: codec.decode(text, name))
    given["error"] = readable(given["error"], lambda text: codec.decode_error(text, name))
    return WorkflowStatus(**given)


def step_info(step: Checkpoint, codec: Codec) -> StepInfo:
    """A checkpoint with its payloads decoded. A payload that cannot be decoded stays text."""
    name = step.serialization
    return StepInfo(
        function_id=step.function_id,
        function_name=step.name,
        output=readable(step.output, lambda text: codec.decode(text, name)),
        error=readable(step.error, lambda text: codec.decode_error(text, name)),
        child_workflow_id=step.child_id,
        child_shard_key=None,
        started_at_epoch_ms=step.started_at,
        completed_at_epoch_ms=step.completed_at,
    )


def _arguments(codec: Codec, text: str, name: str | None) -> dict[str, Any]:
    if name in (None, PICKLE, PORTABLE):
        args, kwargs = codec.decode_args(text, name)
        return {"args": args, "kwargs": kwargs}
    value: dict[str, Any] = codec.decode(text, name)  # as a serializer of the user restores it
    return value


def readable(text: str | None, decode: Callable[[str], Any]) -> Any:
    """The decoded value, or the text: one payload of another program must not fail a listing."""
    if text is None:
        return None
    try:
        return decode(text)
    except Exception:
        return text
