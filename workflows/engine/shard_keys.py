"""Shard keys are for sharded system databases, which this engine does not open: None is taken."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.options import OptionsBlock

P = ParamSpec("P")
R = TypeVar("R")

SHARDED = frozenset({"shard_key", "parent_shard_key"})


class SetShardKey(OptionsBlock):
    """Workflows started in the block would live under this key: entering it is refused."""

    def __init__(self, shard_key: str) -> None:
        super().__init__()
        self._shard_key = shard_key

    def changes(self) -> dict[str, Any]:
        refuse_shard_key(self._shard_key)
        return {}


def refuse_shard_key(shard_key: Any) -> None:
    """Raise DBOSException for any key but None."""
    if shard_key is not None:
        raise DBOSException(
            f"shard_key {shard_key!r:.100} was given, but this system database is not sharded: "
            "leave it out"
        )


def accept_null_shard_key(define: Callable[P, R]) -> Callable[P, R]:
    """Let a call take shard keys that are None; any other is refused. User arguments pass."""
    if _takes_anything(define):
        return define

    @functools.wraps(define)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not SHARDED.isdisjoint(kwargs):
            for name in SHARDED & kwargs.keys():
                refuse_shard_key(kwargs.pop(name))
        return define(*args, **kwargs)

    return call


def _takes_anything(define: Callable[..., Any]) -> bool:
    parameters = inspect.signature(define).parameters.values()
    return any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters)
