"""Totals from rollups that no index provides: succeeded workflows, and all workflow names."""

from __future__ import annotations

from django.db import connections
from django.db.models import Sum

from dboshub.workflows.models import RolledSpan, Rollup
from dboshub.workflows.models.rollups import HOUR, MINUTE
from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.rollups.series import counted_until, visible
from dboshub.workflows.selectors.counts import Count, counts, first_of_many
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.storage.sql import Session

COUNTS_S, CACHE_S = 2, 60
MAX_NAMES = 200

# A skip scan: each step of the recursion reads one entry of the index on names.
NAMES = """
    WITH RECURSIVE known(name, place) AS (
        SELECT (SELECT MIN(name) FROM dboshub_rollup WHERE name > ''), 1
        UNION ALL
        SELECT (SELECT MIN(name) FROM dboshub_rollup WHERE name > known.name), place + 1
        FROM known
        WHERE known.name IS NOT NULL AND place < %s
    )
    SELECT name FROM known WHERE name IS NOT NULL
"""


def shared_counts(session: Session, viewer: Viewer) -> dict[str, Count]:
    """The number of workflows by status, read every COUNTS_S for all viewers of one scope."""
    key = f"counts-{viewer.key}"
    found = page_cache().get_or_set(key, lambda: all_counts(session, viewer=viewer), COUNTS_S)
    return found or {}


def all_counts(session: Session, *, viewer: Viewer = EVERYTHING) -> dict[str, Count]:
    """The number of workflows by status. A large number of SUCCESS comes from the rollups."""
    total = _succeeded(session, viewer)
    if total is not None and total.is_about:
        return counts(session, viewer=viewer, with_succeeded=False) | {"SUCCESS": total}
    found = counts(session, viewer=viewer)
    if total is not None and total.number > found["SUCCESS"].number:
        found["SUCCESS"] = total
    return found


def names(viewer: Viewer) -> list[str]:
    """The first counted names in order; none for viewers of only some applications."""
    if viewer.applications is not None:
        return []
    with connections[Rollup.objects.db].cursor() as cursor:
        cursor.execute(NAMES, [MAX_NAMES])
        return [name for (name,) in cursor.fetchall()]


def _succeeded(session: Session, viewer: Viewer) -> Count | None:
    """Workflows that succeeded since the oldest row was created, cached for CACHE_S; None if the
    newest rows are all there are, or nothing was counted.

    The number is approximate: it includes workflows that were deleted or run again since.
    """
    key = f"succeeded-{viewer.key}"
    # Within a tuple: that there is none is remembered, too.
    known: tuple[Count | None] | None = page_cache().get(key)
    if known is None:
        known = (_sum(session, viewer),)
        page_cache().set(key, known, CACHE_S)
    return known[0]


def _sum(session: Session, viewer: Viewer) -> Count | None:
    first = first_of_many(session)
    until = None if first is None else counted_until()
    if first is None or until is None:
        return None
    since = {"width__in": (MINUTE, HOUR), "at__gte": first // HOUR * HOUR}
    rows = visible(Rollup.objects.filter(**since, scope="all"), viewer)
    total = rows.aggregate(total=Sum("succeeded"))["total"] or 0
    covered = RolledSpan.objects.filter(**since).aggregate(total=Sum("covered"))["total"] or 0
    # The first hour is counted completely, although the oldest row lies within it.
    is_whole = covered >= (until - first) // MINUTE
    return Count(int(total), at_least=not is_whole, is_about=is_whole)
