"""Calls of one workflow that must not overlap, because their step ids would depend on timing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dboshub.workflows.engine.runtime.execution import Execution


@contextmanager
def alone(execution: Execution | None, call: str, refusal: Exception) -> Iterator[None]:
    """Raise `refusal` if a `call` of the execution is under way; without one nothing happens."""
    if execution is None:
        yield
        return
    if call in execution.under_way:
        raise refusal
    execution.under_way.add(call)
    try:
        yield
    finally:
        execution.under_way.discard(call)
