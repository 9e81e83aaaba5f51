"""The identity that starts workflows, and the roles that functions require."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Token
from dataclasses import replace
from types import TracebackType
from typing import Any, TypeVar, cast

from dboshub.workflows.engine.errors import DBOSException, DBOSNotAuthorizedError
from dboshub.workflows.engine.identity import (
    ANONYMOUS,
    SCOPE,
    Identity,
    IdentityScope,
    current_identity,
    leave_scope,
    roles_of,
    scope,
    set_identity,
)
from dboshub.workflows.engine.programs import mark_coroutine
from dboshub.workflows.engine.registration.decorated import with_parentheses
from dboshub.workflows.engine.registration.places import (
    CLASS_MARK,
    STEP_MARK,
    WORKFLOW_MARK,
    plain,
)
from dboshub.workflows.engine.registration.registry import registry

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)

ROLES_MARK = "__dboshub_roles__"
_KINDS = (staticmethod, classmethod)


def set_authentication(
    authenticated_user: str | None, authenticated_roles: Sequence[str] | None
) -> None:
    """Set the identity of the block or workflow around; workflows that it starts record it.

    All threads and tasks of a block share it, and it ends with the block. Raises AssertionError
    outside ``DBOSContextEnsure()``, ``DBOSContextSetAuth(…)``, a request and a workflow.
    """
    set_identity(Identity(authenticated_user, roles_of(authenticated_roles)))


class _IdentityBlock:
    """Base of the blocks that begin a scope of identity. One block is entered once at a time."""

    def __init__(self) -> None:
        self._entered: tuple[IdentityScope, Token[IdentityScope | None]] | None = None

    def _enter(self, identity: Identity) -> None:
        if self._entered is not None:
            raise DBOSException(
                f"This {type(self).__name__} is already in use; create a new one for each with "
                "block."
            )
        began = IdentityScope(identity, scope())
        self._entered = (began, SCOPE.set(began))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        entered, self._entered = self._entered, None
        if entered is not None:
            leave_scope(*entered)


class DBOSContextEnsure(_IdentityBlock):
    """A block in which ``DBOS.set_authentication`` may set an identity, which ends with it.

    Within another block or a workflow it shares the identity of that.
    """

    def __enter__(self) -> DBOSContextEnsure:
        if scope() is None:
            self._enter(ANONYMOUS)
        return self


class DBOSContextSetAuth(_IdentityBlock):
    """A block with the identity of a user with these roles.

    Entering it twice at once raises DBOSException.
    """

    def __init__(self, user: str | None, roles: Sequence[str] | None) -> None:
        super().__init__()
        self._identity = Identity(user, roles_of(roles))

    def __enter__(self) -> DBOSContextSetAuth:
        self._enter(self._identity)
        return self


def authorized(name: str, required: Sequence[str] | None, identity: Identity) -> Identity:
    """The identity with the required role that it has. Raises DBOSNotAuthorizedError."""
    if not required:
        return identity
    if identity.roles is None:
        raise DBOSNotAuthorizedError(
            f"Function {name} requires a role, but was called in a context without authentication "
            f"information: it needs one of the roles {', '.join(required)}"
        )
    for role in required:
        if role in identity.roles:
            return replace(identity, assumed_role=role)
    raise DBOSNotAuthorizedError(
        f"Function {name} has required roles, but user is not authenticated for any of them: it "
        f"needs one of the roles {', '.join(required)}; {identity.user or 'this caller'} "
        f"has {', '.join(identity.roles) or 'none'}"
    )


@with_parentheses("@DBOS.required_roles([…])")
def required_roles(roles: Sequence[str]) -> Callable[[F], F]:
    """Require one of these roles of the caller; above or below the other decorator."""
    required = roles_of(roles) or ()

    def decorate(function: F) -> F:
        workflow = getattr(function, WORKFLOW_MARK, None)
        if workflow is None:
            return _role_checked(function, required)
        workflow.required_roles = required
        return function

    return decorate


@with_parentheses("@DBOS.default_required_roles([…])")
def default_required_roles(roles: Sequence[str]) -> Callable[[C], C]:
    """Require these roles for all workflows and steps of a class that require none themselves.

    This also registers the class, under its qualified name.
    """
    required = roles_of(roles) or ()

    def decorate(cls: C) -> C:
        if CLASS_MARK not in vars(cls):
            registry.receivers.add_class(cls, cls.__qualname__)
        for name, attribute in [*vars(cls).items()]:
            function = plain(attribute)
            workflow = getattr(function, WORKFLOW_MARK, None)
            if workflow is not None and workflow.required_roles is None:
                workflow.required_roles = required
            elif hasattr(function, STEP_MARK) and not hasattr(function, ROLES_MARK):
                role_checked = _role_checked(function, required)
                kind = type(attribute) if isinstance(attribute, _KINDS) else None
                setattr(cls, name, role_checked if kind is None else kind(role_checked))
        return cls

    return decorate


def without_role_check(function: F) -> tuple[F, tuple[str, ...] | None]:
    """A function without its role check, and the roles that it requires."""
    roles: tuple[str, ...] | None = getattr(function, ROLES_MARK, None)
    return (function, None) if roles is None else (inspect.unwrap(function), roles)


def _role_checked(function: F, roles: tuple[str, ...]) -> F:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        assumed = authorized(function.__qualname__, roles, current_identity())
        token = SCOPE.set(IdentityScope(assumed))
        try:
            value = function(*args, **kwargs)
        finally:
            SCOPE.reset(token)
        return _run_as(assumed, value) if inspect.iscoroutine(value) else value

    setattr(call, ROLES_MARK, roles)
    is_async = asyncio.iscoroutinefunction(function)
    return cast(F, mark_coroutine(call) if is_async else call)


async def _run_as(identity: Identity, coroutine: Coroutine[Any, Any, Any]) -> Any:
    token = SCOPE.set(IdentityScope(identity))
    try:
        return await coroutine
    finally:
        SCOPE.reset(token)
