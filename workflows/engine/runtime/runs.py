"""What a row says of a run when it begins in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dboshub.workflows.engine.context import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One claimed or started workflow, with the token that owns it."""

    workflow_id: str
    owner: str
    name: str
    identity: Identity
    serialization: str | None = None
    deadline_ms: int | None = None
    has_history: bool = False
    queue_name: str | None = None
    partition_key: str | None = None
    trace: Any = None  # that its span belongs to, if there is a tracer
