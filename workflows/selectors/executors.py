"""Executors that could run a workflow, and the activities that they publish.

The table of executors exists only in databases that DBOSHub's workers use. Without it, nothing is
known about executors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dboshub.workflows.engine.membership.incarnations import incarnation_of
from dboshub.workflows.engine.records import INTERNAL_QUEUES, TEMP_WORKFLOW
from dboshub.workflows.engine.stored_json import readable_json
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.tables import EXECUTORS, has_table
from dboshub.workflows.storage.membership.executors import LIVE as IS_LIVE
from dboshub.workflows.storage.sql import Session, Statement

MAX_EXECUTORS = 200
# Characters of a published JSON text. A longer one is not read.
MAX_PUBLISHED = 1_024 * 1_024


def _short(column: str) -> str:
    return f"CASE WHEN LENGTH({column}) <= {MAX_PUBLISHED} THEN {column} END"


# What a process is, without and with what it published.
IDENTITY = """incarnation, executor_id, application_name, application_version, hostname, pid,
        last_beat_at, lease_ms, slots, busy, stopped_at, declared_dead_at"""
COLUMNS = f"""{IDENTITY}, {_short("queues")},
        {_short("functions")}, {_short("activity")}"""
# What waits in a process counts as busy, and takes no slot: it matters where all seem taken.
LIVE = Statement(
    f"""
    SELECT {IDENTITY}, {_short("queues")},
        CASE WHEN busy >= slots THEN {_short("activity")} END
    FROM {{dboshub_executor}}
    WHERE {IS_LIVE}
    ORDER BY last_beat_at DESC
    LIMIT :most
    """
)
# Processes of one version publish the same text: it is read once.
FUNCTIONS = Statement(
    f"""
    SELECT {_short("functions")}, CAST(json_agg(CAST(incarnation AS text)) AS text)
    FROM {{dboshub_executor}}
    WHERE {IS_LIVE}
    GROUP BY functions
    LIMIT :most
    """
)
OF_TOKEN = Statement(
    f"""
    SELECT {COLUMNS}
    FROM {{dboshub_executor}}
    WHERE incarnation = :incarnation
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
    """An executor process; `is_beating` compares its last heartbeat with the database's clock.

    `busy` are the workflows that it runs, those that wait included, of at most `slots` at work.
    """

    incarnation: str
    executor_id: str
    application: str | None
    version: str | None
    host: str
    last_beat_at: int
    lease_ms: int
    slots: int | None
    busy: int
    has_ended: bool
    is_beating: bool
    queues: frozenset[str] | None
    functions: Mapping[str, Any] | None  # what is published of each, by its name
    activity: Any

    @property
    def waiting(self) -> int:
        """How many of its workflows waited in memory at its last heartbeat."""
        return min(self.busy, sum(each.kind != "step" for _, each in self.activities()))

    @property
    def taken_slots(self) -> int:
        """The slots that were taken at its last heartbeat: what waits holds none."""
        return self.busy - self.waiting

    @property
    def has_free_slot(self) -> bool:
        return self.slots is None or self.taken_slots < self.slots

    def serves(self, queue: str | None) -> bool:
        # Every executor serves the internal queues.
        return self.queues is None or queue is None or queue in self.queues | {*INTERNAL_QUEUES}

    def knows(self, name: str | None) -> bool:
        # Steps that run as workflows of their own are not published.
        is_step = (name or "").startswith(TEMP_WORKFLOW)
        return self.functions is None or is_step or (name or "") in self.functions

    def has_instance_for(self, row: WorkflowRow) -> bool:
        """Whether it has made the instance that the row names; True if it does not say."""
        published = (self.functions or {}).get(row.name or "")
        if not isinstance(published, dict) or not isinstance(published.get("instances"), list):
            return True
        # The instances of a subclass are not published.
        is_of_class = row.class_name in (None, "", published.get("class"))
        return not is_of_class or (row.config_name or "") in published["instances"]

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
    """All processes that have not ended, newest heartbeat first; None without the table.

    Only those that look full have an activity.
    """
    if not has_table(session, EXECUTORS):
        return None
    published: dict[str, Any] = {}
    for functions, incarnations in session.all(FUNCTIONS, most=MAX_EXECUTORS):
        published.update(dict.fromkeys(json.loads(incarnations), functions))
    return [
        from_record((*identity, queues, published.get(identity[0]), activity), now)
        for *identity, queues, activity in session.all(LIVE, most=MAX_EXECUTORS)
    ]


def owner_of(session: Session, token: str | None, now: int) -> Executor | None:
    """The process of an owner token ``hub:<incarnation>:<number>``, live or not.

    None for the token of another program, and if the process is known no more.
    """
    incarnation = incarnation_of(token or "")
    if incarnation is None or not has_table(session, EXECUTORS):
        return None
    found = session.one(OF_TOKEN, incarnation=incarnation)
    return None if found is None else from_record(found, now)


def from_record(row: Sequence[Any], now: int) -> Executor:
    """An executor from its COLUMNS, or from those of its IDENTITY: as if it published nothing."""
    incarnation, name, application, version, host, pid, beat, lease, *more = row
    slots, busy, stopped_at, dead_at, *published = more
    queues, functions, activity = published or (None, None, None)
    return Executor(
        incarnation=incarnation,
        executor_id=name,
        application=application,
        version=version,
        host=f"{host or 'unknown host'}, pid {pid}",
        last_beat_at=beat,
        lease_ms=lease,
        slots=slots,
        busy=busy,
        has_ended=(stopped_at or dead_at) is not None,
        is_beating=now - beat <= lease,
        queues=_names(readable_json(queues)),
        functions=_published(functions),
        activity=readable_json(activity),
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


@lru_cache(maxsize=16)
def _published(text: str | None) -> Mapping[str, Any] | None:
    """The published functions, a mapping of signatures or in older releases a list of names.

    Kept, because the processes of one version publish one text.
    """
    value = readable_json(text)
    if isinstance(value, list):
        return dict.fromkeys(map(str, value))
    return value if isinstance(value, dict) else None
