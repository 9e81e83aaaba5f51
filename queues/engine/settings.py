"""The settings of a queue, as in its row of ``queues``, and their validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

from dboshub.workflows.engine.records import INTERNAL_QUEUE, RESERVED_PREFIX

MAX_PERIOD_MS = 10**15  # more than any clock; sums with times still fit
DEFAULT_POLLING_S, SHORTEST_POLLING_S = 1.0, 0.001


class QueueRateLimit(TypedDict):
    """At most `limit` starts in any `period` seconds."""

    limit: int
    period: float


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `limit` starts in any `period` seconds."""

    limit: int
    period: float

    @classmethod
    def of(
        cls, given: QueueRateLimit | RateLimit | None, name: str = "limiter"
    ) -> RateLimit | None:
        """Read the public form, a dict. Raises ValueError, which has `name`, if it lacks a key."""
        if given is None or isinstance(given, cls):
            return given
        if not isinstance(given, dict) or {"limit", "period"} - given.keys():
            raise ValueError(f"{name} must specify both 'limit' and 'period'")
        return cls(int(given["limit"]), float(given["period"]))

    @classmethod
    def of_columns(cls, limit: int | None, period: float | None) -> RateLimit | None:
        """Read the two columns of a row; None unless both are set."""
        return None if limit is None or period is None else cls(limit, float(period))

    @property
    def period_ms(self) -> int:
        """At most MAX_PERIOD_MS; 0 for what is no period, though a row holds it."""
        if not self.period > 0:
            return 0
        return round(min(self.period * 1000, MAX_PERIOD_MS))

    def public(self) -> QueueRateLimit:
        return {"limit": self.limit, "period": self.period}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """The settings of one queue. None means no limit."""

    name: str
    concurrency: int | None = None
    worker_concurrency: int | None = None
    limiter: RateLimit | None = None
    partition_concurrency: int | None = None
    partition_worker_concurrency: int | None = None
    partition_limiter: RateLimit | None = None
    polling_interval_sec: float = DEFAULT_POLLING_S
    application_name: str | None = None

    @property
    def partitioned(self) -> bool:
        """Whether only workflows with a partition key are executed."""
        return (
            self.partition_concurrency is not None
            or self.partition_worker_concurrency is not None
            or self.partition_limiter is not None
        )

    @property
    def has_shared_limits(self) -> bool:
        """Whether a limit depends on the claims of other processes, so that claims need a lock."""
        return self.concurrency is not None or self.limiter is not None or self.partitioned

    @property
    def has_limits(self) -> bool:
        """Whether a limit counts the workflows that run, here or anywhere."""
        return self.has_shared_limits or self.worker_concurrency is not None

    @property
    def has_worker_limits(self) -> bool:
        """Whether a limit counts what runs in the claiming process."""
        return self.worker_concurrency is not None or self.partition_worker_concurrency is not None

    @property
    def rate_limited(self) -> bool:
        return self.limiter is not None or self.partition_limiter is not None

    def validate(self, *, is_change: bool = False) -> QueueSettings:
        """Raise ValueError for settings that no queue may have; return self.

        It has the words of the dbos library, which are others for the change of one setting.
        """
        self._validate_name()
        for field in _MINIMUM:
            self._validate_count(field)
        for limiter in (self.limiter, self.partition_limiter):
            if limiter is not None and (limiter.limit < 0 or not limiter.period > 0):
                raise ValueError("a limiter needs a limit of 0 or more and a positive period")
        for larger, smaller in _BOUNDS:
            upper, lower = getattr(self, larger), getattr(self, smaller)
            if upper is not None and lower is not None and lower > upper:
                called = larger if smaller != "partition_concurrency" else "global_concurrency"
                if is_change:
                    raise ValueError(f"{smaller} must be less than or equal to {called}")
                raise ValueError(f"{called} must be greater than or equal to {smaller}")
        if self.polling_interval_sec <= 0:
            raise ValueError("polling_interval_sec must be positive")
        return self

    def _validate_name(self) -> None:
        name = self.name
        if not isinstance(name, str) or not name.strip() or "\x00" in name:
            raise ValueError(f"{name!r} cannot be the name of a queue: give text, not blank")
        if name.startswith(RESERVED_PREFIX):
            raise ValueError(
                f"Queue name {name} is reserved: names starting with "
                f"{RESERVED_PREFIX!r} belong to DBOS's internal queues."
            )

    def _validate_count(self, field: str) -> None:
        value, minimum = getattr(self, field), _MINIMUM[field]
        if value is not None and (type(value) is not int or value < minimum):
            raise ValueError(f"{field} must be at least {minimum}")

    def columns(self) -> dict[str, Any]:
        """The values of this queue's row, by column."""
        limiter, partition_limiter = self.limiter, self.partition_limiter
        return {
            "name": self.name,
            "concurrency": self.concurrency,
            "worker_concurrency": self.worker_concurrency,
            "rate_limit_max": limiter.limit if limiter else None,
            "rate_limit_period_sec": limiter.period if limiter else None,
            "partition_queue": self.partitioned,
            "partition_concurrency": self.partition_concurrency,
            "partition_worker_concurrency": self.partition_worker_concurrency,
            "partition_rate_limit_max": partition_limiter.limit if partition_limiter else None,
            "partition_rate_limit_period_sec": (
                partition_limiter.period if partition_limiter else None
            ),
            "polling_interval_sec": self.polling_interval_sec,
        }


# 0 stops a queue. A partition with 0 would hold its workflows for ever.
_MINIMUM = {
    "concurrency": 0,
    "worker_concurrency": 0,
    "partition_concurrency": 1,
    "partition_worker_concurrency": 1,
}
_BOUNDS = (
    ("concurrency", "worker_concurrency"),
    ("concurrency", "partition_concurrency"),
    ("partition_concurrency", "partition_worker_concurrency"),
    ("worker_concurrency", "partition_worker_concurrency"),
    ("concurrency", "partition_worker_concurrency"),
)

# Resume, fork and recovery enqueue here. It has no row and no limits.
INTERNAL = QueueSettings(name=INTERNAL_QUEUE)
