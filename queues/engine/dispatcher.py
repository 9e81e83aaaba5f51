"""The dispatcher: one thread that takes enqueued workflows when this process can run them.

It asks the database when it has reason to: something was enqueued (`wake`), something ended
here (`released`), or the polling interval passed, when one look covers all queues. Claims are
sized to free slots; the internal queue goes first and the others share in rotating order.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf

from dboshub.queues.engine.ports import ClaimStore, Host
from dboshub.queues.engine.queue_state import QueueClaimState
from dboshub.queues.engine.settings import QueueSettings
from dboshub.workflows.engine.clock import Clock
from dboshub.workflows.engine.records import INTERNAL_QUEUE, RESERVED_PREFIX, ClaimedWorkflow

logger = logging.getLogger("dboshub.queues")

MIN_SURVEY_INTERVAL_S = 0.01  # between looks that wakes ask for
JITTER = 0.004  # spreads the processes that one notification wakes
RETRY_FIRST, RETRY_LAST = 0.1, 5.0

NewTokens = Callable[[int], Sequence[str]]
_Wake = tuple[float, bool]  # not before this time; whether it came from this process


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatcherConfig:
    """What to serve. `listen` None means every queue of the application."""

    listen: Collection[str] | None = None
    polling_interval: float = 1.0

    def serves(self, queue: str) -> bool:
        is_internal = queue.startswith(RESERVED_PREFIX)
        return is_internal or self.listen is None or queue in self.listen


class Dispatcher:
    """Claims and hands over to the host; outlives outages of the database.

    `new_tokens` makes that many fresh owner tokens. Everything but `start` may be called from any
    thread, and none of it waits for the database.
    """

    def __init__(
        self,
        store: ClaimStore,
        host: Host,
        *,
        clock: Clock,
        new_tokens: NewTokens,
        config: DispatcherConfig | None = None,
    ) -> None:
        self._store = store
        self._host = host
        self._clock = clock
        self._new_tokens = new_tokens
        self._config = config or DispatcherConfig()
        self._queues: dict[str, QueueClaimState] = {}
        self._unread_claims: list[tuple[QueueSettings, Sequence[str]]] = []
        self._unknown_queues: set[str] = set()
        self._capacity = 1
        self._turn = 0
        self._failures = 0
        self._surveyed_at = self._next_survey_at = -inf
        self._wants_release_wake = False
        self._closed = False
        self._changed = threading.Condition()
        self._woken: dict[str | None, _Wake] = {}
        self._released: set[str | None] = set()
        self._thread = threading.Thread(target=self._loop, name="dboshub-dispatcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self, queue_name: str | None = None, *, is_local: bool = True) -> None:
        """Something was enqueued there; None: somewhere. Not local when others were told, too."""
        now = self._clock.monotonic()
        with self._changed:
            known_at, known_local = self._woken.get(queue_name, (inf, False))
            if is_local > known_local or known_at == inf:
                at = now if is_local else now + random.uniform(0, JITTER)  # noqa: S311
                self._woken[queue_name] = (min(at, known_at), is_local)
                self._changed.notify()

    def released(self, queue_name: str | None) -> None:
        """A workflow ended or parked here, so a slot or a queue's limit may have room."""
        with self._changed:
            self._released.add(queue_name)
            if self._wants_release_wake:
                self._changed.notify()

    def stop_claiming(self) -> None:
        """Begin no claim from now on; one under way still reaches the host."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def stop(self, timeout: float | None = 10) -> bool:
        """Stop claiming and wait; True when nothing will reach the host any more."""
        self.stop_claiming()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    # From here on everything runs on the dispatcher's own thread.

    def _loop(self) -> None:
        while not self._closed:
            try:
                progress = self._once()
            except Exception as error:
                self._failed(error)
            else:
                self._recovered()
                if not progress:
                    self._wait()

    def _once(self) -> bool:
        """Look if it is time, then one round of claims; whether there may be more to do."""
        self._apply_events()
        for lost in [*self._unread_claims]:
            self._run(self._store.read_back(*lost))
            self._unread_claims.remove(lost)
        if self._clock.monotonic() >= self._next_survey_at:
            self._survey()
        return self._round()

    def _apply_events(self) -> None:
        with self._changed:
            woken, self._woken = self._woken, {}
            released, self._released = self._released, set()
        for name, (at, is_local) in woken.items():
            state = None if name is None else self._queues.get(name)
            if state is not None:
                state.woken(at, is_local=is_local)
            elif name is None or (self._config.serves(name) and name not in self._unknown_queues):
                self._next_survey_at = min(
                    self._next_survey_at, self._surveyed_at + MIN_SURVEY_INTERVAL_S
                )
                if name is not None:
                    self._unknown_queues.add(name)
        for name in released:
            state = None if name is None else self._queues.get(name)
            if state is not None:
                state.released()

    def _survey(self) -> None:
        asked_at = self._clock.monotonic()
        if asked_at >= self._surveyed_at + self._interval():
            self._unknown_queues.clear()
        queues: dict[str, QueueClaimState] = {}
        for survey in self._store.survey():
            name = survey.queue.name
            if self._config.serves(name):
                state = queues[name] = self._queues.get(name) or QueueClaimState(survey.queue)
                state.apply_survey(survey)
        self._queues = queues
        self._surveyed_at = asked_at
        self._next_survey_at = asked_at + self._interval() * random.uniform(0.95, 1.05)  # noqa: S311

    def _interval(self) -> float:
        asked = (state.queue.polling_interval_sec for state in self._queues.values())
        return max(MIN_SURVEY_INTERVAL_S, min(self._config.polling_interval, *asked, 60.0))

    def _round(self) -> bool:
        """Give every queue that wants them an equal share of the free slots."""
        wanting = [state for state in self._rotated() if state.wants(self._clock.monotonic())]
        attempted = False
        for place, state in enumerate(wanting):
            free = self._host.free_slots()
            self._capacity = max(self._capacity, free)
            if free <= 0 or self._closed:
                return False
            internal = state.queue.name == INTERNAL_QUEUE
            share = free if internal else -(-free // (len(wanting) - place))
            here = partial(self._host.running_on, state.queue.name)
            most = state.claim_size(share, free, self._capacity, here, self._clock.monotonic())
            if most:
                self._claim(state, most)
                attempted = True
        return attempted

    def _rotated(self) -> Iterator[QueueClaimState]:
        names = [name for name in self._queues if name != INTERNAL_QUEUE]
        if INTERNAL_QUEUE in self._queues:
            yield self._queues[INTERNAL_QUEUE]
        if names:
            self._turn = (self._turn + 1) % len(names)
            for name in names[self._turn :] + names[: self._turn]:
                yield self._queues[name]

    def _claim(self, state: QueueClaimState, most: int) -> None:
        tokens = self._new_tokens(most)
        here = partial(self._host.running_on, state.queue.name)
        try:
            claim = self._store.claim(state.queue, tokens, here)
        except Exception:
            # It may have been committed all the same.
            self._unread_claims.append((state.queue, tokens))
            raise
        state.claimed(claim, most, self._clock.monotonic())
        self._run(claim.workflows)

    def _run(self, workflows: Sequence[ClaimedWorkflow]) -> None:
        for workflow in workflows:
            try:
                self._host.run_claimed(workflow)
            except Exception:
                logger.exception("Workflow %s was claimed but did not start", workflow.workflow_id)

    def _wait(self) -> None:
        """Sleep until something happens or time alone makes a look or a claim worth while."""
        looks = [self._next_survey_at]
        if self._host.free_slots() > 0:
            looks += [
                at for state in self._queues.values() if (at := state.next_claim_at()) is not None
            ]
        now = self._clock.monotonic()
        with self._changed:
            self._wants_release_wake = any(state.waiting for state in self._queues.values())
            if not (self._closed or self._woken or self._released):
                self._changed.wait(max(0.0, min(looks) - now))

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            logger.warning("Claiming from queues is failing, and is tried again: %s", error)
        pause = min(RETRY_LAST, RETRY_FIRST * 2 ** min(self._failures - 1, 10))
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed,
                pause * random.uniform(0.5, 1.5),  # noqa: S311
            )

    def _recovered(self) -> None:
        if self._failures:
            logger.warning("Claiming from queues works again after %d failures", self._failures)
            self._failures = 0
