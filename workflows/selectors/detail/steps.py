"""The recorded steps of a workflow in pages, and the steps of the children they started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from dboshub.workflows.selectors.detail.values import StoredValue, sized
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.storage.sql import Row, Session, Statement

PAGE_SIZE = 200
MAX_COUNTED = 10_000
MAX_CHILD_STEPS = 50
MAX_CHILDREN = 40
MAX_GENERATIONS = 3
# Children that a page unfolds below these.
MAX_OPENED = 20
MAX_ERROR_EXCERPT = 4_000

SLEEP = "DBOS.sleep"
RECV = "DBOS.recv"
GET_EVENT = "DBOS.getEvent"
GET_RESULT = "DBOS.getResult"
# Steps in which no code runs.
WAITS = frozenset({SLEEP, RECV, GET_EVENT, GET_RESULT, "DBOS.waitFirst", "DBOS.readStream"})


@dataclass(frozen=True, slots=True)
class StepRow:
    """One checkpoint without its payload. The `completed_at` of a sleep is when it wakes up."""

    workflow_uuid: str
    function_id: int
    name: str
    started_at: int | None
    completed_at: int | None
    child_id: str | None
    serialization: str | None
    output_size: int | None
    error_size: int | None

    @property
    def is_failed(self) -> bool:
        return self.error_size is not None

    @property
    def is_timer(self) -> bool:
        """Whether its end was recorded when it began, and may not be reached."""
        return self.name == SLEEP

    @property
    def starts_child(self) -> bool:
        return self.child_id is not None and not self.name.startswith("DBOS.")

    @property
    def duration_ms(self) -> int | None:
        if self.started_at is None or self.completed_at is None:
            return None
        return max(0, self.completed_at - self.started_at)


@dataclass(frozen=True, slots=True)
class StepCount:
    """The number of recorded steps, and of those that failed. `is_capped` means at least."""

    total: int
    failed: int

    @property
    def is_capped(self) -> bool:
        return self.total >= MAX_COUNTED


@dataclass(frozen=True, slots=True)
class StepPage:
    """Some consecutive steps, and the number of all steps. `is_capped` means at least `total`."""

    steps: tuple[StepRow, ...]
    total: int
    failed: int
    is_capped: bool
    has_earlier: bool
    has_later: bool

    @property
    def first(self) -> int:
        return self.steps[0].function_id if self.steps else 0

    @property
    def last(self) -> int:
        return self.steps[-1].function_id if self.steps else 0


@dataclass(frozen=True, slots=True)
class StepChildren:
    """The children that a page of steps started, with their first steps, and so on.

    `read` are the ids of those whose steps were read, `cut` of those that have more steps.
    """

    rows: Mapping[str, WorkflowRow] = field(default_factory=dict)
    steps: Mapping[str, tuple[StepRow, ...]] = field(default_factory=dict)
    read: AbstractSet[str] = frozenset()
    cut: AbstractSet[str] = frozenset()


COLUMNS = (
    "workflow_uuid, function_id, function_name, started_at_epoch_ms, completed_at_epoch_ms,"
    " child_workflow_id, serialization, SIZE(output), SIZE(error)"
)
_FROM = f"SELECT {COLUMNS} FROM {{operation_outputs}}"
FORWARD = sized(
    f"{_FROM} WHERE workflow_uuid = :id AND function_id >= :bound ORDER BY function_id LIMIT :most"
)
BACKWARD = sized(
    f"{_FROM} WHERE workflow_uuid = :id AND function_id <= :bound"
    " ORDER BY function_id DESC LIMIT :most"
)
COUNTS = Statement(
    "SELECT COUNT(*), COUNT(error) FROM ("
    "SELECT error FROM {operation_outputs} WHERE workflow_uuid = :id"
    " ORDER BY function_id LIMIT :most) AS counted"
)
# Step ids are dense, so a bound on ids bounds the rows as well.
OF_CHILDREN = sized(
    f"{_FROM} WHERE workflow_uuid = ANY(:ids) AND function_id <= :most"
    " ORDER BY workflow_uuid, function_id LIMIT :rows"
)
# Of a fork, the first steps are those of another workflow, and older than it.
EARLIER = Statement("""
    SELECT 1 FROM (
        SELECT started_at_epoch_ms FROM {operation_outputs}
        WHERE workflow_uuid = :id ORDER BY function_id LIMIT :most
    ) AS first
    WHERE started_at_epoch_ms >= :created_at AND started_at_epoch_ms < :started_at
    LIMIT 1
""")
MAX_EARLIER = 100
ERRORS = sized("""
    SELECT function_id, COALESCE(SUBSTR(error, 1, :most), ''), SIZE(error), serialization
    FROM {operation_outputs}
    WHERE workflow_uuid = :id AND error IS NOT NULL AND function_id = ANY(:ids)
""")


def page(
    session: Session, workflow_id: str, *, start: int | None = None, newest: bool = False
) -> StepPage:
    """PAGE_SIZE steps from id `start` on, or the first ones, or with `newest` the last ones."""
    if newest and start is None:
        found = from_records(
            session.all(BACKWARD, id=workflow_id, bound=2**31 - 1, most=PAGE_SIZE + 1)
        )
        steps, has_earlier, has_later = found[:PAGE_SIZE][::-1], len(found) > PAGE_SIZE, False
    else:
        bound = start if start is not None else -1
        found = from_records(session.all(FORWARD, id=workflow_id, bound=bound, most=PAGE_SIZE + 1))
        steps, has_later = found[:PAGE_SIZE], len(found) > PAGE_SIZE
        # TypeScript numbers steps from 0, Python from 1.
        has_earlier = bound > 1
    count = counted(session, workflow_id)
    numbers = count.total, count.failed, count.is_capped
    return StepPage(tuple(steps), *numbers, has_earlier, has_later)


def counted(session: Session, workflow_id: str) -> StepCount:
    """The number of steps, up to MAX_COUNTED."""
    count = session.one(COUNTS, id=workflow_id, most=MAX_COUNTED)
    return StepCount(*count) if count else StepCount(0, 0)


def ran_before(session: Session, row: WorkflowRow) -> bool:
    """Whether it ran before its last start: it was recovered, resumed or rewound since.

    Of a fork with more than MAX_EARLIER copied steps it is not known.
    """
    if row.started_at_epoch_ms is None:
        return False
    if (row.recovery_attempts or 0) > 1:
        return True
    times = {"created_at": row.created_at, "started_at": row.started_at_epoch_ms}
    return session.one(EARLIER, id=row.pk, most=MAX_EARLIER, **times) is not None


def latest(session: Session, workflow_id: str, most: int = 2) -> tuple[StepRow, ...]:
    """The last recorded steps, the last one first."""
    return tuple(from_records(session.all(BACKWARD, id=workflow_id, bound=2**31 - 1, most=most)))


def one(session: Session, workflow_id: str, function_id: int) -> StepRow | None:
    found = from_records(session.all(FORWARD, id=workflow_id, bound=function_id, most=1))
    return found[0] if found and found[0].function_id == function_id else None


def child_steps(
    session: Session,
    steps: Sequence[StepRow],
    *,
    viewer: Viewer = EVERYTHING,
    opened: Iterable[str] = (),
) -> StepChildren:
    """The children that these steps started; two statements per generation.

    The steps of MAX_GENERATIONS are read, and below these of the `opened` children alone.
    """
    rows: dict[str, WorkflowRow] = {}
    recorded: dict[str, list[StepRow]] = {}
    generation: Sequence[StepRow] = steps
    for depth in range(MAX_GENERATIONS + MAX_OPENED + 1):
        wanted = [each for each in child_ids(generation) if each not in rows]
        if not wanted:
            break
        rows |= rows_by_id(session, wanted, viewer=viewer)
        known = [each for each in wanted if each in rows]
        shown = known[:MAX_CHILDREN] if depth < MAX_GENERATIONS else []
        shown += [each for each in [*opened][:MAX_OPENED] if each in known and each not in shown]
        generation = _of_children(session, shown)
        recorded |= {each: [] for each in shown}
        for step in generation:
            recorded[step.workflow_uuid].append(step)
    cut = frozenset(each for each, found in recorded.items() if len(found) > MAX_CHILD_STEPS)
    first = {each: tuple(found[:MAX_CHILD_STEPS]) for each, found in recorded.items()}
    return StepChildren(rows, first, frozenset(recorded), cut)


def children(
    session: Session, steps: Sequence[StepRow], *, viewer: Viewer = EVERYTHING
) -> dict[str, WorkflowRow]:
    """The children that these steps started or awaited, by id."""
    wanted = child_ids(steps)
    return rows_by_id(session, wanted, viewer=viewer) if wanted else {}


def child_ids(steps: Iterable[StepRow]) -> list[str]:
    return list(dict.fromkeys(step.child_id for step in steps if step.child_id is not None))


def errors(session: Session, workflow_id: str, ids: Sequence[int]) -> dict[int, StoredValue]:
    """The errors of these steps, which are payload, up to MAX_ERROR_EXCERPT characters each."""
    if not ids:
        return {}
    most = MAX_ERROR_EXCERPT
    found = session.all(ERRORS, id=workflow_id, ids=session.ids(ids), most=most + 1)
    return {number: StoredValue.up_to(most, *stored) for number, *stored in found}


def _of_children(session: Session, ids: Sequence[str]) -> list[StepRow]:
    if not ids:
        return []
    # One more than is shown tells whether there are more; TypeScript numbers steps from 0.
    each = MAX_CHILD_STEPS + 2
    most = {"most": MAX_CHILD_STEPS + 1, "rows": each * len(ids)}
    return from_records(session.all(OF_CHILDREN, ids=session.ids(ids), **most))


def from_records(records: Iterable[Row]) -> list[StepRow]:
    return [StepRow(*record) for record in records]
