"""Decisions about incidents: ignore one, stop ignoring it, assign it to somebody.

They change only tables of the hub, so they are possible on a read-only dashboard, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import router, transaction

from dboshub.workflows.actions.audit import (
    ActionRefusedError,
    Actor,
    new_audit_event,
    require_permission,
)
from dboshub.workflows.clock import now_ms
from dboshub.workflows.models import AuditEvent, IncidentDecision
from dboshub.workflows.permissions import DECIDE_INCIDENT
from dboshub.workflows.selectors.scope import viewer_for

Ignored = IncidentDecision.Ignored


@dataclass(frozen=True, slots=True)
class Subject:
    """An incident that somebody decides about, as its page shows it."""

    kind: str
    key: str
    application: str | None
    versions: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        return f"{self.kind}/{self.key}"


def ignore(
    actor: Actor, subject: Subject, how: str, *, until: int | None = None, why: str = ""
) -> None:
    """Ignore an incident as `how` says, `until` a time (epoch ms) if it says so. Raises
    ActionRefusedError."""
    with _deciding(actor, "ignore", subject, why) as (event, row):
        row.ignored, row.ignored_at, row.ignored_by = how, now_ms(), actor.name
        row.ignored_until = until if how == Ignored.UNTIL else None
        row.ignored_versions = [*subject.versions] if how == Ignored.VERSION else []
        row.why = why.strip()
        event.detail = {"how": how, "until": row.ignored_until, "versions": row.ignored_versions}


def stop_ignoring(actor: Actor, subject: Subject) -> None:
    """Let an incident be open again, unless facts resolve it. Raises ActionRefusedError."""
    with _deciding(actor, "stop ignoring", subject) as (_, row):
        row.ignored, row.ignored_at, row.ignored_until = "", None, None
        row.ignored_versions, row.ignored_by, row.why = [], "", ""


def assign(actor: Actor, subject: Subject, user: Any | None) -> None:
    """Say who takes care of an incident; None for nobody. Raises ActionRefusedError."""
    with _deciding(actor, "assign", subject) as (event, row):
        row.assignee = user
        row.assignee_name = Actor(user).name if user is not None else ""
        event.detail = {"to": row.assignee_name}


@contextmanager
def _deciding(
    actor: Actor, action: str, subject: Subject, why: str = ""
) -> Iterator[tuple[AuditEvent, IncidentDecision]]:
    """Lock the row of the decisions, and save it with the audit row of the change."""
    require_permission(actor, DECIDE_INCIDENT, action, "incident", subject.target)
    if not viewer_for(actor.user).may_see(subject.application or None):
        raise ActionRefusedError("There is no such incident.", "Choose one from the list.")
    event = new_audit_event(actor, action, "incident", subject.target, why)
    event.application_name = subject.application or ""
    with transaction.atomic(using=router.db_for_write(IncidentDecision)):
        row, _ = IncidentDecision.objects.select_for_update().get_or_create(
            kind=subject.kind,
            key=subject.key,
            defaults={"application_name": subject.application or ""},
        )
        yield event, row
        row.save()
        event.end(AuditEvent.Outcome.DONE)
