"""The cells of a list row: the same HTML for pages and live updates, and for all viewers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from dboshub.workflows.engine.records import INTERNAL_QUEUE, TEMP_WORKFLOW
from dboshub.workflows.rendering.components import (
    NOTHING,
    duration,
    elapsed,
    icon,
    status_pill,
    time_ago,
    time_distance,
)
from dboshub.workflows.rendering.reason import Reason
from dboshub.workflows.search.parser import exactly, write_term
from dboshub.workflows.search.terms import INTERNAL_NAME_PREFIXES
from dboshub.workflows.selectors.rows import WorkflowRow

SHORT_VERSION = 12
# What every workflow that waits may lack for a while, and the notes of other conditions.
ORDINARY = ("delayed", "not_first")
NOTES = {"queue_paused": "paused", "limiter": "rate", "partition_limiter": "rate"}
# The end of an id is never cut: related ids differ there.
ID_TAIL = 12


def row_cells(
    row: WorkflowRow, columns: Iterable[str] | None = None, *, reason: Reason | None = None
) -> dict[str, str]:
    """The inner HTML of these cells, by default of all, by the name in its `data-cell`.

    `reason` says why the workflow waits, if it does.
    """
    cells = {name: CELLS[name](row) for name in columns or CELLS}
    if reason is not None and "status" in cells:
        cells["status"] = _status(row, reason)
    return cells


def _status(row: WorkflowRow, reason: Reason) -> SafeString:
    """The status with the first condition that a claim lacks, besides time and place in line."""
    blocker = next((each for each in reason.blockers if each.code not in ORDINARY), None)
    if blocker is None:
        return status_pill(row.status)
    note = NOTES.get(blocker.code, "stuck" if blocker.is_trouble else "full")
    return status_pill(row.status, note, blocker.text)


def _only(key: str, value: str | None, *, short: int | None = None) -> SafeString:
    """A value as a button that adds it to the filter.

    The button submits the search form, so that the cell does not depend on the filter. It is not in
    the tab order: keyboard users have the search box.
    """
    if not value:
        return NOTHING
    return format_html(
        '<button class="only" form="find" name="and" value="{}" tabindex="-1"'
        ' title="{}&#10;Only this {}">{}</button>',
        write_term(key, exactly(value)),
        value,
        key,
        value[:short],
    )


def _id(workflow_id: str) -> SafeString:
    return format_html(
        '<code title="{}"><span class="id-head">{}</span>{}</code>',
        workflow_id,
        workflow_id[:-ID_TAIL],
        workflow_id[-ID_TAIL:],
    )


def _name(row: WorkflowRow) -> SafeString:
    name = (row.name or "").removeprefix(TEMP_WORKFLOW) or "unnamed"
    return format_html(
        '<a class="name" data-row-link href="{}" title="{}">{}</a>{} {}',
        reverse("dboshub:workflows:detail", args=[row.workflow_uuid]),
        row.name or "",
        name,
        format_html_join("", " {}", ((mark,) for mark in _marks(row))),
        _narrow("name", row.name),
    )


def _narrow(key: str, value: str | None) -> SafeString | str:
    """A filter button beside a value that is a link."""
    if not value:
        return ""
    return format_html(
        '<button class="only only--icon" form="find" name="and" value="{}" tabindex="-1"'
        ' title="Only this {}">{}</button>',
        write_term(key, exactly(value)),
        key,
        icon("list-filter", f"Only this {key}"),
    )


def _marks(row: WorkflowRow) -> list[SafeString]:
    """Marks of the run, each a word or an icon with a label."""
    marks = []
    if (row.name or "").startswith(TEMP_WORKFLOW):
        marks.append(_tag("step", "A single step that runs as a workflow"))
    elif (row.name or "").startswith(INTERNAL_NAME_PREFIXES):
        marks.append(_tag("internal", "Part of the engine"))
    if row.config_name:
        marks.append(_tag(row.config_name, "Configured instance"))
    if (row.recovery_attempts or 0) > 1:
        marks.append(_tag(f"attempt {row.recovery_attempts}", "Recovered after an executor died"))
    if row.schedule_name:
        marks.append(_sign("calendar-clock", f"Scheduled by {row.schedule_name}"))
    if row.forked_from:
        marks.append(_sign("git-fork", f"Forked from {row.forked_from}"))
    elif row.parent_workflow_id:
        marks.append(_sign("split", f"Child of {row.parent_workflow_id}"))
    return marks


def _queue(row: WorkflowRow) -> SafeString:
    if row.queue_name is None:
        return NOTHING
    if row.queue_name == INTERNAL_QUEUE:
        return format_html('<span class="muted" title="{}">internal</span>', INTERNAL_QUEUE)
    partition = (
        format_html(' <span class="muted">/ {}</span>', row.queue_partition_key)
        if row.queue_partition_key
        else ""
    )
    return format_html("{}{}", _only("queue", row.queue_name), partition)


def _owner(row: WorkflowRow) -> SafeString:
    """The application and its version, or the executor if both are missing."""
    version = (row.application_version or "")[:SHORT_VERSION]
    if not row.application_name and not version:
        return _only("executor", row.executor_id)
    return format_html(
        '{}{}<span class="mono muted">{}</span>',
        _only("app", row.application_name) if row.application_name else "",
        " " if row.application_name else "",
        _only("version", row.application_version, short=SHORT_VERSION) if version else "",
    )


def _duration(row: WorkflowRow) -> SafeString:
    if row.is_final:
        return duration(row.duration_ms)
    if row.is_suspended:
        meaning = "It has left memory while it waits."
        since = elapsed(row.updated_at)
        return format_html('<span class="muted" title="{}">suspended {}</span>', meaning, since)
    if row.status == "DELAYED":
        until = time_distance(row.delay_until_epoch_ms)
        return format_html('<span class="muted">due {}</span>', until)
    if row.is_waiting:
        return format_html('<span class="muted">waits {}</span>', elapsed(row.enqueued_at))
    return elapsed(row.began_at)


def _tag(word: str, meaning: str) -> SafeString:
    return format_html('<span class="tag" title="{}">{}</span>', meaning, word)


def _sign(name: str, meaning: str) -> SafeString:
    return format_html('<span class="sign" title="{}">{}</span>', meaning, icon(name, meaning))


CELLS: dict[str, Callable[[WorkflowRow], str]] = {
    "status": lambda row: status_pill(row.status),
    "name": _name,
    "id": lambda row: _id(row.workflow_uuid),
    "queue": _queue,
    "owner": _owner,
    "version": lambda row: _only("version", row.application_version, short=SHORT_VERSION),
    "executor": lambda row: _only("executor", row.executor_id),
    "user": lambda row: _only("user", row.authenticated_user),
    "schedule": lambda row: _only("schedule", row.schedule_name),
    "parent": lambda row: _only("parent", row.parent_workflow_id),
    "priority": lambda row: format_html("{}", row.priority),
    "attempts": lambda row: format_html("{}", row.recovery_attempts or 0),
    "created": lambda row: time_ago(row.created_at),
    "started": lambda row: time_ago(row.started_at_epoch_ms),
    "completed": lambda row: time_ago(row.completed_at),
    "duration": _duration,
}
