"""Verbs that change workflows which wait: their version, their priority, their delay."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dboshub.workflows.bulk.batch import Batch
from dboshub.workflows.engine.waiting.notices import QUEUE, STATUS
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.control import adjust, versions
from dboshub.workflows.storage.database_clock import database_now

HAS_BEGUN = "it has begun, and waits for something of its own"


def move(batch: Batch) -> None:
    """Give all the version that was chosen, or none, so that the latest runs them."""
    version = str(batch.options.get("version") or "") or None
    if version is not None:
        known = versions.versions(batch.session, None)
        owners = {each["application_name"] for each in known if each["version_name"] == version}
        for workflow_id in [*batch.items]:
            if not _may_run(batch.rows[workflow_id], owners):
                batch.skip(workflow_id, f"its application has no version {version}")
    batch.record(batch.items)
    adjust.set_version(batch.session, batch.items, version, now=batch.now)
    _end(batch, lambda row: f"it had {version_of(row.application_version)}")


def prioritize(batch: Batch) -> None:
    """Give all the priority that was chosen."""
    batch.record(batch.items)
    priority = int(batch.options.get("priority") or 0)
    adjust.set_priority(batch.session, batch.items, priority, now=batch.now)
    _end(batch, lambda row: f"it had priority {row.priority}")


def delay(batch: Batch) -> None:
    """Delay all from now on, also those that were delayed already."""
    _skip_begun(batch)
    until = database_now(batch.session) + round(1_000 * float(batch.options["seconds"]))
    batch.record(batch.items)
    adjust.delay(batch.session, batch.items, until=until, now=batch.now)
    _end(batch, lambda row: "it was delayed" if row.status == "DELAYED" else "it was due")


def end_delay(batch: Batch) -> None:
    """Enqueue delayed ones at once."""
    _skip_begun(batch)
    batch.record(batch.items)
    adjust.end_delay(batch.session, batch.items, now=batch.now)
    _end(batch)


def version_of(version: str | None) -> str:
    return "no version" if version is None else f"version {version}"


def own_versions(rows: Sequence[WorkflowRow]) -> dict[str, str]:
    return {row.pk: f"with {version_of(row.application_version)}" for row in rows}


def own_priorities(rows: Sequence[WorkflowRow]) -> dict[str, str]:
    return {row.pk: f"with priority {row.priority}" for row in rows}


def own_delays(rows: Sequence[WorkflowRow]) -> dict[str, str]:
    return {row.pk: "delayed already" if row.status == "DELAYED" else "due" for row in rows}


def _may_run(row: WorkflowRow, owners: set[str | None]) -> bool:
    """Whether a version with these owners is one of the workflow's application."""
    owner = row.application_name
    return None in owners or owner in owners or (owner is None and bool(owners))


def _skip_begun(batch: Batch) -> None:
    for workflow_id in [*batch.items]:
        if batch.rows[workflow_id].is_suspended:
            batch.skip(workflow_id, HAS_BEGUN)


def _end(batch: Batch, note: Callable[[WorkflowRow], str] = lambda row: "") -> None:
    for workflow_id in [*batch.items]:
        row = batch.rows[workflow_id]
        batch.notices += [(STATUS, workflow_id)]
        if row.queue_name:
            batch.notices += [(QUEUE, row.queue_name)]
        batch.done(workflow_id, note(row))
