"""A fleet of hearts on one database, each with a clock of its own that the test moves."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from dboshub.workflows.engine.membership.heartbeat import HeartbeatLoop
from dboshub.workflows.engine.membership.incarnations import (
    ProcessIdentity,
    new_incarnation,
    this_process,
    token_prefix,
)
from dboshub.workflows.engine.membership.leases import Lease
from dboshub.workflows.engine.records import NewWorkflow
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.journal.insert_workflow import start
from dboshub.workflows.storage.membership.database_membership import DatabaseMembership
from dboshub.workflows.storage.membership.executors import Executor
from dboshub.workflows.storage.sql import Session, Statement

LEASE = Lease()
LONG_AGO = 1_700_000_000_000

ROW = Statement(
    """
    SELECT status, queue_name, owner_xid, recovery_attempts, started_at_epoch_ms
    FROM {workflow_status}
    WHERE workflow_uuid = :id
    """
)
BY_STATUS = Statement("SELECT count(*) FROM {workflow_status} WHERE status = :status")
EXECUTOR = Statement(
    """
    SELECT beat, busy, activity, functions, stopped_at, declared_dead_at, declared_dead_by
    FROM {dboshub_executor}
    WHERE incarnation = :incarnation
    """
)


class HandClock:
    """A clock that only the test moves; `skew_ms` is how wrong its wall time is."""

    def __init__(self, monotonic: float, skew_ms: int = 0) -> None:
        self.reading = monotonic
        self.skew_ms = skew_ms
        self.adjusted_to: int | None = None

    def now_ms(self) -> int:
        return LONG_AGO + self.skew_ms + int(self.reading * 1000)

    def monotonic(self) -> float:
        return self.reading

    def adjust(self, database_now_ms: int, measured_at: float) -> None:
        self.adjusted_to = database_now_ms


class QuietHost:
    """An engine that runs what the test says, and notes what the heart tells it."""

    def __init__(self) -> None:
        self.running: set[str] = set()
        self.doing = "[]"
        self.knows = '["checkout"]'
        self.tombstoned = 0
        self.woken = 0
        self.incarnation = new_incarnation()
        self._numbers = itertools.count()

    def token(self) -> str:
        return f"{token_prefix(self.incarnation)}{next(self._numbers)}"

    def running_ids(self) -> set[str]:
        return set(self.running)

    def activity(self) -> str:
        return self.doing

    def functions(self) -> str:
        return self.knows

    def on_declared_dead(self) -> None:
        self.tombstoned += 1

    def on_reregistered(self, incarnation: str) -> None:
        self.incarnation = incarnation

    def wake_queues(self) -> None:
        self.woken += 1


class Line:
    """A way to the database that can be cut."""

    def __init__(self, membership: DatabaseMembership) -> None:
        self._membership = membership
        self.cut = False

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._membership, name)

        @wraps(call)
        def through(*args: Any, **kwargs: Any) -> Any:
            if self.cut:
                raise ConnectionError("the database is out of reach")
            return call(*args, **kwargs)

        return through


_nodes: list[Node] = []


def disconnect_all() -> None:
    """At a test's end: close what every node of the fleet, dead ones too, is connected by."""
    while _nodes:
        line = _nodes.pop().line
        line.cut = False
        line.close()


class Node:
    """One process of the fleet."""

    def __init__(
        self,
        database: Database,
        *,
        executor_id: str = "local",
        application: str | None = "shop",
        version: str = "v1",
        process: ProcessIdentity | None = None,
        proven_dead: Callable[[ProcessIdentity], bool] = lambda process: False,
        started: float = 100.0,
        skew_ms: int = 0,
    ) -> None:
        self.clock = HandClock(started, skew_ms)
        self.host = QuietHost()
        self.is_up = True
        executor = Executor(
            executor_id=executor_id,
            application_name=application,
            application_version=version,
            process=process or this_process(),
            lease_ms=LEASE.lease_ms,
        )
        self.line = Line(DatabaseMembership(database, executor))
        self.heart = HeartbeatLoop(
            self.line,
            self.host,
            lease=LEASE,
            clock=self.clock,
            proven_dead=proven_dead,
            incarnation=self.host.incarnation,
        )
        self.heart.join()
        _nodes.append(self)

    @property
    def incarnation(self) -> str:
        return self.heart.incarnation


def pass_time(seconds: float, *nodes: Node, rate: dict[Node, float] | None = None) -> None:
    """Let every node that is up live through some time, in slices of half a second."""
    for _ in range(int(seconds * 2)):
        for node in nodes:
            node.clock.reading += 0.5 * (rate or {}).get(node, 1.0)
            while node.is_up and node.heart.run_due() == 0:
                pass


def pending(
    session: Session,
    owner: str | None,
    *,
    executor_id: str = "local",
    application: str | None = "shop",
    version: str = "v1",
    queue: str | None = None,
    at: int = LONG_AGO,
) -> str:
    """A running workflow that began long ago."""
    workflow_id = str(uuid.uuid4())
    row = NewWorkflow(
        workflow_uuid=workflow_id,
        status="PENDING",
        name="checkout",
        created_at=at,
        updated_at=at,
        executor_id=executor_id,
        application_name=application,
        application_version=version,
        queue_name=queue,
        recovery_attempts=1,
        owner_xid=owner,
    )
    start(session, row, "[]")
    return workflow_id


def run_on(
    database: Database, node: Node, count: int = 1, *, queue: str | None = None
) -> list[str]:
    """Workflows that this node owns and runs."""
    with database.writing() as session:
        ids = [pending(session, node.host.token(), queue=queue) for _ in range(count)]
    node.host.running.update(ids)
    return ids


def status_of(database: Database, workflow_id: str) -> str:
    with database.reading() as session:
        row = session.one(ROW, id=workflow_id)
    assert row is not None
    return str(row[0])


def count(database: Database, status: str) -> int:
    with database.reading() as session:
        row = session.one(BY_STATUS, status=status)
    assert row is not None
    return int(row[0])


def tombstone(database: Database, incarnation: str) -> str | None:
    """Who declared it dead; None while nobody has."""
    with database.reading() as session:
        row = session.one(EXECUTOR, incarnation=incarnation)
    assert row is not None
    return row[6] if row[5] is not None else None
