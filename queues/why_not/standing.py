"""What the rules of claims look at, for one workflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dboshub.queues.engine.limits import Usage
from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.selectors.pauses import Pause
from dboshub.workflows.selectors.executors import Executor
from dboshub.workflows.selectors.rows import WorkflowRow

UNUSED = Usage()

Pair = tuple[str | None, str | None]  # an application and a version


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One enqueued or delayed workflow before the rules of claims.

    `settings` is None if its queue is not registered; `executors` are the live ones, None where no
    table names them. `admitted` are the applications and versions of executors that the row
    admits; `able` the executors that could claim it, were it not for slots and limits. The usage
    of limits is as `application` counts it, which would claim it as `version`. `held` is how many
    workflows each incarnation runs of its queue, and of its partition.
    """

    row: WorkflowRow
    settings: QueueSettings | None
    pause: Pause | None
    executors: Sequence[Executor] | None
    admitted: frozenset[Pair]
    able: Sequence[Executor] = ()
    application: str | None = None
    version: str | None = None
    usage: Usage = UNUSED
    partition_usage: Usage = UNUSED
    held: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def owner(self) -> str | None:
        """The application that runs it, or whose queue it is on; None if any may run it."""
        queue = self.settings
        return self.row.application_name or (queue.application_name if queue else None)

    @property
    def is_usage_known(self) -> bool:
        """Whether limits count now: a delayed workflow meets those of a later time."""
        return self.row.status == "ENQUEUED"
