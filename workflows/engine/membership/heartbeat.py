"""Heartbeat loop of a process: it renews the lease, watches other executors and recovers work.

`leases` decides who is dead. Rows change by compare-and-set, so two processes may act at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dboshub.workflows.engine.background import BackgroundLoop, LoopFailures
from dboshub.workflows.engine.clock import Clock
from dboshub.workflows.engine.membership.incarnations import ProcessIdentity, new_incarnation
from dboshub.workflows.engine.membership.leases import Lease, LeaseMonitor, ObservedExecutor

log = logging.getLogger(__name__)

SWEEP_EVERY = 30.0  # seconds between two sweeps, and between two reconciliations
FORGET_EVERY = 600.0  # seconds between two deletions of ended incarnations
STARTUP_ROUNDS = 10  # batches of 1,000 rows; later batches run in the background
STOP_TIMEOUT = 5.0  # seconds
# The clock is not adjusted by a beat that took longer: it is too inaccurate.
MAX_CLOCK_READING_S = 1.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The result of a successful beat."""

    database_now_ms: int
    others: tuple[ObservedExecutor, ...]


class Membership(Protocol):
    """The table of executors, and the rows of their workflows. Each call is a transaction."""

    def register(self, incarnation: str, functions: str) -> None:
        """Add this incarnation with the functions that it can run (JSON)."""

    def beat(
        self, incarnation: str, *, busy: int, activity: str | None, functions: str | None
    ) -> Heartbeat | None:
        """Renew the lease; None if the incarnation was declared dead or deleted."""

    def declare_dead(self, other: ObservedExecutor, by: str) -> bool:
        """Mark an incarnation as dead; False if it has beaten since it was observed."""

    def sweep(self, now_ms: int) -> int:
        """Re-enqueue one batch of PENDING workflows that no live incarnation owns."""

    def recover_same_executor_id(self, now_ms: int) -> int:
        """Re-enqueue one batch of workflows that a dead process with this executor id left."""

    def reconcile(self, incarnation: str, running: Callable[[], set[str]], now_ms: int) -> int:
        """Re-enqueue workflows that this incarnation owns and does not run."""

    def forget(self) -> int:
        """Delete incarnations that ended long ago."""

    def stop(self, incarnation: str) -> None:
        """Record that an incarnation stopped."""

    def close(self) -> None: ...


class ExecutorHost(Protocol):
    """The process that the loop keeps registered. The loop's thread calls it."""

    def running_ids(self) -> set[str]:
        """Ids of all workflows from their claim or start until their outcome is durable."""

    def activity(self) -> str:
        """Current activities as a JSON array of at most 500 entries."""

    def functions(self) -> str:
        """The functions that it can run, as JSON."""

    def on_declared_dead(self) -> None:
        """Other executors own its rows now: revoke every execution; claim and start nothing."""

    def on_reregistered(self, incarnation: str) -> None:
        """Draw ownership tokens of this new incarnation, and continue to work."""

    def wake_queues(self) -> None:
        """Look for work now: workflows were enqueued."""


class AdjustableClock(Clock, Protocol):
    """A clock that each beat adjusts to the database's."""

    def adjust(self, database_now_ms: int, measured_at: float) -> None: ...


class HeartbeatLoop:
    """Keeps one process registered in the database. All times are monotonic seconds."""

    def __init__(
        self,
        membership: Membership,
        host: ExecutorHost,
        *,
        lease: Lease,
        clock: AdjustableClock,
        proven_dead: Callable[[ProcessIdentity], bool],
        incarnation: str | None = None,
    ) -> None:
        self.incarnation = incarnation or new_incarnation()
        self._membership = membership
        self._host = host
        self._lease = lease
        self._clock = clock
        self._proven_dead = proven_dead
        self._lease_monitor = LeaseMonitor(lease)
        self._seen: frozenset[str] = frozenset()
        self._published: tuple[str | None, str | None] = (None, None)
        self._due_beat = self._due_sweep = self._due_reconcile = self._due_forget = 0.0
        self._failures: dict[str, LoopFailures] = {}
        self._loop = BackgroundLoop("heartbeat", "The heartbeat", self.run_due)

    def start(self) -> None:
        """Register, beat, recover the workflows of dead processes, and start the thread.

        Raises what the database raises: a process that cannot register must not run workflows.
        """
        self.join()
        self._loop.start()

    def join(self) -> None:
        """Register, beat and recover as `start` does, without a thread: call `run_due` yourself."""
        self._register()
        self._beat()
        now = self._clock.now_ms()
        found = sum(self._rounds(lambda: self._membership.sweep(now)))
        found += sum(self._rounds(lambda: self._membership.recover_same_executor_id(now)))
        if found:
            log.info("recovered what a dead process left: %d", found)
        self._due_sweep = self._clock.monotonic()
        self._due_reconcile = self._due_forget = self._due_sweep + SWEEP_EVERY

    def stop(self, *, clean: bool = True) -> None:
        """End the thread. A clean stop is recorded, so that others need not wait for the lease."""
        self._loop.stop(STOP_TIMEOUT)
        for each in self._failures.values():
            each.end()
        try:
            if clean:
                self._membership.stop(self.incarnation)
        finally:
            self._membership.close()

    def run_due(self) -> float:
        """Beat if a beat is due, do one task that is due; return the seconds until the next."""
        now = self._clock.monotonic()
        if now >= self._due_beat and not self._attempt(self._beat):
            # Observations before an outage prove nothing after it.
            self._lease_monitor.forget()
        if now >= self._due_sweep:
            self._attempt(self._sweep)
        elif now >= self._due_reconcile:
            self._due_reconcile = now + SWEEP_EVERY
            self._attempt(self._reconcile)
        elif now >= self._due_forget:
            self._due_forget = now + FORGET_EVERY
            self._attempt(self._membership.forget)
        due = min(self._due_beat, self._due_sweep, self._due_reconcile, self._due_forget)
        return max(0.0, due - self._clock.monotonic())

    def _attempt(self, task: Callable[[], object]) -> bool:
        """Do a task; its failure is noted, and the other tasks of this process go on."""
        name = task.__name__.strip("_")
        failures = self._failures.get(name)
        if failures is None:
            failures = self._failures[name] = LoopFailures(f"The executor's {name}")
        try:
            task()
        except Exception as error:
            failures.failed(error)
            return False
        failures.recovered()
        return True

    def _register(self) -> None:
        functions = self._host.functions()
        self._membership.register(self.incarnation, functions)
        self._published = (None, functions)

    def _beat(self) -> None:
        started = self._clock.monotonic()
        self._due_beat = started + self._lease.beat_ms / 1000
        activity, functions = self._host.activity(), self._host.functions()
        heartbeat = self._membership.beat(
            self.incarnation,
            busy=len(self._host.running_ids()),
            activity=None if activity == self._published[0] else activity,
            functions=None if functions == self._published[1] else functions,
        )
        finished = self._clock.monotonic()
        if heartbeat is None:
            if not self._loop.stopping.is_set():
                self._reregister()
            return
        self._published = (activity, functions)
        if finished - started <= MAX_CLOCK_READING_S:
            self._clock.adjust(heartbeat.database_now_ms, (started + finished) / 2)
        self._examine(
            heartbeat.others, self._lease_monitor.observe(started, finished, heartbeat.others)
        )

    @property
    def peers(self) -> int:
        """How many other executors the last heartbeat saw."""
        return len(self._seen)

    def _examine(
        self, others: tuple[ObservedExecutor, ...], expired: list[ObservedExecutor]
    ) -> None:
        dead = {each.incarnation: each for each in expired}
        dead |= {each.incarnation: each for each in others if self._proven_dead(each.process)}
        now_dead = {
            each.incarnation
            for each in dead.values()
            if self._membership.declare_dead(each, self.incarnation)
        }
        if now_dead:
            names = (f"{each:.40}" for each in sorted(now_dead))  # ours have 32 characters
            log.warning("declared dead: %s", ", ".join(names))
        left = frozenset(each.incarnation for each in others) - now_dead
        # The process that declared it dead may have died before its sweep: all observers sweep.
        if now_dead or self._seen - left:
            self._due_sweep = self._clock.monotonic()
        self._seen = left

    def _sweep(self) -> None:
        """Re-enqueue one batch, so that a long sweep does not delay the next beat."""
        self._due_sweep = self._clock.monotonic() + self._lease.beat_ms / 1000  # if it fails
        found = self._membership.sweep(self._clock.now_ms())
        if found:
            log.info("took over %d workflows of dead processes", found)
            self._host.wake_queues()
        self._due_sweep = self._clock.monotonic() + (0 if found else SWEEP_EVERY)

    def _reconcile(self) -> None:
        found = self._membership.reconcile(
            self.incarnation, self._host.running_ids, self._clock.now_ms()
        )
        if found:
            log.warning("enqueued %d workflows again that this process had lost", found)
            self._host.wake_queues()

    def _reregister(self) -> None:
        """This process was declared dead: revoke its executions, register a new incarnation."""
        log.warning("incarnation %s was declared dead by others", self.incarnation)
        self._host.on_declared_dead()
        self._lease_monitor.forget()
        incarnation = new_incarnation()
        functions = self._host.functions()
        # Register before the first token: a sweep frees rows of unregistered incarnations.
        self._membership.register(incarnation, functions)
        self.incarnation, self._published = incarnation, (None, functions)
        self._host.on_reregistered(incarnation)
        self._due_sweep = self._clock.monotonic()

    def _rounds(self, batch: Callable[[], int]) -> list[int]:
        found: list[int] = []
        while len(found) < STARTUP_ROUNDS and (not found or found[-1]):
            found.append(batch())
        return found
