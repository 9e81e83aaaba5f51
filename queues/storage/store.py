"""The ports of dispatcher, maintenance and public API on a system database."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial

from dboshub.queues.engine.ports import Claim, OnConflict, Postponement, Survey
from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.storage import debounce, due_workflows, notify, registry
from dboshub.queues.storage.bounded_look import LinePastRefused
from dboshub.queues.storage.claim import Claimant, ClaimRequest, read_back
from dboshub.queues.storage.limited_claim import (
    FROM_FIRST,
    Line,
    PartitionCursor,
    claim_within_limits,
)
from dboshub.queues.storage.survey import survey
from dboshub.workflows.engine.clock import Clock
from dboshub.workflows.engine.records import ClaimedWorkflow, NewWorkflow
from dboshub.workflows.storage.answering import AnsweringSessions
from dboshub.workflows.storage.database import Database, Sessions
from dboshub.workflows.storage.journal.insert_workflow import start
from dboshub.workflows.storage.membership.recover import hand_back
from dboshub.workflows.storage.own_connection import OwnConnection
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.storage.transient_errors import is_momentary

logger = logging.getLogger("dboshub.queues")

REFUSED_MS = 600_000
# Claims keep one plan, so it must be right for a queue of any length: along the index in which the
# rows stand in order, then to each row by its key. To plan takes longer than to execute.
CLAIM_PLANNER = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}


class QueueStore:
    """The queues of one application, for one executor. Safe to use from any thread."""

    def __init__(
        self,
        database: Database,
        *,
        application: str,
        version: str,
        executor_id: str,
        kafka_interval: Callable[[], float | None] = lambda: None,
        refused: Callable[[], Sequence[str]] = lambda: (),
    ) -> None:
        """`kafka_interval` returns the polling interval of the Kafka queues in seconds, or None;
        `refused` the claim keys of what this process cannot run.
        """
        self._kafka_interval = kafka_interval
        self._refused = refused
        self._database = database
        self._application = application
        self._version = version
        self._claimant = Claimant(application, version, executor_id)
        self._begin_with_others: set[str] = set()
        self._lines: dict[str, LinePastRefused] = {}
        self._cursors: defaultdict[str, PartitionCursor] = defaultdict(PartitionCursor)
        self._own = OwnConnection(partial(database.connect, planner=CLAIM_PLANNER))

    def close(self) -> None:
        """Close the connection that claims; no thread claims any more."""
        self._own.close()

    def survey(self) -> list[Survey]:
        with self._database.reading() as session:
            found = survey(
                session,
                self._application,
                self._version,
                kafka_interval=self._kafka_interval(),
                refused=self._refused(),
            )
        self._begin_with_others = {each.queue.name for each in found if each.begins_with_others}
        return found

    def put(self, rows: Sequence[tuple[NewWorkflow, str]]) -> None:
        """Enqueue workflows with their inputs, all or none; existing ones stay unchanged."""
        with self._database.writing() as session:
            for row, inputs in rows:
                start(session, row, inputs)

    def claim(
        self,
        queue: QueueSettings,
        tokens: Sequence[str],
        running_here: Callable[[str], int],
        *,
        with_inputs: bool = True,
    ) -> Claim:
        request = ClaimRequest(
            claimant=self._claimant,
            queue=queue,
            tokens=tokens,
            running_here=running_here,
            refused=self._refused(),
            with_inputs=with_inputs,
        )
        line = self._line(request)
        if queue.has_shared_limits:
            with self._database.writing() as session:
                return claim_within_limits(session, request, self._cursors[queue.name], line)
        with self._claiming() if line is FROM_FIRST else self._single_statement() as session:
            return line.claim(session, request)

    @contextmanager
    def _claiming(self) -> Iterator[Session]:
        """A session for claims from the first workflow on; PostgreSQL has a connection for them."""
        if self._database.vendor == "postgresql":
            with self._own.use() as connection:
                yield connection.session
        else:
            with self._database.writing() as session:
                yield session

    def _line(self, request: ClaimRequest) -> Line:
        """How to claim: past what is for others in parts, once that may be much."""
        queue = request.queue.name
        if not request.refused and queue not in self._begin_with_others:
            return FROM_FIRST
        if queue not in self._lines:
            self._lines[queue] = LinePastRefused()
        line = self._lines[queue]
        line.has_many = queue in self._begin_with_others
        return line

    def read_back(self, queue: QueueSettings, tokens: Sequence[str]) -> list[ClaimedWorkflow]:
        with self._database.reading() as session:
            return read_back(session, queue.name, tokens)

    def hand_back(self, workflows: Sequence[ClaimedWorkflow], now: int) -> None:
        with self._database.writing() as session:
            hand_back(session, [(each.workflow_id, each.owner) for each in workflows], now=now)
        self.announce(sorted({each.queue_name for each in workflows if each.queue_name}))

    def release_due(self, now: int) -> list[str]:
        def one_batch() -> list[str]:
            with self._single_statement() as session:
                return due_workflows.release_due(session, self._application, now=now)

        try:
            found = due_workflows.in_batches(one_batch)
        except Exception as error:
            if is_momentary(error):
                raise
            found = self._release_one_by_one(now)
        # Another program may have delayed a workflow that is on no queue.
        released = sorted({queue for queue in found if queue})
        if released:
            self.announce(released)
        return released

    def _release_one_by_one(self, now: int) -> list[str]:
        """Enqueue what is due; what the database refuses to enqueue waits REFUSED_MS longer.

        As PostgreSQL does for names that fit into a row and into no index of what is enqueued.
        """
        with self._database.reading() as session:
            ids = due_workflows.due(session, self._application, now=now)
        released: list[str] = []
        for workflow_id in ids:
            try:
                with self._single_statement() as session:
                    released += due_workflows.release_one(session, workflow_id, now=now)
            except Exception as error:
                if is_momentary(error):
                    raise
                logger.warning("Workflow %s stays delayed: %s", workflow_id, error)
                until = now + REFUSED_MS
                with self._database.writing() as session:
                    due_workflows.postpone(session, workflow_id, now=now, until=until)
        return released

    def cancel_overdue(self, now: int) -> list[str]:
        def one_batch() -> list[str]:
            with self._single_statement() as session:
                return due_workflows.cancel_overdue(session, self._application, now=now)

        return due_workflows.in_batches(one_batch)

    def announce(self, queues: Sequence[str]) -> None:
        """Notify other processes that these queues have enqueued workflows."""
        with self._database.reading() as session:
            notify.announce(session, queues)

    def _single_statement(self) -> AbstractContextManager[Session]:
        """A session for one writing statement, for which PostgreSQL needs no BEGIN and COMMIT."""
        if self._database.vendor == "postgresql":
            return self._database.reading()
        return self._database.writing()


class RegistryStore:
    """The table of queues, written as one version of one application."""

    def __init__(
        self,
        database: Sessions,
        clock: Clock,
        *,
        application: str | None = None,
        version: str | None = None,
        has_hub_tables: bool = True,
    ) -> None:
        """Without `application` it reads and changes the queues of all applications."""
        self._has_hub_tables = has_hub_tables
        self._database = AnsweringSessions(database)
        self._clock = clock
        self._registrar = registry.Registrar(application, version)

    def register(
        self, settings: QueueSettings, on_conflict: OnConflict, application: str | None = None
    ) -> None:
        registrar = self._registrar
        if application is not None:
            registrar = replace(registrar, application=application)
        with self._database.writing() as session:
            registry.register(
                session,
                registrar,
                settings,
                on_conflict=on_conflict,
                now=self._clock.now_ms(),
            )

    def declare(self, settings: QueueSettings) -> None:
        with self._database.writing() as session:
            registry.declare(session, self._registrar, settings, now=self._clock.now_ms())

    def retrieve(self, name: str) -> QueueSettings | None:
        with self._database.reading() as session:
            return registry.retrieve(session, name)

    def list_queues(self, applications: Sequence[str] | None) -> list[QueueSettings]:
        with self._database.reading() as session:
            return registry.list_queues(
                session, application=self._registrar.application, applications=applications
            )

    def update(self, settings: QueueSettings) -> bool:
        with self._database.writing() as session:
            return registry.update(session, settings, now=self._clock.now_ms())

    def delete(self, name: str) -> None:
        with self._database.writing() as session:
            registry.delete(session, name, has_hub_tables=self._has_hub_tables)

    def postpone_debounced(self, wanted: Postponement) -> str | None:
        application = wanted.application_name or self._registrar.application
        with self._database.writing() as session:
            now = self._clock.now_ms()
            return debounce.postpone_debounced(session, wanted, application=application, now=now)
