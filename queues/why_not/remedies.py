"""What a person can do about a workflow that waits: commands and pages that there are."""

from __future__ import annotations

import shlex
from urllib.parse import urlencode

from django.urls import reverse

from dboshub.workflows.invocation import command
from dboshub.workflows.rendering.reason import Remedy
from dboshub.workflows.selectors.rows import WorkflowRow


def _command(*words: str) -> str:
    """A command that a shell reads as it is written."""
    return command(*(shlex.quote(word) for word in words))


def _do(verb: str, row: WorkflowRow, **query: str) -> str:
    url = reverse("dboshub:workflows:do", args=[verb, row.pk])
    return f"{url}?{urlencode(query)}" if query else url


def start_worker(what: str = "") -> Remedy:
    which = "another worker" if what == "more" else f"a worker {what}".rstrip()
    return Remedy(f"Start {which}.", _command("runworkers"))


def start_version(version: str) -> Remedy:
    text = f"Start a worker of version {version}."
    return Remedy(text, f"DBOS__APPVERSION={shlex.quote(version)} {_command('runworkers')}")


def start_listener(queue: str) -> Remedy:
    listen = "Start a worker that serves it."
    return Remedy(listen, _command("runworkers", f"--queues={queue}"))


def more_threads() -> Remedy:
    return Remedy("Give workers more threads.", _command("runworkers", "--threads=…"))


def fork(row: WorkflowRow, version: str | None) -> Remedy:
    url = _do("fork", row, version=version or "")
    words = ("workflow", "fork", row.pk, f"--version={version}")
    return Remedy(f"Fork it for version {version}.", _command(*words), url)


def promote(version: str) -> Remedy:
    url = reverse("dboshub:workflows:steer", args=["promote", version])
    return Remedy(f"Make {version} the latest version.", url=url)


def other_queue(row: WorkflowRow) -> Remedy:
    words = ("workflow", "resume", row.pk, "--queue=…")
    return Remedy("Resume it onto another queue.", _command(*words), _do("resume", row))


def past_limits(row: WorkflowRow) -> Remedy:
    words = ("workflow", "resume", row.pk)
    return Remedy("Run it now, past every limit.", _command(*words), _do("resume", row))


def register_queue(name: str) -> Remedy:
    return Remedy("Register it, or have an application do so.", _command("queue", "add", name))


def resume_queue(name: str) -> Remedy:
    url = reverse("dboshub:queues:do", args=["resume", name])
    return Remedy(f"Resume the queue {name}.", _command("queue", "resume", name), url)


def raise_limit(row: WorkflowRow, setting: str) -> Remedy:
    name = row.queue_name or ""
    url = f"{reverse('dboshub:queues:detail', args=[name])}#limits"
    option = f"--{setting.replace('_', '-')}"
    values = "… …" if setting.endswith("limiter") else "…"
    return Remedy("Raise the limit.", f"{_command('queue', 'change', name)} {option} {values}", url)


def cancel_holder(workflow_id: str) -> Remedy:
    url = reverse("dboshub:workflows:do", args=["cancel", workflow_id])
    text = f"Cancel {workflow_id}, which holds a place."
    return Remedy(text, _command("workflow", "cancel", workflow_id), url)


def end_delay(row: WorkflowRow) -> Remedy:
    return Remedy("Make it due now.", _command("workflow", "delay", row.pk, "0"))
