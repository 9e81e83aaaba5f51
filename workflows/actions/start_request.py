"""A request to start a workflow from a page or a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """Which workflow to start, its arguments and its options.

    Empty text and None mean "not given". Without `queue` no limit delays the start. The delay and
    the timeout are seconds; the timeout counts from the start.
    """

    name: str
    application: str | None = None
    class_name: str | None = None
    config_name: str | None = None
    is_portable: bool = False
    args: list[Any] = field(default_factory=list)
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    workflow_id: str = ""
    queue: str = ""
    partition_key: str = ""
    deduplication_id: str = ""
    priority: int = 0
    delay_s: float | None = None
    timeout_s: float | None = None
    version: str = ""
