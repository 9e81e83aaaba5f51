"""Code that starts the workflow of a form: a Python program, a command, and a curl command."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from pprint import pformat
from typing import Any
from urllib.parse import quote

from django.conf import settings

from dboshub.workflows.actions.start_request import StartRequest
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.invocation import command

# Any CSRF token is accepted if the cookie and the header are equal.
CSRF = "dboshub0" * 4


def as_python(request: StartRequest) -> str:
    """A program that enqueues the workflow with the client."""
    options: dict[str, Any] = {
        "workflow_name": request.name,
        "queue_name": request.queue or INTERNAL_QUEUE,
        "application_name": request.application,
        "class_name": request.class_name,
        "config_name": request.config_name,
        "workflow_id": request.workflow_id,
        "queue_partition_key": request.partition_key,
        "deduplication_id": request.deduplication_id,
        "priority": request.priority,
        "delay_seconds": request.delay_s,
        "workflow_timeout": request.timeout_s,
        "app_version": request.version,
    }
    given = {name: value for name, value in options.items() if value not in (None, "", 0)}
    lines = [_literal(given), *map(_literal, request.args)]
    lines += [
        f"{name}={_literal(value)}" for name, value in request.kwargs.items() if _is_name(name)
    ]
    others = {name: value for name, value in request.kwargs.items() if not _is_name(name)}
    lines += [f"**{_literal(others)}"] if others else []
    inner = "".join(f"    {line},\n" for line in lines)
    return (
        "from dboshub import DBOSClient\n\n"
        "client = DBOSClient(system_database_url=…)\n"
        f"handle = client.enqueue(\n{inner})\n"
        "print(handle.get_result())\n"
    )


def as_command(request: StartRequest) -> str:
    """The management command; options that it lacks are left out."""
    words = [request.name]
    words += ["--args", json.dumps(request.args, ensure_ascii=False)] if request.args else []
    words += (
        ["--kwargs", json.dumps(dict(request.kwargs), ensure_ascii=False)] if request.kwargs else []
    )
    words += ["--queue", request.queue] if request.queue else []
    words += ["--id", request.workflow_id] if request.workflow_id else []
    words += ["--application", request.application] if request.application else []
    return f"{command('workflow', 'start')} {shlex.join(words)}"


def as_curl(address: str, fields: Iterable[tuple[str, str]]) -> str:
    """A curl command that posts the form, with a session id in ``DBOSHUB_SESSION``.

    It prints the URL of the workflow, or fails and prints the page with the reason.
    """
    session, csrf = settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME
    lines = [
        "curl --silent --show-error --fail-with-body --data '' --write-out '%{redirect_url}\\n'",
        f'--cookie "{session}=$DBOSHUB_SESSION; {csrf}={CSRF}"',
        # No weakness: a forged page cannot make a browser send these headers.
        shlex.join(["--header", f"X-CSRFToken: {CSRF}", "--header", f"Referer: {address}"]),
        *(shlex.join(["--data-urlencode", f"{quote(name)}={value}"]) for name, value in fields),
        shlex.quote(address),
    ]
    return " \\\n  ".join(lines)


def _literal(value: Any) -> str:
    return pformat(value, width=88, sort_dicts=False).replace("\n", "\n    ")


def _is_name(name: str) -> bool:
    return name.isidentifier()
