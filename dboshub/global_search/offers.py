"""What can be done with what was found: forms that the user may open, as results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.urls import reverse

from dboshub.global_search.results import Result, best_first
from dboshub.schedules.checks import PERMISSION as CHANGE_SCHEDULE
from dboshub.workflows.actions.audit import may_act
from dboshub.workflows.forms.workflow_forms import FORMS
from dboshub.workflows.permissions import REMEDIES, START_WORKFLOW
from dboshub.workflows.selectors.rows import WorkflowRow

CHANGE_QUEUE = REMEDIES["queues"]
# Verbs on one workflow with their words and icons, in the order of its page.
VERBS = {
    "cancel": ("Cancel", "ban"),
    "resume": ("Resume", "play"),
    "fork": ("Fork", "git-fork"),
}


def on_workflow(user: Any, row: WorkflowRow) -> Iterator[Result]:
    """The verbs that the page of a workflow offers in its status."""
    for verb, (word, icon) in VERBS.items():
        is_useless = (verb == "cancel" and row.is_final) or (
            verb == "resume" and row.status in ("SUCCESS", "ERROR")
        )
        if not is_useless and may_act(user, FORMS[verb].permission):
            address = reverse("dboshub:workflows:do", args=[verb, row.pk])
            yield Result(f"{word} {row.pk}…", address, "asks before it acts", icon=icon)


def on_things(
    user: Any,
    registered: Mapping[str, Mapping[str, Any]],
    names: Sequence[str],
    words: str,
) -> Iterator[Result]:
    """One form each for the best match among workflow names, queues and schedules."""
    if may_act(user, START_WORKFLOW):
        for name in best_first(names, words)[:1]:
            address = reverse("dboshub:workflows:start", args=[name])
            yield Result(f"Start {name}…", address, "starts a workflow of this name", icon="play")
    if may_act(user, CHANGE_QUEUE):
        for name in best_first(registered.get("queue", ()), words)[:1]:
            address = reverse("dboshub:queues:do", args=["pause", name])
            yield Result(f"Pause {name}…", address, "pauses this queue", icon="circle-pause")
    if may_act(user, CHANGE_SCHEDULE):
        for name in best_first(registered.get("schedule", ()), words)[:1]:
            address = reverse("dboshub:schedules:do", args=["trigger", name])
            yield Result(f"Run {name} now…", address, "starts a run of this schedule", icon="play")
