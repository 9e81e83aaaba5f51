"""Executors that could run a workflow, and the activities that they publish.

The table of executors exists only in databases that DBOSHub's workers use. Without it, nothing is
known about executors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dboshub.workflows.engine.records import INTERNAL_QUEUES, TEMP_WORKFLOW
from dboshub.workflows.engine.stored_json import readable_json
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.tables import EXECUTORS, has_table
from dboshub.workflows.storage.sql import Session, Statement

MAX_EXECUTORS = 200
# Characters of a published JSON text. A longer one is not read.
MAX_PUBLISHED = 1_024 * 1_024


def _short(column: str) -> str:
    return f"CASE WHEN LENGTH({column}) <= {MAX_PUBLISHED} THEN {column} END"


# What a process is, without and with what it published.
IDENTITY = """incarnation, executor_id, application_name, application_version, hostname, pid,
        last_beat_at, lease_ms"""
COLUMNS = f"""{IDENTITY}, {_short("queues")},
        {_short("functions")}, {_short("activity")}"""
LIVE = Statement(
    f"""
    SELECT {COLUMNS}
    FROM {{dboshub_executor}}
    WHERE stopped_at IS NULL AND declared_dead_at IS NULL
    ORDER BY last_beat_at DESC
    LIMIT :most
    """
)


@dataclass(frozen=True, slots=True)
class Activity:
    """The activity of a workflow that its executor published with its last heartbeat."""

    kind: str
    step: int
    name: str
    of: str
    since: int | None
    until: int | None


@dataclass(frozen=True, slots=True)
class FailingLoop:
    """A background loop that fails, as its executor published it."""

    what: str
    error: str


@dataclass(frozen=True, slots=True)
class Executor:
    """An executor process; `is_beating` compares its last heartbeat with the database's clock."""

    incarnation: str
    executor_id: str
    application: str | None
    version: str | None
    host: str
    last_beat_at: int
    is_beating: bool
    queues: frozenset[str] | None
    functions: Mapping[str, Any] | None  # what is published of each, by its name
    activity: Any

    def serves(self, queue: str | None) -> bool:
        # Every executor serves the internal queues.
        return self.queues is None or queue is None or queue in self.queues | {*INTERNAL_QUEUES}

    def knows(self, name: str | None) -> bool:
        # Steps that run as workflows of their own are not published.
        is_step = name is None or name.startswith(TEMP_WORKFLOW)
        return self.functions is None or is_step or name in self.functions

    def has_instance_for(self, row: WorkflowRow) -> bool:
        """Whether it has made the instance that the row names; True if it does not say."""
        published = (self.functions or {}).get(row.name or "")
        made = published.get("instances") if isinstance(published, dict) else None
        return row.config_name is None or not isinstance(made, list) or row.config_name in made

    def activity_of(self, workflow_id: str) -> Activity | None:
        """The published activity of a workflow; None if there is none or it is malformed."""
        return dict(self.activities()).get(workflow_id)

    @property
    def failing(self) -> list[FailingLoop]:
        """The background loops that fail in the process."""
        found = self.activity if isinstance(self.activity, list) else []
        said = (each for each in found if isinstance(each, dict) and each.get("kind") == "failing")
        return [FailingLoop(str(each.get("name")), str(each.get("error"))) for each in said]

    def activities(self) -> Iterator[tuple[str, Activity]]:
        """All published activities, with their workflow ids."""
        for each in self.activity if isinstance(self.activity, list) else ():
            said = _activity(each) if isinstance(each, dict) else None
            if said is not None and isinstance(each.get("workflow"), str):
                yield each["workflow"], said


def executors(session: Session, now: int) -> list[Executor] | None:
    """All processes that have not ended, newest heartbeat first; None without the table."""
    if not has_table(session, EXECUTORS):
        return None
    return [from_record(row, now) for row in session.all(LIVE, most=MAX_EXECUTORS)]


def fitting(found: Iterable[Executor], row: WorkflowRow) -> list[Executor]:
    """The beating executors of the workflow's application and version."""
    return [
        each
        for each in found
        if each.is_beating
        and row.application_name in (None, each.application)
        and row.application_version in (None, each.version)
    ]


def from_record(row: Sequence[Any], now: int) -> Executor:
    """An executor from its COLUMNS, or from those of its IDENTITY: as if it published nothing."""
    incarnation, name, application, version, host, pid, beat, lease, *published = row
    queues, functions, activity = map(readable_json, published or (None, None, None))
    return Executor(
        incarnation=incarnation,
        executor_id=name,
        application=application,
        version=version,
        host=f"{host or 'unknown host'}, pid {pid}",
        last_beat_at=beat,
        is_beating=now - beat <= lease,
        queues=_names(queues),
        functions=_published(functions),
        activity=activity,
    )


def _activity(said: dict[str, Any]) -> Activity | None:
    kind, step = said.get("kind"), said.get("step")
    name, of = said.get("name", ""), said.get("of", "")
    times = since, until = said.get("since"), said.get("until")
    if not (isinstance(kind, str) and isinstance(name, str) and isinstance(of, str)):
        return None
    if not (isinstance(step, int) and all(isinstance(each, int | None) for each in times)):
        return None
    return Activity(kind, step, name, of, since, until)


def _names(value: Any) -> frozenset[str] | None:
    return frozenset(map(str, value)) if isinstance(value, list) else None


def _published(value: Any) -> Mapping[str, Any] | None:
    # A mapping of signatures, or in older releases a list of names.
    if isinstance(value, list):
        return dict.fromkeys(map(str, value))
    return value if isinstance(value, dict) else None
