"""Failed attempts of steps. Only DBOSHub's engine records them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dboshub.workflows.selectors.tables import ATTEMPTS, has_table
from dboshub.workflows.storage.sql import Session, Statement

MAX_ATTEMPTS = 100
# From this number on, all but the newest and the first attempt are folded.
MIN_FOLDED, NEWEST_SHOWN = 8, 3

COUNTS = Statement(
    """
    SELECT function_id, COUNT(*)
    FROM {dboshub_attempt}
    WHERE workflow_uuid = :id AND function_id BETWEEN :first AND :last
    GROUP BY function_id
    """
)
NEWEST = Statement(
    """
    SELECT attempt, error, message, failed_at, next_at
    FROM {dboshub_attempt}
    WHERE workflow_uuid = :id AND function_id = :step
    ORDER BY attempt DESC
    LIMIT :most
    """
)


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """One failed attempt, counted from 1. `next_at` is None if no other attempt follows."""

    attempt: int
    error: str | None
    message: str | None
    failed_at: int
    next_at: int | None


@dataclass(frozen=True, slots=True)
class AttemptGroup:
    """Consecutive failed attempts, the last one first; those of many are folded.

    `error` is the class of all of them, or empty.
    """

    attempts: tuple[FailedAttempt, ...]
    is_folded: bool = False

    @property
    def first(self) -> int:
        return self.attempts[-1].attempt

    @property
    def last(self) -> int:
        return self.attempts[0].attempt

    @property
    def error(self) -> str:
        names = {each.error for each in self.attempts}
        return (names.pop() or "") if len(names) == 1 else ""


def grouped(attempts: Sequence[FailedAttempt]) -> list[AttemptGroup]:
    """The newest attempts and the first one, and between them a group of the others."""
    if len(attempts) < MIN_FOLDED:
        return [AttemptGroup(tuple(attempts))] if attempts else []
    between = AttemptGroup(tuple(attempts[NEWEST_SHOWN:-1]), is_folded=True)
    return [AttemptGroup(tuple(attempts[:NEWEST_SHOWN])), between, AttemptGroup((attempts[-1],))]


def counts(session: Session, workflow_id: str, first: int, last: int) -> dict[int, int]:
    """The number of failed attempts of the steps from `first` to `last`, without zeros."""
    if not has_table(session, ATTEMPTS):
        return {}
    return dict(session.all(COUNTS, id=workflow_id, first=first, last=last))


def of_step(session: Session, workflow_id: str, step: int) -> tuple[FailedAttempt, ...]:
    """The newest MAX_ATTEMPTS failed attempts of a step, the last one first."""
    if not has_table(session, ATTEMPTS):
        return ()
    found = session.all(NEWEST, id=workflow_id, step=step, most=MAX_ATTEMPTS)
    return tuple(FailedAttempt(attempt + 1, *rest) for attempt, *rest in found)
