"""Start, list, inspect and steer workflows from a terminal; every answer is JSON."""

from __future__ import annotations

import getpass
import json
import uuid
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from queues.storage.notify import announce
from workflows import actions
from workflows.audit import ActionRefusedError, Actor
from workflows.connection import atomic, reading
from workflows.engine.records import INTERNAL_QUEUE, Checkpoint, NewWorkflow, Status
from workflows.payloads import PICKLE, read
from workflows.payloads.encode import NotPlainError, encode_arguments
from workflows.payloads.inline import inline
from workflows.storage.history import history
from workflows.storage.listing import workflows
from workflows.storage.sql import Session
from workflows.storage.start import start
from workflows.system_tables import now_ms

SHOWN = 10_000  # characters of a payload
STEPS = 10_000
LISTED = (
    *("workflow_id", "status", "name", "class_name", "queue_name", "executor_id"),
    *("app_version", "application_name", "created_at", "updated_at", "completed_at"),
    *("recovery_attempts", "parent_workflow_id", "forked_from"),
)


class TerminalUser:
    """Who has a shell on this machine may do all; the audit log says who it was."""

    is_authenticated = False

    def get_username(self) -> str:
        return f"{getpass.getuser()} (manage.py)"

    def has_perm(self, permission: str) -> bool:
        return True


class Command(BaseCommand):
    help = "Start, list, inspect and steer workflows; every answer is JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        _start_arguments(verbs.add_parser("start", help="enqueue a workflow by its name"))
        _list_arguments(verbs.add_parser("list", help="list workflows, newest first"))
        for verb, meaning in (
            ("get", "show a workflow with its input and outcome"),
            ("steps", "show its recorded steps"),
            ("cancel", "take it from its executor for good"),
            ("resume", "go on after its last completed step"),
            ("fork", "run it again, from a step, as a new workflow"),
        ):
            each = verbs.add_parser(verb, help=meaning)
            each.add_argument("workflow_id")
            if verb in ("cancel", "resume", "fork"):
                each.add_argument("--reason", default="", help="for the audit log")
            if verb in ("resume", "fork"):
                each.add_argument("--queue", help="queue to run on")
            if verb == "cancel":
                each.add_argument("--children", action="store_true", help="its descendants, too")
            if verb == "fork":
                each.add_argument("--step", type=int, default=1, help="first step to run again")
                each.add_argument("--version", dest="app_version", help="application version")

    def handle(self, *, verb: str, **options: Any) -> None:
        run: Callable[..., Any] = getattr(self, f"_{verb}")
        with _explained():
            answer = run(**options)
        self.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False))

    def _start(
        self, *, name: str, positional: list[Any], named: dict[str, Any], **options: Any
    ) -> dict[str, Any]:
        now = now_ms()
        row = NewWorkflow(
            workflow_uuid=options["id"] or str(uuid.uuid4()),
            status=Status.ENQUEUED,
            name=name,
            created_at=now,
            updated_at=now,
            queue_name=options["queue"] or INTERNAL_QUEUE,
            application_name=options["application"],
            serialization=PICKLE,
            creator_xid=str(uuid.uuid4()),
        )
        with atomic() as session:
            _expect_queue(session, options["queue"])
            started = start(session, row, encode_arguments(positional, named, PICKLE))
            announce(session, [row.queue_name or INTERNAL_QUEUE])
        if not started.created:
            raise CommandError(f"There is a workflow {row.workflow_uuid!r} already.")
        return {"workflow_id": row.workflow_uuid, "status": row.status}

    def _list(self, *, limit: int, **options: Any) -> list[dict[str, Any]]:
        filters = {key: options[key] for key in ("status", "name", "queue_name", "user")}
        with reading() as session:
            found = workflows(
                session,
                {
                    **filters,
                    "limit": limit,
                    "sort_desc": True,
                    "load_input": False,
                    "load_output": False,
                },
            )
        return [{key: each[key] for key in LISTED} for each in found]

    def _get(self, *, workflow_id: str, **_: Any) -> dict[str, Any]:
        with reading() as session:
            found = _existing(session, workflow_id)
        for payload in ("input", "output", "error"):
            found[payload] = _shown(found[payload], found["serialization"])
        return found

    def _steps(self, *, workflow_id: str, **_: Any) -> list[dict[str, Any]]:
        with reading() as session:
            _existing(session, workflow_id)
            return [_step(each) for each in history(session, workflow_id, after=-1, limit=STEPS)]

    def _cancel(self, *, workflow_id: str, reason: str, children: bool, **_: Any) -> dict[str, Any]:
        actions.cancel(_actor(), workflow_id, reason=reason, children=children)
        return self._outline(workflow_id)

    def _resume(
        self, *, workflow_id: str, reason: str, queue: str | None, **_: Any
    ) -> dict[str, Any]:
        actions.resume(_actor(), workflow_id, reason=reason, queue=queue)
        return self._outline(workflow_id)

    def _fork(
        self,
        *,
        workflow_id: str,
        reason: str,
        queue: str | None,
        step: int,
        app_version: str | None,
        **_: Any,
    ) -> dict[str, Any]:
        forked = actions.fork(
            _actor(), workflow_id, start_step=step, reason=reason, queue=queue, version=app_version
        )
        return self._outline(forked)

    def _outline(self, workflow_id: str) -> dict[str, Any]:
        with reading() as session:
            found = _existing(session, workflow_id)
        return {key: found[key] for key in LISTED}


def _start_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="registered name of the workflow")
    parser.add_argument(
        "--args", dest="positional", type=_json(list), default=[], help="JSON list of arguments"
    )
    parser.add_argument(
        "--kwargs", dest="named", type=_json(dict), default={}, help="JSON object of arguments"
    )
    parser.add_argument("--id", help="workflow id; a random one by default")
    parser.add_argument("--queue", help="queue to run on")
    parser.add_argument("--application", help="application that runs it; by default any")


def _list_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--status", action="append", choices=list(Status), help="repeatable")
    parser.add_argument("--name", action="append", help="repeatable")
    parser.add_argument("--queue", dest="queue_name", help="on this queue")
    parser.add_argument("--user", help="of this authenticated user")
    parser.add_argument("--limit", type=int, default=10)


def _json(kind: type) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        value = json.loads(text)
        if not isinstance(value, kind):
            raise ValueError(text)
        return value

    parse.__name__ = f"JSON {kind.__name__}"
    return parse


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ActionRefusedError as refusal:
        raise CommandError(str(refusal)) from refusal
    except NotPlainError as error:
        raise CommandError(f"These arguments cannot be written: {error}.") from error


def _actor() -> Actor:
    return Actor(TerminalUser())


def _expect_queue(session: Session, queue: str | None) -> None:
    if queue and session.one(actions.IS_PARTITIONED, name=queue) is None:
        raise CommandError(f"There is no queue {queue!r}.")


def _existing(session: Session, workflow_id: str) -> dict[str, Any]:
    found = workflows(session, {"workflow_ids": [workflow_id]})
    if not found:
        raise CommandError(f"There is no workflow {workflow_id!r}.")
    return found[0]


def _step(step: Checkpoint) -> dict[str, Any]:
    return {
        "function_id": step.function_id,
        "function_name": step.name,
        "output": _shown(step.output, step.serialization),
        "error": _shown(step.error, step.serialization),
        "child_workflow_id": step.child_id,
        "started_at_epoch_ms": step.started_at,
        "completed_at_epoch_ms": step.completed_at,
    }


def _shown(text: str | None, serialization: str | None) -> str | None:
    return None if text is None else inline(read(text, serialization), SHOWN)
