"""The writes of the journal. A write is recorded only while its owner token owns the row.

They are not frozen, because that would double the time to make one: nobody changes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from dboshub.workflows.engine.records import NewWorkflow, Started

# Bytes. A larger payload would delay the other writes of its group.
ISOLATE_ABOVE = 256 * 1024


class Verdict(Enum):
    """The result of one write."""

    DONE = "done"
    REFUSED = "refused"  # the execution no longer owns the workflow
    LOCKED = "locked"  # another transaction holds the row: apply it isolated
    CONFLICT = "conflict"  # another outcome is recorded for this step
    NOTHING = "nothing"  # no message to consume; no such destination; of starts all were undone


@dataclass(slots=True)
class Answer:
    """A verdict, with the result of a start or the message received."""

    verdict: Verdict
    started: Started | None = None
    received: tuple[str, str | None] | None = None  # a message and its serialization
    missing: str | None = None  # the destination that does not exist
    starts: tuple[Started, ...] = ()  # the result of each start of a BulkStartWrite
    conflict: int | None = None  # the step of a BulkStartWrite that has another checkpoint


DONE = Answer(Verdict.DONE)
REFUSED = Answer(Verdict.REFUSED)
LOCKED = Answer(Verdict.LOCKED)
CONFLICT = Answer(Verdict.CONFLICT)
NOTHING = Answer(Verdict.NOTHING)


@dataclass(slots=True, kw_only=True)
class StepWrite:
    """The checkpoint of a step."""

    workflow_id: str
    owner: str
    function_id: int
    name: str
    output: str | None = None
    error: str | None = None
    child_id: str | None = None
    started_at: int | None = None
    completed_at: int | None = None
    serialization: str | None = None
    application_name: str | None = None

    @property
    def size(self) -> int:
        return len(self.output or "") + len(self.error or "")

    @property
    def isolated(self) -> bool:
        return self.size > ISOLATE_ABOVE

    @property
    def conflict_key(self) -> object:
        return ("step", self.workflow_id, self.function_id)


@dataclass(slots=True)
class Sender:
    """The execution that sends messages in a step, which is recorded later, or starts others."""

    workflow_id: str
    owner: str


@dataclass(slots=True, kw_only=True)
class StartWrite:
    """A new workflow with its input; a child also with its parent's checkpoint."""

    row: NewWorkflow
    inputs: str
    parent: StepWrite | None = None
    chosen_id: bool = False  # other starts may use the same workflow or deduplication id
    reject_existing: bool = False  # the reuse policy: an id in use is an error
    accept_duplicate: bool = False  # the duplication policy: a deduplication id in use is none

    @property
    def workflow_id(self) -> str:
        """The workflow whose row this write locks: the parent, if there is one."""
        return self.parent.workflow_id if self.parent else self.row.workflow_uuid

    @property
    def owner(self) -> str | None:
        return self.parent.owner if self.parent else self.row.owner_xid

    @property
    def size(self) -> int:
        return len(self.inputs)

    @property
    def isolated(self) -> bool:
        return self.chosen_id or self.size > ISOLATE_ABOVE

    @property
    def conflict_key(self) -> object:
        return ("start", self.row.workflow_uuid)


@dataclass(slots=True, kw_only=True)
class BulkStartWrite:
    """Several starts, and checkpoints of their parent for starts that were refused before.

    If `is_atomic` and one of the starts is refused, none of them is recorded.
    """

    starts: tuple[StartWrite, ...]
    refused: tuple[StepWrite, ...] = ()
    by: Sender | None = None  # the parent
    is_atomic: bool = False

    @property
    def workflow_id(self) -> str:
        return self.by.workflow_id if self.by else self.starts[0].workflow_id

    @property
    def size(self) -> int:
        return sum(each.size for each in self.starts) + sum(each.size for each in self.refused)

    @property
    def isolated(self) -> bool:
        return True

    @property
    def conflict_key(self) -> object:
        return ("starts", id(self))


@dataclass(slots=True, kw_only=True)
class OutcomeWrite:
    """The outcome of a workflow."""

    workflow_id: str
    owner: str
    status: str
    output: str | None
    error: str | None
    now: int

    @property
    def size(self) -> int:
        return len(self.output or "") + len(self.error or "")

    @property
    def isolated(self) -> bool:
        return self.size > ISOLATE_ABOVE

    @property
    def conflict_key(self) -> object:
        return ("outcome", self.workflow_id)


@dataclass(slots=True, kw_only=True)
class EventWrite:
    """A new value of an event; with a checkpoint if a workflow body set it."""

    workflow_id: str
    owner: str
    function_id: int
    key: str
    value: str
    serialization: str | None
    step: StepWrite | None

    @property
    def size(self) -> int:
        return len(self.value)

    @property
    def isolated(self) -> bool:
        return True  # it reads what the row lock guards, so it takes several statements

    @property
    def conflict_key(self) -> object:
        return ("event", self.workflow_id, self.key)


@dataclass(slots=True, kw_only=True)
class StreamWrite:
    """A value appended to a stream; with a checkpoint if a workflow body wrote it."""

    workflow_id: str
    owner: str
    function_id: int
    key: str
    value: str
    serialization: str | None
    step: StepWrite | None

    @property
    def size(self) -> int:
        return len(self.value)

    @property
    def isolated(self) -> bool:
        return True  # it reads what the row lock guards, so it takes several statements

    @property
    def conflict_key(self) -> object:
        return ("stream", self.workflow_id, self.function_id, self.step is None, id(self))


@dataclass(slots=True, kw_only=True)
class SendWrite:
    """A message to another workflow, of a workflow body, of a step, or of nobody's execution."""

    destination: str
    message_uuid: str  # drawn before the commit, so that a repeated write is recognised
    topic: str | None
    message: str
    serialization: str | None
    by: StepWrite | Sender | None = None  # the checkpoint of a workflow body, or the step's sender

    @property
    def workflow_id(self) -> str:
        return self.by.workflow_id if self.by else self.destination

    @property
    def size(self) -> int:
        return len(self.message)

    @property
    def isolated(self) -> bool:
        return True  # its trigger notifies, and commits that notify exclude each other

    @property
    def conflict_key(self) -> object:
        return ("send", self.message_uuid)


@dataclass(slots=True, kw_only=True)
class BulkSendWrite:
    """Several messages, all or none. Copies for forks that no longer exist are left out."""

    sends: tuple[SendWrite, ...]
    copies: tuple[SendWrite, ...] = ()
    by: StepWrite | Sender | None = None

    @property
    def workflow_id(self) -> str:
        return self.by.workflow_id if self.by else self.sends[0].destination

    @property
    def size(self) -> int:
        return sum(each.size for each in (*self.sends, *self.copies))

    @property
    def isolated(self) -> bool:
        return True

    @property
    def conflict_key(self) -> object:
        return ("bulk", id(self))


@dataclass(slots=True, kw_only=True)
class ConsumeWrite:
    """Consume the oldest message of a topic and record it as the result of a step."""

    step: StepWrite  # recorded if there is no message and this `is_last_try`
    topic: str | None
    is_last_try: bool = False

    @property
    def workflow_id(self) -> str:
        return self.step.workflow_id

    @property
    def size(self) -> int:
        return 0

    @property
    def isolated(self) -> bool:
        return True

    @property
    def conflict_key(self) -> object:
        return ("consume", self.workflow_id, self.topic)


MessageWrite = SendWrite | BulkSendWrite | ConsumeWrite
StartsWrite = StartWrite | BulkStartWrite
Write = StepWrite | StartsWrite | OutcomeWrite | EventWrite | StreamWrite | MessageWrite
