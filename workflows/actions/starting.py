"""Starting a workflow from a page: plain arguments, written in the format its function reads."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dboshub.workflows.actions.audit import ActionRefusedError, Actor, acting
from dboshub.workflows.engine.records import INTERNAL_QUEUE, NewWorkflow, Status
from dboshub.workflows.engine.waiting.notices import QUEUE
from dboshub.workflows.payloads import PICKLE, PORTABLE
from dboshub.workflows.payloads.encode import NotPlainError, encode_arguments
from dboshub.workflows.selectors.queue_wait import is_partitioned
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.journal.insert_workflow import start as insert
from dboshub.workflows.storage.sql import Session

PERMISSION = "dboshub_workflows.start_workflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """What to start, with what, and where. `delay_s` and `timeout_s` are seconds."""

    name: str
    application: str | None = None
    class_name: str | None = None
    config_name: str | None = None
    is_portable: bool = False
    args: list[Any] = field(default_factory=list)
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    workflow_id: str = ""
    queue: str = ""
    partition_key: str = ""
    deduplication_id: str = ""
    priority: int = 0
    delay_s: float | None = None
    timeout_s: float | None = None
    version: str = ""


def start(actor: Actor, order: StartRequest, *, reason: str = "") -> str:
    """Enqueue the workflow and return its id; it works while no executor is alive.

    Without a queue any executor of the application takes it at once, past every limit.
    """
    workflow_id = order.workflow_id or str(uuid.uuid4())
    with acting(
        actor, "start", "workflow", workflow_id, permission=PERMISSION, reason=reason
    ) as act:
        if not viewer_for(actor.user).may_see(order.application):
            raise ActionRefusedError(
                f"You may not start workflows of {order.application!r}.", "Ask an administrator."
            )
        _expect_text(order)
        _expect_queue(act.session, order)
        inputs = inputs_of(order)
        found = insert(
            act.session, row_of(order, workflow_id, now=database_now(act.session)), inputs
        )
        if found.deduplicated_by is not None:
            raise ActionRefusedError(
                f"The workflow {found.deduplicated_by} holds this deduplication id on the queue.",
                "Wait until it has ended, or give another one.",
            )
        if not found.created:
            raise ActionRefusedError(
                f"There is a workflow {workflow_id!r} already ({found.status}).",
                "Give another id, or none: then one is drawn.",
            )
        act.hint((QUEUE, order.queue or INTERNAL_QUEUE))
        act.detail.update(
            name=order.name, application=order.application, queue=order.queue or INTERNAL_QUEUE
        )
        return workflow_id


def row_of(order: StartRequest, workflow_id: str, *, now: int) -> NewWorkflow:
    """The row that asks any executor of the application for it; `now` by the database's clock."""
    is_delayed = bool(order.delay_s)
    return NewWorkflow(
        workflow_uuid=workflow_id,
        status=Status.DELAYED if is_delayed else Status.ENQUEUED,
        name=order.name,
        class_name=order.class_name,
        config_name=order.config_name,
        created_at=now,
        updated_at=now,
        application_name=order.application,
        application_version=order.version or None,
        queue_name=order.queue or INTERNAL_QUEUE,
        queue_partition_key=order.partition_key or None,
        deduplication_id=order.deduplication_id or None,
        priority=order.priority,
        delay_until_epoch_ms=now + int((order.delay_s or 0) * 1_000) if is_delayed else None,
        workflow_timeout_ms=int(order.timeout_s * 1_000) if order.timeout_s else None,
        creator_xid=str(uuid.uuid4()),
        serialization=PORTABLE if order.is_portable else PICKLE,
    )


def inputs_of(order: StartRequest) -> str:
    """The text of its arguments. Raises ActionRefusedError for what is not plain data."""
    try:
        return encode_arguments(
            order.args, dict(order.kwargs), PORTABLE if order.is_portable else PICKLE
        )
    except NotPlainError as error:
        raise ActionRefusedError(
            f"The arguments cannot be written: {error}.", "Give plain JSON."
        ) from error


def _expect_text(order: StartRequest) -> None:
    texts = (order.name, order.workflow_id, order.partition_key, order.deduplication_id)
    if any("\x00" in text for text in texts):
        raise ActionRefusedError("One of the texts holds a NUL.", "Give visible text.")
    if order.deduplication_id and not order.queue:
        raise ActionRefusedError(
            "A deduplication id needs a queue to be unique on.", "Choose a queue, or leave it out."
        )


def _expect_queue(session: Session, order: StartRequest) -> None:
    """Refuse a queue on which the workflow would wait for ever."""
    if not order.queue:
        return
    found = is_partitioned(session, order.queue)
    if found is None:
        raise ActionRefusedError(
            f"There is no queue {order.queue!r}.", "Leave it out to run as soon as possible."
        )
    if found != bool(order.partition_key):
        said = "is partitioned" if found else "is not partitioned"
        raise ActionRefusedError(
            f"The queue {order.queue!r} {said}.",
            "Give a partition key." if found else "Leave the partition key out.",
        )
