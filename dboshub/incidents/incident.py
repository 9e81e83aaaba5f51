"""What an incident is, and the kinds of incidents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.urls import reverse

from dboshub.workflows.actions.incident_actions import Subject
from dboshub.workflows.permissions import (
    ADOPT_EXECUTOR,
    CANCEL_WORKFLOW,
    FORK_WORKFLOW,
    PROMOTE_VERSION,
)
from dboshub.workflows.selectors.decisions import UNDECIDED, Decision
from dboshub.workflows.selectors.failures.works import State

VIEW_QUEUE, VIEW_SCHEDULE = "dboshub_queues.view_queue", "dboshub_schedules.view_schedule"
CHANGE_QUEUE = "dboshub_queues.change_queue"
CHANGE_SCHEDULE = "dboshub_schedules.change_schedule"


@dataclass(frozen=True, slots=True)
class Kind:
    """`target` is the kind of the audit rows about what these incidents concern."""

    token: str
    title: str
    one: str
    icon: str
    css: str
    target: str
    permission: str
    # The end of "An incident is resolved when …".
    resolved_when: str


KINDS = {
    kind.token: kind
    for kind in (
        Kind(
            "executor",
            "Executors that died",
            "Executor that died",
            "cpu",
            "s-error",
            "executor",
            ADOPT_EXECUTOR,
            "it holds no running workflow any more and another executor of its application lives.",
        ),
        Kind(
            "version",
            "Versions that nobody runs",
            "Version that nobody runs",
            "git-branch",
            "s-cancelled",
            "version",
            PROMOTE_VERSION,
            "a live executor has the version, or nothing in flight needs it.",
        ),
        Kind(
            "recovery",
            "Recovery loops",
            "Recovery loop",
            "rotate-ccw",
            "s-gave-up",
            "workflow",
            CANCEL_WORKFLOW,
            "the workflow has ended.",
        ),
        Kind(
            "failure",
            "Failing workflows",
            "Failing workflows",
            "circle-x",
            "s-error",
            "workflow",
            FORK_WORKFLOW,
            "a later run of each piece of failed work succeeded.",
        ),
        Kind(
            "queue",
            "Queues that fall behind",
            "Queue that falls behind",
            "layers",
            "s-cancelled",
            "queue",
            CHANGE_QUEUE,
            "its oldest workflow waits less than two minutes, or nothing waits.",
        ),
        Kind(
            "schedule",
            "Missed schedules",
            "Missed schedule",
            "calendar-clock",
            "s-cancelled",
            "schedule",
            CHANGE_SCHEDULE,
            "it has fired again since.",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Remedy:
    """What helps: a link to the page or dialog that does it."""

    label: str
    icon: str
    url: str


@dataclass(frozen=True, slots=True)
class Incident:
    """`problem` completes a sentence about `subject`. Times are epoch ms, None where unknown.

    `key` names it among those of its kind, `target` what audit rows name it by; `affected` runs,
    at least, are concerned, and `query` is the filter of the list that shows them.
    """

    kind: Kind
    key: str
    subject: str
    problem: str
    state: State
    target: str
    url: str = ""
    query: str = ""
    affected: int = 0
    first_at: int | None = None
    last_at: int | None = None
    application: str | None = None
    versions: tuple[str, ...] = ()
    remedy: Remedy | None = None
    decision: Decision = UNDECIDED

    @property
    def subject_of_decisions(self) -> Subject:
        return Subject(self.kind.token, self.key, self.application, self.versions)

    def decided(self, decision: Decision, now: int) -> Incident:
        """The incident with what was decided about it."""
        is_ignored = decision.covers(self.last_at or 0, self.versions, now)
        state = State.IGNORED if self.state is State.OPEN and is_ignored else self.state
        return replace(self, decision=decision, state=state)

    @property
    def page(self) -> str:
        """The address of its page."""
        return self.url or reverse("dboshub:incident", args=[self.kind.token, self.key])

    @property
    def rows(self) -> str:
        """The address of the list with the workflows that it is about; empty if it has none."""
        return f"{reverse('dboshub:workflows:list')}?{self.query}" if self.query else ""

    @property
    def is_over(self) -> bool:
        return self.state in (State.RESOLVED, State.IGNORED)


@dataclass(frozen=True, slots=True)
class Group:
    """Incidents of one kind."""

    kind: Kind
    incidents: list[Incident]
    most: int = 6

    @property
    def shown(self) -> list[Incident]:
        return self.incidents[: self.most]

    @property
    def more(self) -> int:
        return len(self.incidents) - len(self.shown)


def by_kind(found: Iterable[Incident]) -> list[Group]:
    """The incidents by kind, those that are open first."""
    states = [*State]
    ordered = sorted(found, key=lambda each: states.index(each.state))
    groups = [Group(kind, [e for e in ordered if e.kind is kind]) for kind in KINDS.values()]
    return [group for group in groups if group.incidents]


def rows_query(**query: object) -> str:
    """The query string of a filtered list, internal workflows included, because they count."""
    return urlencode({**query, "internal": "yes"}, doseq=True)


def workflows(**query: object) -> str:
    """The address of a filtered list, internal workflows included."""
    return f"{reverse('dboshub:workflows:list')}?{rows_query(**query)}"


def times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number:,} times")
