"""All current incidents that a person may see, in a bounded number of statements."""

from __future__ import annotations

from typing import Any

from dboshub.incidents.failures import failure_incidents
from dboshub.incidents.fleet import dead_executors, recovery_loops, unserved_versions
from dboshub.incidents.incident import VIEW_QUEUE, VIEW_SCHEDULE, Incident
from dboshub.incidents.queues import queue_incidents
from dboshub.incidents.schedules import missed_schedules
from dboshub.queues.selectors.busy_queues import waiting_since
from dboshub.workflows.permissions import VIEW_PAYLOAD
from dboshub.workflows.selectors.decisions import UNDECIDED, decisions
from dboshub.workflows.selectors.executor_overview import executor_overview
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.selectors.workflow_health import MANY_ATTEMPTS, recovered_repeatedly
from dboshub.workflows.storage.sql import Session

# What decides, besides the scope, which incidents somebody sees.
RIGHTS = {"payload": VIEW_PAYLOAD, "queues": VIEW_QUEUE, "schedules": VIEW_SCHEDULE}


def rights_of(user: Any) -> frozenset[str]:
    return frozenset(name for name, permission in RIGHTS.items() if user.has_perm(permission))


def current_incidents(
    session: Session,
    viewer: Viewer,
    rights: frozenset[str],
    *,
    waiting: dict[str, int],
    now: int,
    over: bool = False,
) -> list[Incident]:
    """The incidents that somebody with `rights` may see; those that are over only if `over`.

    `waiting` has since when the oldest enqueued workflow of each queue waits (epoch ms).
    """
    found = fleet_incidents(session, viewer, now)
    if "queues" in rights:
        found += queue_incidents(session, waiting, viewer, now)
    if "schedules" in rights:
        found += missed_schedules(session, viewer)
    found = _decided(found, now)
    found += failure_incidents(session, viewer, now, payload="payload" in rights)
    return [each for each in found if over or not each.is_over]


def incident_of(
    session: Session, viewer: Viewer, rights: frozenset[str], kind: str, key: str, now: int
) -> Incident | None:
    """One incident that somebody may see, from the reads of its kind alone."""
    found: list[Incident] = []
    if kind in ("executor", "version", "recovery"):
        found = fleet_incidents(session, viewer, now)
    elif kind == "failure":
        found = failure_incidents(session, viewer, now, payload="payload" in rights)
    elif kind == "queue" and "queues" in rights:
        found = queue_incidents(session, waiting_since(session, viewer), viewer, now)
    elif kind == "schedule" and "schedules" in rights:
        found = missed_schedules(session, viewer)
    named = [each for each in found if (each.kind.token, each.key) == (kind, key)]
    return next(iter(named if kind == "failure" else _decided(named, now)), None)


def _decided(found: list[Incident], now: int) -> list[Incident]:
    known = decisions((each.kind.token, each.key) for each in found)
    return [each.decided(known.get((each.kind.token, each.key), UNDECIDED), now) for each in found]


def fleet_incidents(session: Session, viewer: Viewer, now: int) -> list[Incident]:
    """The incidents of executors and versions, and the recovery loops."""
    fleet = executor_overview(session, viewer, now=now, published=False)
    loops = recovered_repeatedly(session, viewer) if fleet.most_attempts >= MANY_ATTEMPTS else ()
    return [*dead_executors(fleet, now), *unserved_versions(fleet), *recovery_loops(loops)]
