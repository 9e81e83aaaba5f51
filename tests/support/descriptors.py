"""This process without file descriptors: what it opens is refused, what is open goes on."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

from dboshub.workflows.engine import current_engine


@contextmanager
def no_descriptors() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def tries_again(workflow_id: str) -> bool:
    """Whether this workflow pauses before the next attempt of a step or transaction."""
    execution = current_engine.engine().executions.find(workflow_id)
    activity = execution and execution.activities.latest
    return bool(activity) and activity.kind == "retry"
