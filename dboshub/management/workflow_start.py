"""The subcommand ``workflow start``: enqueue a workflow by its name."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from typing import Any

from django.core.management.base import CommandError

from dboshub.management.terminal import Subcommand, actor, argument, json_of, queue, reason
from dboshub.management.workflow_queries import outline
from dboshub.workflows.actions import starting
from dboshub.workflows.actions.start_request import StartRequest
from dboshub.workflows.connection import reading
from dboshub.workflows.engine.visible_text import visible
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.selectors.startable import known_names, recent
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


version = argument(
    "-v",
    "--version",
    "--application-version",
    dest="app_version",
    metavar="NAME",
    help="application version that runs it; by default the latest",
)

START = Subcommand(
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
        argument("--force", action="store_true", help="also a name that nobody is known to run"),
        queue,
        version,
        reason,
    ),
)
