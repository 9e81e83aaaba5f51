"""Counts the workflows of time spans from the system tables, along two time indexes.

The result is bounded: in a span with more than MAX_SERIES names, the smallest are counted
together as the rest, and so are those that no index holds. Of queues, such are left out.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dboshub.workflows.models import Rollup
from dboshub.workflows.models.rollups import MAX_COUNT, MAX_NAME_LENGTH
from dboshub.workflows.rollups.histogram import bucket_sql, stored
from dboshub.workflows.storage.sql import Session, Statement

# Names, and queues, that are counted separately in one span.
MAX_SERIES = 500
OUTCOMES = {
    "CREATED": "created",
    "SUCCESS": "succeeded",
    "ERROR": "failed",
    "CANCELLED": "cancelled",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "gave_up",
}

# `run` is set if the workflow ended by itself, `wait` if it was dequeued. A delayed workflow waits
# from its due time; a due time after its start is of a later wait. In floating point: a row may
# hold times whose difference no integer is. The moment is one of the span's, though on SQLite it
# may be no integer.
COUNTED = f"""
WITH events AS (
    SELECT created_at AS moment, application_name, name, queue_name, 'CREATED' AS kind,
        CAST(NULL AS double precision) AS run, CAST(NULL AS double precision) AS wait
    FROM {{workflow_status}}
    WHERE created_at >= :since AND created_at < :until
    UNION ALL
    SELECT completed_at, application_name, name, queue_name, status,
        CASE WHEN status IN ('SUCCESS', 'ERROR')
            THEN completed_at - CAST(COALESCE(started_at_epoch_ms, created_at)
                AS double precision) END,
        CASE WHEN queue_name IS NOT NULL THEN CAST(started_at_epoch_ms AS double precision)
            - CASE WHEN delay_until_epoch_ms > created_at
                AND delay_until_epoch_ms <= started_at_epoch_ms THEN delay_until_epoch_ms
                ELSE created_at END END
    FROM {{workflow_status}}
    WHERE completed_at IS NOT NULL AND completed_at >= :since AND completed_at < :until
), counted AS (
    SELECT CAST(moment AS bigint) / :width * :width AS at,
        COALESCE(application_name, '') AS application,
        COALESCE(name, '') AS name, COALESCE(queue_name, '') AS queue, kind,
        {bucket_sql("run")} AS run, {bucket_sql("wait")} AS wait, COUNT(*) AS number
    FROM events
    GROUP BY 1, 2, 3, 4, 5, 6, 7
), names AS (
    SELECT at, application, name, ROW_NUMBER() OVER (
        PARTITION BY at ORDER BY SUM(number) DESC, application, name
    ) AS place
    FROM counted
    GROUP BY at, application, name
), queues AS (
    SELECT at, application, queue, ROW_NUMBER() OVER (
        PARTITION BY at ORDER BY SUM(number) DESC, application, queue
    ) AS place
    FROM counted
    WHERE queue <> '' AND LENGTH(queue) <= {MAX_NAME_LENGTH}
    GROUP BY at, application, queue
), named AS (
    SELECT counted.*, place <= :series AND LENGTH(counted.name) <= {MAX_NAME_LENGTH} AS is_one
    FROM counted
    JOIN names ON names.at = counted.at AND names.application = counted.application
        AND names.name = counted.name
), placed AS (
    SELECT at, application, kind, run, wait, number,
        CASE WHEN is_one THEN 'one' ELSE 'rest' END AS scope,
        CASE WHEN is_one THEN name ELSE '' END AS name, '' AS queue
    FROM named
    UNION ALL
    SELECT counted.at, counted.application, kind, run, wait, number, 'queue', '', counted.queue
    FROM counted
    JOIN queues ON queues.at = counted.at AND queues.application = counted.application
        AND queues.queue = counted.queue AND place <= :series
)
"""
ANSWER = Statement(
    COUNTED
    + """
SELECT at, scope, application, name, queue, kind, run, CAST(NULL AS bigint), SUM(number)
FROM placed GROUP BY at, scope, application, name, queue, kind, run
UNION ALL
SELECT at, scope, application, name, queue, '', CAST(NULL AS bigint), wait, SUM(number)
FROM placed WHERE wait IS NOT NULL GROUP BY at, scope, application, name, queue, wait
"""
)

# Read from the indexes alone; the values change when a row enters or leaves a span.
_FINGERPRINT = """
    SELECT CAST(MOMENT AS bigint) / :width * :width AS at, 'MOMENT', COUNT(*),
        SUM(MOMENT - CAST(MOMENT AS bigint) / :width * :width)
    FROM {workflow_status}
    WHERE MOMENT IS NOT NULL AND MOMENT >= :since AND MOMENT < :until
    GROUP BY 1
"""
FINGERPRINTS = Statement(
    f"{_FINGERPRINT.replace('MOMENT', 'created_at')} UNION ALL"
    f" {_FINGERPRINT.replace('MOMENT', 'completed_at')}"
)

Key = tuple[str, str, str, str]


@dataclass(slots=True)
class Tally:
    """The counts of one series: outcomes by field name, and two histograms of durations."""

    outcomes: Counter[str] = field(default_factory=Counter)
    run: Counter[int] = field(default_factory=Counter)
    wait: Counter[int] = field(default_factory=Counter)

    def add(self, kind: str, run: int | None, wait: int | None, number: int) -> None:
        if kind in OUTCOMES:
            self.outcomes[OUTCOMES[kind]] += number
        if run is not None:
            self.run[run] += number
        if wait is not None:
            self.wait[wait] += number

    def columns(self) -> dict[str, Any]:
        counts = {name: _within(self.outcomes[name]) for name in OUTCOMES.values()}
        return counts | {"run": stored(self.run), "wait": stored(self.wait)}


def _within(number: int) -> int:
    """As a column holds it."""
    return max(-MAX_COUNT, min(number, MAX_COUNT))


Tallies = dict[Key, Tally]


@dataclass(frozen=True, slots=True)
class Counted:
    """The counts of one span and its fingerprint when it was counted."""

    fingerprint: str
    tallies: Tallies


def fingerprints(session: Session, since: int, until: int, *, width: int) -> dict[int, str]:
    """A short text per span; while it is unchanged, `count` gives the same result."""
    found: dict[int, list[str]] = {at: [] for at in range(since, until, width)}
    for at, moment, number, total in session.all(
        FINGERPRINTS, since=since, until=until, width=width
    ):
        found[at].append(f"{moment} {number} {total}")
    return {
        at: hashlib.blake2b("\n".join(sorted(parts)).encode(), digest_size=12).hexdigest()
        for at, parts in found.items()
    }


def recount(
    session: Session, since: int, until: int, *, width: int, known: Mapping[int, str]
) -> dict[int, Counted]:
    """Count the spans whose fingerprint differs from the `known` one. Times are epoch ms."""
    # Fingerprints first: a row that is committed in between is counted again next time.
    seen = fingerprints(session, since, until, width=width)
    changed = [at for at, fingerprint in seen.items() if known.get(at) != fingerprint]
    found: dict[int, Counted] = {}
    for start, end in _joined(changed, width):
        counted = count(session, start, end, width=width)
        found |= {at: Counted(seen[at], tallies) for at, tallies in counted.items()}
    return found


def count(session: Session, since: int, until: int, *, width: int) -> dict[int, Tallies]:
    """The tallies of each span of `width` ms from `since` to `until`, which are span boundaries.

    A key is (scope, application, name, queue). A span without workflows has no tallies.
    """
    found: dict[int, Tallies] = {at: {} for at in range(since, until, width)}
    rows = session.all(ANSWER, since=since, until=until, width=width, series=MAX_SERIES)
    for at, scope, application, name, queue, kind, run, wait, number in rows:
        keys: list[Key] = [(scope, application, name, queue)]
        # Each workflow has a name, or belongs to the rest of them; not each has a queue.
        if scope != Rollup.Scope.QUEUE:
            keys.append((Rollup.Scope.ALL.value, application, "", ""))
        for key in keys:
            found[at].setdefault(key, Tally()).add(kind, run, wait, int(number))
    return found


def _joined(spans: list[int], width: int) -> list[tuple[int, int]]:
    """Join adjacent spans, given in ascending order, to (start, end) pairs."""
    found: list[tuple[int, int]] = []
    for at in spans:
        if found and found[-1][1] == at:
            found[-1] = found[-1][0], at + width
        else:
            found.append((at, at + width))
    return found
