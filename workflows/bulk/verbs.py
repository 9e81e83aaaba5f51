"""The verbs of bulk jobs: what each applies to, what it needs, says and does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dboshub.workflows.bulk import adjustments, effects
from dboshub.workflows.bulk.batch import Batch
from dboshub.workflows.bulk.undo import CHANGED, LEAVES, SINCE, undo
from dboshub.workflows.permissions import (
    CANCEL_WORKFLOW,
    DELETE_WORKFLOW,
    FORK_WORKFLOW,
    RESUME_WORKFLOW,
)
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.statuses import FAILED, IN_FLIGHT, STATUSES


@dataclass(frozen=True, slots=True)
class Verb:
    """`takes` are the statuses that it applies to; `refusals` say why others are left out."""

    name: str
    title: str
    permission: str
    action: str
    takes: tuple[str, ...]
    refusals: Mapping[str, str]
    consequence: str
    perform: Callable[[Batch], None]
    # What an undo of its jobs does; empty if they cannot be undone.
    undo: str = ""
    is_danger: bool = False
    # Whether it also applies to a workflow whose status changed to another one of `takes`.
    follows: bool = False
    makes: bool = False
    # Whether it undoes another job: it is offered on that job's page alone.
    undoes: bool = False
    # What it would do to each row, if that differs among them; what the numbers are called.
    foresee: Callable[[Sequence[WorkflowRow]], dict[str, str]] = lambda rows: {}
    plan_title: str = ""

    def fits(self, was: str, status: str) -> bool:
        return status == was or (self.follows and status in self.takes)


REFUSED_ENDED = dict.fromkeys(("SUCCESS", "ERROR"), "ended already")
NOT_FAILED = {"SUCCESS": "succeeded", **dict.fromkeys(IN_FLIGHT, "not ended yet")}
WAITING = ("ENQUEUED", "DELAYED")
NOT_WAITING = dict.fromkeys(("SUCCESS", *FAILED), "ended already") | {
    "PENDING": "running: it waits for nothing"
}
BY_PEOPLE = (
    Verb(
        name="cancel",
        title="Cancel",
        permission=CANCEL_WORKFLOW,
        action="cancel",
        takes=IN_FLIGHT,
        refusals=dict.fromkeys(("SUCCESS", *FAILED), "ended already"),
        consequence="Each stops at its next step, or where it waits.",
        perform=effects.cancel,
        undo=(
            "What is still cancelled goes back in line on its queue; what was running goes on "
            "after its last completed step."
        ),
        is_danger=True,
        follows=True,
    ),
    Verb(
        name="resume",
        title="Resume",
        permission=RESUME_WORKFLOW,
        action="resume",
        takes=("ENQUEUED", "DELAYED", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"),
        refusals=REFUSED_ENDED | {"PENDING": "running: resume it on its own page"},
        consequence="Each is enqueued again and goes on after its last completed step.",
        perform=effects.resume,
        undo="What has not started is stopped again, as it was before.",
        foresee=effects.own_queues,
        plan_title="Own queue",
    ),
    Verb(
        name="fork_from_failure",
        title="Fork from the failed step",
        permission=FORK_WORKFLOW,
        action="fork",
        takes=FAILED,
        refusals=NOT_FAILED,
        consequence=(
            "For each a new workflow keeps the results before the step that failed, and runs "
            "that one and the rest anew. The failed ones stay as they are."
        ),
        perform=effects.fork,
        undo="The forks that have not started are deleted.",
        foresee=effects.own_queues,
        plan_title="Own queue",
        makes=True,
    ),
    Verb(
        name="move",
        title="Move to a version",
        permission=RESUME_WORKFLOW,
        action="move",
        takes=WAITING,
        refusals=NOT_WAITING,
        consequence=(
            "Executors of that version alone run them. One that has begun goes on with that "
            "version's code: keep the order of its steps."
        ),
        perform=adjustments.move,
        follows=True,
        undo="What has not started gets back the version that it had.",
        foresee=adjustments.own_versions,
        plan_title="Now",
    ),
    Verb(
        name="prioritize",
        title="Set the priority",
        permission=RESUME_WORKFLOW,
        action="prioritize",
        takes=WAITING,
        refusals=NOT_WAITING,
        consequence="On each queue lower numbers run first, and 0 before all others.",
        perform=adjustments.prioritize,
        follows=True,
        undo="What has not started gets back the priority that it had.",
        foresee=adjustments.own_priorities,
        plan_title="Now",
    ),
    Verb(
        name="delay",
        title="Delay",
        permission=RESUME_WORKFLOW,
        action="delay",
        takes=WAITING,
        refusals=NOT_WAITING,
        consequence=(
            "Each leaves its line, and is enqueued on the same queue that long after it was acted "
            "on. A delay that it has already is replaced."
        ),
        perform=adjustments.delay,
        follows=True,
        undo="What is still delayed is due again when it was before.",
        foresee=adjustments.own_delays,
        plan_title="Now",
    ),
    Verb(
        name="end_delay",
        title="Remove the delay",
        permission=RESUME_WORKFLOW,
        action="end_delay",
        takes=("DELAYED",),
        refusals=NOT_WAITING | {"ENQUEUED": "not delayed"},
        consequence="Each is enqueued at once, on the queue that it was delayed for.",
        perform=adjustments.end_delay,
        undo="What has not started is delayed again, until when it was before.",
    ),
    Verb(
        name="delete",
        title="Delete",
        permission=DELETE_WORKFLOW,
        action="delete",
        takes=("SUCCESS", *FAILED),
        refusals=dict.fromkeys(IN_FLIGHT, "still active: cancel it first"),
        consequence=(
            "Each and all it recorded is deleted: steps, events, messages, streams. This "
            "cannot be undone."
        ),
        perform=effects.delete,
        is_danger=True,
    ),
)


def _undoing(verb: Verb) -> Verb:
    """The verb of jobs that undo a job with this verb, by whoever may do that."""
    takes = LEAVES[verb.name]
    return Verb(
        name=f"undo_{verb.action}",
        title=f"Undo: {verb.title.lower()}",
        permission=verb.permission,
        action=f"undo_{verb.action}",
        takes=takes,
        refusals={each: SINCE.get(each, CHANGED) for each in STATUSES if each not in takes},
        consequence=verb.undo,
        perform=undo,
        is_danger=verb.makes,
        undoes=True,
        plan_title="Each",
    )


def _all() -> Iterator[Verb]:
    yield from BY_PEOPLE
    yield from (_undoing(verb) for verb in BY_PEOPLE if verb.undo)


VERBS: dict[str, Verb] = {verb.name: verb for verb in _all()}
# What can be chosen for a set of workflows.
OFFERED = {verb.name: verb for verb in BY_PEOPLE}
assert all({*verb.takes, *verb.refusals} == {*STATUSES} for verb in VERBS.values())
