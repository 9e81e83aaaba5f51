"""What people do to workflows: checked, performed and audited in one place, for every door.

Each action is permission, precondition, effect and audit row in one transaction. What is not
possible raises ActionRefusedError, which says what to do instead, and is audited as refused.
"""

from __future__ import annotations

import uuid
from typing import Any

from dboshub.workflows.actions.audit import (
    Act,
    ActionRefusedError,
    Actor,
    NotPermittedError,
    acting,
    actor_of,
)
from dboshub.workflows.engine.journal.writes import SendWrite
from dboshub.workflows.engine.records import ACTIVE, INTERNAL_QUEUE, Status
from dboshub.workflows.engine.waiting.notices import QUEUE, STATUS
from dboshub.workflows.payloads import PICKLE, PORTABLE
from dboshub.workflows.payloads.encode import NotPlainError, encode
from dboshub.workflows.selectors.queue_wait import is_partitioned
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.control import cancel as cancelling
from dboshub.workflows.storage.control import delete as deleting
from dboshub.workflows.storage.control import fork as forking
from dboshub.workflows.storage.control import resume as resuming
from dboshub.workflows.storage.journal import messages
from dboshub.workflows.system_tables import now_ms

__all__ = [
    "ActionRefusedError",
    "Actor",
    "NotPermittedError",
    "actor_of",
    "cancel",
    "delete",
    "fork",
    "resume",
    "send",
]

FINISHED = (Status.SUCCESS, Status.ERROR)


def cancel(actor: Actor, workflow_id: str, *, reason: str = "", children: bool = False) -> None:
    """Take the workflow from its executor for good, and its descendants if `children`."""
    permission = "dboshub_workflows.cancel_workflow"
    with acting(
        actor, "cancel", "workflow", workflow_id, permission=permission, reason=reason
    ) as act:
        row = _find(act, workflow_id)
        if row.status == Status.CANCELLED:
            raise ActionRefusedError(
                "It is cancelled already.", "Resume it to go on after its last completed step."
            )
        below = _descendants(act, workflow_id) if children else []
        done = cancelling.cancel(act.session, [workflow_id, *below], now=now_ms())
        if workflow_id not in done:
            raise _finished("cancel")
        act.hint(*((STATUS, each) for each in done))
        act.detail.update(was=row.status, children=done[1:])


def resume(actor: Actor, workflow_id: str, *, reason: str = "", queue: str | None = None) -> None:
    """Enqueue the workflow again; it goes on after its last completed step.

    A running one is taken from its executor. Without `queue` no limit holds it back.
    """
    permission = "dboshub_workflows.resume_workflow"
    with acting(
        actor, "resume", "workflow", workflow_id, permission=permission, reason=reason
    ) as act:
        row = _find(act, workflow_id)
        _expect_queue(act, queue, row.queue_partition_key)
        if not resuming.resume(act.session, [workflow_id], queue=queue or None, now=now_ms()):
            raise _finished("resume")
        act.hint((STATUS, workflow_id), (QUEUE, queue or INTERNAL_QUEUE))
        act.detail.update(was=row.status, queue=queue or INTERNAL_QUEUE)


def fork(
    actor: Actor,
    workflow_id: str,
    *,
    start_step: int,
    reason: str = "",
    queue: str | None = None,
    version: str | None = None,
) -> str:
    """Enqueue a new workflow that replays the steps before `start_step`; return its id.

    Without `version` any executor of the newest one runs it. The source stays as it is.
    """
    permission = "dboshub_workflows.fork_workflow"
    with acting(
        actor, "fork", "workflow", workflow_id, permission=permission, reason=reason
    ) as act:
        row = _find(act, workflow_id)
        if start_step < 0:
            raise ActionRefusedError(
                f"There is no step {start_step}.", "Fork from 1 to run it from its beginning."
            )
        _expect_queue(act, queue, None)
        new_id = str(uuid.uuid4())
        forking.fork(
            act.session,
            workflow_id,
            new_id=new_id,
            start_step=start_step,
            application_version=version or None,
            queue=queue or None,
            now=now_ms(),
        )
        act.hint((QUEUE, queue or INTERNAL_QUEUE))
        act.detail.update(
            was=row.status, fork=new_id, start_step=start_step, queue=queue or INTERNAL_QUEUE
        )
        return new_id


def send(actor: Actor, workflow_id: str, *, topic: str, value: Any, reason: str = "") -> None:
    """Send a message made of plain JSON types; an empty `topic` is the one `recv()` reads."""
    permission = "dboshub_workflows.send_message"
    with acting(
        actor, "send", "workflow", workflow_id, permission=permission, reason=reason
    ) as act:
        row = _find(act, workflow_id)
        if row.status in FINISHED:
            raise ActionRefusedError(
                f"It has ended ({row.status}) and reads no more messages.",
                "Fork it, then send the message to the fork.",
            )
        if "\x00" in topic:
            raise ActionRefusedError("The topic holds a NUL.", "Give a topic of visible text.")
        # Every SDK reads the portable format; other formats only their owner can write.
        format_ = row.serialization or PICKLE
        format_ = format_ if format_ in (PICKLE, PORTABLE) else PORTABLE
        message = SendWrite(
            destination=workflow_id,
            message_uuid=str(uuid.uuid4()),
            topic=topic or None,
            message=_encoded(value, format_),
            serialization=format_,
            step=None,
        )
        messages.send(act.session, message, now_ms())
        act.detail.update(was=row.status, topic=topic)


def delete(actor: Actor, workflow_id: str, *, reason: str = "", children: bool = False) -> None:
    """Delete an ended workflow and all it recorded, and its descendants if `children`."""
    permission = "dboshub_workflows.delete_workflow"
    with acting(
        actor, "delete", "workflow", workflow_id, permission=permission, reason=reason
    ) as act:
        _find(act, workflow_id)
        ids = [workflow_id, *(_descendants(act, workflow_id) if children else [])]
        # Locked before it is looked at, so that none is resumed between the two.
        act.session.all(deleting.LOCK, ids=act.session.ids(sorted(ids)))
        rows = _visible(act, ids)
        if workflow_id not in rows:
            raise _missing(workflow_id)
        running = [each for each in ids if each in rows and rows[each].status in ACTIVE]
        if running:
            raise ActionRefusedError(
                f"{_named(running)} still active.", "Cancel what is active, then delete."
            )
        deleting.delete(act.session, ids)
        act.hint(*((STATUS, each) for each in ids))
        row = rows[workflow_id]
        act.detail.update(
            was=row.status, name=row.name, application=row.application_name, children=ids[1:]
        )


def _find(act: Act, workflow_id: str) -> WorkflowRow:
    # No stored text holds a NUL, and PostgreSQL would fail on the question.
    found = {} if "\x00" in workflow_id else _visible(act, [workflow_id])
    if workflow_id not in found:
        raise _missing(workflow_id)
    return found[workflow_id]


def _descendants(act: Act, workflow_id: str) -> list[str]:
    """All of them, or a refusal: none may be in an application the person does not see."""
    below = cancelling.descendants(act.session, [workflow_id])
    if len(_visible(act, below)) < len(below):
        raise ActionRefusedError(
            "Some of its children belong to applications you may not see.",
            "Do it without the children, or ask an administrator.",
        )
    return below


def _visible(act: Act, ids: list[str]) -> dict[str, WorkflowRow]:
    return rows_by_id(act.session, ids, viewer=viewer_for(act.actor.user))


def _expect_queue(act: Act, queue: str | None, partition_key: str | None) -> None:
    """Refuse a queue on which the workflow would wait for ever."""
    if not queue or queue == INTERNAL_QUEUE:
        return
    found = is_partitioned(act.session, queue)
    if found is None:
        raise ActionRefusedError(
            f"There is no queue {queue!r}.", "Leave the queue empty to run it as soon as possible."
        )
    if found and partition_key is None:
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


def _missing(workflow_id: str) -> ActionRefusedError:
    return ActionRefusedError(
        f"There is no workflow {workflow_id!r}.", "Reload the page: it may have been deleted."
    )


def _finished(verb: str) -> ActionRefusedError:
    return ActionRefusedError(
        f"It has ended, so there is nothing to {verb}.",
        "Fork it to run it again, from its beginning or from any step.",
    )


def _named(ids: list[str]) -> str:
    shown = ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")
    return f"{shown} {'is' if len(ids) == 1 else 'are'}"
