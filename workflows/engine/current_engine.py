"""The engine that a call is for: the process's own, once launched, or a client's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

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


def engine() -> Engine:
    """The engine of this call. Raises DBOSException before launch, and in a forked child."""
    client_context = CLIENT_CONTEXT.get()
    if client_context is not None:
        return client_context.engine
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


def install(launched: Engine | None) -> None:
    """Make an engine the one of this process, or forget it."""
    global _engine, _pid
    _engine, _pid = launched, os.getpid()


@contextmanager
def using_client(client_context: ClientContext | None) -> Iterator[None]:
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
