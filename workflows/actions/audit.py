"""One action: one transaction, one audit row. A refusal undoes the effect and is recorded too.

Where the hub's tables lie in another database, no transaction spans both: the row is then
written before the effect and completed after it, so a row left at "started" says: look.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import router
from django.http import HttpRequest

from dboshub.workflows.connection import atomic, system_alias
from dboshub.workflows.models import AuditEvent
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.storage.waiting.notify import notify


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where."""

    user: Any
    address: str = ""


def actor_of(request: HttpRequest) -> Actor:
    return Actor(request.user, request.META.get("REMOTE_ADDR", ""))


class ActionRefusedError(Exception):
    """Nothing was changed; `message` says why and `advice` what to do instead."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message, advice)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} {self.advice}"


class NotPermittedError(ActionRefusedError):
    """The person lacks the permission."""

    def __init__(self, permission: str) -> None:
        super().__init__(
            f"You are not permitted to do this ({permission}).",
            "Ask an administrator for the permission, or for somebody who has it.",
        )
        self.args = (permission,)


@dataclass(frozen=True, slots=True)
class Act:
    """An action under way: its transaction, and what its audit row will tell."""

    actor: Actor
    session: Session
    detail: dict[str, Any]

    def hint(self, *notices: tuple[str, str]) -> None:
        """Tell the processes that wait for this, as it commits; SQLite's look by themselves."""
        if self.session.vendor == "postgresql":
            notify(self.session, notices)


@contextmanager
def acting(
    actor: Actor, action: str, kind: str, target: str, *, permission: str, reason: str = ""
) -> Iterator[Act]:
    """Hold the transaction of one action; raise ActionRefusedError inside it to refuse.

    `detail` holds facts about what was done, never a payload: the log has readers of its own.
    """
    event = new_audit_event(actor, action, kind, target, reason)
    apart = router.db_for_write(AuditEvent) != system_alias()
    if apart:
        event.save()
    try:
        with atomic() as session:
            if not actor.user.has_perm(permission):
                raise NotPermittedError(permission)
            yield Act(actor, session, event.detail)
            if not apart:
                event.end(AuditEvent.Outcome.DONE)
    except ActionRefusedError as refusal:
        event.detail = {"refused": refusal.message, "advice": refusal.advice}
        event.end(AuditEvent.Outcome.REFUSED)
        raise
    if apart:
        event.end(AuditEvent.Outcome.DONE)


def record(
    actor: Actor, action: str, kind: str, target: str, *, reason: str = "", **detail: Any
) -> None:
    """One row for what changes nothing in the system tables, which may be read-only here."""
    event = new_audit_event(actor, action, kind, target, reason)
    event.detail = detail
    event.end(AuditEvent.Outcome.DONE)


def new_audit_event(actor: Actor, action: str, kind: str, target: str, reason: str) -> AuditEvent:
    """The audit row of an action that begins, not saved yet."""
    known = actor.user if actor.user.is_authenticated else None
    return AuditEvent(
        user=known,
        username=actor.user.get_username(),
        address=actor.address,
        action=action,
        target_kind=kind,
        target=_storable(target),
        reason=_storable(reason.strip()),
    )


def _storable(text: str) -> str:
    # PostgreSQL cannot store NUL, and an attempt with one must be recorded all the same.
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
