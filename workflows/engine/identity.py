"""On whose behalf the current code acts: a user, and the roles that the user has."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """The user, the user's roles, and the role that let the user through a role check."""

    user: str | None = None
    roles: tuple[str, ...] | None = None
    assumed_role: str | None = None


ANONYMOUS = Identity()
IDENTITY: ContextVar[Identity] = ContextVar("dboshub_identity", default=ANONYMOUS)
