"""The owner that a change within a workflow must still have when its transaction begins.

A stale execution would otherwise cancel, fork or change what its workflow's next owner already has.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Protocol, TypeVar

R = TypeVar("R")


class Owner(Protocol):
    """An execution, which owns a row until another one takes it."""

    workflow_id: str
    owner: str

    def revoke(self, status: str | None) -> None: ...
    def raise_if_stopped(self) -> None: ...


class NotOwnerError(Exception):
    """The row of a workflow has another owner; `status` is its status, None if it is deleted."""

    def __init__(self, status: str | None) -> None:
        super().__init__(status)
        self.status = status


_OWNER: ContextVar[Owner | None] = ContextVar("dboshub_owner_of_changes", default=None)


def current_owner() -> Owner | None:
    """The execution whose row a transaction that begins now must lock and find its own."""
    return _OWNER.get()


def while_owner(owner: Owner, act: Callable[[], R]) -> R:
    """Call `act`, each transaction of which is rolled back unless the row is still `owner`'s.

    Otherwise stop the execution, and raise the reason, which no ``except Exception`` catches.
    """
    token = _OWNER.set(owner)
    try:
        return act()
    except NotOwnerError as lost:
        owner.revoke(lost.status)
        owner.raise_if_stopped()
        raise
    finally:
        _OWNER.reset(token)
