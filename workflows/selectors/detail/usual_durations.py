"""How long the runs of a name usually take, and their steps: percentiles of a bounded sample.

The sample is the newest successful runs of the name and application, found within BUDGET_S, and
MAX_STEPS steps of each. It is cached for CACHE_S.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2s

from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.search.criteria import Criteria
from dboshub.workflows.selectors.detail.steps import SLEEP
from dboshub.workflows.selectors.keyset.pages import WorkflowPager
from dboshub.workflows.selectors.percentile import percentile
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session, Statement
from dboshub.workflows.storage.stored_values import LARGEST, SMALLEST

MAX_RUNS = 50
MAX_STEPS = 100
BUDGET_S, CACHE_S = 0.05, 60
# With fewer durations, percentiles tell nothing.
MIN_COUNT = 5
# From this number on, it is notable that one is longer than p95.
MANY = 20

# Step ids are dense, so a range of ids bounds the rows.
DURATIONS = Statement(f"""
    SELECT function_name, started_at_epoch_ms, completed_at_epoch_ms
    FROM {{operation_outputs}}
    WHERE workflow_uuid = ANY(:ids) AND function_id >= :first AND function_id < :end
        AND error IS NULL AND child_workflow_id IS NULL AND function_name <> '{SLEEP}'
        AND completed_at_epoch_ms >= started_at_epoch_ms
    LIMIT :rows
""")


@dataclass(frozen=True, slots=True)
class Usual:
    """The durations (ms) that half and 95 % of `count` recorded ones do not exceed."""

    p50: int
    p95: int
    count: int

    def is_exceeded_by(self, duration_ms: int) -> bool:
        """Whether a duration is longer than 95 % of many others."""
        return self.count >= MANY and duration_ms > self.p95


@dataclass(frozen=True, slots=True)
class UsualDurations:
    """Of a whole run, and of each step by its name; `runs` is the size of the sample."""

    runs: int = 0
    whole: Usual | None = None
    steps: Mapping[str, Usual] = field(default_factory=dict)


def usual_durations(session: Session, row: WorkflowRow, first: int) -> UsualDurations:
    """The usual durations beside the steps of a workflow from step id `first` on."""
    key = f"usual-{_digest(row.name, row.application_name)}-{first // MAX_STEPS}"
    found: UsualDurations | None = page_cache().get(key)
    if found is None:
        found = _sampled(session, row, first // MAX_STEPS * MAX_STEPS)
        page_cache().set(key, found, CACHE_S)
    return found


def _sampled(session: Session, row: WorkflowRow, first: int) -> UsualDurations:
    texts = tuple(
        (key, "-" if value is None else f"={value}")
        for key, value in (("name", row.name), ("app", row.application_name))
    )
    criteria = Criteria(statuses=("SUCCESS",), texts=texts, internal=True)
    runs = WorkflowPager(session, criteria, size=MAX_RUNS, budget_s=BUDGET_S).first().rows
    if not runs:
        return UsualDurations()
    durations: dict[str, list[int]] = defaultdict(list)
    for name, started, completed in session.all(
        DURATIONS,
        ids=session.ids(run.pk for run in runs),
        first=max(first, SMALLEST),
        end=min(first + MAX_STEPS, LARGEST),
        rows=MAX_RUNS * MAX_STEPS,
    ):
        durations[name].append(completed - started)
    steps = {name: usual for name, each in durations.items() if (usual := _usual(each))}
    whole = _usual([run.duration_ms for run in runs if run.duration_ms is not None])
    return UsualDurations(len(runs), whole, steps)


def _usual(durations: list[int]) -> Usual | None:
    durations.sort()
    if len(durations) < MIN_COUNT:
        return None
    return Usual(percentile(durations, 0.5), percentile(durations, 0.95), len(durations))


def _digest(name: str | None, application: str | None) -> str:
    """Names may have any characters, which keys of caches may not."""
    return blake2s(repr((name, application)).encode(errors="backslashreplace")).hexdigest()
