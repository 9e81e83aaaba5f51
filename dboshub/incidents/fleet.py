"""Incidents of executors and versions: who died, what nobody runs, what starts over and over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.urls import reverse

from dboshub.incidents.incident import KINDS, Incident, Remedy, rows_query, times
from dboshub.workflows.models.rollups import HOUR
from dboshub.workflows.rendering.time_format import relative
from dboshub.workflows.search.parser import exactly
from dboshub.workflows.selectors.executor_overview import ExecutorOverview, Process, Version
from dboshub.workflows.selectors.failures.works import State
from dboshub.workflows.selectors.workflow_health import RepeatedRecovery

# How long the death of an executor is reported.
DEATH_WITHIN_MS = 24 * HOUR


def dead_executors(fleet: ExecutorOverview, now: int) -> Iterator[Incident]:
    """Executors that are silent, or that died lately and did not stop by themselves."""
    # Of more running workflows than are read, some may be held by it.
    is_cut = any(each.counts["PENDING"].at_least for each in fleet.versions)
    for each in fleet.processes or ():
        is_silent = each.is_live and not each.executor.is_beating
        ended = each.ended_at if not each.stopped_at else None
        if is_silent or (ended and now - ended < DEATH_WITHIN_MS):
            yield _dead(each, _replacement(each, fleet), now, is_cut=is_cut)


def _dead(dead: Process, other: Process | None, now: int, *, is_cut: bool) -> Incident:
    known = dead.executor
    heard = relative(known.last_beat_at, now)
    said = f"{'is silent' if dead.is_live else 'died'}, last heartbeat {heard} on {known.host}"
    over = not dead.is_live and not dead.pending_count and other is not None and not is_cut
    if dead.pending_count:
        said += f" and holds {dead.pending_count:,}"
    elif over and other is not None:
        said += f"; {other.executor.executor_id} on {other.executor.host} goes on"
    elif not dead.is_live:
        said += "; no other executor of its application lives"
    query = rows_query(executor=exactly(known.executor_id), status="PENDING")
    adopt = reverse("dboshub:workflows:steer", args=["adopt", known.executor_id])
    return Incident(
        KINDS["executor"],
        known.incarnation,
        known.executor_id,
        said,
        State.RESOLVED if over else State.OPEN,
        known.executor_id,
        query=query if dead.pending_count else "",
        affected=dead.pending_count,
        first_at=known.last_beat_at,
        last_at=dead.ended_at or known.last_beat_at,
        application=known.application,
        versions=(known.version,) if known.version else (),
        remedy=Remedy("Adopt its work…", "rotate-ccw", f"{adopt}?app={known.application or ''}")
        if dead.pending_count
        else None,
    )


def _replacement(dead: Process, fleet: ExecutorOverview) -> Process | None:
    """A live executor of the same application, at best of the same id or version."""
    alive = (each for each in fleet.of(live=True) if each.executor.is_beating)
    own = [each for each in alive if each.executor.application == dead.executor.application]
    same = [
        each
        for each in own
        if each.executor.executor_id == dead.executor.executor_id
        or each.executor.version == dead.executor.version
    ]
    return next(iter([*same, *own]), None)


def unserved_versions(fleet: ExecutorOverview) -> Iterator[Incident]:
    """Versions with work in flight that no live executor has, and latest versions that are dead.

    Versions of other programs are left out: their executors send no heartbeat.
    """
    foreign = {each.version for each in fleet.holders if not each.is_ours}
    beating = {
        each.executor.application for each in fleet.of(live=True) if each.executor.is_beating
    }
    unnamed = next((each for each in fleet.versions if each.name is None), None)
    for each in fleet.versions if fleet.processes else ():
        if not each.name or each.executors or each.name in foreign:
            continue
        waits = each.is_latest and unnamed and _may_run(each, unnamed)
        waiting = unnamed.in_flight if waits and unnamed else 0
        if each.is_latest and (waiting or each.application in beating):
            yield _version(each, each.in_flight + waiting, _latest_problem(each, waiting))
        elif each.in_flight:
            said = f"holds {each.in_flight:,} in flight, and no live executor has it"
            yield _version(each, each.in_flight, said)


def _may_run(version: Version, unnamed: Version) -> bool:
    return None in (version.application, unnamed.application) or (
        version.application == unnamed.application
    )


def _latest_problem(version: Version, waiting: int) -> str:
    said = "is the latest version, and no live executor has it"
    if waiting:
        said += f": {waiting:,} in flight name no version and wait for it"
    return said + (f"; it holds {version.in_flight:,} itself" if version.in_flight else "")


def _version(version: Version, affected: int, problem: str) -> Incident:
    name = version.name or ""
    return Incident(
        KINDS["version"],
        name,
        name,
        problem,
        State.OPEN,
        name,
        query=rows_query(
            version=[exactly(name), *(["-"] if version.is_latest else [])], status="in_flight"
        ),
        affected=affected,
        first_at=version.created_at,
        application=version.application,
        versions=(name,),
        remedy=Remedy(
            "Promote another version…", "arrow-up", reverse("dboshub:workflows:executors")
        )
        if version.is_latest
        else None,
    )


def recovery_loops(found: Iterable[RepeatedRecovery]) -> Iterator[Incident]:
    for each in found:
        row = each.row
        yield Incident(
            KINDS["recovery"],
            row.pk,
            row.name or row.pk,
            f"was recovered {times(each.recoveries)} and has not ended: {row.pk}",
            State.OPEN,
            row.pk,
            query=rows_query(id=exactly(row.pk)),
            affected=1,
            first_at=row.created_at,
            last_at=row.updated_at,
            application=row.application_name,
            versions=(row.application_version,) if row.application_version else (),
            remedy=Remedy(
                "Cancel it…", "ban", reverse("dboshub:workflows:do", args=["cancel", row.pk])
            ),
        )
