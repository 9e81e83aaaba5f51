"""The id of a workflow that a call began here, with what its execution recorded."""

from __future__ import annotations

from dboshub.workflows.engine.records import WorkflowOutcome


class BegunId(str):
    """The id that a call gets whose workflow runs in this process.

    Once the outcome is durable it is kept here: whoever has this id needs no query for it, and
    gets the error that the workflow raised. Everybody else gets what the row restores.
    """

    __slots__ = ("_raised", "outcome")

    def __init__(self, workflow_id: str) -> None:
        self.outcome: WorkflowOutcome | None = None
        self._raised: BaseException | None = None

    def ended(self, outcome: WorkflowOutcome, raised: BaseException | None) -> None:
        """Keep a recorded outcome; `raised` is its error if its record does not restore that."""
        if raised is not None:
            self._raised = _without_traceback(raised)
        self.outcome = outcome

    def raised(self) -> BaseException | None:
        """The error to raise instead of the recorded one."""
        return _without_traceback(self._raised) if self._raised is not None else None


def _without_traceback(error: BaseException) -> BaseException:
    # A traceback would keep all variables of the workflow.
    copied = type(error).__new__(type(error))
    copied.args = error.args
    vars(copied).update(vars(error))
    return copied
