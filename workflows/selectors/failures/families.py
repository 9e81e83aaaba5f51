"""Families: a run with its forks, and theirs. All of them are attempts at the same work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.statuses import FAILED_NOT_CANCELLED, IN_FLIGHT
from dboshub.workflows.storage.sql import Session, Statement

MAX_GENERATIONS = 10
# Forks of one run, in no order, and of all together; those that are not read count for nothing.
MAX_FORKS_OF_ONE, MAX_FORKS = 100, 5_000

_COLUMNS = """fork.workflow_uuid, fork.status, fork.created_at,
        COALESCE(fork.completed_at, fork.updated_at), fork.application_name"""
# One probe of the index for each id: a join might read the whole table.
FORKS = Statement(
    postgres=f"""
        SELECT given.id, {_COLUMNS}
        FROM unnest(CAST(:ids AS text[])) AS given(id)
        CROSS JOIN LATERAL (
            SELECT * FROM {{workflow_status}} WHERE forked_from = given.id LIMIT :each
        ) AS fork
        LIMIT :most
    """,
    sqlite=f"""
        SELECT given.value, {_COLUMNS}
        FROM json_each(:ids) AS given
        JOIN {{workflow_status}} AS fork ON fork.workflow_uuid IN (
            SELECT workflow_uuid FROM {{workflow_status}}
            WHERE forked_from = given.value LIMIT :each
        )
        LIMIT :most
    """,
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a family; `ended_at` is when an unfinished one changed last (epoch ms)."""

    workflow_id: str
    status: str
    created_at: int
    ended_at: int
    application: str | None

    @property
    def is_failed(self) -> bool:
        return self.status in FAILED_NOT_CANCELLED

    def makes_good(self, failed: Attempt) -> bool:
        """Whether it succeeded, and began or ended after the failed one."""
        is_later = self.created_at > failed.created_at or self.ended_at > failed.ended_at
        return self.status == "SUCCESS" and is_later


@dataclass(frozen=True, slots=True)
class Family:
    """The attempts at one piece of work that the viewer may see; `origin` is the first one's id."""

    origin: str
    attempts: tuple[Attempt, ...]

    @property
    def failed(self) -> Attempt | None:
        """The newest failed attempt: it counts for those before it."""
        failed = (each for each in self.attempts if each.is_failed)
        return max(failed, key=lambda each: (each.created_at, each.workflow_id), default=None)

    @property
    def success(self) -> Attempt | None:
        """The first attempt that made good what failed; None if none did."""
        failed = self.failed
        good = (each for each in self.attempts if failed and each.makes_good(failed))
        return min(good, key=lambda each: (each.ended_at, each.workflow_id), default=None)

    @property
    def in_flight(self) -> Attempt | None:
        """The newest attempt that has not ended."""
        going = (each for each in self.attempts if each.status in IN_FLIGHT)
        return max(going, key=lambda each: (each.created_at, each.workflow_id), default=None)


def families(
    session: Session, rows: Iterable[WorkflowRow], *, viewer: Viewer = EVERYTHING
) -> dict[str, Family]:
    """The family of each run, by the run's id; one statement for each generation that exists."""
    given = {row.pk: row for row in rows}
    origins = _origins(session, given, viewer)
    firsts = {row.pk: row for row in origins.values()}
    found = {pk: [_attempt(row)] for pk, row in firsts.items()}
    families_of, level, room = {pk: pk for pk in firsts}, [*firsts], MAX_FORKS
    for _ in range(MAX_GENERATIONS):
        if not level or room <= 0:
            break
        forks = session.all(FORKS, ids=session.ids(level), each=MAX_FORKS_OF_ONE, most=room)
        room -= len(forks)
        level = []
        for source, *columns in forks:
            attempt, origin = Attempt(*columns), families_of.get(source)
            # An id that is no text is not written as it is read.
            if origin is None or attempt.workflow_id in families_of:
                continue
            if viewer.may_see(attempt.application):
                families_of[attempt.workflow_id] = origin
                found[origin].append(attempt)
                level.append(attempt.workflow_id)
    known = {origin: Family(origin, tuple(attempts)) for origin, attempts in found.items()}
    return {pk: known[origin.pk] for pk, origin in origins.items()}


def _origins(
    session: Session, given: dict[str, WorkflowRow], viewer: Viewer
) -> dict[str, WorkflowRow]:
    """The first existing run of each row's family."""
    known, origins = dict(given), dict(given)
    for _ in range(MAX_GENERATIONS):
        above = {each.forked_from for each in origins.values() if each.forked_from}
        if above - {*known}:
            known |= rows_by_id(session, above - {*known}, viewer=viewer)
        origins = {pk: known.get(each.forked_from or "", each) for pk, each in origins.items()}
    return origins


def _attempt(row: WorkflowRow) -> Attempt:
    ended = row.completed_at or row.updated_at
    return Attempt(row.pk, row.status, row.created_at, ended, row.application_name)
