"""View models of queues: limits as text, and how much of each is used."""

from __future__ import annotations

from dataclasses import dataclass

from dboshub.queues.engine.settings import QueueSettings, RateLimit
from dboshub.queues.selectors.overview import QueueFacts
from dboshub.workflows.rendering.status_reasons import (
    Reason,
    concurrency_reached,
    paused,
    rate_reached,
    waiting,
)
from dboshub.workflows.selectors.counts import Count
from dboshub.workflows.selectors.rows import WorkflowRow


@dataclass(frozen=True, slots=True)
class Use:
    """The usage of one limit, as numbers and in percent for a bar."""

    label: str
    used: Count
    most: int

    @property
    def percent(self) -> int:
        return 100 if self.most <= 0 else min(100, round(100 * self.used.number / self.most))

    @property
    def is_full(self) -> bool:
        return self.used.number >= self.most


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue as pages show it; `reason` says why its next workflow has not started."""

    facts: QueueFacts
    limits: tuple[str, ...]
    uses: tuple[Use, ...]
    reason: Reason | None

    @property
    def name(self) -> str:
        return self.facts.name

    @property
    def is_paused(self) -> bool:
        return self.facts.pause is not None


def show(facts: QueueFacts) -> QueueView:
    settings = facts.settings
    reason = _reason(facts, facts.head) if facts.head else None
    if settings is None:
        return QueueView(facts, (), (), reason)
    return QueueView(facts, tuple(_limits(settings)), tuple(_uses(facts, settings)), reason)


def _limits(settings: QueueSettings) -> list[str]:
    """Every limit that is set, as text."""
    counts = {
        "{} at once": settings.concurrency,
        "{} per executor": settings.worker_concurrency,
        "{} per partition": settings.partition_concurrency,
        "{} per partition and executor": settings.partition_worker_concurrency,
    }
    words = [text.format(f"{most:,}") for text, most in counts.items() if most is not None]
    rates = {"": settings.limiter, " per partition": settings.partition_limiter}
    return words + [_rate(each) + of for of, each in rates.items() if each is not None]


def _uses(facts: QueueFacts, settings: QueueSettings) -> list[Use]:
    """The usage of limits that all executors share; others cannot be counted."""
    uses = []
    if settings.concurrency is not None:
        uses.append(Use("places taken", facts.depth.running, settings.concurrency))
    each = settings.worker_concurrency
    if settings.concurrency is None and each is not None and facts.servers:
        uses.append(Use("places taken", facts.depth.running, each * len(facts.servers)))
    rate = settings.limiter
    if rate is not None:
        label = f"starts in {rate.period:g} s"
        uses.append(Use(label, facts.depth.started, rate.limit))
    return uses


def _rate(limiter: RateLimit) -> str:
    starts = "1 start" if limiter.limit == 1 else f"{limiter.limit:,} starts"
    return f"{starts} in {limiter.period:g} s"


def _reason(facts: QueueFacts, head: WorkflowRow) -> Reason:
    """Why the next workflow of a queue has not started."""
    settings = facts.settings
    if facts.pause is not None:
        return paused(head, facts.pause.reason)
    if settings is None and not facts.is_internal:
        return Reason(
            "No application has registered this queue, so no worker takes from it.",
            advice="Register it (DBOS.register_queue), or resume the work onto another queue.",
            is_trouble=True,
        )
    if settings is not None and settings.partitioned and head.queue_partition_key is None:
        return Reason(
            "Next in line has no partition key, and this queue runs only work that has one.",
            advice="Resume it onto another queue, or lift the partition limits.",
            is_trouble=True,
        )
    return waiting(head, facts.executors, limit=_reached_limit(facts))


def _reached_limit(facts: QueueFacts) -> str:
    """Which limit is reached, as the end of a sentence; empty if none is known to be."""
    settings, running = facts.settings, facts.depth.running.number
    if settings is None:
        return ""
    if 0 in (settings.concurrency, settings.worker_concurrency):
        return "its concurrency is 0, so nothing starts until that is raised"
    if settings.concurrency is not None and running >= settings.concurrency:
        return concurrency_reached(settings.concurrency)
    rate = settings.limiter
    if rate is not None and facts.depth.started.number >= rate.limit:
        return rate_reached(rate.limit, rate.period)
    each, servers = settings.worker_concurrency, facts.servers
    if each is not None and servers and running >= each * len(servers):
        workers = "its executor runs" if len(servers) == 1 else f"its {len(servers)} executors run"
        return f"{workers} the {each:,} that one may at a time"
    return ""
