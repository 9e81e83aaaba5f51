"""View models of queues: limits as text, and how much of each is used."""

from __future__ import annotations

from dataclasses import dataclass

from dboshub.queues.engine.settings import QueueSettings, RateLimit
from dboshub.queues.selectors.overview import QueueFacts
from dboshub.workflows.rendering.reason import Reason
from dboshub.workflows.selectors.counts import Count


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


def show(facts: QueueFacts, reason: Reason | None = None) -> QueueView:
    settings = facts.settings
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
