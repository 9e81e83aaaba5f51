"""Start one workflow or many; a child with its parent's checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dboshub.workflows.engine.journal.writes import (
    CONFLICT,
    REFUSED,
    Answer,
    BulkStartWrite,
    StartWrite,
    Verdict,
)
from dboshub.workflows.engine.records import Started
from dboshub.workflows.storage.journal.checkpoints import compare_recorded, owns, record
from dboshub.workflows.storage.journal.insert_workflow import start
from dboshub.workflows.storage.journal.insert_workflows import insert_all, record_all
from dboshub.workflows.storage.sql import Session, Statement

# Of one statement.
MAX_ROWS = 1_000
MAX_SIZE = 16 * 1024 * 1024  # characters of arguments

SAVEPOINT = Statement("SAVEPOINT dboshub_starts")
UNDO = Statement("ROLLBACK TO SAVEPOINT dboshub_starts")
RELEASE = Statement("RELEASE SAVEPOINT dboshub_starts")


def start_one(session: Session, write: StartWrite, now: int) -> Answer:
    """Insert a workflow, or return the one that prevents it."""
    parent = write.parent
    if parent is not None and not owns(session, parent.workflow_id, parent.owner):
        return REFUSED
    started = start(session, write.row, write.inputs)
    answer = Answer(Verdict.DONE, started)
    if parent is None or not _is_attachable(write, started):
        return answer
    if not record(session, parent, now) and compare_recorded(session, parent) is CONFLICT:
        return CONFLICT
    return answer


def start_many(session: Session, write: BulkStartWrite, now: int) -> Answer:
    """Insert workflows, each as ``start_one`` does; if the write is atomic all or none of them."""
    if write.by is not None and not owns(session, write.by.workflow_id, write.by.owner):
        return REFUSED
    if not write.is_atomic:
        return _start_each(session, write, now)
    session.run(SAVEPOINT)
    answer = _start_each(session, write, now)
    is_refused = any(map(_is_refused, write.starts, answer.starts))
    if is_refused or answer.verdict is Verdict.CONFLICT:
        session.run(UNDO)
    session.run(RELEASE)
    return replace(answer, verdict=Verdict.NOTHING) if is_refused else answer


def _start_each(session: Session, write: BulkStartWrite, now: int) -> Answer:
    conflict = record_all(session, write.refused, now)
    started: list[Started] = []
    for starts in _statements(write.starts):
        results = insert_all(session, starts, now)
        children = [
            each.parent
            for each, result in zip(starts, results, strict=True)
            if each.parent is not None and _is_attachable(each, result)
        ]
        conflict = record_all(session, children, now) if conflict is None else conflict
        started += results
    if conflict is not None:
        return replace(CONFLICT, conflict=conflict)
    return Answer(Verdict.DONE, starts=tuple(started))


def _statements(starts: Sequence[StartWrite]) -> Iterator[list[StartWrite]]:
    """The starts in order, in lists of limited size; of no list two are in each other's way."""
    chunk: list[StartWrite] = []
    seen: set[object] = set()
    size = 0
    for each in starts:
        row = each.row
        keys: set[object] = {row.workflow_uuid}
        if row.deduplication_id is not None:
            keys.add((row.queue_name, row.deduplication_id))
        if not seen.isdisjoint(keys) or len(chunk) == MAX_ROWS or size >= MAX_SIZE:
            yield chunk
            chunk, seen, size = [], set(), 0
        chunk.append(each)
        seen |= keys
        size += each.size
    if chunk:
        yield chunk


def _is_attachable(write: StartWrite, started: Started) -> bool:
    """Whether the parent's checkpoint may name this workflow as its child."""
    if started.created:
        return True
    row = write.row
    existing = (started.name, started.class_name, started.config_name)
    return not write.reject_existing and existing == (row.name, row.class_name, row.config_name)


def _is_refused(write: StartWrite, started: Started) -> bool:
    """Whether the start is an error."""
    if started.deduplicated_by is not None:
        return not write.accept_duplicate
    return not _is_attachable(write, started)
