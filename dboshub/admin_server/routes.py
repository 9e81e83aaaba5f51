"""Which request asks for what: paths, methods, and the checks of what is sent along."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from dboshub.workflows.engine.errors import DBOSException, DBOSNonExistentWorkflowError


class Refused(Exception):
    """A request that cannot be served as it is."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(status, problem)
        self.status = status
        self.problem = problem


class Host(Protocol):
    """What the endpoints do. Names are those of the 2.x endpoints; ids are workflows'."""

    @property
    def executor_id(self) -> str: ...
    def recover(self, executor_ids: list[str]) -> list[str]: ...
    def deactivate(self) -> None: ...
    def queues(self) -> list[dict[str, Any]]: ...
    def collect_garbage(self, cutoff_ms: int | None, rows: int | None) -> None: ...
    def time_out(self, cutoff_ms: int) -> None: ...
    def workflow(self, workflow_id: str) -> dict[str, Any] | None: ...
    def steps(self, workflow_id: str) -> list[dict[str, Any]]: ...
    def workflows(self, filters: dict[str, Any], *, queued: bool) -> list[dict[str, Any]]: ...
    def cancel(self, workflow_id: str) -> None: ...
    def resume(self, workflow_id: str) -> None: ...
    def fork(
        self, workflow_id: str, step: int, *, new_id: str | None, version: str | None
    ) -> str: ...


@dataclass(frozen=True, slots=True)
class AuditedAction:
    """What was done, as the audit log tells it."""

    action: str
    kind: str
    target: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply: JSON, or plain text, or nothing; and what was done for it."""

    status: int = 204
    content: Any = None
    audited_action: AuditedAction | None = None


def is_open(method: str, path: str) -> bool:
    """Whether anybody may ask: a probe learns only that this process answers."""
    return method == "GET" and urlsplit(path).path == "/dbos-healthz"


def answer(host: Host, method: str, path: str, body: Any) -> Answer:
    """Do what is asked. Raises Refused."""
    wanted = urlsplit(path).path
    known: set[str] = set()
    for verb, pattern, act in ROUTES:
        found = pattern.fullmatch(wanted)
        if found is not None:
            if verb == method:
                return _acted(act, host, [unquote(each) for each in found.groups()], body)
            known.add(verb)
    raise Refused(405, f"use {' or '.join(known)}") if known else Refused(404, "no such path")


def _acted(act: Act, host: Host, names: list[str], body: Any) -> Answer:
    try:
        return act(host, *names, body=body)
    except DBOSNonExistentWorkflowError as error:
        raise Refused(404, error.message) from error
    except DBOSException as error:
        raise Refused(400, error.message) from error
    except (TypeError, ValueError, KeyError, OverflowError, OSError) as error:
        raise Refused(400, f"{type(error).__name__}: {error}") from error


Act = Callable[..., Answer]


def _healthy(host: Host, *, body: Any) -> Answer:
    return Answer(200, "healthy")


def _recover(host: Host, *, body: Any) -> Answer:
    if not isinstance(body, list) or not all(isinstance(each, str) for each in body):
        raise Refused(400, "send a list of executor ids")
    audited_action = AuditedAction("recover", "executor", ", ".join(body))
    return Answer(200, host.recover(body), audited_action)


def _deactivate(host: Host, *, body: Any) -> Answer:
    host.deactivate()
    return Answer(200, "deactivated", AuditedAction("deactivate", "executor", host.executor_id))


def _queues(host: Host, *, body: Any) -> Answer:
    return Answer(200, host.queues())


def _conductor(host: Host, *, body: Any) -> Answer:
    return Answer(200, {"connected": False, "url": None})


def _collect(host: Host, *, body: Any) -> Answer:
    given = _fields(body, cutoff_epoch_timestamp_ms=int, rows_threshold=int)
    cutoff, rows = given.get("cutoff_epoch_timestamp_ms"), given.get("rows_threshold")
    if cutoff is None and rows is None:
        raise Refused(400, "send cutoff_epoch_timestamp_ms, rows_threshold, or both")
    if rows is not None and rows < 1:
        raise Refused(400, "rows_threshold must be at least 1")
    host.collect_garbage(cutoff, rows)
    return Answer(audited_action=AuditedAction("delete", "workflows", _told(given)))


def _time_out(host: Host, *, body: Any) -> Answer:
    given = _fields(body, cutoff_epoch_timestamp_ms=int)
    if given.get("cutoff_epoch_timestamp_ms") is None:
        raise Refused(400, "send cutoff_epoch_timestamp_ms")
    host.time_out(given["cutoff_epoch_timestamp_ms"])
    return Answer(audited_action=AuditedAction("cancel", "workflows", _told(given)))


def _workflow(host: Host, workflow_id: str, *, body: Any) -> Answer:
    found = host.workflow(workflow_id)
    if found is None:
        raise Refused(404, f"there is no workflow {workflow_id}")
    return Answer(200, found)


def _steps(host: Host, workflow_id: str, *, body: Any) -> Answer:
    return Answer(200, host.steps(workflow_id))


def _workflows(host: Host, *, body: Any) -> Answer:
    return Answer(200, host.workflows(_object(body), queued=False))


def _queued(host: Host, *, body: Any) -> Answer:
    return Answer(200, host.workflows(_object(body), queued=True))


def _cancel(host: Host, workflow_id: str, *, body: Any) -> Answer:
    host.cancel(workflow_id)
    return Answer(audited_action=AuditedAction("cancel", "workflow", workflow_id))


def _resume(host: Host, workflow_id: str, *, body: Any) -> Answer:
    host.resume(workflow_id)
    return Answer(audited_action=AuditedAction("resume", "workflow", workflow_id))


def _restart(host: Host, workflow_id: str, *, body: Any) -> Answer:
    forked = host.fork(workflow_id, 1, new_id=None, version=None)
    return Answer(200, {"workflow_id": forked}, AuditedAction("fork", "workflow", workflow_id))


def _fork(host: Host, workflow_id: str, *, body: Any) -> Answer:
    given = _fields(body, start_step=int, new_workflow_id=str, application_version=str)
    forked = host.fork(
        workflow_id,
        given.get("start_step") or 1,
        new_id=given.get("new_workflow_id"),
        version=given.get("application_version"),
    )
    return Answer(200, {"workflow_id": forked}, AuditedAction("fork", "workflow", workflow_id))


def _told(given: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in given.items())


def _object(body: Any) -> dict[str, Any]:
    if body is not None and not isinstance(body, dict):
        raise Refused(400, "send a JSON object")
    return {key: value for key, value in (body or {}).items() if value is not None}


def _fields(body: Any, **kinds: type) -> dict[str, Any]:
    given = _object(body)
    for key, value in given.items():
        if key not in kinds or type(value) is not kinds[key]:
            known = ", ".join(f"{name} ({kind.__name__})" for name, kind in kinds.items())
            raise Refused(400, f"{key} will not do; known are {known}")
    return given


_ONE = "/workflows/([^/]+)"
ROUTES: list[tuple[str, re.Pattern[str], Act]] = [
    (verb, re.compile(pattern), act)
    for verb, pattern, act in (
        ("GET", "/dbos-healthz", _healthy),
        ("POST", "/dbos-workflow-recovery", _recover),
        ("GET", "/deactivate", _deactivate),
        ("GET", "/dbos-workflow-queues-metadata", _queues),
        ("GET", "/conductor", _conductor),
        ("POST", "/dbos-garbage-collect", _collect),
        ("POST", "/dbos-global-timeout", _time_out),
        ("POST", "/workflows", _workflows),
        ("POST", "/queues", _queued),
        ("GET", _ONE, _workflow),
        ("GET", f"{_ONE}/steps", _steps),
        ("POST", f"{_ONE}/cancel", _cancel),
        ("POST", f"{_ONE}/resume", _resume),
        ("POST", f"{_ONE}/restart", _restart),
        ("POST", f"{_ONE}/fork", _fork),
    )
]
