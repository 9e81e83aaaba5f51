"""A queue under a random load: several engines claim, finish and die, and time passes."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field

from dboshub.queues.engine.ports import Claim
from dboshub.queues.engine.settings import QueueSettings, RateLimit
from dboshub.queues.storage import claim, due_workflows, limited_claim
from dboshub.workflows.engine.journal.writes import OutcomeWrite, Verdict
from dboshub.workflows.engine.records import ClaimedWorkflow, NewWorkflow
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.journal.insert_workflow import start
from dboshub.workflows.storage.journal.single import apply_single
from dboshub.workflows.storage.membership import recover
from tests.queues.rows import APP, CLAIMANT, VERSION, columns_of, enqueue, tokens

_numbers = itertools.count(1)


@dataclass
class Load:
    """One queue, the engines that claim from it, and what each of them runs."""

    database: Database
    limits: QueueSettings
    engines: int = 3
    now: int = 1_000_000
    due: dict[str, int] = field(default_factory=dict)  # not finished: when each may start
    running: dict[str, tuple[int, ClaimedWorkflow]] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)  # the latest of each
    holders: dict[str, str] = field(default_factory=dict)  # of deduplication ids

    def enqueue(self, count: int, priority: int, partition: str, delay: int) -> None:
        at = self.now + delay
        new = enqueue(
            self.database,
            self.limits.name,
            count,
            status="DELAYED" if delay else "ENQUEUED",
            delay_until_epoch_ms=at if delay else None,
            priority=priority,
            queue_partition_key=partition if self.limits.partitioned else None,
        )
        self.due |= dict.fromkeys(new, at)

    def deduplicate(self, key: str, partition: str) -> None:
        """Enqueue under a deduplication id: refused while it is held, and only then."""
        workflow_id, holder = f"{self.limits.name}-{next(_numbers)}", self.holders.get(key)
        row = NewWorkflow(
            workflow_uuid=workflow_id,
            status="ENQUEUED",
            name="work",
            created_at=self.now,
            updated_at=self.now,
            queue_name=self.limits.name,
            application_name=APP,
            application_version=VERSION,
            deduplication_id=key,
            queue_partition_key=partition if self.limits.partitioned else None,
        )
        with self.database.writing() as session:
            started = start(session, row, "")
        if holder is not None:
            assert (started.created, started.deduplicated_by) == (False, holder)
        else:
            assert started.created, "nobody holds it"
            self.holders[key] = workflow_id
            self.due[workflow_id] = self.now

    def claim(self, engine: int, most: int) -> None:
        """Claim as an engine's dispatcher does, and hold what it took against every limit."""
        with self.database.writing() as session:
            due_workflows.release_due(session, APP, now=self.now)
        if self.limits.worker_concurrency is not None:
            most = min(most, self.limits.worker_concurrency - self._held()[engine, None])
        if most <= 0:
            return
        waiting = self.waiting()
        taken = self._claim(engine, tokens(most, f"e{engine}")).workflows
        for workflow in taken:
            assert workflow.workflow_id not in self.running, "it runs already"
            assert self.due[workflow.workflow_id] <= self.now, "it is not due"
            self.running[workflow.workflow_id] = engine, workflow
            self.starts[workflow.workflow_id] = self.now
        self._hold_limits()
        if not self.limits.partitioned:
            first = sorted(map(self._urgency, waiting))[: len(taken)]
            urgencies = [self._urgency(each.workflow_id) for each in taken]
            assert urgencies == first, "it was not its turn"

    def finish(self, which: int) -> None:
        if self.running:
            workflow_id = [*self.running][which % len(self.running)]
            _, workflow = self.running.pop(workflow_id)
            end = OutcomeWrite(
                workflow_id=workflow_id,
                owner=workflow.owner,
                status="SUCCESS",
                output=None,
                error=None,
                now=self.now,
            )
            with self.database.writing() as session:
                assert apply_single(session, end, now=self.now).verdict is Verdict.DONE
            del self.due[workflow_id]
            self.holders = {k: held for k, held in self.holders.items() if held != workflow_id}

    def die(self, engine: int) -> None:
        """Others enqueue again what an engine ran."""
        mine = [each for held_by, each in self.running.values() if held_by == engine]
        with self.database.writing() as session:
            owned = [(each.workflow_id, each.owner) for each in mine]
            recover.reenqueue(session, owned, now=self.now)
        for each in mine:
            # A start that came to nothing does not count against a rate.
            del self.running[each.workflow_id], self.starts[each.workflow_id]

    def pass_time(self, milliseconds: int) -> None:
        self.now += milliseconds

    def drain(self) -> None:
        """Let everything come to its end; nothing may be left behind."""
        for _ in range(3 * len(self.due) + 10):
            if not self.due:
                return
            self.pass_time(1_000)
            for engine in range(self.engines):
                self.claim(engine, 4)
            for _ in range(len(self.running)):
                self.finish(0)
        raise AssertionError(f"left behind: {sorted(self.due)}")

    def waiting(self) -> list[str]:
        return [
            each for each, at in self.due.items() if at <= self.now and each not in self.running
        ]

    def _claim(self, engine: int, drawn: list[str]) -> Claim:
        here = self._held()
        request = claim.ClaimRequest(
            claimant=CLAIMANT,
            queue=self.limits,
            tokens=drawn,
            running_here=lambda partition: here[engine, partition],
            now=self.now,
        )
        with self.database.writing() as session:
            if self.limits.has_shared_limits:
                return limited_claim.claim_within_limits(session, request)
            return Claim(workflows=claim.claim(session, request))

    def _held(self) -> Counter[tuple[int | None, str | None]]:
        """How many run of an engine and a partition; None stands for all of them."""
        held: Counter[tuple[int | None, str | None]] = Counter()
        for engine, workflow in self.running.values():
            held.update(itertools.product({engine, None}, {workflow.partition_key, None}))
        return held

    def _hold_limits(self) -> None:
        limits = self.limits
        for (engine, partition), count in self._held().items():
            most = {
                (False, False): limits.concurrency,
                (True, False): limits.worker_concurrency,
                (False, True): limits.partition_concurrency,
                (True, True): limits.partition_worker_concurrency,
            }[engine is not None, partition is not None]
            assert most is None or count <= most, f"{count} of {most} for {engine}, {partition}"
        self._hold_rate(limits.limiter, [*self.starts])
        for partition in "xy":
            mine = [each for each in self.starts if self._partition(each) == partition]
            self._hold_rate(limits.partition_limiter, mine)

    def _hold_rate(self, rate: RateLimit | None, started: list[str]) -> None:
        if rate is not None:
            recent = [each for each in started if self.starts[each] > self.now - rate.period_ms]
            assert len(recent) <= rate.limit, f"{len(recent)} started of {rate.limit}"

    def _partition(self, workflow_id: str) -> str | None:
        [key] = columns_of(self.database, workflow_id, "queue_partition_key")
        return None if key is None else str(key)

    def _urgency(self, workflow_id: str) -> tuple[int, ...]:
        return columns_of(self.database, workflow_id, "priority", "created_at")


def fresh_name() -> str:
    return f"load-{next(_numbers)}"
