"""What a person can do about a workflow that waits: commands and pages that there are."""

from __future__ import annotations

import shlex
from urllib.parse import urlencode

from django.urls import reverse

from dboshub.workflows.invocation import command
from dboshub.workflows.rendering.reason import Remedy
from dboshub.workflows.search.parser import exactly
from dboshub.workflows.selectors.rows import WorkflowRow


def _command(*words: str) -> str:
    """A command that a shell reads as it is written."""
    return command(*(shlex.quote(word) for word in words))


def _act(text: str, words: tuple[str, ...], verb: str, workflow_id: str, query: str = "") -> Remedy:
    """An action on one workflow, by a command or after a confirmation."""
    url = reverse("dboshub:workflows:do", args=[verb, workflow_id]) + query
    return Remedy(text, _command(*words), url, is_action=True, needs=verb)


def start_worker(what: str = "") -> Remedy:
    which = "another worker" if what == "more" else f"a worker {what}".rstrip()
    return Remedy(f"Start {which}", _command("runworkers"))


def start_version(version: str) -> Remedy:
    text = f"Start a worker of version {version}"
    return Remedy(text, f"DBOS__APPVERSION={shlex.quote(version)} {_command('runworkers')}")


def start_listener(queue: str) -> Remedy:
    listen = "Start a worker that serves it"
    return Remedy(listen, _command("runworkers", f"--queues={queue}"))


def more_threads() -> Remedy:
    return Remedy("Give workers more threads", _command("runworkers", "--threads=…"))


def fork(row: WorkflowRow, version: str | None) -> Remedy:
    words = ("workflow", "fork", row.pk, f"--version={version}")
    query = f"?{urlencode({'version': version or ''})}"
    return _act(f"Fork it for version {version}", words, "fork", row.pk, query)


def promote(version: str) -> Remedy:
    url = reverse("dboshub:workflows:steer", args=["promote", version])
    text = f"Make {version} the latest version"
    return Remedy(text, url=url, is_action=True, needs="promote")


def move(row: WorkflowRow, count: str = "") -> Remedy:
    """Move it to another version, or all of a `count` that wait on its queue for the same one."""
    version = row.application_version
    chosen = {"id": exactly(row.pk)}
    if count:
        named = exactly(version) if version else "-"
        chosen = {"queue": exactly(row.queue_name or ""), "version": named, "status": "ENQUEUED"}
    query = urlencode({"verb": "move", **chosen, "internal": "yes"})
    what = f"all {count} that wait for it" if count else "it"
    url = f"{reverse('dboshub:workflows:bulk_new')}?{query}"
    return Remedy(f"Move {what} to another version…", url=url)


def other_queue(row: WorkflowRow) -> Remedy:
    words = ("workflow", "resume", row.pk, "--queue=…")
    return _act("Resume it onto another queue", words, "resume", row.pk)


def past_limits(row: WorkflowRow) -> Remedy:
    words = ("workflow", "resume", row.pk)
    return _act("Run it past every limit", words, "resume", row.pk)


def register_queue(name: str) -> Remedy:
    return Remedy("Register it, or have an application do so", _command("queue", "add", name))


def resume_queue(name: str) -> Remedy:
    url = reverse("dboshub:queues:do", args=["resume", name])
    command = _command("queue", "resume", name)
    return Remedy(f"Resume the queue {name}", command, url, is_action=True, needs="queues")


def raise_limit(row: WorkflowRow, setting: str) -> Remedy:
    name = row.queue_name or ""
    url = f"{reverse('dboshub:queues:detail', args=[name])}#limits"
    option = f"--{setting.replace('_', '-')}"
    values = "… …" if setting.endswith("limiter") else "…"
    return Remedy("Raise the limit", f"{_command('queue', 'change', name)} {option} {values}", url)


def cancel_holder(workflow_id: str) -> Remedy:
    words = ("workflow", "cancel", workflow_id)
    return _act(f"Cancel {workflow_id}", words, "cancel", workflow_id)


def end_delay(row: WorkflowRow) -> Remedy:
    return Remedy("Make it due now", _command("workflow", "delay", row.pk, "0"))
