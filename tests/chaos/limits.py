"""Whether a queue's limits held at every instant, by what the steps themselves noted.

An execution counts while a step of it runs: between steps a process that was cut off waits for
the database, and somebody else may have its work by then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from tests.chaos.accounts import Account, Row, Run
from tests.chaos.names import PERIOD_S, QUEUES, QueueLimits

Group = Callable[[Row, Run], object]


def exceeded(seen: Account) -> Iterator[str]:
    for queue in QUEUES:
        for limit, group in (
            (queue.concurrency, lambda row, run: "all"),
            (queue.worker_concurrency, lambda row, run: run.pid),
            (queue.partition_concurrency, lambda row, run: row.partition),
        ):
            if limit is not None:
                yield from _too_many(seen, queue, limit, group)
        if queue.starts is not None:
            yield from _too_fast(seen, queue.name, queue.starts)


def _too_many(seen: Account, queue: QueueLimits, limit: int, group: Group) -> Iterator[str]:
    changes: dict[object, list[tuple[float, int, str]]] = defaultdict(list)
    for (workflow, _), step in seen.steps.items():
        row = seen.rows[workflow]
        if row.queue != queue.name:
            continue
        for run in step.runs:
            if run.until is not None:
                changes[group(row, run)] += [(run.began, 1, workflow), (run.until, -1, workflow)]
    for key, of_group in changes.items():
        running: list[str] = []
        for at, change, workflow in sorted(of_group):
            if change < 0:
                running.remove(workflow)
                continue
            running.append(workflow)
            if len(set(running)) > limit:
                yield f"{queue.name} ({key}) ran {running} at {at:.3f}"


def _too_fast(seen: Account, queue: str, limit: int) -> Iterator[str]:
    """By the rows exactly; by the steps as exactly as a claim becomes a step."""
    rows = [row for row in seen.rows.values() if row.queue == queue]
    claimed = (row.started_at for row in rows if row.started_at is not None)
    yield from _crowded(queue, claimed, limit)
    ids = {row.id for row in rows}
    first = (
        step.runs[0].began for (id, number), step in seen.steps.items() if id in ids and number == 1
    )
    yield from _crowded(queue, first, 2 * limit)


def _crowded(queue: str, times: Iterable[float], limit: int) -> Iterator[str]:
    ordered = sorted(times)
    for before, after in zip(ordered, ordered[limit:], strict=False):
        if after - before < PERIOD_S:
            yield f"{queue}: more than {limit} starts between {before:.3f} and {after:.3f}"
