"""Shard keys. This engine opens no sharded system database, so it accepts only None."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from dboshub.workflows.engine.context import numbered_refusal
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.options import OptionsBlock

P = ParamSpec("P")
R = TypeVar("R")

SHARDED = frozenset({"shard_key", "parent_shard_key"})


class SetShardKey(OptionsBlock):
    """A block with a shard key. Entering it raises DBOSException."""

    def __init__(self, shard_key: str) -> None:
        super().__init__()
        self._shard_key = shard_key

    def changes(self) -> dict[str, Any]:
        refuse_shard_key(self._shard_key)
        return {}


def refuse_shard_key(shard_key: Any) -> None:
    """Raise DBOSException unless the key is None."""
    if shard_key is not None:
        raise DBOSException(
            f"shard_key {shard_key!r:.100} was given, but this system database is not sharded: "
            "leave it out"
        )


def accept_null_shard_key(define: Callable[P, R]) -> Callable[P, R]:
    """Make a call accept shard keys that are None; another key raises DBOSException.

    A call that takes any keyword arguments passes them on to user code, and stays unchanged.
    """
    if _takes_anything(define):
        return define
    refuse = numbered_refusal(refuse_shard_key)

    @functools.wraps(define)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not SHARDED.isdisjoint(kwargs):
            for name in SHARDED & kwargs.keys():
                refuse(kwargs.pop(name))
        return define(*args, **kwargs)

    return call


def _takes_anything(define: Callable[..., Any]) -> bool:
    parameters = inspect.signature(define).parameters.values()
    return any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters)
