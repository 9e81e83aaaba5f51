"""Send one or many messages to workflows and, on request, to their forks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from dboshub.workflows.engine import validation
from dboshub.workflows.engine.context import frame
from dboshub.workflows.engine.errors import DBOSException, DBOSNonExistentWorkflowError
from dboshub.workflows.engine.journal.commit import Commit
from dboshub.workflows.engine.journal.writes import (
    Answer,
    BulkSendWrite,
    Sender,
    SendWrite,
    StepWrite,
    Verdict,
)
from dboshub.workflows.engine.operations.message_ids import MessageIds
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat
from dboshub.workflows.engine.shard_keys import refuse_shard_key
from dboshub.workflows.engine.unserializable import Subject

SEND = "DBOS.send"
SEND_BULK = "DBOS.send_bulk"

_ids = MessageIds()


@dataclass(frozen=True, slots=True)
class SendMessage:
    """A message of ``send_bulk``.

    Two messages for one workflow with the same `idempotency_key` are delivered once.
    """

    destination_id: str
    message: Any
    topic: str | None = None
    idempotency_key: str | None = None
    shard_key: str | None = None

    def __post_init__(self) -> None:
        refuse_shard_key(self.shard_key)


def send(
    engine: Engine,
    message: SendMessage,
    *,
    serialization: WorkflowSerializationFormat | None = None,
    to_forks: bool = False,
) -> Program[None]:
    """Send a message. In a workflow body this is a step.

    Raises DBOSNonExistentWorkflowError for an unknown destination.
    """
    return _send(engine, SEND, [message], serialization, to_forks=to_forks)


def send_bulk(
    engine: Engine,
    messages: Sequence[SendMessage],
    *,
    serialization: WorkflowSerializationFormat | None = None,
    to_forks: bool = False,
) -> Program[None]:
    """Send all messages or none. In a workflow body this is one step.

    Raises DBOSNonExistentWorkflowError for an unknown destination, and DBOSException for two
    messages with the same destination and idempotency key.
    """
    return _send(engine, SEND_BULK, messages, serialization, to_forks=to_forks)


def _send(
    engine: Engine,
    step_name: str,
    messages: Sequence[SendMessage],
    serialization: WorkflowSerializationFormat | None,
    *,
    to_forks: bool,
) -> Program[None]:
    sender = begin_sending(engine, serialization)
    writes = [write_of(engine, each, sender.serialization) for each in messages]
    seen = Counter(each.message_uuid for each in writes)
    if repeated := sorted({key for key, count in seen.items() if count > 1}):
        keys = ", ".join(each.partition("::")[0] for each in repeated)
        raise DBOSException(
            f"send_bulk received duplicate idempotency keys: {keys}. Two messages for one workflow "
            "need two keys"
        )
    if sender.execution is None:
        return send_now(engine, writes, to_forks=to_forks)
    if sender.step_id is None:
        return send_in_step(sender.execution, writes, to_forks=to_forks)
    return _send_as_step(sender.execution, sender.step_id, step_name, writes, to_forks=to_forks)


@dataclass(frozen=True, slots=True)
class CurrentSender:
    """Who sends: nobody's execution, one of its steps, or its body, which draws a step id."""

    execution: Execution | None
    step_id: int | None
    serialization: str  # of the messages


def begin_sending(
    engine: Engine, serialization: WorkflowSerializationFormat | None
) -> CurrentSender:
    """Draw the step id, as every durable call does first, also if it then refuses arguments."""
    current = frame()
    execution = current.execution if current is not None else None
    is_body = current is not None and current.step is None
    step_id = execution.next_id() if execution is not None and is_body else None
    inherited = execution.serialization if execution is not None else None
    return CurrentSender(execution, step_id, engine.codec.format_name(serialization, inherited))


def write_of(engine: Engine, message: SendMessage, serialization: str) -> SendWrite:
    """The write of a message. Raises DBOSException for ids that cannot be."""
    destination, key = message.destination_id, message.idempotency_key
    validation.text("the destination of a message", destination)
    validation.optional_text("a topic", message.topic)
    validation.optional_text("an idempotency key", key)
    return SendWrite(
        destination=destination,
        message_uuid=_ids.draw(engine.clock.now_ms()) if key is None else f"{key}::{destination}",
        topic=message.topic,
        message=engine.codec.encode(message.message, serialization, Subject("the message")),
        serialization=serialization,
    )


def send_now(engine: Engine, writes: Sequence[SendWrite], *, to_forks: bool) -> Program[None]:
    """Send on nobody's behalf."""
    if not writes:
        return
    copies = (yield from copies_for_forks(engine, writes)) if to_forks else ()
    answer: Answer = yield Commit(engine.journal, as_one_write(writes, copies))
    if answer.verdict is Verdict.NOTHING:
        raise no_destination(answer.missing or writes[0].destination)


def send_in_step(
    execution: Execution, writes: Sequence[SendWrite], *, to_forks: bool
) -> Program[None]:
    """Send while the execution owns its row: the step of a stale one sends nothing.

    What a step left running, such as a task, may still send when the workflow has ended.
    """
    execution.raise_if_stopped()
    if execution.engine.executions.find(execution.workflow_id) is not execution:
        yield from send_now(execution.engine, writes, to_forks=to_forks)
        return
    if not writes:
        return
    copies = (yield from copies_for_forks(execution.engine, writes)) if to_forks else ()
    sender = Sender(execution.workflow_id, execution.owner)
    answer = yield from execution.commit(as_one_write(writes, copies, by=sender))
    if answer.verdict is Verdict.NOTHING:
        raise no_destination(answer.missing or writes[0].destination)


def _send_as_step(
    execution: Execution,
    step_id: int,
    name: str,
    writes: Sequence[SendWrite],
    *,
    to_forks: bool,
) -> Program[None]:
    checkpoint = yield from execution.checkpoint_of(step_id, name)
    if checkpoint is not None:
        execution.raise_if_stopped()
        execution.replay(checkpoint)
        return
    yield from execution.verify_can_continue()
    copies = (yield from copies_for_forks(execution.engine, writes)) if to_forks else ()
    now = execution.engine.clock.now_ms()
    step = execution.step_write(step_id, name, started_at=now, completed_at=now)
    if not writes:
        yield from execution.commit(step)
        return
    answer = yield from execution.commit(as_one_write(writes, copies, by=step))
    if answer.verdict is Verdict.NOTHING:
        error = no_destination(answer.missing or writes[0].destination)
        yield from execution.commit(execution.error_write(step_id, name, error, started_at=now))
        raise error


def as_one_write(
    writes: Sequence[SendWrite],
    copies: Sequence[SendWrite],
    *,
    by: StepWrite | Sender | None = None,
) -> SendWrite | BulkSendWrite:
    """One write of all messages, on behalf of an execution."""
    if len(writes) == 1 and not copies:
        return replace(writes[0], by=by)
    return BulkSendWrite(sends=tuple(writes), copies=tuple(copies), by=by)


def copies_for_forks(engine: Engine, writes: Sequence[SendWrite]) -> Program[list[SendWrite]]:
    """A copy of each message for every fork of its destination, with an id of its own."""
    ids = {each.destination for each in writes}
    forks: list[tuple[str, str]] = yield engine.query(lambda: engine.store.forks(ids))
    return [
        replace(each, destination=fork, message_uuid=_uuid_for(each, fork))
        for each in writes
        for root, fork in forks
        if root == each.destination
    ]


def _uuid_for(write: SendWrite, fork: str) -> str:
    return f"{write.message_uuid.removesuffix(f'::{write.destination}')}::{fork}"


def no_destination(workflow_id: str) -> DBOSNonExistentWorkflowError:
    """The error of a message to a workflow that does not exist."""
    return DBOSNonExistentWorkflowError("`send` destination", workflow_id)
