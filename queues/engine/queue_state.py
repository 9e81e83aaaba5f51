"""The dispatcher's state of each queue: when a claim is worth a query, and how large it is."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

from dboshub.queues.engine.ports import Claim, Survey
from dboshub.queues.engine.settings import QueueSettings
from dboshub.workflows.engine.background import LoopFailures

MAX_CLAIM = 100  # rows in one claim: larger claims contend for the same rows
# After a claim that found nothing: other processes claim first, and get more of the work.
EMPTY_CLAIM_DELAY_S = 0.05
REFUSED_DELAY_S, MAX_REFUSED_DELAY_S = 0.005, 1.0  # after a claim of what cannot run here
CONTENTION_DELAY_S = 0.01  # after a claim that found the queue locked
# Between claims that enqueues cause: one claim takes what arrives meanwhile. The pause doubles
# after a claim of many, so that claims leave the database to whoever enqueues, and halves after one
# of few: where many arrive, a full claim is followed at once by one of what came meanwhile.
PACE_S, MAX_PACE_S = 0.004, 0.05
MANY = 8  # workflows in one claim
LONGEST_PAUSE_S = 5.0  # after claims that failed
GATHER_S = 0.05  # how long a few free slots wait until a quarter of all is free


@dataclass(slots=True)
class QueueClaimState:
    """One queue. Only the dispatcher's thread uses it; times are of the monotonic clock."""

    queue: QueueSettings
    paused: bool = False
    waiting: bool = False  # workflows are enqueued, as far as is known
    not_before: float = -inf
    claimed_at: float = -inf
    pace: float = PACE_S  # seconds
    blocked_until: float = -inf  # by a limit; inf: until a workflow ends or the next survey
    gathering_since: float | None = None
    refusals: int = 0  # claims in a row of which something was handed back
    # Tokens of claims that failed: each may have been committed.
    unread: list[Sequence[str]] = field(default_factory=list)
    failed_until: float = -inf
    failures: LoopFailures = field(init=False)

    def __post_init__(self) -> None:
        what = f"Claiming from queue {self.queue.name!r}"
        self.failures = LoopFailures(what, longest_pause_s=LONGEST_PAUSE_S)

    @property
    def is_failing(self) -> bool:
        return self.failures.count > 0

    def failed(self, error: BaseException, now: float) -> None:
        """Ask for nothing of this queue during a pause, which no wake cuts short."""
        self.waiting = True
        self.failed_until = now + self.failures.failed(error)

    def apply_survey(self, survey: Survey) -> None:
        self.queue, self.paused = survey.queue, survey.paused
        if survey.ready:
            self.waiting, self.blocked_until = True, -inf

    def woken(self, at: float, *, is_local: bool) -> None:
        """A workflow was enqueued, by this process (`is_local`) or by another."""
        at = max(at, self.claimed_at + self.pace)
        if not self.waiting:
            self.not_before = at if is_local else max(self.not_before, at)
        elif is_local:
            self.not_before = min(self.not_before, at)
        self.waiting, self.blocked_until = True, -inf

    def has_claim_due(self, now: float) -> bool:
        """Whether a claim will begin after `now`. Any thread may ask.

        `claimed` ends the waiting before it sets a time, so the time is read first here.
        """
        not_before = self.not_before
        return not_before > now and self.blocked_until <= now and self.waiting and not self.paused

    def released(self) -> None:
        """A workflow of this queue ended here."""
        self.blocked_until = -inf

    def refused(self, count: int, now: float) -> None:
        """So many workflows of a claim were handed back: the next claim leaves them out.

        Claims in a row that hand back take ever longer pauses: each finds others to refuse.
        """
        self.refusals = self.refusals + 1 if count else 0
        if count:
            self.waiting, self.blocked_until = True, -inf
            pause = REFUSED_DELAY_S * 2 ** min(self.refusals - 1, 10)
            self.not_before = now + min(pause, MAX_REFUSED_DELAY_S)

    def wants(self, now: float) -> bool:
        is_open = self.waiting and not self.paused
        return is_open and now >= max(self.not_before, self.blocked_until, self.failed_until)

    def next_claim_at(self) -> float | None:
        """When a claim is due without a further event, or None."""
        if not self.waiting or self.paused or self.blocked_until == inf:
            return None
        gathered = -inf if self.gathering_since is None else self.gathering_since + GATHER_S
        return max(self.not_before, self.blocked_until, self.failed_until, gathered)

    def claim_size(
        self, share: int, free: int, capacity: int, running_here: Callable[[], int], now: float
    ) -> int:
        """How many workflows to claim for a share of the free slots; 0 to wait for more slots."""
        room, scarce = min(share, MAX_CLAIM), free * 4 < min(capacity, MAX_CLAIM)
        limit = self.queue.worker_concurrency
        if limit is not None:
            left = limit - running_here()
            room, scarce = min(room, left), scarce or left * 4 < min(limit, MAX_CLAIM)
            if left <= 0:
                self.blocked_until = inf
        if room <= 0:
            return 0
        if scarce:
            if self.gathering_since is None:
                self.gathering_since = now
            if now < self.gathering_since + GATHER_S:
                return 0
        self.gathering_since = None
        return room

    def claimed(self, claim: Claim, asked: int, now: float) -> None:
        """Update the state by the result of a claim for `asked` workflows."""
        self.claimed_at = now
        has_many = len(claim.workflows) >= MANY
        self.pace = min(2 * self.pace, MAX_PACE_S) if has_many else max(self.pace / 2, PACE_S)
        full = len(claim.workflows) >= asked
        self.waiting = full or claim.limited or claim.contended or claim.has_more
        if claim.limited:
            self.blocked_until = now + self._retry_after_limit()
        if claim.contended:
            self.not_before = now + random.uniform(0.2, 1) * CONTENTION_DELAY_S
        elif not self.waiting and not claim.workflows:
            self.not_before = now + EMPTY_CLAIM_DELAY_S

    def _retry_after_limit(self) -> float:
        """Seconds until a rate limit may allow more starts; inf if only an end does."""
        limiters = (self.queue.limiter, self.queue.partition_limiter)
        periods = [each.period for each in limiters if each is not None]
        return max(GATHER_S, min(periods) / 10) if periods else inf
