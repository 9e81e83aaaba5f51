"""What of its queue keeps a workflow from a claim: registration, pause, partition and limits."""

from __future__ import annotations

from collections.abc import Iterator

from dboshub.queues.engine.limits import left, partition_left
from dboshub.queues.engine.settings import QueueSettings, RateLimit
from dboshub.queues.why_not import remedies
from dboshub.queues.why_not.standing import Standing
from dboshub.workflows.rendering.reason import Blocker, Thing
from dboshub.workflows.selectors.rows import WorkflowRow


def queue_blockers(standing: Standing) -> Iterator[Blocker]:
    """What holds whichever executor claims, and whatever runs."""
    row, settings = standing.row, standing.settings
    if row.queue_name is None:
        yield Blocker("no_queue", "it is on no queue", (), (remedies.past_limits(row),))
    elif settings is None:
        text = f"nobody has registered the queue {row.queue_name}, so no worker takes from it"
        lifts = (remedies.register_queue(row.queue_name), remedies.other_queue(row))
        yield Blocker("queue_not_registered", text, (), lifts)
    if standing.pause is not None:
        yield paused(row, standing.pause.reason)
    if settings is not None and settings.application_name not in (None, standing.owner):
        text = f"only the application {settings.application_name} serves the queue {settings.name}"
        yield Blocker("queue_of_other_application", text, (), (remedies.other_queue(row),))
    if settings is not None and settings.partitioned and row.queue_partition_key is None:
        text = f"it has no partition key, and the queue {settings.name} runs only work that has one"
        yield Blocker("no_partition_key", text, (), (remedies.other_queue(row),))


def paused(row: WorkflowRow, why: str) -> Blocker:
    name = row.queue_name or ""
    because = f": {why.rstrip('.')}" if why else ""
    lifts = (remedies.resume_queue(name), remedies.past_limits(row))
    return Blocker("queue_paused", f"the queue {name} is paused{because}", (), lifts)


def limit_blockers(standing: Standing) -> Iterator[Blocker]:
    """The limits that are reached; those for each worker are rules of executors."""
    settings = standing.settings
    if settings is None or not standing.is_usage_known:
        return
    if settings.worker_concurrency is not None and settings.worker_concurrency <= 0:
        yield _reached(standing.row, settings, "worker_concurrency")
    for name, more in left(settings, standing.usage).items():
        if more <= 0:
            yield _reached(standing.row, settings, name)
    if settings.partitioned and standing.row.queue_partition_key is not None:
        shared = partition_left(settings, standing.partition_usage, 0)
        shared.pop("partition_worker_concurrency", None)
        for name, more in shared.items():
            if more <= 0:
                yield _reached(standing.row, settings, name)


def _reached(row: WorkflowRow, settings: QueueSettings, name: str) -> Blocker:
    limit = getattr(settings, name)
    is_partition = name.startswith("partition_")
    most = limit.limit if isinstance(limit, RateLimit) else limit
    lifts = (remedies.raise_limit(row, name), remedies.past_limits(row))
    things: tuple[Thing, ...] = ()
    if is_partition:
        things = (Thing("partition", row.queue_partition_key or ""),)
    if most <= 0:
        what = "rate" if isinstance(limit, RateLimit) else "concurrency"
        text = f"its {what} is {most}, so nothing starts until that is raised"
    elif isinstance(limit, RateLimit):
        of = "the rate of its partition," if is_partition else "its rate of"
        text = f"{of} {limit.limit:,} in {limit.period:g} s{',' if is_partition else ''} is used up"
    else:
        of = f"its partition {row.queue_partition_key}" if is_partition else "the queue"
        text = f"all {most:,} places of {of} are taken"
    return Blocker(name, text, things, lifts, is_trouble=most <= 0)
