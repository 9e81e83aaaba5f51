"""Actions of people on queues: permission, precondition, effect and audit row.

Workers read the table of queues at every poll, so an action takes effect without a restart.
"""

from __future__ import annotations

import math

from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.storage import notify, pause, registry
from dboshub.workflows.actions.audit import ActionRefusedError, Actor, AuditedAction, audited_action
from dboshub.workflows.clock import now_ms
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.selectors.tables import QUEUE_PAUSES, has_table
from dboshub.workflows.storage.sql import Statement

__all__ = ["add_queue", "change_queue", "delete_queue", "pause_queue", "problem", "resume_queue"]

# The row stays locked until the action ends, so that no concurrent change is lost.
LOCK = Statement("SELECT updated_at, application_name FROM {queues} WHERE name = :name FOR UPDATE")
ENQUEUED = Statement("""
    SELECT 1 FROM {workflow_status} WHERE queue_name = :name AND status = 'ENQUEUED' LIMIT 1
""")


def add_queue(actor: Actor, settings: QueueSettings, *, reason: str = "") -> None:
    """Create a queue. If it has no owner, every application claims from it."""
    with audited_action(
        actor, "add", "queue", settings.name, permission="dboshub_queues.add_queue", reason=reason
    ) as action:
        _require_valid(settings)
        _require_visible(action, settings.application_name)
        owner = settings.application_name
        if not registry.insert(action.session, settings, application=owner, now=now_ms()):
            raise ActionRefusedError(
                f"There is a queue {settings.name!r} already.", "Change that one instead."
            )
        action.detail.update(now=_describe(settings))


def change_queue(
    actor: Actor, settings: QueueSettings, *, as_of: int | None = None, reason: str = ""
) -> None:
    """Change a queue's limits. `as_of` is `updated_at` of the row that the person saw, in ms."""
    with audited_action(
        actor,
        "change",
        "queue",
        settings.name,
        permission="dboshub_queues.change_queue",
        reason=reason,
    ) as action:
        updated_at = _require_queue(action, settings.name)
        if as_of is not None and updated_at != as_of:
            raise ActionRefusedError(
                "Somebody changed this queue since you opened it.", "Reload it and look again."
            )
        _require_valid(settings)
        before = registry.retrieve(action.session, settings.name)
        registry.update(action.session, settings, now=now_ms())
        notify.announce(action.session, [settings.name])
        action.detail.update(was=before and _describe(before), now=_describe(settings))


def delete_queue(actor: Actor, name: str, *, reason: str = "") -> None:
    """Delete a queue without enqueued workflows. Its running workflows continue."""
    with audited_action(
        actor, "delete", "queue", name, permission="dboshub_queues.delete_queue", reason=reason
    ) as action:
        _require_queue(action, name)
        if action.session.one(ENQUEUED, name=name):
            raise ActionRefusedError(
                "Workflows wait on this queue, and without it they would wait for ever.",
                "Cancel them or resume them on another queue first, or pause this one.",
            )
        before = registry.retrieve(action.session, name)
        registry.delete(
            action.session, name, has_hub_tables=has_table(action.session, QUEUE_PAUSES)
        )
        action.detail.update(was=before and _describe(before))


def pause_queue(actor: Actor, name: str, *, reason: str = "") -> None:
    """Pause a queue: workers claim nothing more from it. Its running workflows continue."""
    with audited_action(
        actor, "pause", "queue", name, permission="dboshub_queues.change_queue", reason=reason
    ) as action:
        _require_queue(action, name)
        if not has_table(action.session, QUEUE_PAUSES):
            raise ActionRefusedError(
                "No worker of this hub uses this database, and other programs ignore pauses.",
                "Stop the executors that serve it, or lower its limits.",
            )
        who = actor.user.get_username()
        if not pause.pause(action.session, name, by=who, reason=reason, now=now_ms()):
            raise ActionRefusedError("This queue is paused already.", "Resume it to continue.")


def resume_queue(actor: Actor, name: str, *, reason: str = "") -> None:
    """Resume a paused queue: workers claim from it again at once."""
    with audited_action(
        actor, "resume", "queue", name, permission="dboshub_queues.change_queue", reason=reason
    ) as action:
        _require_queue(action, name)
        if not (has_table(action.session, QUEUE_PAUSES) and pause.unpause(action.session, name)):
            raise ActionRefusedError("This queue is not paused.", "Pause it to stop claims.")
        notify.announce(action.session, [name])


def problem(settings: QueueSettings) -> str:
    """Why these settings would be refused, for a form; empty if they are valid."""
    try:
        _require_valid(settings)
    except ActionRefusedError as refusal:
        return str(refusal)
    return ""


def _require_valid(settings: QueueSettings) -> None:
    """Refuse settings that `QueueSettings.validate` refuses, and limits below 1.

    Programs may set a limit of 0. People pause the queue instead, which its page shows.
    """
    if not settings.name.strip() or "\x00" in settings.name:
        raise ActionRefusedError("A queue needs a name.", "Give it one of visible text.")
    limits = [settings.concurrency, settings.worker_concurrency]
    for limiter in (settings.limiter, settings.partition_limiter):
        limits += [limiter.limit, math.ceil(limiter.period)] if limiter else []
    if any(limit is not None and limit < 1 for limit in limits):
        raise ActionRefusedError(
            "A limit must be at least 1, and a period longer than 0 seconds.",
            "To stop the queue, pause it.",
        )
    try:
        settings.validate()
    except ValueError as error:
        raise ActionRefusedError(f"{error}.", "Change the settings and save again.") from error


def _require_queue(action: AuditedAction, name: str) -> int:
    """Lock the queue and return its `updated_at`, if the actor may see it."""
    row = None if "\x00" in name else action.session.one(LOCK, name=name)
    if row is None or not viewer_for(action.actor.user).may_see(row[1]):
        raise ActionRefusedError(
            f"There is no queue {name!r}.", "Reload the page: it may have been deleted."
        )
    action.concerns(row[1])
    return int(row[0])


def _require_visible(action: AuditedAction, application: str | None) -> None:
    action.concerns(application)
    if not viewer_for(action.actor.user).may_see(application):
        raise ActionRefusedError(
            f"The application {application!r} is not one of yours.", "Name one that you may see."
        )


def _describe(settings: QueueSettings) -> dict[str, object]:
    """The settings for the audit log, without those that are not set."""
    return {key: value for key, value in settings.columns().items() if value is not None}
