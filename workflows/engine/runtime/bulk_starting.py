"""Start or enqueue many workflows by one call: a few statements and commits for all of them.

Within a workflow each is a step of its own, as if it were started alone. So a replay finds those
that are recorded, and starts the others.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from dboshub.workflows.engine import validation
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.journal.commit import Commit
from dboshub.workflows.engine.journal.writes import (
    Answer,
    BulkStartWrite,
    Sender,
    StartWrite,
    Verdict,
)
from dboshub.workflows.engine.options import OPTIONS, StartOptions
from dboshub.workflows.engine.ports import StorageUnavailableError
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import INTERNAL_QUEUE, Started
from dboshub.workflows.engine.registration.registry import Target
from dboshub.workflows.engine.runtime.bulk_answers import Answers, BulkAnswers
from dboshub.workflows.engine.runtime.effects import CurrentLoop, LetOthersRun
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.handing_back import has_lost_its_loop, run_again
from dboshub.workflows.engine.runtime.refusals import refusal, refuse_queue_options
from dboshub.workflows.engine.runtime.running import run_in_background
from dboshub.workflows.engine.runtime.start_request import PreparedStart
from dboshub.workflows.engine.runtime.starting import (
    caller_of_start,
    encoded_arguments,
    execution_of,
    start_write,
    with_ids,
)
from dboshub.workflows.engine.runtime.workflow_call import CallResolver, WorkflowCall

# Of one commit, unless all are to be committed at once.
MAX_ROWS = 500
MAX_SIZE = 4 * 1024 * 1024  # characters of arguments

Verify = Callable[[StartOptions], None]


def enqueue_all(
    engine: Engine,
    queue_name: str,
    calls: Sequence[WorkflowCall[Any]],
    ambient: StartOptions,
    verify: Verify = lambda options: None,
    *,
    is_atomic: bool,
) -> Program[Answers]:
    """Enqueue workflows; returns the id of each, or its error, in the order of the calls.

    With `is_atomic` all are enqueued in one transaction, or else the first error is raised.
    `verify` raises for options of a call that the queue refuses.
    """
    queue = validation.queue_name(queue_name)
    return BulkStart(engine, calls, queue, ambient, verify, is_atomic=is_atomic).run()


def start_all(
    engine: Engine, calls: Sequence[WorkflowCall[Any]], *, is_atomic: bool
) -> Program[Answers]:
    """Start workflows in the background, as ``running.start`` does; see ``enqueue_all``."""
    ambient = OPTIONS.get()
    return BulkStart(engine, calls, None, ambient, refuse_queue_options, is_atomic=is_atomic).run()


@dataclass(frozen=True, slots=True)
class _Item:
    """A start whose arguments are encoded."""

    index: int
    start: PreparedStart
    write: StartWrite
    target: Target | None


class BulkStart:
    """One bulk call. Its step ids are drawn when it is made, before anything is awaited."""

    def __init__(
        self,
        engine: Engine,
        calls: Sequence[WorkflowCall[Any]],
        queue_name: str | None,
        ambient: StartOptions,
        verify: Verify,
        *,
        is_atomic: bool,
    ) -> None:
        """Without a queue the calls are run here, or on the internal queue by any executor.

        Raises as ``starting.prepare`` does where no workflow may be started.
        """
        self._engine = engine
        self._calls = calls
        self._queue_name = queue_name
        self._resolver = CallResolver(engine, ambient)
        self._verify = verify
        self._is_atomic = is_atomic
        self._name = "start_workflows" if queue_name is None else "enqueue_workflows"
        runs_here = any(self._runs_here(each) for each in calls)
        self._parent = caller_of_start(engine, f"a workflow of {self._name}", runs_here=runs_here)
        self._steps = range(0)
        if self._parent is not None:
            self._steps = self._parent.next_ids(len(calls))
        self._answers = BulkAnswers(engine, self._name, len(calls))

    def run(self) -> Program[Answers]:
        """Start all; returns an id or an error for each. If it is atomic, raises the first."""
        done = 0
        while done < len(self._calls):
            chunk, done = yield from self._next_chunk(done)
            self._raise_if_atomic()
            if chunk:
                yield from self._commit(chunk)
        if self._parent is not None and self._answers.unrecorded:
            yield from self._parent.commit(self._write(()))
        self._raise_if_atomic()
        return self._answers.all

    def _runs_here(self, call: WorkflowCall[Any]) -> bool:
        is_here = self._queue_name is None and self._engine.runs_workflows
        return is_here and not isinstance(call.func, str)

    def _raise_if_atomic(self) -> None:
        if self._is_atomic:
            self._answers.raise_first()

    # -- before the commit -------------------------------------------------------------------

    def _next_chunk(self, first: int) -> Program[tuple[list[_Item], int]]:
        """What is committed next, of the calls from `first` on, and where the rest begins."""
        chunk: list[_Item] = []
        size = 0
        for index in range(first, len(self._calls)):
            is_full = len(chunk) == MAX_ROWS or size >= MAX_SIZE
            if is_full and not self._is_atomic:
                return chunk, index
            if index % MAX_ROWS == 0:
                yield LetOthersRun()
            prepared = self._prepared(index)
            if prepared is None or (yield from self._is_recorded(index, prepared[0])):
                continue
            item = self._encoded(index, *prepared)
            if item is not None:
                chunk.append(item)
                size += item.write.size
        return chunk, len(self._calls)

    def _prepared(self, index: int) -> tuple[PreparedStart, Target | None] | None:
        call, queue_name = self._calls[index], self._queue_name
        if queue_name is None and not self._runs_here(call):
            queue_name = INTERNAL_QUEUE
        step_id = self._steps[index] if self._steps else 0
        try:
            parameters, target, args = self._resolver.resolve(call, queue_name)
            self._verify(parameters.options)
            given = parameters, args, call.kwargs
            return with_ids(self._engine, *given, self._parent, step_id), target
        except Exception as error:
            self._answers.refuse(index, error)
            return None

    def _encoded(self, index: int, start: PreparedStart, target: Target | None) -> _Item | None:
        try:
            write = start_write(self._engine, start, self._engine.new_token())
        except Exception as error:
            self._answers.refuse(index, error)
            return None
        return _Item(index, start, write, target)

    def _is_recorded(self, index: int, start: PreparedStart) -> Program[bool]:
        """Whether an earlier execution recorded the start, or the error that refused it."""
        parent = start.parent
        if parent is None or not parent.history.exists:
            return False
        given = partial(encoded_arguments, self._engine, start)
        checkpoint = yield from parent.checkpoint_of(start.step_id, start.function.name, given)
        if checkpoint is None:
            return False
        parent.raise_if_stopped()
        self._answers.replay(index, checkpoint, start)
        return True

    # -- the commit --------------------------------------------------------------------------

    def _commit(self, chunk: list[_Item]) -> Program[None]:
        """Make starts durable. A row that the database refuses does not fail the others."""
        try:
            answer = yield from self._durable(chunk)
        except StorageUnavailableError as error:
            if self._is_atomic or self._parent is not None:
                raise
            for each in chunk:
                self._answers.all[each.index] = error
        except DBOSException:
            raise
        except Exception as error:
            if self._is_atomic or self._engine.ambient() is not None:
                raise
            if len(chunk) == 1:
                self._answers.refuse(chunk[0].index, error)
                return
            middle = len(chunk) // 2
            yield from self._commit(chunk[:middle])
            yield from self._commit(chunk[middle:])
        else:
            loop = yield CurrentLoop()
            for item, started in zip(chunk, answer.starts, strict=True):
                self._settle(item, started, loop, was_undone=answer.verdict is Verdict.NOTHING)

    def _durable(self, chunk: list[_Item]) -> Program[Answer]:
        write = self._write(tuple(each.write for each in chunk))
        try:
            if self._parent is not None:
                yield from self._parent.verify_can_continue()
                answer = yield from self._parent.commit(write)
            else:
                answer = yield Commit(self._engine.journal, write)
        except BaseException as error:
            if has_lost_its_loop(error):  # what was written has no execution
                for each in chunk:
                    run_again(self._engine, *_owned(each))
            raise
        self._answers.unrecorded.clear()
        return answer

    def _write(self, starts: tuple[StartWrite, ...]) -> BulkStartWrite:
        parent = self._parent
        return BulkStartWrite(
            starts=starts,
            refused=tuple(self._answers.unrecorded),
            by=Sender(parent.workflow_id, parent.owner) if parent is not None else None,
            is_atomic=self._is_atomic,
        )

    def _settle(
        self, item: _Item, started: Started, loop: AbstractEventLoop | None, *, was_undone: bool
    ) -> None:
        index, start, answers = item.index, item.start, self._answers
        error = refusal(start, started)
        if error is not None:
            answers.refuse_prevented(index, error, start)
        elif was_undone:
            return
        elif started.deduplicated_by is not None:
            answers.accept_holder(index, started.deduplicated_by, start)
        else:
            answers.accept(index, start.workflow_id, start)
            if started.created and start.queue_name is None:
                self._run_here(item, loop)

    def _run_here(self, item: _Item, loop: AbstractEventLoop | None) -> None:
        target, start = item.target, item.start
        assert target is not None
        execution = execution_of(self._engine, start, item.write.row)
        run_in_background(execution, target, target.arguments(start.args), start.kwargs, loop)
        self._answers.begun(item.index, execution)


def _owned(item: _Item) -> tuple[str, str, str | None]:
    """What identifies the row of a start: its id, its owner and its queue."""
    row = item.write.row
    return row.workflow_uuid, row.owner_xid or "", row.queue_name
