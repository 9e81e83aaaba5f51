"""Subcommands of ``workflow`` that act. They are checked and audited like pages."""

from __future__ import annotations

import sys
from difflib import get_close_matches
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
from dboshub.workflows.actions import starting, transfer, workflow_actions
from dboshub.workflows.actions.start_request import StartRequest
from dboshub.workflows.connection import reading
from dboshub.workflows.engine import validation
from dboshub.workflows.engine.visible_text import visible
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.selectors.startable import known_names, recent
from dboshub.workflows.storage.control.fork_points import fork_points
from dboshub.workflows.storage.database_clock import database_now


def start(*, positional: list[Any], named: dict[str, Any], **options: Any) -> dict[str, Any]:
    if not options["force"]:
        _expect_known(options["name"], options["application"])
    request = StartRequest(
        name=options["name"],
        args=positional,
        kwargs=named,
        workflow_id=options["id"] or "",
        queue=options["queue"] or "",
        application=options["application"],
        version=options["app_version"] or "",
        delay_s=options["delay"],
    )
    return outline(starting.start(actor(), request, reason=options["reason"]))


def _expect_known(name: str, application: str | None) -> None:
    """Raise CommandError for a name that no live executor publishes and no recent run has.

    Without any such executor nothing is known: a warning says so.
    """
    viewer = viewer_for(actor().user)
    with reading() as session:
        names = known_names(session, viewer, now=database_now(session), application=application)
        if name in (names or ()) or recent(session, name, viewer):
            return
    shown = visible(repr(name))
    if names is None:
        sys.stderr.write(
            f"Warning: no live executor says which workflows it runs, so {shown} may be unknown. "
            "It waits until one that runs it starts.\n"
        )
        return
    near = get_close_matches(name, names, n=3) or names[:10]
    raise CommandError(
        f"No live executor runs a workflow {shown}, and none ran lately. Known are: "
        f"{', '.join(visible(each) for each in near)}. --force enqueues it all the same."
    )


def cancel(*, workflow_id: str, reason: str, children: bool, **_: Any) -> dict[str, Any]:
    workflow_actions.cancel(actor(), workflow_id, reason=reason, children=children)
    return outline(workflow_id)


def resume(*, workflow_id: str, reason: str, queue: str | None, **_: Any) -> dict[str, Any]:
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


def import_(*, file: str, reason: str, **_: Any) -> list[dict[str, Any]]:
    text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    return [outline(each) for each in transfer.import_workflows(actor(), text, reason=reason)]


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


version = argument(
    "-v",
    "--version",
    "--application-version",
    dest="app_version",
    metavar="NAME",
    help="application version that runs it; by default the latest",
)
step = argument("-S", "--step", type=int, default=1, help="first step to run again")

SUBCOMMANDS = (
    Subcommand(
        "start",
        "enqueue a workflow by its name",
        start,
        (
            argument("name", help="registered name of the workflow"),
            argument(
                "--args",
                dest="positional",
                type=json_of(list),
                default=[],
                help="JSON list of arguments",
            ),
            argument(
                "--kwargs",
                dest="named",
                type=json_of(dict),
                default={},
                help="JSON object of arguments",
            ),
            argument("--id", help="workflow id; a random one by default"),
            argument("-a", "--application", help="application that runs it; by default any"),
            argument("--delay", type=float, help="seconds until it is due"),
            argument(
                "--force", action="store_true", help="also a name that nobody is known to run"
            ),
            queue,
            version,
            reason,
        ),
    ),
    Subcommand("cancel", "cancel a workflow", cancel, (workflow_id, children, reason)),
    Subcommand(
        "resume",
        "enqueue it again; it goes on after its last completed step",
        resume,
        (workflow_id, queue, reason),
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
        "import an export, with its ids",
        import_,
        (
            argument("file", help="- for standard input"),
            reason,
        ),
    ),
)
