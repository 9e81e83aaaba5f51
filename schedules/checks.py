"""The frame and the preconditions of actions on schedules.

A failed precondition raises ActionRefusedError.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dboshub.schedules import selectors
from dboshub.schedules.engine.records import Schedule
from dboshub.schedules.storage import schedules as storage
from dboshub.workflows.actions.audit import ActionRefusedError, Actor, AuditedAction, audited_action
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.sql import Statement

PERMISSION = "dboshub_schedules.change_schedule"

# The row stays locked until the action ends, so that no concurrent change is lost.
LOCK = Statement("SELECT 1 FROM {workflow_schedules} WHERE schedule_name = :name FOR UPDATE")


@contextmanager
def schedule_action(
    actor: Actor, verb: str, name: str, *, reason: str = ""
) -> Iterator[AuditedAction]:
    """The transaction of an audited action on a schedule."""
    with audited_action(
        actor, verb, "schedule", name, permission=PERMISSION, reason=reason
    ) as action:
        yield action


def require_schedule(action: AuditedAction, name: str) -> Schedule:
    """Lock and return the schedule without its context, if the actor may see it."""
    found = None
    if "\x00" not in name:
        action.session.all(LOCK, name=name)
        found = selectors.one(action.session, name, viewer_for(action.actor.user))
    if found is None:
        raise ActionRefusedError(
            f"There is no schedule {name!r}.", "Reload the page: it may have been deleted."
        )
    action.concerns(found.application_name)
    return found


def require_whole_schedule(action: AuditedAction, name: str) -> Schedule:
    """The same with its context."""
    require_schedule(action, name)
    return storage.schedules(action.session, application=None, names=[name])[0]


def sentence(error: DBOSException) -> str:
    """The error's message as a sentence."""
    return f"{error.message[:1].upper()}{error.message[1:]}."
