"""What a replay gets and what it finds: a recorded run, and where the code differs from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from dboshub.workflows.engine.records import (
    Checkpoint,
    ClaimedWorkflow,
    Given,
    Status,
    WorkflowOutcome,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """A workflow as it is recorded: its row as a recovery claims it, its steps, its outcome.

    `given` has, by step, what that step handed on: the arguments of a child, the value of an event
    or of a stream. Steps whose hand-over is not recorded are missing in it.
    """

    claimed: ClaimedWorkflow
    steps: Sequence[Checkpoint]
    outcome: WorkflowOutcome
    given: Mapping[int, Given] = field(default_factory=dict)

    @property
    def has_outcome(self) -> bool:
        """Whether its body ended; what was cancelled or given up might have gone on."""
        return self.outcome.status in (Status.SUCCESS, Status.ERROR)


class Kind(StrEnum):
    """In what the code differs from the record."""

    STEP = "step"  # under a number another step is called than is recorded
    MISSING = "missing"  # a recorded step is not called
    EXTRA = "extra"  # a step is called that the ended run did not have
    ARGUMENTS = "arguments"  # a child, an event or a stream gets another value
    OUTCOME = "outcome"
    UNKNOWN = "unknown"  # no function is registered for it
    UNREADABLE = "unreadable"  # a recorded value cannot be read
    UNRECORDED = "unrecorded"  # the body uses the database outside of a step
    STUCK = "stuck"  # the body does not end and calls nothing


@dataclass(frozen=True, slots=True)
class Divergence:
    """One difference. `text` is a sentence for people."""

    kind: Kind
    text: str
    step: int | None = None
    recorded: str | None = None
    called: str | None = None


@dataclass(slots=True, kw_only=True)
class RunReport:
    """What the replay of one run found.

    `goes_on_with` is the first call that is not recorded, where the run would go on; `outcome` is
    the status with which its body ended, None if it did not.
    """

    workflow_id: str
    name: str
    status: str
    recorded: int
    replayed: int = 0
    goes_on_with: tuple[int, str] | None = None
    outcome: str | None = None
    divergences: list[Divergence] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return not self.divergences

    def differs(
        self,
        kind: Kind,
        text: str,
        step: int | None = None,
        *,
        recorded: str | None = None,
        called: str | None = None,
    ) -> None:
        """Note a difference."""
        self.divergences.append(Divergence(kind, text, step, recorded, called))
