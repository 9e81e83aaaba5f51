"""What people do to queues: checked, performed and audited in one place, for every door.

Workers read the table of queues at every poll, so each action takes effect on running ones.
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

# Locked, so that the settings compared are the settings replaced.
STATE = Statement(
    postgres="SELECT updated_at, application_name FROM {queues} WHERE name = :name FOR UPDATE",
    sqlite="SELECT updated_at, application_name FROM {queues} WHERE name = :name",
)
WAITING = Statement("""
    SELECT 1 FROM {workflow_status} WHERE queue_name = :name AND status = 'ENQUEUED' LIMIT 1
""")


def add_queue(actor: Actor, settings: QueueSettings, *, reason: str = "") -> None:
    """Make a queue; without an application, every application claims from it."""
    with audited_action(
        actor, "add", "queue", settings.name, permission="dboshub_queues.add_queue", reason=reason
    ) as act:
        _expect_valid(settings)
        _expect_seen(act, settings.application_name)
        owner = settings.application_name
        if not registry.insert(act.session, settings, application=owner, now=now_ms()):
            raise ActionRefusedError(
                f"There is a queue {settings.name!r} already.", "Change that one instead."
            )
        act.detail.update(now=_describe(settings))


def change_queue(
    actor: Actor, settings: QueueSettings, *, as_of: int | None = None, reason: str = ""
) -> None:
    """Change a queue's limits; `as_of` is the `updated_at` of the row the person looked at."""
    with audited_action(
        actor,
        "change",
        "queue",
        settings.name,
        permission="dboshub_queues.change_queue",
        reason=reason,
    ) as act:
        updated_at = _expect_queue(act, settings.name)
        if as_of is not None and updated_at != as_of:
            raise ActionRefusedError(
                "Somebody changed this queue since you opened it.", "Reload it and look again."
            )
        _expect_valid(settings)
        before = registry.retrieve(act.session, settings.name)
        registry.update(act.session, settings, now=now_ms())
        notify.announce(act.session, [settings.name])
        act.detail.update(was=before and _describe(before), now=_describe(settings))


def delete_queue(actor: Actor, name: str, *, reason: str = "") -> None:
    """Delete a queue on which nothing waits. What it started goes on."""
    with audited_action(
        actor, "delete", "queue", name, permission="dboshub_queues.delete_queue", reason=reason
    ) as act:
        _expect_queue(act, name)
        if act.session.one(WAITING, name=name):
            raise ActionRefusedError(
                "Workflows wait on this queue, and without it they would wait for ever.",
                "Cancel them or resume them on another queue first, or pause this one.",
            )
        before = registry.retrieve(act.session, name)
        registry.delete(act.session, name, has_hub_tables=has_table(act.session, QUEUE_PAUSES))
        act.detail.update(was=before and _describe(before))


def pause_queue(actor: Actor, name: str, *, reason: str = "") -> None:
    """Keep workers from taking more from the queue; what runs goes on."""
    with audited_action(
        actor, "pause", "queue", name, permission="dboshub_queues.change_queue", reason=reason
    ) as act:
        _expect_queue(act, name)
        if not has_table(act.session, QUEUE_PAUSES):
            raise ActionRefusedError(
                "No worker of this hub runs on this database, and others know of no pause.",
                "Stop the executors that serve it, or lower its limits.",
            )
        who = actor.user.get_username()
        if not pause.pause(act.session, name, by=who, reason=reason, now=now_ms()):
            raise ActionRefusedError("This queue is paused already.", "Resume it to go on.")


def resume_queue(actor: Actor, name: str, *, reason: str = "") -> None:
    """Let workers take from a paused queue again, at once."""
    with audited_action(
        actor, "resume", "queue", name, permission="dboshub_queues.change_queue", reason=reason
    ) as act:
        _expect_queue(act, name)
        if not (has_table(act.session, QUEUE_PAUSES) and pause.unpause(act.session, name)):
            raise ActionRefusedError("This queue is not paused.", "Pause it to hold work back.")
        notify.announce(act.session, [name])


def problem(settings: QueueSettings) -> str:
    """What is wrong with these settings, for a form; empty if nothing is."""
    try:
        _expect_valid(settings)
    except ActionRefusedError as refusal:
        return str(refusal)
    return ""


def _expect_valid(settings: QueueSettings) -> None:
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


def _expect_queue(act: AuditedAction, name: str) -> int:
    """When the queue was last changed; refused if the person does not know of it."""
    row = None if "\x00" in name else act.session.one(STATE, name=name)
    if row is None or not viewer_for(act.actor.user).may_see(row[1]):
        raise ActionRefusedError(
            f"There is no queue {name!r}.", "Reload the page: it may have been deleted."
        )
    return int(row[0])


def _expect_seen(act: AuditedAction, application: str | None) -> None:
    if not viewer_for(act.actor.user).may_see(application):
        raise ActionRefusedError(
            f"The application {application!r} is not one of yours.", "Name one that you may see."
        )


def _describe(settings: QueueSettings) -> dict[str, object]:
    """The settings as the audit log shows them: only what is set."""
    return {key: value for key, value in settings.columns().items() if value is not None}
