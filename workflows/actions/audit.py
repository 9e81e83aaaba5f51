"""Audited actions: one transaction for the effect and its audit row.

A refusal rolls the effect back and is recorded, too. Where the hub's tables lie in another
database, no transaction spans both: the row is written as "started" before the effect and is
completed after it. A row that stays "started" means that the effect may or may not have happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import router
from django.http import HttpRequest

from dboshub.workflows.connection import atomic, system_alias
from dboshub.workflows.django_settings import is_read_only
from dboshub.workflows.models import AuditEvent
from dboshub.workflows.permissions import REMEDIES
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.storage.waiting.notify import notify

MAX_NAME = 150


@dataclass(frozen=True, slots=True)
class Actor:
    """The user who acts, and the IP address of the request."""

    user: Any
    address: str = ""

    @property
    def name(self) -> str:
        """The user's name, cut to what a row holds: a project's own names may be longer."""
        return str(self.user.get_username())[:MAX_NAME]


def actor_of(request: HttpRequest) -> Actor:
    return Actor(request.user, request.META.get("REMOTE_ADDR", ""))


class ActionRefusedError(Exception):
    """The action changed nothing: `message` says why, `advice` what to do instead."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message, advice)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} {self.advice}"


class NotPermittedError(ActionRefusedError):
    """The actor lacks the permission."""

    def __init__(self, permission: str) -> None:
        super().__init__(
            f"You are not permitted to do this ({permission}).",
            "Ask an administrator for the permission, or for somebody who has it.",
        )
        self.args = (permission,)


class ReadOnlyError(ActionRefusedError):
    """This dashboard only shows."""

    def __init__(self) -> None:
        super().__init__(
            "This dashboard is read-only.",
            "Start it without --read-only (DBOSHUB_READ_ONLY) to act.",
        )
        self.args = ()


def may_act(user: Any, permission: str) -> bool:
    """Whether the user may perform an action here: whether pages offer it."""
    return not is_read_only() and bool(user.has_perm(permission))


def may_remedy(user: Any) -> list[str]:
    """What the user may do about a blocker, beside the verbs on one workflow."""
    return [need for need, permission in REMEDIES.items() if may_act(user, permission)]


@dataclass(frozen=True, slots=True)
class AuditedAction:
    """An action in progress: its transaction, and its audit row."""

    actor: Actor
    session: Session
    event: AuditEvent

    @property
    def detail(self) -> dict[str, Any]:
        """The facts of its audit row, without payloads."""
        found: dict[str, Any] = self.event.detail
        return found

    def concerns(self, application: str | None) -> None:
        """Record whose object it acts on: who sees that application sees the audit row."""
        self.event.application_name = application or ""

    def hint(self, *notices: tuple[str, str]) -> None:
        """Notify waiting processes on commit. SQLite has no notifications: they poll."""
        if self.session.vendor == "postgresql":
            notify(self.session, notices)


@contextmanager
def audited_action(
    actor: Actor, action: str, kind: str, target: str, *, permission: str, reason: str = ""
) -> Iterator[AuditedAction]:
    """Open the transaction of one action; raise ActionRefusedError inside it to refuse.

    Raises ReadOnlyError if nobody may act here, and NotPermittedError if the actor lacks the
    permission. `detail` must hold no payload:
    people who may read the audit log need not be permitted to see payloads.
    """
    event = new_audit_event(actor, action, kind, target, reason)
    if is_read_only():
        raise _refused(event, ReadOnlyError())
    is_other_database = router.db_for_write(AuditEvent) != system_alias()
    if is_other_database:
        event.save()
    try:
        with atomic() as session:
            if not actor.user.has_perm(permission):
                raise NotPermittedError(permission)
            yield AuditedAction(actor, session, event)
            if not is_other_database:
                event.end(AuditEvent.Outcome.DONE)
    except ActionRefusedError as refusal:
        _refused(event, refusal)
        raise
    if is_other_database:
        event.end(AuditEvent.Outcome.DONE)


def refuse_if_read_only(actor: Actor, action: str, kind: str, target: str) -> None:
    """Raise ReadOnlyError, and record the refusal, if nobody may act here.

    For actions that write rows of the hub before they act on the system tables.
    """
    if is_read_only():
        raise _refused(new_audit_event(actor, action, kind, target, ""), ReadOnlyError())


def _refused(event: AuditEvent, refusal: ActionRefusedError) -> ActionRefusedError:
    event.detail = {"refused": refusal.message, "advice": refusal.advice}
    event.end(AuditEvent.Outcome.REFUSED)
    return refusal


def record(
    actor: Actor, action: str, kind: str, target: str, *, reason: str = "", **detail: Any
) -> None:
    """Write the audit row of an action that changes nothing in the system tables."""
    event = new_audit_event(actor, action, kind, target, reason)
    event.detail = detail
    event.end(AuditEvent.Outcome.DONE)


def record_refusal(actor: Actor, action: str, kind: str, target: str, why: str) -> None:
    """Write the audit row of what was refused before it became an action."""
    event = new_audit_event(actor, action, kind, target, "")
    event.detail = {"refused": why}
    event.end(AuditEvent.Outcome.REFUSED)


def require_permission(actor: Actor, permission: str, action: str, kind: str, target: str) -> None:
    """Raise NotPermittedError, and record the refusal, if the actor lacks the permission."""
    if not actor.user.has_perm(permission):
        event = new_audit_event(actor, action, kind, target, "")
        raise _refused(event, NotPermittedError(permission))


def new_audit_event(actor: Actor, action: str, kind: str, target: str, reason: str) -> AuditEvent:
    """The unsaved audit row of an action that begins."""
    known = actor.user if actor.user.is_authenticated else None
    return AuditEvent(
        user=known,
        username=actor.name,
        address=actor.address,
        action=action,
        target_kind=kind,
        target=_without_nul(target),
        reason=_without_nul(reason.strip()),
    )


def _without_nul(text: str) -> str:
    # PostgreSQL cannot store a NUL, and an attempt with one must be recorded as well.
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
