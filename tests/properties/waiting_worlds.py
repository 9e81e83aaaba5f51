"""Random worlds of queues, executors and versions in which a workflow waits, and real claims."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from dboshub.queues.storage import due_workflows
from dboshub.queues.storage.claim import Claimant, ClaimRequest, claim
from dboshub.queues.storage.fragments import CLAIM_KEY
from dboshub.queues.storage.limited_claim import claim_within_limits
from dboshub.queues.storage.survey import survey
from dboshub.queues.why_not.answer import explain
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.rendering.reason import Blocker, Reason
from dboshub.workflows.selectors.executors import Executor, executors
from dboshub.workflows.selectors.rows import WorkflowRow, row
from dboshub.workflows.storage import fragments
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Session, Statement
from tests.queues.rows import INSERT, VERSION_ROW
from tests.support.runs import insert

QUEUE, TARGET = "mail", "target"
START = 1_000_000_000
LEASE_MS = 30_000
FIRST_SUPPLIED = 10  # no row belongs to it
LATEST_VERSION = Statement(fragments.LATEST_VERSION)
TABLES = (
    *("workflow_status", "queues", "dboshub_queue_pause", "dboshub_executor"),
    "application_versions",
)
EMPTIED = [Statement(f"DELETE FROM {{{table}}}") for table in TABLES]
KEYS = Statement(f"SELECT DISTINCT name, {CLAIM_KEY} FROM {{workflow_status}}")
HELD = Statement("""
    SELECT queue_partition_key, count(*) FROM {workflow_status}
    WHERE queue_name = :queue AND status = 'PENDING' AND owner_xid LIKE :owner
    GROUP BY queue_partition_key
""")
END_AHEAD = Statement("""
    UPDATE {workflow_status} SET status = 'CANCELLED'
    WHERE status = 'ENQUEUED' AND workflow_uuid <> :id AND queue_name = :queue
        AND (priority, created_at) <= (:priority, :created_at)
        AND (CAST(:partition AS text) IS NULL OR queue_partition_key = :partition)
""")
END_HOLDERS = Statement("""
    UPDATE {workflow_status} SET status = 'SUCCESS'
    WHERE status = 'PENDING' AND queue_name = :queue
        AND (CAST(:partition AS text) IS NULL OR queue_partition_key = :partition)
""")
UNPAUSE = Statement("DELETE FROM {dboshub_queue_pause}")
TO_INTERNAL = Statement(
    "UPDATE {workflow_status} SET queue_name = :queue WHERE workflow_uuid = :id"
)
FREE = Statement("UPDATE {dboshub_executor} SET busy = 0")
BEAT = Statement("UPDATE {dboshub_executor} SET last_beat_at = :now WHERE last_beat_at >= :since")


class UndoneError(Exception):
    """Leaves the database as it was."""


@dataclass
class World:
    """One queue with what is on it and who serves it; `now` is the time of everybody."""

    database: Database
    now: int = START
    workers: int = 0
    rows: int = 0
    is_partitioned: bool = False
    owner: str | None = None

    def build(
        self,
        *,
        queue: dict[str, Any] | None,
        is_paused: bool,
        versions: list[str],
        workers: list[dict[str, Any]],
        others: list[dict[str, Any]],
        target: dict[str, Any],
    ) -> None:
        self.is_partitioned = any(key.startswith("partition") for key in queue or {})
        self.owner = (queue or {}).get("application_name")
        with self.database.writing() as session:
            for statement in EMPTIED:
                session.run(statement)
            if queue is not None:
                insert(session, "queues", name=QUEUE, **queue)
            if is_paused:
                insert(session, "dboshub_queue_pause", queue_name=QUEUE, paused_at=1)
            for at, name in enumerate(versions):
                session.run(VERSION_ROW, name=name, at=at, application="shop")
            for worker in workers:
                self.add_worker(session, **worker)
            for other in others:
                self.add_row(session, **other)
            self.add_row(session, id=TARGET, **target)

    def add_worker(self, session: Session, **columns: Any) -> None:
        given: dict[str, Any] = {
            "incarnation": f"{self.workers:032}",
            "executor_id": f"worker-{self.workers}",
            "application_name": "shop",
            "application_version": "v1",
            "lease_ms": LEASE_MS,
            "registered_at": self.now,
            "last_beat_at": self.now,
            "slots": 9,
        }
        self.workers += 1
        insert(session, "dboshub_executor", **given | columns)

    def add_row(self, session: Session, *, id: str = "", owner: int = 0, **columns: Any) -> None:
        self.rows += 1
        at = self.now - 1_000 + self.rows
        is_running = columns.get("status") == "PENDING"
        given: dict[str, Any] = {
            "workflow_uuid": id or f"other-{self.rows}",
            "status": "ENQUEUED",
            "name": "work",
            "queue_name": QUEUE,
            "priority": 0,
            "created_at": at,
            "updated_at": at,
            "application_name": "shop",
            "application_version": "v1",
            "queue_partition_key": None,
            "recovery_attempts": 0,
            "workflow_timeout_ms": None,
            "workflow_deadline_epoch_ms": None,
            "deduplication_id": None,
            "is_debounced": False,
            "delay_until_epoch_ms": None,
            "started_at_epoch_ms": at if is_running else None,
            "inputs": None,
            "owner_xid": f"hub:{owner:032}:1" if is_running else None,
        }
        rated = Statement(
            "UPDATE {workflow_status} SET rate_limited = TRUE WHERE workflow_uuid = :id"
        )
        session.run(INSERT, **given | columns)
        if is_running:
            session.run(rated, id=given["workflow_uuid"])

    def answer(self) -> Reason:
        with self.database.reading() as session:
            return explain(session, [self._target(session)], self.now)[TARGET]

    def claims(self) -> list[list[str]]:
        """What each live worker claims with one token, each as if it were the only one."""
        with self.database.reading() as session:
            found = [each for each in executors(session, self.now) or [] if each.is_beating]
        return [self._claim(each) for each in found]

    def _claim(self, executor: Executor) -> list[str]:
        taken: list[str] = []
        try:
            with self.database.writing() as session:
                taken += self._claim_as(session, executor)
                raise UndoneError
        except UndoneError:
            return taken

    def _claim_as(self, session: Session, executor: Executor) -> list[str]:
        """As the dispatcher of a process does: survey, own limits, claim."""
        queue = self._target(session).queue_name or ""
        application, version = executor.application or "", executor.version or ""
        refused = [key for name, key in session.all(KEYS) if not executor.knows(name)]
        surveyed = survey(session, application, version, refused=refused)
        [found] = [each for each in surveyed if each.queue.name == queue] or [None]
        if found is None or found.paused or not found.ready or not executor.has_free_slot:
            return []
        held = Counter(dict(session.all(HELD, queue=queue, owner=f"hub:{executor.incarnation}:%")))
        most = found.queue.worker_concurrency
        if not executor.serves(queue) or (most is not None and held.total() >= most):
            return []
        request = ClaimRequest(
            claimant=Claimant(application, version, executor.executor_id),
            queue=found.queue,
            tokens=[f"hub:{executor.incarnation}:9"],
            running_here=lambda partition: held[partition],
            refused=refused,
            now=self.now,
        )
        if found.queue.has_shared_limits:
            return [each.workflow_id for each in claim_within_limits(session, request).workflows]
        return [each.workflow_id for each in claim(session, request)]

    def supply(self, blocker: Blocker) -> None:
        """Do exactly what lifts this one."""
        with self.database.writing() as session:
            target = self._target(session)
            lift = getattr(self, f"_lift_{blocker.code}", self._start_worker)
            lift(session, target, blocker)

    def _start_worker(self, session: Session, target: WorkflowRow, blocker: Blocker) -> None:
        latest = session.one(LATEST_VERSION, application="shop")
        version = target.application_version or (latest[0] if latest else "v1")
        application = target.application_name or self.owner or "shop"
        self.workers = max(self.workers, FIRST_SUPPLIED)
        self.add_worker(session, application_name=application, application_version=version)

    def _lift_queue_not_registered(self, session: Session, *_: Any) -> None:
        insert(session, "queues", name=QUEUE)

    def _lift_queue_paused(self, session: Session, *_: Any) -> None:
        session.run(UNPAUSE)

    def _lift_no_partition_key(self, session: Session, *_: Any) -> None:
        session.run(TO_INTERNAL, queue=INTERNAL_QUEUE, id=TARGET)

    _lift_queue_of_other_application = _lift_no_partition_key

    def _lift_no_free_slot(self, session: Session, *_: Any) -> None:
        session.run(FREE)

    def _lift_not_first(self, session: Session, target: WorkflowRow, blocker: Blocker) -> None:
        session.run(
            END_AHEAD,
            id=TARGET,
            queue=target.queue_name,
            priority=target.priority,
            created_at=target.created_at,
            partition=target.queue_partition_key if self.is_partitioned else None,
        )

    def _lift_concurrency(self, session: Session, target: WorkflowRow, blocker: Blocker) -> None:
        key = target.queue_partition_key if blocker.code.startswith("partition") else None
        if blocker.is_trouble:
            self._raise(session, blocker.code)
        else:
            session.run(END_HOLDERS, queue=target.queue_name, partition=key)

    _lift_partition_concurrency = _lift_concurrency

    def _lift_limiter(self, session: Session, target: WorkflowRow, blocker: Blocker) -> None:
        if blocker.is_trouble:
            self._raise(session, blocker.code.replace("limiter", "rate_limit_max"))
        else:
            assert blocker.until is not None
            self._go_on(session, blocker.until)

    _lift_partition_limiter = _lift_limiter

    def _lift_worker_concurrency(self, session: Session, _: WorkflowRow, blocker: Blocker) -> None:
        self._raise(session, blocker.code)

    _lift_partition_worker_concurrency = _lift_worker_concurrency

    def _go_on(self, session: Session, until: int) -> None:
        """Let time pass; who sends heartbeats goes on to do so."""
        then = max(until, self.now)
        session.run(BEAT, since=self.now - LEASE_MS, now=then)
        self.now = then

    def _raise(self, session: Session, column: str) -> None:
        session.run(Statement(f"UPDATE {{queues}} SET {column} = 50"))

    def _lift_delayed(self, session: Session, target: WorkflowRow, blocker: Blocker) -> None:
        self._go_on(session, blocker.until or 0)
        due_workflows.release_due(session, target.application_name or "shop", now=self.now)

    def _target(self, session: Session) -> WorkflowRow:
        found = row(session, TARGET)
        assert found is not None
        return found
