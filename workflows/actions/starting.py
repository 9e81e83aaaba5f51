"""Start a workflow from a page or a terminal: enqueue it with plain JSON arguments."""

from __future__ import annotations

import uuid

from dboshub.workflows.actions.audit import ActionRefusedError, Actor, AuditedAction, audited_action
from dboshub.workflows.actions.checks import require_queue
from dboshub.workflows.actions.start_request import StartRequest
from dboshub.workflows.engine.records import INTERNAL_QUEUE, NewWorkflow, Status
from dboshub.workflows.engine.waiting.notices import QUEUE
from dboshub.workflows.payloads import PICKLE, PORTABLE
from dboshub.workflows.payloads.encode import NotPlainError, encode_arguments
from dboshub.workflows.permissions import START_WORKFLOW
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.journal.insert_workflow import start as insert


def start(actor: Actor, request: StartRequest, *, reason: str = "") -> str:
    """Enqueue the workflow and return its id. No executor needs to be alive.

    Without a queue, any executor of the application runs it at once and no limit applies. Raises
    ActionRefusedError.
    """
    workflow_id = request.workflow_id or str(uuid.uuid4())
    with audited_action(
        actor, "start", "workflow", workflow_id, permission=START_WORKFLOW, reason=reason
    ) as action:
        action.concerns(request.application)
        if not viewer_for(actor.user).may_see(request.application):
            raise ActionRefusedError(
                f"You may not start workflows of {request.application!r}.", "Ask an administrator."
            )
        _require_valid_text(request)
        _require_usable_queue(action, request)
        inputs = inputs_of(request)
        found = insert(
            action.session, row_of(request, workflow_id, now=database_now(action.session)), inputs
        )
        if found.deduplicated_by is not None:
            raise ActionRefusedError(
                f"The workflow {found.deduplicated_by} holds this deduplication id on the queue.",
                "Wait until it has ended, or give another one.",
            )
        if not found.created:
            raise ActionRefusedError(
                f"There is a workflow {workflow_id!r} already ({found.status}).",
                "Give another id, or none: then one is made.",
            )
        action.hint((QUEUE, request.queue or INTERNAL_QUEUE))
        action.detail.update(
            name=request.name,
            application=request.application,
            queue=request.queue or INTERNAL_QUEUE,
        )
        return workflow_id


def row_of(request: StartRequest, workflow_id: str, *, now: int) -> NewWorkflow:
    """The new workflow as an enqueued or delayed row; `now` is the database's time in ms."""
    is_delayed = bool(request.delay_s)
    return NewWorkflow(
        workflow_uuid=workflow_id,
        status=Status.DELAYED if is_delayed else Status.ENQUEUED,
        name=request.name,
        class_name=request.class_name,
        config_name=request.config_name,
        created_at=now,
        updated_at=now,
        application_name=request.application,
        application_version=request.version or None,
        queue_name=request.queue or INTERNAL_QUEUE,
        queue_partition_key=request.partition_key or None,
        deduplication_id=request.deduplication_id or None,
        priority=request.priority,
        delay_until_epoch_ms=now + int((request.delay_s or 0) * 1_000) if is_delayed else None,
        workflow_timeout_ms=int(request.timeout_s * 1_000) if request.timeout_s else None,
        creator_xid=str(uuid.uuid4()),
        serialization=PORTABLE if request.is_portable else PICKLE,
    )


def inputs_of(request: StartRequest) -> str:
    """The serialized arguments. Raises ActionRefusedError if they are not plain data."""
    try:
        return encode_arguments(
            request.args, dict(request.kwargs), PORTABLE if request.is_portable else PICKLE
        )
    except NotPlainError as error:
        raise ActionRefusedError(
            f"The arguments cannot be written: {error}.", "Give plain JSON."
        ) from error


def _require_valid_text(request: StartRequest) -> None:
    texts = (request.name, request.workflow_id, request.partition_key, request.deduplication_id)
    if any("\x00" in text for text in texts):
        raise ActionRefusedError("One of the texts holds a NUL.", "Give visible text.")
    if request.deduplication_id and not request.queue:
        raise ActionRefusedError(
            "A deduplication id needs a queue to be unique on.", "Choose a queue, or leave it out."
        )


def _require_usable_queue(action: AuditedAction, request: StartRequest) -> None:
    """Refuse a queue on which the workflow would never start."""
    if not request.queue:
        return
    partitioned = require_queue(action.session, action.actor, request.queue)
    if partitioned != bool(request.partition_key):
        kind = "is partitioned" if partitioned else "is not partitioned"
        raise ActionRefusedError(
            f"The queue {request.queue!r} {kind}.",
            "Give a partition key." if partitioned else "Leave the partition key out.",
        )
