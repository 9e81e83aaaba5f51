"""The heart of a process: it beats, watches the others, and takes over from the dead.

What it may do to others follows from `leases`; what it does to rows is compare-and-set, so
two hearts that act at once do no harm.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dboshub.workflows.engine.clock import Clock
from dboshub.workflows.engine.membership.incarnations import ProcessIdentity, new_incarnation
from dboshub.workflows.engine.membership.leases import Lease, LeaseMonitor, ObservedExecutor

log = logging.getLogger(__name__)

SWEEP_EVERY = 30.0  # seconds, also between two looks for rows of one's own that nobody runs
FORGET_EVERY = 600.0
STARTUP_ROUNDS = 10  # of a thousand rows; what is left after them is done in the background
STOP_TIMEOUT = 5.0
# A beat that took longer than this says too little about what the database's clock reads.
MAX_CLOCK_READING_S = 1.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What one successful beat saw."""

    database_now_ms: int
    others: tuple[ObservedExecutor, ...]


class Membership(Protocol):
    """The executor table and the rows it decides about; every call is a transaction."""

    def register(self, incarnation: str, functions: str) -> None: ...
    def beat(
        self, incarnation: str, *, busy: int, activity: str | None, functions: str | None
    ) -> Heartbeat | None:
        """Beat; None once the incarnation is declared dead or forgotten."""

    def declare_dead(self, other: ObservedExecutor, by: str) -> bool: ...
    def sweep(self, now_ms: int) -> int:
        """Re-enqueue one batch of what no live incarnation owns; how many rows."""

    def recover_same_executor_id(self, now_ms: int) -> int: ...
    def reconcile(self, incarnation: str, running: Callable[[], set[str]], now_ms: int) -> int:
        """Re-enqueue settled rows of this incarnation that it does not run."""

    def forget(self) -> int: ...
    def stop(self, incarnation: str) -> None: ...
    def close(self) -> None: ...


class ExecutorHost(Protocol):
    """The engine around the heart. Called from the heart's thread."""

    def running_ids(self) -> set[str]:
        """Every workflow from its claim or start until its outcome is durable."""

    def activity(self) -> str:
        """What it waits for and runs, as JSON, up to 500 entries."""

    def functions(self) -> str:
        """What it can run, as JSON."""

    def on_declared_dead(self) -> None:
        """Its work is others' now: revoke every execution, claim and start nothing more."""

    def on_reregistered(self, incarnation: str) -> None:
        """Draw tokens of this incarnation from now on; it is registered, so go on working."""

    def wake_queues(self) -> None:
        """Rows were enqueued: look for work now."""


class AdjustableClock(Clock, Protocol):
    def adjust(self, database_now_ms: int, measured_at: float) -> None: ...


class HeartbeatLoop:
    """Keeps one process registered and alive in the database. All times are monotonic."""

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
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dboshub-heart", daemon=True)

    def start(self) -> None:
        """Register, recover what is provably nobody's, and go on beating in a thread.

        Raises what the database raises: a process that cannot register must not run work.
        """
        self.join()
        self._thread.start()

    def join(self) -> None:
        """Do what `start` does before its thread; who calls this takes the turns himself."""
        self._register()
        self._beat()
        now = self._clock.now_ms()
        found = sum(self._rounds(lambda: self._membership.sweep(now)))
        found += sum(self._rounds(lambda: self._membership.recover_same_executor_id(now)))
        if found:
            log.info("recovered %d workflows that a dead process left", found)
        self._due_sweep = self._clock.monotonic()
        self._due_reconcile = self._due_forget = self._due_sweep + SWEEP_EVERY

    def stop(self, *, clean: bool = True) -> None:
        """End the thread; a clean stop also says so, and others need not wait for the lease."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_TIMEOUT)
        try:
            if clean:
                self._membership.stop(self.incarnation)
        finally:
            self._membership.close()

    def run_due(self) -> float:
        """Beat if it is time, do one chore if one is due; return the seconds until the next."""
        now = self._clock.monotonic()
        if now >= self._due_beat and not self._attempt(self._beat):
            # Whatever was seen before an outage proves nothing after it.
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

    def _run(self) -> None:
        wait = 0.0
        while not self._stopping.wait(wait):
            wait = self.run_due()

    def _attempt(self, chore: Callable[[], object]) -> bool:
        try:
            chore()
        except Exception as error:
            what = chore.__name__.strip("_")
            log.warning("%s of executor %s failed: %s", what, self.incarnation, error)
            return False
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
            if not self._stopping.is_set():
                self._reregister()
            return
        self._published = (activity, functions)
        if finished - started <= MAX_CLOCK_READING_S:
            self._clock.adjust(heartbeat.database_now_ms, (started + finished) / 2)
        self._examine(
            heartbeat.others, self._lease_monitor.observe(started, finished, heartbeat.others)
        )

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
            log.warning("declared dead: %s", ", ".join(sorted(now_dead)))
        left = frozenset(each.incarnation for each in others) - now_dead
        # Whoever declared somebody dead may have died over the sweep, so all who see it sweep.
        if now_dead or self._seen - left:
            self._due_sweep = self._clock.monotonic()
        self._seen = left

    def _sweep(self) -> None:
        """One batch a turn, so that a long sweep never costs this process its own lease."""
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
        """This process was declared dead: it lives on under a new name, without its old work."""
        log.warning("incarnation %s was declared dead by others", self.incarnation)
        self._host.on_declared_dead()
        self._lease_monitor.forget()
        incarnation = new_incarnation()
        functions = self._host.functions()
        # Registered before the first token names it: others free what no live one owns.
        self._membership.register(incarnation, functions)
        self.incarnation, self._published = incarnation, (None, functions)
        self._host.on_reregistered(incarnation)
        self._due_sweep = self._clock.monotonic()

    def _rounds(self, batch: Callable[[], int]) -> list[int]:
        found: list[int] = []
        while len(found) < STARTUP_ROUNDS and (not found or found[-1]):
            found.append(batch())
        return found
