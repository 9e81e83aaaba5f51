"""Fork a run with changed input, or with a changed result of one step.

The source stays as it is. What is written is encoded here from plain values.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from dboshub.workflows.actions.audit import (
    ActionRefusedError,
    Actor,
    AuditedAction,
    NotPermittedError,
    audited_action,
)
from dboshub.workflows.actions.checks import require_queue, require_workflow
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.engine.waiting.notices import QUEUE
from dboshub.workflows.payloads import PICKLE, PORTABLE
from dboshub.workflows.payloads.encode import NotPlainError, encode, encode_arguments
from dboshub.workflows.permissions import EDIT_RUN, VIEW_PAYLOAD
from dboshub.workflows.selectors.detail import steps, values
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.control import edit as editing
from dboshub.workflows.storage.control import fork as forking
from dboshub.workflows.storage.database_clock import database_now

# Characters of a value before and after, that its audit row keeps.
MAX_KEPT = 64 * 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInput:
    """Other arguments, for a run from `start_step` on."""

    args: list[Any]
    kwargs: dict[str, Any]
    start_step: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResult:
    """Another result of a recorded step, for a run from the step after it on."""

    step: int
    value: Any

    @property
    def start_step(self) -> int:
        return self.step + 1


Change = NewInput | NewResult


def fork_edited(
    actor: Actor,
    workflow_id: str,
    change: Change,
    *,
    reason: str = "",
    queue: str | None = None,
    version: str | None = None,
) -> str:
    """Enqueue a fork with a change; return its id. The audit row keeps the old and the new value.

    Without a queue, no limit delays it; without a version, an executor of the latest one runs it.
    Raises ActionRefusedError.
    """
    with audited_action(
        actor, "edit", "workflow", workflow_id, permission=EDIT_RUN, reason=reason
    ) as action:
        if not actor.user.has_perm(VIEW_PAYLOAD):
            raise NotPermittedError(VIEW_PAYLOAD)
        row = require_workflow(action.session, actor, workflow_id)
        action.concerns(row.application_name)
        if queue and require_queue(action.session, actor, queue):
            raise ActionRefusedError(
                f"The queue {queue!r} is partitioned.", "Choose another queue, or none."
            )
        if change.start_step < 0:
            raise ActionRefusedError(f"There is no step {change.start_step}.", "Steps begin at 1.")
        new_id = str(uuid.uuid4())
        forking.fork(
            action.session,
            workflow_id,
            new_id=new_id,
            start_step=change.start_step,
            application_version=version or None,
            queue=queue or None,
            now=database_now(action.session),
        )
        what = _write(action, row, new_id, change)
        action.hint((QUEUE, queue or INTERNAL_QUEUE))
        action.detail.update(
            was=row.status,
            fork=new_id,
            changed=what,
            start_step=change.start_step,
            queue=queue or INTERNAL_QUEUE,
        )
        return new_id


def format_for(stored: str | None) -> str | None:
    """The format in which a page writes what was stored in another one.

    What only its owner can write becomes portable JSON, which every library reads.
    """
    return stored if stored in (None, PICKLE, PORTABLE) else PORTABLE


def encoded_input(change: NewInput, serialization: str | None) -> str:
    """The text of other arguments. Raises NotPlainError."""
    return encode_arguments(change.args, change.kwargs, format_for(serialization))


def encoded_result(change: NewResult, serialization: str | None) -> str:
    """The text of another result. Raises NotPlainError."""
    return encode(change.value, format_for(serialization))


def _write(action: AuditedAction, row: WorkflowRow, fork: str, change: Change) -> str:
    """Write the change into the fork, and both values into the audit row; say what it is."""
    session = action.session
    try:
        if isinstance(change, NewInput):
            old = values.value(session, "input", row.pk, most=MAX_KEPT)
            format_ = format_for(row.serialization)
            text = encoded_input(change, row.serialization)
            editing.set_input(session, fork, text, format_)
            what = "input"
        else:
            step = steps.one(session, row.pk, change.step)
            kind = "step-error" if step is not None and step.is_failed else "step"
            old = values.value(session, kind, row.pk, step=change.step, most=MAX_KEPT)
            format_ = format_for(step.serialization if step is not None else None)
            text = encoded_result(change, format_)
            if not editing.set_result(session, fork, change.step, text, format_):
                raise ActionRefusedError(
                    f"Step {change.step} is not recorded.", "Choose one that is."
                )
            what = f"step {change.step}"
    except NotPlainError as error:
        raise ActionRefusedError(
            f"The new value cannot be written: {error}.", "Give plain JSON."
        ) from error
    action.event.payload = {
        "old": None if old is None else [old.text, old.serialization, old.is_cut],
        "new": [text[:MAX_KEPT], format_, len(text) > MAX_KEPT],
    }
    return what
