"""Incidents of failed work: one for each group of errors."""

from __future__ import annotations

from django.urls import reverse

from dboshub.incidents.incident import KINDS, Incident
from dboshub.workflows.models.rollups import HOUR
from dboshub.workflows.rendering.error_facts import WITHHELD
from dboshub.workflows.rendering.error_groups import ErrorGroup, cases, cause_rows, grouped
from dboshub.workflows.rendering.time_format import relative
from dboshub.workflows.selectors.failed_runs import failed_runs
from dboshub.workflows.selectors.failures.works import State, recent_failures
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.sql import Session

# How long failed work is an incident.
WITHIN_MS = 7 * 24 * HOUR
MAX_NAMES = 3
WORDS = {
    State.OPEN: "open",
    State.ACTED_ON: "acted on",
    State.IGNORED: "ignored",
    State.RESOLVED: "resolved",
}


def failure_incidents(
    session: Session, viewer: Viewer, now: int, *, payload: bool
) -> list[Incident]:
    """The failed work of the last WITHIN_MS in groups.

    Without `payload` nothing is told of errors: failures of one step are one incident.
    """
    found = recent_failures(session, viewer, since=now - WITHIN_MS, until=now)
    read = failed_runs(session, cause_rows(found.works), payload=payload)
    groups = grouped(cases(found.works, read, payload=payload), now)
    return [_incident(group, now, is_cut=found.is_cut) for group in groups]


def _incident(group: ErrorGroup, now: int, *, is_cut: bool) -> Incident:
    is_told = group.kind != WITHHELD
    address = f"{reverse('dboshub:workflows:error_group')}?{group.query()}"
    back = group.came_back
    said = _problem(group, now, is_cut=is_cut)
    if back is not None:
        said += f"; it came back{f' in version {back.version}' if back.version else ''}"
    return Incident(
        KINDS["failure"],
        group.key,
        group.title if is_told else "Failure",
        said,
        group.state,
        "",
        url=address,
        affected=group.count,
        first_at=group.first_at,
        last_at=group.last_at,
        application=group.application,
        versions=tuple(version for version, _ in group.versions),
        decision=group.decision,
    )


def _problem(group: ErrorGroup, now: int, *, is_cut: bool) -> str:
    """`after charge in checkout: 30 open, 10 resolved, last failure 3 min ago`."""
    where = f"after {group.step}" if group.step else "before any step"
    names = [name or "(no name)" for name, _ in group.names]
    named = ", ".join(names[:MAX_NAMES]) + (" and others" if len(names) > MAX_NAMES else "")
    more = "+" if is_cut else ""
    parts = [f"{group.states[each]:,}{more} {WORDS[each]}" for each in State if group.states[each]]
    return f"{where} in {named}: {', '.join(parts)}, last failure {relative(group.last_at, now)}"
