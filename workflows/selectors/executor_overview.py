"""Executors, live and recently ended; application versions; and the work in flight on each.

At most MAX_ROWS_SCANNED rows of each status are read, oldest first; a capped count is "at least".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from dboshub.workflows.selectors.counts import Count
from dboshub.workflows.selectors.executors import COLUMNS, IDENTITY, Executor, from_record
from dboshub.workflows.selectors.keyset.index_predicates import enqueued_order, enqueued_predicate
from dboshub.workflows.selectors.scope import Viewer, all_in_scope
from dboshub.workflows.selectors.tables import EXECUTORS, has_table
from dboshub.workflows.storage.fragments import LATEST_FIRST
from dboshub.workflows.storage.sql import Row, Session, Statement

MAX_PROCESSES = 200
MAX_ENDED = 20
MAX_VERSIONS = 100
# Rows in flight that are read, by status: no index serves versions and executors.
MAX_ROWS_SCANNED = {"PENDING": 9_000, "ENQUEUED": 8_000, "DELAYED": 2_000}


@dataclass(frozen=True, slots=True)
class Process:
    """One incarnation of an executor. `pending_count` is the number of its running workflows."""

    executor: Executor
    registered_at: int
    ended_at: int | None
    stopped_at: int | None
    pending_count: int = 0

    @property
    def is_live(self) -> bool:
        """Whether it has neither stopped nor been declared dead."""
        return self.ended_at is None

    @property
    def lived_ms(self) -> int:
        return max(0, (self.ended_at or self.executor.last_beat_at) - self.registered_at)


@dataclass(frozen=True, slots=True)
class Holder:
    """Running workflows of an executor id that no live process owns.

    `is_ours` means that a process of DBOSHub owned them.
    """

    executor_id: str | None
    application: str | None
    version: str | None
    count: int
    oldest_at: int
    moved_at: int
    is_ours: bool


@dataclass(frozen=True, slots=True)
class RetirementAdvice:
    css: str
    text: str


@dataclass(frozen=True, slots=True)
class Version:
    """An application version with its work in flight by status (`counts`).

    `name` is None for work that names no version: the latest version runs it.
    """

    name: str | None
    application: str | None
    promoted_at: int | None = None
    created_at: int | None = None
    is_latest: bool = False
    executors: int = 0
    counts: dict[str, Count] = field(default_factory=dict)

    @property
    def in_flight(self) -> int:
        return sum(each.number for each in self.counts.values())

    @property
    def retirement_advice(self) -> RetirementAdvice:
        """Whether the last executors of this version can be stopped."""
        if self.name is None:
            return RetirementAdvice("", "It goes to the latest version of its application.")
        if self.is_latest:
            return RetirementAdvice("", "No: new work goes to it.")
        if self.in_flight and not self.executors:
            return RetirementAdvice(
                "s-error", "Stranded: it waits for an executor of this version."
            )
        if self.in_flight:
            return RetirementAdvice("s-cancelled", "Not yet: it still holds work.")
        if any(each.at_least for each in self.counts.values()):
            return RetirementAdvice("", "Unknown: more is in flight than is looked at.")
        return RetirementAdvice("s-success", "Yes: nothing in flight needs it.")


@dataclass(frozen=True, slots=True)
class ExecutorOverview:
    """`processes` is None if there is no table of executors. `is_cut` means that rows in flight
    were left out. `most_attempts` is the most starts of one of those that were read."""

    processes: list[Process] | None
    holders: list[Holder]
    versions: list[Version]
    is_cut: bool
    most_attempts: int = 0

    def of(self, *, live: bool) -> list[Process]:
        return [each for each in self.processes or () if each.is_live is live]


OWN = ("registered_at", "COALESCE(stopped_at, declared_dead_at)", "stopped_at")
PROCESSES, PUBLISHING_PROCESSES = (
    Statement(
        f"""
        SELECT {", ".join(OWN)}, {columns}
        FROM {{dboshub_executor}}
        ORDER BY CASE WHEN stopped_at IS NULL AND declared_dead_at IS NULL THEN 0 ELSE 1 END,
            last_beat_at DESC
        LIMIT :most
        """
    )
    for columns in (IDENTITY, COLUMNS)
)
# An owner token is `hub:<incarnation>:<n>`; an incarnation has 32 characters.
RUNNING = """
    SELECT incarnation, executor_id, application_name, application_version, COUNT(*),
        MIN(created_at), MAX(updated_at), MAX(recovery_attempts)
    FROM (
        SELECT executor_id, application_name, application_version, created_at, updated_at,
            recovery_attempts,
            CASE WHEN owner_xid LIKE 'hub:%' THEN substr(owner_xid, 5, 32) END AS incarnation
        FROM {workflow_status}
        WHERE status = 'PENDING' AND SCOPE
        ORDER BY created_at
        LIMIT :most
    ) AS looked
    GROUP BY incarnation, executor_id, application_name, application_version
"""
WAITING = """
    SELECT application_name, application_version, COUNT(*), MAX(recovery_attempts)
    FROM (
        SELECT application_name, application_version, recovery_attempts
        FROM {workflow_status}
        WHERE SERVED AND SCOPE
        ORDER BY ORDER_OF_INDEX
        LIMIT :most
    ) AS looked
    GROUP BY application_name, application_version
"""
# By status: the condition and the order of its index.
INDEXED_STATUSES: dict[str, tuple[Callable[[Session], str], Callable[[Session], str]]] = {
    "ENQUEUED": (enqueued_predicate, enqueued_order),
    "DELAYED": (lambda _: "status = 'DELAYED'", lambda _: "delay_until_epoch_ms"),
}
LAUNCHED = f"""
    SELECT version_name, application_name, version_timestamp, created_at
    FROM {{application_versions}}
    WHERE SCOPE
    ORDER BY {LATEST_FIRST}
    LIMIT :most
"""


@dataclass(slots=True)
class _InFlightCounts:
    """The rows in flight that were read, counted by version and status."""

    by_version: dict[str | None, Counter[str]] = field(default_factory=dict)
    applications: dict[str | None, str | None] = field(default_factory=dict)
    by_status: Counter[str] = field(default_factory=Counter)
    most_attempts: int = 0

    def add(
        self,
        status: str,
        application: str | None,
        version: str | None,
        count: int,
        attempts: int | None,
    ) -> None:
        self.by_version.setdefault(version, Counter())[status] += count
        self.applications.setdefault(version, application)
        self.by_status[status] += count
        self.most_attempts = max(self.most_attempts, attempts or 0)

    @property
    def cut(self) -> frozenset[str]:
        """The statuses of which rows were left out."""
        return frozenset(
            each for each, most in MAX_ROWS_SCANNED.items() if self.by_status[each] >= most
        )


def executor_overview(
    session: Session, viewer: Viewer, *, now: int, published: bool = True
) -> ExecutorOverview:
    """Everything that the executor page shows, in at most six statements.

    What each process publishes, up to megabytes, is read only if `published`.
    """
    processes = known_processes(session, viewer, now, published=published)
    live = {each.executor.incarnation for each in processes or () if each.is_live}
    looked, held, holders = _InFlightCounts(), Counter[str](), []
    for row in all_in_scope(session, RUNNING, viewer, most=MAX_ROWS_SCANNED["PENDING"]):
        incarnation, executor_id, application, version, count, oldest_at, moved_at, attempts = row
        looked.add("PENDING", application, version, count, attempts)
        held[incarnation or ""] += count
        if incarnation not in live:
            is_ours = incarnation is not None
            holders.append(
                Holder(executor_id, application, version, count, oldest_at, moved_at, is_ours)
            )
    for status, (served, order) in INDEXED_STATUSES.items():
        text = WAITING.replace("SERVED", served(session))
        text = text.replace("ORDER_OF_INDEX", order(session))
        for application, version, count, attempts in all_in_scope(
            session, text, viewer, most=MAX_ROWS_SCANNED[status]
        ):
            looked.add(status, application, version, count, attempts)
    launched = all_in_scope(session, LAUNCHED, viewer, most=MAX_VERSIONS)
    counted = [
        replace(each, pending_count=held[each.executor.incarnation]) for each in processes or ()
    ]
    return ExecutorOverview(
        None if processes is None else counted,
        sorted(holders, key=lambda each: -each.count),
        _versions(launched, looked, [each.executor for each in counted if each.is_live]),
        bool(looked.cut),
        looked.most_attempts,
    )


def known_processes(
    session: Session, viewer: Viewer, now: int, *, published: bool = False
) -> list[Process] | None:
    """The live processes, then those that ended last; None if there is no table of executors."""
    if not has_table(session, EXECUTORS):
        return None
    found = []
    asked = PUBLISHING_PROCESSES if published else PROCESSES
    for row in session.all(asked, most=MAX_PROCESSES):
        executor = from_record(row[len(OWN) :], now)
        if viewer.may_see(executor.application):
            found.append(Process(executor, *row[: len(OWN)]))
    ended = sorted(
        (each for each in found if not each.is_live), key=lambda each: -(each.ended_at or 0)
    )
    return [each for each in found if each.is_live] + ended[:MAX_ENDED]


def _versions(launched: list[Row], looked: _InFlightCounts, live: list[Executor]) -> list[Version]:
    """The launched versions, latest first, and those that only workflows or executors name."""
    latest = _latest(launched)
    beating = Counter(each.version for each in live if each.is_beating)
    facts = {name: (owner, promoted, made) for name, owner, promoted, made in launched}
    for each in live:
        facts.setdefault(each.version, (each.application, None, None))
    for name, owner in looked.applications.items():
        facts.setdefault(name, (owner, None, None))
    return [
        Version(
            name,
            owner,
            promoted,
            made,
            is_latest=name in latest,
            executors=beating[name],
            counts={
                status: Count(looked.by_version.get(name, Counter())[status], status in looked.cut)
                for status in MAX_ROWS_SCANNED
            },
        )
        for name, (owner, promoted, made) in facts.items()
    ]


def _latest(launched: list[Row]) -> set[str]:
    """For each application, the newest of its own versions and of those without application."""
    owners = {owner for _, owner, *_ in launched}
    firsts = (
        next(name for name, owner, *_ in launched if owner in (None, each)) for each in owners
    )
    return set(firsts)
