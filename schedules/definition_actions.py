"""Actions that create and change schedules. A schedule that could never run is refused."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dboshub.queues.storage.notify import announce
from dboshub.schedules.checks import require_whole_schedule, schedule_action, sentence
from dboshub.schedules.engine.cron import Cron
from dboshub.schedules.engine.records import Schedule
from dboshub.schedules.storage import schedules as storage
from dboshub.workflows.actions.audit import ActionRefusedError, Actor, AuditedAction
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.payloads import PICKLE
from dboshub.workflows.payloads.encode import NotPlainError, encode
from dboshub.workflows.selectors.registered_queues import is_partitioned
from dboshub.workflows.selectors.scope import all_in_scope, viewer_for
from dboshub.workflows.selectors.startable import startable
from dboshub.workflows.storage.database_clock import database_now

OWNERS = """
    SELECT DISTINCT application_name FROM {application_versions}
    WHERE application_name IS NOT NULL AND SCOPE
    ORDER BY application_name LIMIT 2
"""


def draft(given: Mapping[str, Any]) -> Schedule:
    """The schedule of a filled form. Raises ActionRefusedError unless its context is plain data."""
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
    """Create an active schedule. Without an application, a single known one becomes its owner."""
    name = wanted.schedule_name
    with schedule_action(actor, "create", name, reason=reason) as action:
        action.concerns(wanted.application_name)
        _require_sound(action, wanted)
        try:
            storage.create(action.session, _with_owner(action, wanted))
        except DBOSException as error:
            raise ActionRefusedError(
                f"There is a schedule {name!r} already.", "Change that one, or choose a new name."
            ) from error
        _announce(action, wanted)


def change(actor: Actor, name: str, *, reason: str = "", **changed: Any) -> None:
    """Change the cron, time zone, queue or backfill of a schedule; keep its context and runs.

    The row is locked before it is read, so that a concurrent change by its application is kept.
    """
    with schedule_action(actor, "change", name, reason=reason) as action:
        found = require_whole_schedule(action, name)
        wanted = replace(found, **changed)
        _require_sound(action, wanted)
        storage.apply(action.session, wanted)
        _announce(action, wanted)
        action.detail["was"] = found.schedule


def _require_sound(action: AuditedAction, wanted: Schedule) -> None:
    texts = (wanted.schedule_name, wanted.workflow_name, wanted.application_name or "")
    if any("\x00" in text for text in texts):
        raise ActionRefusedError("One of the texts contains a NUL.", "Give visible text.")
    if not viewer_for(action.actor.user).may_see(wanted.application_name):
        raise ActionRefusedError(
            "You may not act on this application.", "Name one of yours, or ask an administrator."
        )
    try:
        Cron(wanted.schedule, wanted.cron_timezone)
    except DBOSException as error:
        example = 'Write it such as "0 9 * * 1-5".'
        raise ActionRefusedError(sentence(error), example) from error
    _require_queue(action, wanted.queue_name)


def _require_queue(action: AuditedAction, queue: str | None) -> None:
    if queue is None:
        return
    found = is_partitioned(action.session, queue, viewer_for(action.actor.user))
    if found is None:
        raise ActionRefusedError(f"There is no queue {queue!r}.", "Choose a queue, or none.")
    if found:
        raise ActionRefusedError(
            f"The queue {queue!r} is partitioned, and scheduled runs have no partition key.",
            "Choose another queue, or none.",
        )


def _with_owner(action: AuditedAction, wanted: Schedule) -> Schedule:
    """The schedule with its owner and the class of its workflow, as far as they are known."""
    owner, viewer = wanted.application_name, viewer_for(action.actor.user)
    if owner is None:
        owners = [name for (name,) in all_in_scope(action.session, OWNERS, viewer)]
        owner = owners[0] if len(owners) == 1 else None
    known = startable(action.session, viewer, now=database_now(action.session))
    named = [each for each in known if each.name == wanted.workflow_name]
    class_name = next((each.class_name for each in named if each.application == owner), None)
    return replace(wanted, application_name=owner, workflow_class_name=class_name)


def _announce(action: AuditedAction, wanted: Schedule) -> None:
    announce(action.session, [wanted.queue_name or INTERNAL_QUEUE])
    action.detail.update(
        schedule=wanted.schedule, workflow=wanted.workflow_name, zone=wanted.cron_timezone or "UTC"
    )
