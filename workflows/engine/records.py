"""Values that the engine and storage exchange. All times are epoch milliseconds.

Those of which each workflow has one are not frozen, because that would double the time to make
one: nobody changes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Required, TypedDict

INTERNAL_QUEUE = "_dbos_internal_queue"
RESERVED_PREFIX = "_dbos_"  # of queues that executors serve although they have no row
INTERNAL_QUEUES = (INTERNAL_QUEUE, "_dbos_kafka_queue", "_dbos_kafka_ordered_queue")
TEMP_WORKFLOW = "<temp>."  # prefix of the workflow that wraps an enqueued step


Given = tuple[str, str | None]  # what a step hands on, such as arguments: text, serialization


class UnseenId(str):
    """The id of a workflow that need not exist yet: a transaction may still insert it.

    Who waits for any other id that does not exist would wait for ever.
    """

    __slots__ = ()


class Status(StrEnum):
    """The statuses of a workflow; docs/state-machine.md shows the transitions."""

    PENDING = "PENDING"
    ENQUEUED = "ENQUEUED"
    DELAYED = "DELAYED"
    SUCCESS = "SUCCESS"
    ERROR = "ERROR"
    CANCELLED = "CANCELLED"
    MAX_RECOVERY_ATTEMPTS_EXCEEDED = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"


TERMINAL = frozenset(
    {Status.SUCCESS, Status.ERROR, Status.CANCELLED, Status.MAX_RECOVERY_ATTEMPTS_EXCEEDED}
)
ACTIVE = frozenset(Status) - TERMINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One recorded step."""

    function_id: int
    name: str
    output: str | None
    error: str | None
    serialization: str | None
    child_id: str | None = None
    started_at: int | None = None
    completed_at: int | None = None


@dataclass(slots=True, kw_only=True)
class NewWorkflow:
    """A row to insert. Its fields are the columns of ``workflow_status``."""

    workflow_uuid: str
    status: str
    name: str
    created_at: int
    updated_at: int
    class_name: str | None = None
    config_name: str | None = None
    authenticated_user: str | None = None
    assumed_role: str | None = None
    authenticated_roles: str | None = None
    executor_id: str | None = None
    application_version: str | None = None
    application_id: str | None = None
    recovery_attempts: int = 0
    queue_name: str | None = None
    workflow_timeout_ms: int | None = None
    workflow_deadline_epoch_ms: int | None = None
    deduplication_id: str | None = None
    priority: int = 0
    queue_partition_key: str | None = None
    owner_xid: str | None = None
    parent_workflow_id: str | None = None
    serialization: str | None = None
    delay_until_epoch_ms: int | None = None
    attributes: str | None = None
    schedule_name: str | None = None
    debounce_deadline_epoch_ms: int | None = None
    is_debounced: bool = False
    application_name: str | None = None
    creator_xid: str | None = None


@dataclass(slots=True, kw_only=True)
class Started:
    """The result of inserting a start: the new row, or the existing one."""

    created: bool
    status: str = Status.PENDING
    name: str | None = None
    class_name: str | None = None
    config_name: str | None = None
    queue_name: str | None = None
    serialization: str | None = None
    deduplicated_by: str | None = None  # id of the workflow that holds the deduplication id


@dataclass(slots=True, kw_only=True)
class ClaimedWorkflow:
    """A workflow that this process claimed from a queue and must run.

    `claim_key` says what decides whether a process can run it. The arguments are read with the
    claim, or are still to be read (`is_read` is false).
    """

    workflow_id: str
    name: str
    owner: str
    inputs: str | None
    serialization: str | None
    recovery_attempts: int | None
    has_history: bool
    class_name: str | None = None
    config_name: str | None = None
    queue_name: str | None = None
    partition_key: str | None = None
    deadline_ms: int | None = None
    parent_id: str | None = None
    authenticated_user: str | None = None
    authenticated_roles: str | None = None
    assumed_role: str | None = None
    application_version: str | None = None
    application_name: str | None = None
    priority: int = 0
    created_at: int = 0
    trace: str | None = None  # carrier (JSON) of the trace in which it was enqueued
    claim_key: str = ""
    is_read: bool = True


@dataclass(frozen=True, slots=True)
class WorkflowOutcome:
    """The status of a workflow, and its outcome if it has ended with one."""

    workflow_id: str
    status: str
    output: str | None
    error: str | None
    serialization: str | None

    @property
    def has_ended(self) -> bool:
        return self.status in TERMINAL


class ForkOptions(TypedDict, total=False):
    """Options of a fork. `queue` defaults to the internal queue; times are milliseconds.

    `replacement_children` maps ids of the source's children to those that the fork awaits instead;
    `fallback_application` becomes the owner if the source has none.
    """

    now: Required[int]
    application_version: str | None
    queue: str | None
    partition_key: str | None
    replacement_children: Mapping[str, str] | None
    timeout_ms: int | None
    fallback_application: str | None


class VersionInfo(TypedDict):
    """A row of ``application_versions``; times are epoch milliseconds."""

    version_id: str
    version_name: str
    version_timestamp: int
    created_at: int
    application_name: str | None
