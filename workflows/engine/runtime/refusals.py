"""Why a workflow is not started: what exists is in its way, or its options mean nothing."""

from __future__ import annotations

from dboshub.workflows.engine.errors import (
    DBOSConflictingWorkflowError,
    DBOSException,
    DBOSQueueDeduplicatedError,
    DBOSWorkflowIDInUseError,
)
from dboshub.workflows.engine.options import StartOptions
from dboshub.workflows.engine.records import Started
from dboshub.workflows.engine.runtime.start_request import PreparedStart

# Recorded as the result of the step that starts a child.
REFUSALS = (DBOSConflictingWorkflowError, DBOSQueueDeduplicatedError, DBOSWorkflowIDInUseError)


def refusal(start: PreparedStart, started: Started) -> Exception | None:
    """The error of a start that found another workflow in its place; None if that is returned."""
    if started.created:
        return None
    if started.deduplicated_by is None:
        return _id_in_use(start, started)
    if start.options.duplication_policy == "return-existing":
        return None
    return DBOSQueueDeduplicatedError(
        start.workflow_id, start.queue_name or "", start.options.deduplication_id or ""
    )


def _id_in_use(start: PreparedStart, found: Started) -> Exception | None:
    function = start.function
    if start.reuse_policy == "reject":
        return DBOSWorkflowIDInUseError(start.workflow_id, found.status, found.name or "")
    for kind, existing, wanted in (
        ("function name", found.name, function.name),
        ("class name", found.class_name, function.class_name),
        ("class configuration", found.config_name, function.config_name),
    ):
        if existing != wanted:
            return DBOSConflictingWorkflowError(
                start.workflow_id,
                f"Workflow already exists with a different {kind}: {existing}, but the provided "
                f"{kind} is: {wanted}",
            )
    return None


def refuse_queue_options(options: StartOptions) -> None:
    """Raise DBOSException for options that have a meaning on a queue alone."""
    given = {
        "deduplication_id": options.deduplication_id,
        "priority": options.priority or None,
        "queue_partition_key": options.partition_key,
        "delay_seconds": options.delay_s,
    }
    named = [name for name, value in given.items() if value is not None]
    if named:
        raise DBOSException(
            f"Enqueue option(s) {', '.join(named)} set on a workflow that is not being enqueued. "
            "These options are only supported when enqueueing a workflow onto a queue."
        )
