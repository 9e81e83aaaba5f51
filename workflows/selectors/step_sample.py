"""The steps of all workflows that ended in a span: all of them, or an even sample.

The span is cut into PARTS equal parts; of each, the first MAX_PER_PART steps are read along the
index on the end of steps. What some parts leave, those with more steps get: up to MAX_STEPS in all.
No rollup counts steps, so this also works on a database that the hub only looks at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.selectors.detail.steps import SLEEP
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.id_lists import all_by_ids
from dboshub.workflows.storage.sql import Row, Session, Statement

PARTS, MAX_PER_PART = 40, 150
MAX_STEPS = PARTS * MAX_PER_PART
# The spans of the page, in ms.
SPANS = {"1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000}
CACHE_S = 20

COLUMNS = (
    "workflow_uuid, function_name, started_at_epoch_ms, completed_at_epoch_ms,"
    " CASE WHEN error IS NULL THEN 0 ELSE 1 END AS is_failed, child_workflow_id"
)
RUNS = Statement(
    "SELECT workflow_uuid, name, application_name, application_version FROM {workflow_status}"
    " WHERE workflow_uuid = ANY(:ids)"
)


@dataclass(frozen=True, slots=True)
class SampledStep:
    """A step that ended in part number `part`. `duration_ms` is None if it is not known."""

    part: int
    workflow: str | None
    version: str | None
    name: str
    duration_ms: int | None
    is_failed: bool


@dataclass(frozen=True, slots=True)
class StepSample:
    """The steps of a span that ends at `until` (epoch ms).

    `is_whole` tells whether these are all of them. Timers and the starts of children are left out,
    and so are the steps of `deleted` workflows.
    """

    steps: tuple[SampledStep, ...]
    since: int
    until: int
    is_whole: bool
    deleted: int


def step_sample(session: Session, viewer: Viewer, span_ms: int) -> StepSample:
    """The sample of the last `span_ms`, which all viewers of a scope share for CACHE_S."""
    key = f"steps-{span_ms}-{viewer.key}"
    found: StepSample | None = page_cache().get(key)
    if found is None:
        found = _read(session, viewer, span_ms)
        page_cache().set(key, found, CACHE_S)
    return found


def _read(session: Session, viewer: Viewer, span_ms: int) -> StepSample:
    width = span_ms // PARTS
    # The recorded end of a sleep lies in the future.
    until = database_now(session)
    since = until - width * PARTS
    starts = [since + part * width for part in range(PARTS + 1)]
    rows, is_whole = _rows(session, starts)
    runs = _runs(session, (row[1] for row in rows))
    found = [_step(row, runs) for row in rows if _is_measured(row) and row[1] in runs]
    seen = [step for application, step in found if viewer.may_see(application)]
    deleted = sum(row[1] not in runs for row in rows) if viewer.applications is None else 0
    return StepSample(tuple(seen), since, until, is_whole, deleted)


def _rows(session: Session, starts: Sequence[int]) -> tuple[list[Row], bool]:
    """The steps of the parts that begin at `starts`, and whether these are all."""
    most = [MAX_PER_PART] * PARTS
    rows = _parts(session, starts, most)
    read = Counter(row[0] for row in rows)
    full = [part for part, number in read.items() if number >= MAX_PER_PART]
    more = (MAX_STEPS - len(rows)) // len(full) if full else 0
    if not more:
        return rows, not full
    most = [MAX_PER_PART + more if part in full else 0 for part in range(PARTS)]
    again = _parts(session, starts, most)
    rows = [*(row for row in rows if row[0] not in full), *again]
    read = Counter(row[0] for row in again)
    return rows, all(number < most[part] for part, number in read.items())


def _parts(session: Session, starts: Sequence[int], most: Sequence[int]) -> list[Row]:
    """So many of the first steps of each part."""
    bounds = {f"at_{part}": at for part, at in enumerate(starts)}
    limits = {f"most_{part}": number for part, number in enumerate(most)}
    return session.all(_statement(), **bounds, **limits)


def _runs(session: Session, ids: Iterable[str]) -> dict[str, Row]:
    """Name, application and version of these workflows, by id."""
    return {row[0]: row[1:] for row in all_by_ids(session, RUNS, ids)}


def _step(row: Row, runs: dict[str, Row]) -> tuple[str | None, SampledStep]:
    part, workflow_id, name, started, completed, is_failed, _ = row
    workflow, application, version = runs[workflow_id]
    took = None if started is None or completed < started else completed - started
    return application, SampledStep(part, workflow, version, name, took, bool(is_failed))


def _is_measured(row: Row) -> bool:
    name, child = row[2], row[6]
    return name != SLEEP and (child is None or name.startswith("DBOS."))


@cache
def _statement() -> Statement:
    """One range of the index for each part; SQLite has no LATERAL."""
    parts = (
        f"SELECT * FROM (SELECT {part} AS part, {COLUMNS} FROM {{operation_outputs}}"
        f" WHERE completed_at_epoch_ms >= :at_{part} AND completed_at_epoch_ms < :at_{part + 1}"
        f" ORDER BY completed_at_epoch_ms LIMIT :most_{part}) AS part_{part}"
        for part in range(PARTS)
    )
    return Statement(" UNION ALL ".join(parts))
