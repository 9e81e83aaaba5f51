"""The same start as code: for a program, for a terminal, and for any machine that has curl."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from pprint import pformat
from typing import Any
from urllib.parse import quote

from django.conf import settings

from dboshub.workflows.actions.starting import StartRequest
from dboshub.workflows.engine.records import INTERNAL_QUEUE

# Any token will do, if the cookie and the header agree.
CSRF = "dboshub0" * 4


def as_python(order: StartRequest) -> str:
    """A program that enqueues it with the client, from any process that reaches the database."""
    options: dict[str, Any] = {
        "workflow_name": order.name,
        "queue_name": order.queue or INTERNAL_QUEUE,
        "application_name": order.application,
        "class_name": order.class_name,
        "config_name": order.config_name,
        "workflow_id": order.workflow_id,
        "queue_partition_key": order.partition_key,
        "deduplication_id": order.deduplication_id,
        "priority": order.priority,
        "delay_seconds": order.delay_s,
        "workflow_timeout": order.timeout_s,
        "app_version": order.version,
    }
    given = {name: value for name, value in options.items() if value not in (None, "", 0)}
    lines = [_literal(given), *map(_literal, order.args)]
    lines += [f"{name}={_literal(value)}" for name, value in order.kwargs.items() if _is_name(name)]
    others = {name: value for name, value in order.kwargs.items() if not _is_name(name)}
    lines += [f"**{_literal(others)}"] if others else []
    inner = "".join(f"    {line},\n" for line in lines)
    return (
        "from dboshub import DBOSClient\n\n"
        "client = DBOSClient(system_database_url=…)\n"
        f"handle = client.enqueue(\n{inner})\n"
        "print(handle.get_result())\n"
    )


def as_command(order: StartRequest) -> str:
    """The management command; options that it does not have are left to the program."""
    words = ["manage.py", "workflow", "start", order.name]
    words += ["--args", json.dumps(order.args, ensure_ascii=False)] if order.args else []
    words += (
        ["--kwargs", json.dumps(dict(order.kwargs), ensure_ascii=False)] if order.kwargs else []
    )
    words += ["--queue", order.queue] if order.queue else []
    words += ["--id", order.workflow_id] if order.workflow_id else []
    words += ["--application", order.application] if order.application else []
    return shlex.join(words)


def as_curl(address: str, fields: Iterable[tuple[str, str]]) -> str:
    """The same form, posted by whoever puts a session of this hub into ``DBOSHUB_SESSION``.

    Prints where the workflow is, or fails with the page that says why it was not started.
    """
    session, csrf = settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME
    lines = [
        "curl --silent --show-error --fail-with-body --data '' --write-out '%{redirect_url}\\n'",
        f'--cookie "{session}=$DBOSHUB_SESSION; {csrf}={CSRF}"',
        # Of no value to a forger, who cannot make a browser send them: curl is no browser.
        shlex.join(["--header", f"X-CSRFToken: {CSRF}", "--header", f"Referer: {address}"]),
        *(shlex.join(["--data-urlencode", f"{quote(name)}={value}"]) for name, value in fields),
        shlex.quote(address),
    ]
    return " \\\n  ".join(lines)


def _literal(value: Any) -> str:
    return pformat(value, width=88, sort_dicts=False).replace("\n", "\n    ")


def _is_name(name: str) -> bool:
    return name.isidentifier()
