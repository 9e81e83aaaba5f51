"""The cells of a list's row: the same bytes for a page and for a push, for every viewer."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from workflows.engine.records import INTERNAL_QUEUE, TEMP_WORKFLOW
from workflows.selectors.rows import WorkflowRow
from workflows.templatetags.hub import NOTHING, distance, duration, icon, since, status, when

INTERNAL = ("_dbos_", "DBOS.")
SHORT_VERSION = 12
# What ids that begin alike differ in is at their end, so that part is never cut.
ID_TAIL = 12


def row_cells(row: WorkflowRow) -> dict[str, str]:
    """The inner HTML of every cell, by the name in its `data-cell`."""
    return {
        "status": status(row.status),
        "name": _name(row),
        "id": _id(row.workflow_uuid),
        "queue": _queue(row),
        "owner": _owner(row),
        "created": when(row.created_at),
        "duration": _duration(row),
    }


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
        '<a class="name" data-row-link href="{}" title="{}">{}</a>{}',
        reverse("workflows:detail", args=[row.workflow_uuid]),
        row.name or "",
        name,
        format_html_join("", " {}", ((mark,) for mark in _marks(row))),
    )


def _marks(row: WorkflowRow) -> list[SafeString]:
    """What makes this run different from a plain one, each as a word or an icon with a label."""
    marks = []
    if (row.name or "").startswith(TEMP_WORKFLOW):
        marks.append(_tag("step", "A single step, run as a workflow of its own"))
    elif (row.name or "").startswith(INTERNAL):
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
    return format_html("{}{}", row.queue_name, partition)


def _owner(row: WorkflowRow) -> SafeString:
    """The application and its version, or else the executor: what a deployment is known by."""
    version = (row.application_version or "")[:SHORT_VERSION]
    if not row.application_name and not version:
        return format_html("{}", row.executor_id) if row.executor_id else NOTHING
    return format_html(
        '<span title="version {}, executor {}">{}{}<span class="mono muted">{}</span></span>',
        row.application_version or "unknown",
        row.executor_id or "none",
        row.application_name or "",
        " " if row.application_name else "",
        version,
    )


def _duration(row: WorkflowRow) -> SafeString:
    if row.is_final:
        return duration(row.duration_ms)
    if row.status == "DELAYED":
        until = distance(row.delay_until_epoch_ms)
        return format_html('<span class="muted">due {}</span>', until)
    if row.is_waiting:
        return format_html('<span class="muted">waits {}</span>', since(row.created_at))
    return since(row.began_at)


def _tag(word: str, meaning: str) -> SafeString:
    return format_html('<span class="tag" title="{}">{}</span>', meaning, word)


def _sign(name: str, meaning: str) -> SafeString:
    return format_html('<span class="sign" title="{}">{}</span>', meaning, icon(name, meaning))
