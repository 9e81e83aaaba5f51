"""Send many messages, each for itself: one that has no destination keeps no other from delivery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from dboshub.workflows.engine.errors import DBOSNonExistentWorkflowError
from dboshub.workflows.engine.journal.writes import SendWrite, Verdict
from dboshub.workflows.engine.operations.sending import (
    SEND_BULK,
    SendMessage,
    as_one_write,
    begin_sending,
    copies_for_forks,
    no_destination,
    send_in_step,
    send_now,
    write_of,
)
from dboshub.workflows.engine.ports import StorageUnavailableError
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat

MAX_ROWS = 500  # of one commit, outside a workflow body

SendAnswers = list[Exception | None]
Numbered = list[tuple[int, SendWrite]]  # each with its place among the messages


def send_each(
    engine: Engine,
    messages: Sequence[SendMessage],
    *,
    serialization: WorkflowSerializationFormat | None = None,
    to_forks: bool = False,
) -> Program[SendAnswers]:
    """Send messages; returns None for each that was sent, or its error, in their order.

    In a workflow body this is one step and one transaction.
    """
    sender = begin_sending(engine, serialization)
    answers: SendAnswers = [None] * len(messages)
    writes: Numbered = []
    for place, message in enumerate(messages):
        try:
            writes.append((place, write_of(engine, message, sender.serialization)))
        except Exception as error:
            answers[place] = _noted(error, place)
    if sender.execution is None:
        deliver = partial(send_now, engine, to_forks=to_forks)
    elif sender.step_id is None:
        deliver = partial(send_in_step, sender.execution, to_forks=to_forks)
    else:
        step = sender.execution, sender.step_id
        return _send_as_step(engine, step, writes, answers, to_forks=to_forks)
    is_outside = sender.execution is None
    return _send_in_chunks(engine, deliver, writes, answers, is_outside=is_outside)


def _send_in_chunks(
    engine: Engine,
    deliver: Callable[[Sequence[SendWrite]], Program[None]],
    writes: Numbered,
    answers: SendAnswers,
    *,
    is_outside: bool,
) -> Program[SendAnswers]:
    """Outside a workflow an outage is the answer to the messages that it keeps from delivery."""
    for first in range(0, len(writes), MAX_ROWS):
        chunk = writes[first : first + MAX_ROWS]
        try:
            known = yield from _send_known(engine, deliver, chunk)
        except StorageUnavailableError as error:
            if not is_outside:
                raise
            for place, _ in chunk:
                answers[place] = error
        else:
            _refuse_others(chunk, known, answers)
    return answers


def _send_known(
    engine: Engine,
    deliver: Callable[[Sequence[SendWrite]], Program[None]],
    writes: Numbered,
) -> Program[Numbered]:
    """Send those whose destination exists; returns them."""
    while True:
        known = yield from _with_destination(engine, writes)
        try:
            yield from deliver([write for _, write in known])
        except DBOSNonExistentWorkflowError:
            continue  # a destination was deleted meanwhile
        return known


def _send_as_step(
    engine: Engine,
    step: tuple[Execution, int],
    writes: Numbered,
    answers: SendAnswers,
    *,
    to_forks: bool,
) -> Program[SendAnswers]:
    """Record the places of the messages that have no destination as the result of the step."""
    execution, step_id = step
    checkpoint = yield from execution.checkpoint_of(step_id, SEND_BULK)
    if checkpoint is not None:
        execution.raise_if_stopped()
        lost = {*(execution.replay(checkpoint) or ())}
        _refuse_others(writes, [each for each in writes if each[0] not in lost], answers)
        return answers
    verdict = Verdict.NOTHING
    while verdict is Verdict.NOTHING:  # a destination was deleted meanwhile
        yield from execution.verify_can_continue()
        known = yield from _with_destination(engine, writes)
        sends = [write for _, write in known]
        lost = {place for place, _ in writes} - {place for place, _ in known}
        now = engine.clock.now_ms()
        record, _ = execution.value_write(step_id, SEND_BULK, sorted(lost) or None, started_at=now)
        copies = (yield from copies_for_forks(engine, sends)) if to_forks else ()
        write = as_one_write(sends, copies, by=record) if sends else record
        verdict = (yield from execution.commit(write)).verdict
    _refuse_others(writes, known, answers)
    return answers


def _with_destination(engine: Engine, writes: Numbered) -> Program[Numbered]:
    """Those whose destination exists."""
    ids = {write.destination for _, write in writes}
    found: dict[str, object] = yield engine.query(lambda: engine.store.owners(ids))
    return [each for each in writes if each[1].destination in found]


def _refuse_others(writes: Numbered, sent: Numbered, answers: SendAnswers) -> None:
    places = {place for place, _ in sent}
    for place, write in writes:
        if place not in places:
            answers[place] = _noted(no_destination(write.destination), place)


def _noted(error: Exception, place: int) -> Exception:
    error.add_note(f"This is the answer to item {place} of send_bulk.")
    return error
