"""Actions on one workflow, used by pages, the admin and the terminal.

Each checks the permission and the precondition, performs the effect and writes the audit row in
one transaction. A refused action raises ActionRefusedError.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dboshub.workflows.actions.audit import (
    ActionRefusedError,
    Actor,
    AuditedAction,
    audited_action,
)
from dboshub.workflows.actions.changes import record_changes
from dboshub.workflows.actions.checks import missing_workflow, require_queue, require_workflow
from dboshub.workflows.engine import validation
from dboshub.workflows.engine.journal.writes import SendWrite
from dboshub.workflows.engine.records import ACTIVE, INTERNAL_QUEUE, TERMINAL, Status
from dboshub.workflows.engine.waiting.notices import QUEUE, STATUS
from dboshub.workflows.payloads import PICKLE, PORTABLE
from dboshub.workflows.payloads.encode import NotPlainError, encode
from dboshub.workflows.permissions import (
    CANCEL_WORKFLOW,
    DELETE_WORKFLOW,
    FORK_WORKFLOW,
    RESUME_WORKFLOW,
    SEND_MESSAGE,
)
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.control import adjust
from dboshub.workflows.storage.control import cancel as cancelling
from dboshub.workflows.storage.control import delete as deleting
from dboshub.workflows.storage.control import fork as forking
from dboshub.workflows.storage.control import resume as resuming
from dboshub.workflows.storage.control import rewind as rewinding
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.journal import messages

FINISHED = (Status.SUCCESS, Status.ERROR)


def cancel(actor: Actor, workflow_id: str, *, reason: str = "", children: bool = False) -> None:
    """Cancel the workflow, and its descendants if `children`."""
    with _acting_on(actor, "cancel", workflow_id, CANCEL_WORKFLOW, reason) as (action, row):
        if row.status == Status.CANCELLED:
            raise ActionRefusedError(
                "It is cancelled already.", "Resume it to go on after its last completed step."
            )
        below = _descendants(action, workflow_id) if children else []
        rows, now = _locked(action, [workflow_id, *below]), database_now(action.session)
        row = rows[workflow_id]
        wanted = [each for each in rows.values() if each is row or each.status in ACTIVE]
        if row.status not in FINISHED:
            record_changes(wanted, at=now)
        cancelled = cancelling.cancel(action.session, [each.pk for each in wanted], now=now)
        if workflow_id not in cancelled:
            raise _has_ended("cancel")
        action.hint(*((STATUS, each) for each in cancelled))
        action.detail.update(was=row.status, children=cancelled[1:])


def resume(actor: Actor, workflow_id: str, *, reason: str = "", queue: str | None = None) -> None:
    """Enqueue the workflow again; it goes on after its last completed step.

    A running workflow is taken from its executor. Without `queue`, no limit delays it.
    """
    with _acting_on(actor, "resume", workflow_id, RESUME_WORKFLOW, reason) as (action, row):
        _require_usable_queue(action, queue, row.queue_partition_key)
        if not resuming.resume(
            action.session, [workflow_id], queue=queue or None, now=database_now(action.session)
        ):
            raise _has_ended("resume")
        action.hint((STATUS, workflow_id), (QUEUE, queue or INTERNAL_QUEUE))
        action.detail.update(was=row.status, queue=queue or INTERNAL_QUEUE)


def fork(
    actor: Actor,
    workflow_id: str,
    *,
    start_step: int,
    reason: str = "",
    queue: str | None = None,
    version: str | None = None,
    new_id: str | None = None,
) -> str:
    """Enqueue a new workflow that replays the steps before `start_step`; return its id.

    Without `version`, an executor of the latest version runs it. The source does not change.
    Raises ForkIdTaken if `new_id` belongs to a workflow that is no fork of this one.
    """
    with _acting_on(actor, "fork", workflow_id, FORK_WORKFLOW, reason) as (action, row):
        if start_step < 0:
            raise ActionRefusedError(
                f"There is no step {start_step}.", "Fork from 1 to run it from its beginning."
            )
        _require_usable_queue(action, queue, None)
        new_id = str(uuid.uuid4()) if new_id is None else validation.workflow_id(new_id)
        forking.fork(
            action.session,
            workflow_id,
            new_id=new_id,
            start_step=start_step,
            application_version=version or None,
            queue=queue or None,
            now=database_now(action.session),
        )
        action.hint((QUEUE, queue or INTERNAL_QUEUE))
        action.detail.update(
            was=row.status, fork=new_id, start_step=start_step, queue=queue or INTERNAL_QUEUE
        )
        return new_id


def rewind(
    actor: Actor,
    workflow_id: str,
    *,
    start_step: int = 1,
    reason: str = "",
    queue: str | None = None,
    version: str | None = None,
) -> None:
    """Enqueue an ended workflow again under its own id; it runs from `start_step`."""
    with _acting_on(actor, "rewind", workflow_id, RESUME_WORKFLOW, reason) as (action, row):
        if start_step < 1:
            raise ActionRefusedError(f"There is no step {start_step}.", "Steps begin at 1.")
        if row.status not in TERMINAL:
            raise ActionRefusedError(
                f"It has not ended ({row.status}).", "Cancel it first, or resume it."
            )
        rewinding.rewind(
            action.session,
            workflow_id,
            start_step=start_step,
            application_version=version,
            queue=queue,
            now=database_now(action.session),
        )
        action.hint((STATUS, workflow_id), (QUEUE, queue or INTERNAL_QUEUE))
        action.detail.update(was=row.status, start_step=start_step, queue=queue or INTERNAL_QUEUE)


def send(actor: Actor, workflow_id: str, *, topic: str, value: Any, reason: str = "") -> None:
    """Send a message of plain JSON types. `recv()` without a topic reads the empty topic."""
    with _acting_on(actor, "send", workflow_id, SEND_MESSAGE, reason) as (action, row):
        if row.status in FINISHED:
            raise ActionRefusedError(
                f"It has ended ({row.status}) and reads no more messages.",
                "Fork it, then send the message to the fork.",
            )
        if "\x00" in topic:
            raise ActionRefusedError("The topic holds a NUL.", "Give a topic of visible text.")
        # Every SDK reads the portable format. Other formats only their own SDK can write.
        format_ = row.serialization or PICKLE
        format_ = format_ if format_ in (PICKLE, PORTABLE) else PORTABLE
        message = SendWrite(
            destination=workflow_id,
            message_uuid=str(uuid.uuid4()),
            topic=topic or None,
            message=_encoded(value, format_),
            serialization=format_,
        )
        messages.send(action.session, message, database_now(action.session))
        action.detail.update(was=row.status, topic=topic)


def set_delay(actor: Actor, workflow_id: str, *, seconds: float, reason: str = "") -> None:
    """Make a delayed workflow due in `seconds` from now."""
    with _acting_on(actor, "delay", workflow_id, RESUME_WORKFLOW, reason) as (action, row):
        if row.status != Status.DELAYED:
            raise ActionRefusedError(
                f"It is {row.status}, so nothing delays it.", "Delay it where it is enqueued."
            )
        if row.is_suspended:
            raise ActionRefusedError(
                "It has begun, and waits for something of its own.",
                "Resume it: it goes on at once, and waits for the rest.",
            )
        now = database_now(action.session)
        adjust.set_delay(action.session, workflow_id, until=now + int(seconds * 1_000), now=now)
        action.hint((STATUS, workflow_id))
        action.detail.update(seconds=seconds)


def update_attributes(
    actor: Actor,
    workflow_id: str,
    attributes: dict[str, Any] | None,
    *,
    merge: bool = False,
    reason: str = "",
) -> None:
    """Replace the attributes of a workflow (None clears them), or `merge` the given keys."""
    with _acting_on(actor, "attributes", workflow_id, RESUME_WORKFLOW, reason) as (action, _):
        now = database_now(action.session)
        adjust.update_attributes(action.session, workflow_id, attributes, merge=merge, now=now)
        action.hint((STATUS, workflow_id))
        action.detail.update(keys=sorted(attributes or {}), merge=merge)


def delete(actor: Actor, workflow_id: str, *, reason: str = "", children: bool = False) -> None:
    """Delete an ended workflow with everything it recorded, and its descendants if `children`."""
    with _acting_on(actor, "delete", workflow_id, DELETE_WORKFLOW, reason) as (action, _):
        ids = [workflow_id, *(_descendants(action, workflow_id) if children else [])]
        rows = _locked(action, ids)
        running = [each for each in ids if each in rows and rows[each].status in ACTIVE]
        if running:
            raise ActionRefusedError(
                f"{_named(running)} still active.", "Cancel what is active, then delete."
            )
        deleting.delete(action.session, ids)
        action.hint(*((STATUS, each) for each in ids))
        row = rows[workflow_id]
        action.detail.update(
            was=row.status, name=row.name, application=row.application_name, children=ids[1:]
        )


@contextmanager
def _acting_on(
    actor: Actor, verb: str, workflow_id: str, permission: str, reason: str
) -> Iterator[tuple[AuditedAction, WorkflowRow]]:
    """An action on one workflow with its row; refused if the actor may not see the workflow."""
    with audited_action(
        actor, verb, "workflow", workflow_id, permission=permission, reason=reason
    ) as action:
        row = require_workflow(action.session, actor, workflow_id)
        action.concerns(row.application_name)
        yield action, row


def _descendants(action: AuditedAction, workflow_id: str) -> list[str]:
    """The ids of all descendants; refused if the actor may not see one of them."""
    below = cancelling.descendants(action.session, [workflow_id])
    if len(_visible(action, below)) < len(below):
        raise ActionRefusedError(
            "Some of its children belong to applications you may not see.",
            "Do it without the children, or ask an administrator.",
        )
    return below


def _locked(action: AuditedAction, ids: list[str]) -> dict[str, WorkflowRow]:
    """The rows, locked and in the given order; refused if the first is gone."""
    # Lock before reading: otherwise one could be resumed between the two.
    action.session.all(deleting.LOCK, ids=action.session.ids(sorted(ids)))
    rows = _visible(action, ids)
    if ids[0] not in rows:
        raise missing_workflow(ids[0])
    return {each: rows[each] for each in ids if each in rows}


def _visible(action: AuditedAction, ids: list[str]) -> dict[str, WorkflowRow]:
    return rows_by_id(action.session, ids, viewer=viewer_for(action.actor.user))


def _require_usable_queue(
    action: AuditedAction, queue: str | None, partition_key: str | None
) -> None:
    """Refuse a queue on which the workflow would never start."""
    if queue and require_queue(action.session, action.actor, queue) and partition_key is None:
        raise ActionRefusedError(
            f"The queue {queue!r} is partitioned and this workflow has no partition key.",
            "Choose another queue, or none.",
        )


def _encoded(value: Any, serialization: str) -> str:
    try:
        return encode(value, serialization)
    except NotPlainError as error:
        raise ActionRefusedError(
            f"The message cannot be written: {error}.", "Send plain JSON."
        ) from error


def _has_ended(verb: str) -> ActionRefusedError:
    return ActionRefusedError(
        f"It has ended, so there is nothing to {verb}.",
        "Fork it to run it again, from its beginning or from any step.",
    )


def _named(ids: list[str]) -> str:
    shown = ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")
    return f"{shown} {'is' if len(ids) == 1 else 'are'}"
