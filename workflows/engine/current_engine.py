"""The engine that a call is for: the process's own, once launched, or a client's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from dboshub.workflows.engine.context import FRAME
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.identity import ANONYMOUS, IDENTITY
from dboshub.workflows.engine.runtime.engine import Engine


@dataclass(frozen=True, slots=True)
class ClientContext:
    """A client: an engine that executes nothing, and what the apps above keep beside it."""

    engine: Engine
    parts: Mapping[str, Any]


_engine: Engine | None = None
_pid = 0
CLIENT_CONTEXT: ContextVar[ClientContext | None] = ContextVar("dboshub_outsider", default=None)


class ProcessClient(Protocol):
    """The client of a process in which no engine is launched."""

    def context(self) -> ClientContext | None:
        """Made by the first call; None where calls are to wait for a launch."""

    def close(self) -> None:
        """End it; the next call makes another."""


# A Django project has one, a plain script none.
_process_client: ProcessClient | None = None


def current_client() -> ClientContext | None:
    """The client whose call this is, or None: then the call is for the launched engine."""
    found = CLIENT_CONTEXT.get()
    if found is None and _engine is None and _process_client is not None:
        return _process_client.context()
    return found


def engine() -> Engine:
    """The engine of this call.

    Raises DBOSException in a forked child, and before launch where there is no client.
    """
    client = current_client()
    return client.engine if client is not None else _launched()


def executing_engine(workflow: str) -> Engine:
    """The engine that a direct call of a workflow runs on. Raises DBOSException as ``engine()``."""
    if current_client() is None:
        return _launched()
    raise DBOSException(
        f"workflow {workflow} was called in a process that executes no workflows: let a worker run "
        f"it, by DBOS.start_workflow({workflow}, …) or a queue, or call DBOS.launch() here first"
    )


def _launched() -> Engine:
    if _engine is None:
        raise DBOSException("DBOS is not launched: call DBOS(config=…) and DBOS.launch() first")
    if os.getpid() != _pid:
        raise DBOSException(
            "this process was forked after DBOS.launch(), so it has none of the engine's threads: "
            "launch after forking, or start the process with 'spawn'"
        )
    return _engine


def is_launched() -> bool:
    return _engine is not None and os.getpid() == _pid


def serve_unlaunched(client: ProcessClient | None) -> None:
    """Let `client` serve the calls that this process makes while no engine is launched."""
    global _process_client
    _process_client = client


def close_process_client() -> None:
    if _process_client is not None:
        _process_client.close()


def install(launched: Engine | None) -> None:
    """Make an engine the one of this process, or forget it."""
    global _engine, _pid
    _engine, _pid = launched, os.getpid()


@contextmanager
def within(client_context: ClientContext | None) -> Iterator[None]:
    """Let calls in the block be a client's: of no workflow and on nobody's behalf.

    Without a client they stay what they are.
    """
    if client_context is None:
        yield
        return
    tokens = (CLIENT_CONTEXT.set(client_context), FRAME.set(None), IDENTITY.set(ANONYMOUS))
    try:
        yield
    finally:
        CLIENT_CONTEXT.reset(tokens[0])
        FRAME.reset(tokens[1])
        IDENTITY.reset(tokens[2])
