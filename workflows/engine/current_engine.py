"""The engine that a call uses: that of this process after launch, or a client's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from dboshub.workflows.engine.context import FRAME
from dboshub.workflows.engine.errors import DBOSException, ExecutionInterrupted
from dboshub.workflows.engine.identity import ANONYMOUS, SCOPE, IdentityScope
from dboshub.workflows.engine.runtime.engine import Engine


@dataclass(frozen=True, slots=True)
class ClientContext:
    """An engine that executes nothing, and the stores of queues and schedules that go with it."""

    engine: Engine
    parts: Mapping[str, Any]


NOT_LAUNCHED = (
    "System database accessed before DBOS was launched: call DBOS(config=…) and DBOS.launch() first"
)
_engine: Engine | None = None
_pid = 0
CLIENT_CONTEXT: ContextVar[ClientContext | None] = ContextVar("dboshub_outsider", default=None)


class ProcessClient(Protocol):
    """The client of a process in which no engine is launched."""

    def context(self) -> ClientContext | None:
        """The context, which the first call makes; None if calls must wait for a launch."""

    def close(self) -> None:
        """Close the client. The next call makes another one."""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """The version and the executor id of this process, as far as they are known."""

    application_version: str = ""
    executor_id: str = "local"


# As configured, then as launched; it outlives the engine.
_identity = ProcessIdentity()


def process_identity() -> ProcessIdentity:
    """The identity of this process, launched or not."""
    return _identity


_is_created = False
_launch_refusal: str | None = None


def say_created(is_created: bool) -> None:
    """Say whether this process has a configured DBOS, launched or not."""
    global _is_created
    _is_created = is_created


def set_process_identity(application_version: str | None, executor_id: str) -> None:
    """Set what this process tells of itself before, during and after a launch."""
    global _identity
    _identity = ProcessIdentity(application_version or "", executor_id)


# A Django project has a client; a plain script has none.
_process_client: ProcessClient | None = None


def current_client() -> ClientContext | None:
    """The client that this call uses, or None if it uses the launched engine.

    Raises ExecutionInterrupted in a workflow whose engine was destroyed: nothing takes its place.
    """
    current = FRAME.get()
    if current is not None and current.execution.engine.is_closed:
        raise ExecutionInterrupted(current.execution.workflow_id)
    found = CLIENT_CONTEXT.get()
    if found is None and _engine is None and _process_client is not None:
        return _process_client.context()
    return found


def engine() -> Engine:
    """The engine of this call.

    Raises DBOSException in a forked process, and before launch if there is no client.
    """
    client = current_client()
    return client.engine if client is not None else _launched()


def executing_engine(workflow: str) -> Engine:
    """The engine that runs a workflow which is called directly.

    Raises DBOSException as ``engine()`` does, and if the process executes no workflows.
    """
    if current_client() is None:
        if _engine is None and not _is_created:
            raise DBOSException(
                f"Function {workflow} invoked before DBOS initialized: call DBOS(config=…) and "
                "DBOS.launch() first"
            )
        return _launched()
    raise DBOSException(
        f"workflow {workflow} was called in a process that executes no workflows: let a worker run "
        f"it, by DBOS.start_workflow({workflow}, …) or a queue, or call DBOS.launch() here first"
    )


def not_launched() -> DBOSException:
    """The error for a call that needs an engine or a client, and finds none."""
    reason = "" if _is_created else "No DBOS was created yet. "
    return DBOSException(reason + NOT_LAUNCHED)


def _launched() -> Engine:
    if _engine is None:
        raise not_launched()
    if os.getpid() != _pid:
        raise DBOSException(
            "this process was forked after DBOS.launch(), so it has none of the engine's threads: "
            "launch after forking, or start the process with 'spawn'"
        )
    return _engine


def is_launched() -> bool:
    """Whether this process has launched an engine; False in a process forked from it."""
    return _engine is not None and os.getpid() == _pid


def serve_unlaunched(client: ProcessClient | None) -> None:
    """Make `client` serve the calls of this process while no engine is launched."""
    global _process_client
    _process_client = client


def close_process_client() -> None:
    if _process_client is not None:
        _process_client.close()


def refuse_launch(reason: str | None) -> None:
    """Make ``DBOS.launch()`` raise with this reason from now on; None allows it again."""
    global _launch_refusal
    _launch_refusal = reason


def verify_may_launch() -> None:
    """Raise DBOSException if this process must not run workflows."""
    if _launch_refusal is not None:
        raise DBOSException(_launch_refusal)


def install(launched: Engine | None) -> None:
    """Make an engine that of this process; None removes it."""
    global _engine, _pid
    _engine, _pid = launched, os.getpid()


class UsingClient:
    """The block in which calls use a client; see ``using_client``."""

    __slots__ = ("_context", "_tokens")

    def __init__(self, client_context: ClientContext | None) -> None:
        self._context = client_context

    def __enter__(self) -> None:
        if self._context is not None:
            self._tokens = (
                CLIENT_CONTEXT.set(self._context),
                FRAME.set(None),
                SCOPE.set(IdentityScope(ANONYMOUS)),
            )

    def __exit__(self, *_: object) -> None:
        if self._context is not None:
            client, frame, scope = self._tokens
            CLIENT_CONTEXT.reset(client)
            FRAME.reset(frame)
            SCOPE.reset(scope)


def using_client(client_context: ClientContext | None) -> UsingClient:
    """Make calls in the block use a client, outside any workflow and without an identity.

    None changes nothing.
    """
    return UsingClient(client_context)
