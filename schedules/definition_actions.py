"""Making and changing schedules from a page: what could never run is refused, with the reason."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dboshub.queues.storage.notify import announce
from dboshub.schedules.actions import PERMISSION
from dboshub.schedules.engine.cron import Cron
from dboshub.schedules.engine.records import Schedule
from dboshub.schedules.selectors import one
from dboshub.schedules.storage import schedules as storage
from dboshub.workflows.actions.audit import ActionRefusedError, Actor, AuditedAction, audited_action
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.payloads import PICKLE
from dboshub.workflows.payloads.encode import NotPlainError, encode
from dboshub.workflows.selectors.registered_queues import is_partitioned
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.selectors.startable import startable
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.sql import Statement

OWNERS = Statement("""
    SELECT DISTINCT application_name FROM {application_versions}
    WHERE application_name IS NOT NULL
    ORDER BY application_name LIMIT 2
""")


def draft(given: Mapping[str, Any]) -> Schedule:
    """The row of a filled form; its context is plain data. Raises ActionRefusedError."""
    try:
        context = encode(given.get("context"), PICKLE)
    except NotPlainError as error:
        raise ActionRefusedError(
            f"The context cannot be written: {error}.", "Give plain JSON."
        ) from error
    return Schedule(
        schedule_id=str(uuid.uuid4()),
        schedule_name=given["name"],
        workflow_name=given["workflow"],
        schedule=given["cron"],
        cron_timezone=given["timezone"] or None,
        queue_name=given["queue"] or None,
        automatic_backfill=given["backfill"],
        application_name=given["application"] or None,
        context=context,
    )


def create(actor: Actor, wanted: Schedule, *, reason: str = "") -> None:
    """Make an active schedule. Without an application the only one there is becomes its owner."""
    name = wanted.schedule_name
    with audited_action(
        actor, "create", "schedule", name, permission=PERMISSION, reason=reason
    ) as act:
        _expect_sound(act, wanted)
        try:
            storage.create(act.session, _owned(act, wanted))
        except DBOSException as error:
            raise ActionRefusedError(
                f"There is a schedule {name!r} already.", "Change that one, or choose a new name."
            ) from error
        _told(act, wanted)


def change(actor: Actor, name: str, *, reason: str = "", **changed: Any) -> None:
    """Give a schedule another cron, zone, queue or backfill; its context and runs stay."""
    with audited_action(
        actor, "change", "schedule", name, permission=PERMISSION, reason=reason
    ) as act:
        if one(act.session, name, viewer_for(actor.user)) is None:
            raise ActionRefusedError(
                f"There is no schedule {name!r}.", "Reload the page: it may have been deleted."
            )
        found = storage.schedules(act.session, application=None, names=[name])[0]
        wanted = replace(found, **changed)
        _expect_sound(act, wanted)
        storage.apply(act.session, wanted)
        _told(act, wanted)
        act.detail["was"] = found.schedule


def _expect_sound(act: AuditedAction, wanted: Schedule) -> None:
    texts = (wanted.schedule_name, wanted.workflow_name, wanted.application_name or "")
    if any("\x00" in text for text in texts):
        raise ActionRefusedError("One of the texts holds a NUL.", "Give visible text.")
    if not viewer_for(act.actor.user).may_see(wanted.application_name):
        raise ActionRefusedError(
            "You may not act on this application.", "Name one of yours, or ask an administrator."
        )
    try:
        Cron(wanted.schedule, wanted.cron_timezone)
    except DBOSException as error:
        said = f"{error.message[:1].upper()}{error.message[1:]}."
        raise ActionRefusedError(said, 'Write it such as "0 9 * * 1-5".') from error
    _expect_queue(act, wanted.queue_name)


def _expect_queue(act: AuditedAction, queue: str | None) -> None:
    if queue is None:
        return
    found = is_partitioned(act.session, queue)
    if found is None:
        raise ActionRefusedError(f"There is no queue {queue!r}.", "Choose a queue, or none.")
    if found:
        raise ActionRefusedError(
            f"The queue {queue!r} is partitioned, and scheduled runs have no partition key.",
            "Choose another queue, or none.",
        )


def _owned(act: AuditedAction, wanted: Schedule) -> Schedule:
    """With its owner and the class of its workflow, as far as they are known."""
    owner = wanted.application_name
    if owner is None:
        owners = [name for (name,) in act.session.all(OWNERS)]
        owner = owners[0] if len(owners) == 1 else None
    viewer = viewer_for(act.actor.user)
    known = startable(act.session, viewer, now=database_now(act.session))
    named = [each for each in known if each.name == wanted.workflow_name]
    class_name = next((each.class_name for each in named if each.application == owner), None)
    return replace(wanted, application_name=owner, workflow_class_name=class_name)


def _told(act: AuditedAction, wanted: Schedule) -> None:
    announce(act.session, [wanted.queue_name or INTERNAL_QUEUE])
    act.detail.update(
        schedule=wanted.schedule, workflow=wanted.workflow_name, zone=wanted.cron_timezone or "UTC"
    )
