"""Run the body of a background workflow on a thread, and let the thread go at its end."""

from __future__ import annotations

from collections.abc import Callable

from dboshub.workflows.engine.journal.commit import Commit
from dboshub.workflows.engine.journal.pending_write import PendingWrite
from dboshub.workflows.engine.programs import Effect, Program, stop_iteration_of
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.handing_back import log_end, run_again


class BackgroundRun:
    """A program of an execution, which no caller waits for.

    Its thread does not wait for an outcome to be durable: the thread of the journal that commits
    it goes on with the program. What is left of it then does not wait as a rule; if it does, it
    gets a thread again.
    """

    __slots__ = ("_execution", "_program")

    def __init__(self, execution: Execution, program: Program[object]) -> None:
        self._execution = execution
        self._program = program

    def begin(self) -> None:
        """Run the program on this thread, to its end or until it waits for its outcome."""
        self._guarded(lambda: self._continue(next(self._program)))

    def _continue(self, effect: Effect) -> None:
        while True:
            try:
                if isinstance(effect, Commit) and effect.may_detach:
                    value = effect.begin(self._settled)
                    if value is None:
                        return
                else:
                    value = effect.block()
            except BaseException as error:
                effect = self._program.throw(error)
            else:
                effect = self._program.send(value)

    def _settled(self, pending: PendingWrite) -> None:
        """Go on with the program on a thread of the journal."""
        self._guarded(lambda: self._find_thread(self._answered(pending)))

    def _answered(self, pending: PendingWrite) -> Effect:
        if pending.error is not None:
            return self._program.throw(pending.error)
        return self._program.send(pending.answer)

    def _find_thread(self, effect: Effect) -> None:
        """Perform an effect that may wait on a thread for workflows."""
        self._execution.engine.run_in_thread(
            lambda: self._guarded(lambda: self._continue(effect)), self._give_up
        )

    def _give_up(self, shortage: BaseException) -> None:
        """No thread is left: another execution ends the workflow."""
        execution = self._execution
        execution.engine.pause_claims(shortage)
        execution.engine.executions.remove(execution)
        run_again(execution.engine, execution.workflow_id, execution.owner, execution.queue_name)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except StopIteration:
            pass  # the program has ended
        except BaseException as error:
            raised = stop_iteration_of(error) if isinstance(error, RuntimeError) else None
            log_end(self._execution, raised or error)
