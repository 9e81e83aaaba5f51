"""Subcommands of ``workflow`` that act. They are checked and audited like pages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from dboshub.management.terminal import (
    Subcommand,
    actor,
    argument,
    json_of,
    queue,
    reason,
    workflow_id,
)
from dboshub.management.workflow_queries import children, outline
from dboshub.management.workflow_start import version
from dboshub.workflows.actions import transfer, workflow_actions
from dboshub.workflows.connection import reading
from dboshub.workflows.engine import validation
from dboshub.workflows.selectors.changes import queues_left
from dboshub.workflows.selectors.rows import rows_by_id
from dboshub.workflows.storage.control.fork_points import fork_points


def cancel(*, workflow_id: str, reason: str, children: bool, **_: Any) -> dict[str, Any]:
    workflow_actions.cancel(actor(), workflow_id, reason=reason, children=children)
    return outline(workflow_id)


def resume(
    *, workflow_id: str, reason: str, queue: str | None, at_once: bool, **_: Any
) -> dict[str, Any]:
    if queue is None and not at_once:
        with reading() as session:
            queue = queues_left(rows_by_id(session, [workflow_id]).values()).get(workflow_id)
    workflow_actions.resume(actor(), workflow_id, reason=reason, queue=queue)
    return outline(workflow_id)


def fork(*, workflow_id: str, step: int, **options: Any) -> dict[str, Any]:
    return outline(_fork(workflow_id, step, options, options["new_id"]))


def fork_from_failure(
    *, workflow_ids: list[str], step_name: str | None, last_step: bool, **options: Any
) -> list[dict[str, Any]]:
    with reading() as session:
        points = fork_points(session, workflow_ids, name=step_name or "")
    steps: dict[str, int] = {}
    for each in workflow_ids:
        if each not in points:
            raise CommandError(f"There is no workflow {each!r}.")
        step = points[each].start(step=None, name=step_name, from_last=last_step)
        if step is None:
            raise CommandError(f"Workflow {each!r} recorded no step {step_name!r}.")
        steps[each] = step
    return [outline(_fork(each, step, options)) for each, step in steps.items()]


def rewind(
    *,
    workflow_id: str,
    step: int,
    reason: str,
    queue: str | None,
    app_version: str | None,
    **_: Any,
) -> dict[str, Any]:
    workflow_actions.rewind(
        actor(), workflow_id, start_step=step, reason=reason, queue=queue, version=app_version
    )
    return outline(workflow_id)


def delete(*, workflow_id: str, reason: str, children: bool, **_: Any) -> dict[str, Any]:
    workflow_actions.delete(actor(), workflow_id, reason=reason, children=children)
    return {"deleted": workflow_id}


def send(*, workflow_id: str, value: Any, topic: str, reason: str, **_: Any) -> dict[str, Any]:
    workflow_actions.send(actor(), workflow_id, topic=topic, value=value, reason=reason)
    return {"sent_to": workflow_id, "topic": topic}


def delay(*, workflow_id: str, seconds: float, reason: str, **_: Any) -> dict[str, Any]:
    if validation.seconds("the delay", seconds) < 0:
        raise CommandError("A delay cannot be negative: give 0 to make the workflow due now.")
    workflow_actions.set_delay(actor(), workflow_id, seconds=seconds, reason=reason)
    return outline(workflow_id)


def attributes(
    *, workflow_id: str, value: dict[str, Any], merge: bool, reason: str, **_: Any
) -> dict[str, Any]:
    workflow_actions.update_attributes(
        actor(), workflow_id, validation.attributes(value), merge=merge, reason=reason
    )
    return outline(workflow_id)


def import_(
    *, file: str, reason: str, prefix: str, goes_on: bool, **_: Any
) -> list[dict[str, Any]]:
    text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    ids = transfer.import_workflows(actor(), text, prefix=prefix, goes_on=goes_on, reason=reason)
    return [outline(each) for each in ids]


def _fork(workflow_id: str, step: int, options: dict[str, Any], new_id: str | None = None) -> str:
    return workflow_actions.fork(
        actor(),
        workflow_id,
        start_step=step,
        reason=options["reason"],
        queue=options["queue"],
        version=options["app_version"],
        new_id=new_id,
    )


step = argument("-S", "--step", type=int, default=1, help="first step to run again")

SUBCOMMANDS = (
    Subcommand("cancel", "cancel a workflow", cancel, (workflow_id, children, reason)),
    Subcommand(
        "resume",
        "enqueue it again; it goes on after its last completed step",
        resume,
        (
            workflow_id,
            argument("--queue", help="queue to run on; by default the one that it came from"),
            argument(
                "--at-once",
                action="store_true",
                help="on no queue, past every limit",
            ),
            reason,
        ),
    ),
    Subcommand(
        "fork",
        "run it again from a step as a new workflow",
        fork,
        (
            workflow_id,
            step,
            argument(
                "-f",
                "--forked-workflow-id",
                dest="new_id",
                metavar="ID",
                help="id of the new workflow; by default a new one",
            ),
            queue,
            version,
            reason,
        ),
    ),
    Subcommand(
        "fork-from-failure",
        "fork failed workflows from the step that failed",
        fork_from_failure,
        (
            argument("workflow_ids", nargs="+"),
            argument("--step-name", help="from the last step of this name"),
            argument("--last-step", action="store_true", help="from the last step of all"),
            queue,
            version,
            reason,
        ),
    ),
    Subcommand(
        "rewind",
        "run it again under its own id",
        rewind,
        (workflow_id, step, queue, version, reason),
    ),
    Subcommand(
        "delete",
        "delete an ended workflow with all its data",
        delete,
        (workflow_id, children, reason),
    ),
    Subcommand(
        "send",
        "send it a message",
        send,
        (
            workflow_id,
            argument("value", type=json_of(object), help="JSON"),
            argument("--topic", default=""),
            reason,
        ),
    ),
    Subcommand(
        "delay",
        "change when a delayed workflow is due",
        delay,
        (
            workflow_id,
            argument("seconds", type=float, help="from now"),
            reason,
        ),
    ),
    Subcommand(
        "attributes",
        "replace its attributes",
        attributes,
        (
            workflow_id,
            argument("value", type=json_of(dict), help="JSON object"),
            argument("--merge", action="store_true", help="keep the other keys"),
            reason,
        ),
    ),
    Subcommand(
        "import",
        "import an export; what had not ended is cancelled, to be resumed or forked",
        import_,
        (
            argument("file", help="- for standard input"),
            argument("--prefix", default="", help="put this before all of its ids"),
            argument(
                "--resume",
                action="store_true",
                dest="goes_on",
                help="enqueue at once what had not ended",
            ),
            reason,
        ),
    ),
)
