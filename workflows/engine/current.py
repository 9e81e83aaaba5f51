"""The engine of this process, once it is launched."""

from __future__ import annotations

import os

from workflows.engine.engine import Engine
from workflows.engine.errors import DBOSException

_engine: Engine | None = None
_pid = 0


def engine() -> Engine:
    """The launched engine. Raises DBOSException before launch, and in a forked child."""
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
