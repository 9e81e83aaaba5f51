"""On whose behalf the current code acts: a user, and the roles that the user has."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass

from dboshub.workflows.engine.errors import DBOSException


@dataclass(frozen=True, slots=True)
class Identity:
    """The user, the user's roles, and the role that let the user through a role check."""

    user: str | None = None
    roles: tuple[str, ...] | None = None
    assumed_role: str | None = None


ANONYMOUS = Identity()


def roles_of(given: Sequence[str] | None) -> tuple[str, ...] | None:
    """Roles as an identity keeps them. Raises DBOSException for anything but a list of texts."""
    if given is None:
        return None
    if isinstance(given, str) or not all(isinstance(each, str) for each in given):
        raise DBOSException(f"the roles are {given!r:.100}: give a list of texts")
    return tuple(given)


class IdentityScope:
    """The identity of a block, a workflow or a step; its tasks and threads share it."""

    __slots__ = ("identity", "is_over", "outer")

    def __init__(self, identity: Identity, outer: IdentityScope | None = None) -> None:
        self.identity = identity
        self.outer = outer
        self.is_over = False


# A value set in a copy of the context is lost with it, so the context holds what is shared.
SCOPE: ContextVar[IdentityScope | None] = ContextVar("dboshub_identity", default=None)
_NO_SCOPE = (
    "No DBOS context found: set the identity within DBOSContextEnsure() or a workflow, with which "
    "it ends"
)


def scope() -> IdentityScope | None:
    """The innermost scope that is not over, or None outside any."""
    found = SCOPE.get()
    while found is not None and found.is_over:
        found = found.outer
    return found


def current_identity() -> Identity:
    """The identity of the current code; ANONYMOUS outside any scope."""
    found = scope()
    return ANONYMOUS if found is None else found.identity


def set_identity(identity: Identity) -> None:
    """Set the identity of the current scope. Raises AssertionError outside any."""
    found = scope()
    if found is None:
        raise AssertionError(_NO_SCOPE)
    found.identity = identity


def leave_scope(began: IdentityScope, token: Token[IdentityScope | None]) -> None:
    """End a scope, also from another context than that in which it began."""
    try:
        SCOPE.reset(token)
    except ValueError:
        began.is_over = True
