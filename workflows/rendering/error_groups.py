"""Groups failed work by application, exception class, last step and the frame that raised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.utils.crypto import salted_hmac

from dboshub.workflows.rendering.error_facts import ErrorFacts, error_facts
from dboshub.workflows.rendering.time_format import minute
from dboshub.workflows.rendering.time_zone import zone_name
from dboshub.workflows.rendering.waterfall.scale import percent
from dboshub.workflows.selectors.decisions import UNDECIDED, Decision, decisions
from dboshub.workflows.selectors.detail.steps import GET_RESULT
from dboshub.workflows.selectors.failed_runs import FailedRun
from dboshub.workflows.selectors.failures.works import FailedWork, State, failed_at
from dboshub.workflows.selectors.rows import WorkflowRow

BARS = 24
HEIGHT = 28
KEY_LENGTH = 24
# The kind of incident that a group is.
FAILURE = "failure"
# The keys of a query string that name a group.
PARTS = ("application", "kind", "step", "frame")


@dataclass(frozen=True, slots=True)
class Case:
    """A piece of failed work, the run that tells why, and what its error says."""

    work: FailedWork
    cause: FailedRun
    said: ErrorFacts

    @property
    def parts(self) -> tuple[str, str, str, str]:
        """What the cases of one group have in common."""
        application = self.cause.row.application_name or ""
        return application, self.said.kind, self.cause.step or "", self.said.frame

    @property
    def version(self) -> str:
        return self.cause.row.application_version or ""


@dataclass(frozen=True, slots=True)
class Bar:
    x: str
    width: str
    y: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """The cases of one group, what failed last first. `kind` is a dotted class name, or why it is
    unknown."""

    cases: tuple[Case, ...]
    bars: tuple[Bar, ...]
    now: int
    decision: Decision = UNDECIDED

    @property
    def key(self) -> str:
        """A name for the group that tells nothing of the error to those who may not see it."""
        return salted_hmac("dboshub.incident", repr(self.cases[0].parts)).hexdigest()[:KEY_LENGTH]

    @property
    def application(self) -> str:
        return self.cases[0].parts[0]

    def query(self, among: str = "") -> str:
        """The query string of the group; `among` is the filter whose runs were grouped."""
        named = urlencode(dict(zip(PARTS, self.cases[0].parts, strict=True)))
        return f"{among}&{named}" if among else named

    def is_named(self, given: Mapping[str, str]) -> bool:
        """Whether a query string names it; what it leaves out may be anything."""
        parts = zip(PARTS, self.cases[0].parts, strict=True)
        return all(given.get(name, part) == part for name, part in parts)

    @property
    def kind(self) -> str:
        return self.cases[0].said.kind

    @property
    def title(self) -> str:
        """The class name without its module."""
        return self.kind.rpartition(".")[2] or self.kind

    @property
    def step(self) -> str:
        return self.cases[0].cause.step or ""

    @property
    def frame(self) -> str:
        return self.cases[0].said.frame

    @property
    def message(self) -> str:
        return next((case.said.message for case in self.cases if case.said.message), "")

    @property
    def traceback(self) -> str:
        return next((case.said.traceback for case in self.cases if case.said.traceback), "")

    @property
    def runs(self) -> list[WorkflowRow]:
        """The failed runs, forks and parents included."""
        return [row for case in self.cases for row in case.work.runs]

    @property
    def open(self) -> list[Case]:
        """The cases that nobody acts on, and that are not ignored."""
        return [case for case in self.cases if self.state_of(case) is State.OPEN]

    def state_of(self, case: Case) -> State:
        work = case.work
        is_ignored = work.is_open and self.decision.covers(work.last_at, [case.version], self.now)
        return State.IGNORED if is_ignored else work.state

    @property
    def states(self) -> Counter[State]:
        return Counter(self.state_of(case) for case in self.cases)

    @property
    def state(self) -> State:
        """Open while any case is, then acted on while any is."""
        return next(each for each in State if self.states[each])

    @property
    def count(self) -> int:
        return sum(len(case.work.runs) for case in self.cases)

    @property
    def first_at(self) -> int:
        return min(case.work.first_at for case in self.cases)

    @property
    def last_at(self) -> int:
        return max(case.work.last_at for case in self.cases)

    @property
    def names(self) -> list[tuple[str, int]]:
        return Counter(row.name or "" for row in self.runs).most_common()

    @property
    def versions(self) -> list[tuple[str, int]]:
        return Counter(row.application_version or "" for row in self.runs).most_common()

    @property
    def queues(self) -> list[tuple[str, int]]:
        return Counter(row.queue_name for row in self.runs if row.queue_name).most_common()

    @property
    def came_back(self) -> Case | None:
        """The first open case that failed after others had been made good, or were ignored."""
        ignored = self.decision.at if self.decision.ends_with_the_next else 0
        good = max(ignored, *(case.work.resolved_at or 0 for case in self.cases))
        later = (case for case in self.open if case.work.first_at > good > 0)
        return min(later, key=lambda case: case.work.first_at, default=None)


def cause_rows(works: Iterable[FailedWork]) -> list[WorkflowRow]:
    """The runs of which one tells why each work failed: their errors are read."""
    rows = {row.pk: row for work in works for row in (work.head, work.first)}
    return [*rows.values()]


def cases(works: Iterable[FailedWork], read: Iterable[FailedRun], *, payload: bool) -> list[Case]:
    """The works with what their errors say; without `payload` nothing is said of errors."""
    known = {each.row.pk: each for each in read}
    return [
        Case(work, cause, error_facts(cause, payload=payload))
        for work in works
        if (cause := _cause(work, known)) is not None
    ]


def grouped(found: Iterable[Case], now: int) -> list[ErrorGroup]:
    """The groups with what was decided about them, those with open cases first, then the largest.
    Their bars share one time axis that ends at `now` (epoch ms)."""
    members: dict[tuple[str, ...], list[Case]] = {}
    for case in found:
        members.setdefault(case.parts, []).append(case)
    start = min((case.work.first_at for each in members.values() for case in each), default=now)
    groups = [ErrorGroup(tuple(each), _bars(each, start, now), now) for each in members.values()]
    known = decisions((FAILURE, group.key) for group in groups)
    decided = [replace(each, decision=known.get((FAILURE, each.key), UNDECIDED)) for each in groups]
    states = [*State]
    return sorted(decided, key=lambda each: (states.index(each.state), -each.count, -each.last_at))


def _cause(work: FailedWork, known: Mapping[str, FailedRun]) -> FailedRun | None:
    """The child that failed first if its parent failed while it awaited one, else the parent."""
    head, first = known.get(work.head.pk), known.get(work.first.pk)
    if head is None or (first is not None and (head.step or "").startswith(GET_RESULT)):
        return first
    return head


def _bars(found: list[Case], start: int, end: int) -> tuple[Bar, ...]:
    times = [failed_at(row) for case in found for row in case.work.runs]
    step = max(1, -(-(end + 1 - start) // BARS))
    counted = Counter(min(BARS - 1, (at - start) // step) for at in times)
    top = max(counted.values())
    bars = []
    for place, number in sorted(counted.items()):
        height = max(2.0, round(HEIGHT * number / top, 1))
        since, until = minute(start + place * step), minute(start + (place + 1) * step)
        title = f"{number:,} from {since} to {until} {zone_name()}"
        bars.append(
            Bar(percent(100 * place / BARS), percent(100 / BARS), HEIGHT - height, height, title)
        )
    return tuple(bars)
