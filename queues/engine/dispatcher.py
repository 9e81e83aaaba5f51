"""The dispatcher: one thread that claims enqueued workflows when this process can run them.

It queries the database when a workflow was enqueued (`wake`), when one ended here (`released`), and
after the polling interval, when one survey covers all queues. A claim is no larger than the number
of free slots. The internal queue comes first; the others share the slots in rotating order.

A queue whose claims fail pauses alone, unless the survey fails as well: then the database is away.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf

from dboshub.queues.engine.ports import ClaimStore, DispatcherHost
from dboshub.queues.engine.queue_state import LONGEST_PAUSE_S, QueueClaimState
from dboshub.workflows.engine.background import LoopFailures
from dboshub.workflows.engine.clock import Clock
from dboshub.workflows.engine.records import INTERNAL_QUEUE, RESERVED_PREFIX, ClaimedWorkflow

logger = logging.getLogger("dboshub.queues")

MIN_SURVEY_INTERVAL_S = 0.01  # between surveys that wakes request
# Spreads the claims of the processes that one notification wakes: for each of the others, at most.
JITTER_S, MAX_JITTER_S = 0.0005, 0.004

NewTokens = Callable[[int], Sequence[str]]
_Wake = tuple[float, bool]  # the earliest time of a claim; whether this process enqueued


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatcherConfig:
    """The queues to serve, by default every queue of the application; intervals in seconds."""

    listen: Collection[str] | None = None
    polling_interval: float = 1.0

    def serves(self, queue: str) -> bool:
        is_internal = queue.startswith(RESERVED_PREFIX)
        return is_internal or self.listen is None or queue in self.listen


class Dispatcher:
    """Claims workflows and gives them to the host; while the database is away it retries.

    `new_tokens` returns so many new owner tokens, `count_peers` how many other processes claim. All
    methods but `start` may be called from any thread, and none waits for the database.
    """

    def __init__(
        self,
        store: ClaimStore,
        host: DispatcherHost,
        *,
        clock: Clock,
        new_tokens: NewTokens,
        config: DispatcherConfig | None = None,
        count_peers: Callable[[], int] = lambda: 0,
    ) -> None:
        self._store = store
        self._host = host
        self._clock = clock
        self._new_tokens = new_tokens
        self._config = config or DispatcherConfig()
        self._count_peers = count_peers
        self._queues: dict[str, QueueClaimState] = {}
        self._unknown_queues: set[str] = set()
        self._capacity = 1
        self._rotation = 0
        self._failures = LoopFailures("Claiming from queues", longest_pause_s=LONGEST_PAUSE_S)
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
        """Claim soon: a workflow was enqueued on this queue, or on any if None.

        `is_local` is false if other processes were notified as well.
        """
        now = self._clock.monotonic()
        state = None if queue_name is None else self._queues.get(queue_name)
        if self._is_passed_over(queue_name) if state is None else state.has_claim_due(now):
            return
        with self._changed:
            known_at, known_local = self._woken.get(queue_name, (inf, False))
            if is_local > known_local or known_at == inf:
                at = now if is_local else now + random.uniform(0, self._jitter())
                self._woken[queue_name] = (min(at, known_at), is_local)
                self._changed.notify()

    def _is_passed_over(self, queue_name: str | None) -> bool:
        """Whether a wake of a queue without a state changes nothing: others may serve it."""
        if queue_name is None:
            return False
        return queue_name in self._unknown_queues or not self._config.serves(queue_name)

    def _jitter(self) -> float:
        return min(self._count_peers() * JITTER_S, MAX_JITTER_S)

    def released(self, queue_name: str | None) -> None:
        """A workflow ended or gave up its slot here, so that another one may start."""
        with self._changed:
            self._released.add(queue_name)
            if self._wants_release_wake:
                self._changed.notify()

    def has_limits(self, queue_name: str) -> bool:
        """Whether a limit counts the workflows of a queue; True for one that is not known yet."""
        if queue_name == INTERNAL_QUEUE:
            return False
        state = self._queues.get(queue_name)
        return state is None or state.queue.has_limits

    def stop_claiming(self) -> None:
        """Begin no further claim; the workflows of one in progress still reach the host."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def stop(self, timeout: float | None = 10) -> bool:
        """Stop claiming, wait up to `timeout` seconds; True if no workflow can reach the host."""
        self.stop_claiming()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    # The methods below run on the dispatcher's own thread.

    def _loop(self) -> None:
        while not self._closed:
            try:
                progress = self._once()
            except BaseException as error:
                self._failed(error)
            else:
                self._failures.recovered()
                if not progress:
                    self._wait()
        for failures in (self._failures, *(each.failures for each in self._queues.values())):
            failures.end()

    def _once(self) -> bool:
        """Survey the queues if it is time, then claim once from each; return whether it claimed."""
        self._apply_events()
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
            elif not self._is_passed_over(name):
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
        began_at = self._clock.monotonic()
        if began_at >= self._surveyed_at + self._interval():
            self._unknown_queues.clear()
        queues: dict[str, QueueClaimState] = {}
        for survey in self._store.survey():
            name = survey.queue.name
            if self._config.serves(name):
                state = queues[name] = self._queues.get(name) or QueueClaimState(survey.queue)
                state.apply_survey(survey)
        self._queues = queues
        self._surveyed_at = began_at
        self._next_survey_at = began_at + self._interval() * random.uniform(0.95, 1.05)

    def _interval(self) -> float:
        intervals = (state.queue.polling_interval_sec for state in self._queues.values())
        return max(MIN_SURVEY_INTERVAL_S, min(self._config.polling_interval, *intervals, 60.0))

    def _round(self) -> bool:
        """Claim for every queue with work, each for an equal share of the free slots."""
        with_work = [state for state in self._rotated() if state.wants(self._clock.monotonic())]
        attempted = False
        for place, state in enumerate(with_work):
            free = self._host.free_slots()
            self._capacity = max(self._capacity, free)
            if free <= 0 or self._closed:
                return False
            internal = state.queue.name == INTERNAL_QUEUE
            share = free if internal else -(-free // (len(with_work) - place))
            here = partial(self._host.running_on, state.queue.name)
            most = state.claim_size(share, free, self._capacity, here, self._clock.monotonic())
            if most:
                self._attempt(state, most)
                attempted = True
        return attempted

    def _attempt(self, state: QueueClaimState, most: int) -> None:
        """Claim from one queue. A failure pauses it alone; if the survey fails, that is raised."""
        try:
            if state.unread:
                self._read_back(state)  # how much to claim depends on what this finds
                return
            self._claim(state, most)
        except BaseException as error:
            if self._closed:
                return
            self._survey()
            state.failed(error, self._clock.monotonic())
        else:
            state.failures.recovered()

    def _rotated(self) -> Iterator[QueueClaimState]:
        names = [name for name in self._queues if name != INTERNAL_QUEUE]
        if INTERNAL_QUEUE in self._queues:
            yield self._queues[INTERNAL_QUEUE]
        if names:
            self._rotation = (self._rotation + 1) % len(names)
            for name in names[self._rotation :] + names[: self._rotation]:
                yield self._queues[name]

    def _claim(self, state: QueueClaimState, most: int) -> None:
        tokens = self._new_tokens(most)
        here = partial(self._host.running_on, state.queue.name)
        try:
            # After a failure without the arguments: one that cannot be read fails no others then.
            claim = self._store.claim(state.queue, tokens, here, with_inputs=not state.is_failing)
        except BaseException:
            state.unread.append(tokens)
            raise
        state.claimed(claim, most, self._clock.monotonic())
        state.refused(self._run(claim.workflows), self._clock.monotonic())

    def _read_back(self, state: QueueClaimState) -> None:
        """Run what claims have taken whose replies were lost."""
        while state.unread:
            taken = self._store.read_back(state.queue, state.unread[0])
            del state.unread[0]
            self._run(taken)

    def _run(self, workflows: Sequence[ClaimedWorkflow]) -> int:
        """Start workflows, hand back those that cannot run here, and return how many these are."""
        refused: list[ClaimedWorkflow] = []
        self._host.prepare(workflows)
        for workflow in workflows:
            try:
                if self._host.accepts(workflow):
                    self._host.run_claimed(workflow)
                else:
                    refused.append(workflow)
            except Exception:
                logger.exception("Workflow %s was claimed but did not start", workflow.workflow_id)
        if refused:
            self._store.hand_back(refused, self._clock.now_ms())
        return len(refused)

    def _wait(self) -> None:
        """Wait for an event, or until a survey or claim is due."""
        due = [self._next_survey_at]
        if self._host.free_slots() > 0:
            due += [
                at for state in self._queues.values() if (at := state.next_claim_at()) is not None
            ]
        now = self._clock.monotonic()
        with self._changed:
            self._wants_release_wake = any(state.waiting for state in self._queues.values())
            if not (self._closed or self._woken or self._released):
                self._changed.wait(max(0.0, min(due) - now))

    def _failed(self, error: BaseException) -> None:
        if self._closed:
            return
        pause = self._failures.failed(error)
        with self._changed:
            self._changed.wait_for(lambda: self._closed, pause)
