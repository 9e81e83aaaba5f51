"""What the holders that a reason names usually take."""

from __future__ import annotations

from dataclasses import replace

from dboshub.workflows.rendering.reason import Blocker, Reason, Thing
from dboshub.workflows.selectors.detail.usual_durations import Usual, usual_durations
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session


def with_usual_times(session: Session, reason: Reason, row: WorkflowRow) -> Reason:
    """The reason whose running workflows say what those of their name usually take.

    `row` is the workflow that waits: those that are named are of its application.
    """
    things = (thing for blocker in reason.blockers for thing in blocker.things)
    names = {thing.note for thing in things if _is_running(thing)}
    usual = {
        name: usual_durations(session, replace(row, name=name), 0).whole for name in sorted(names)
    }

    def told(blocker: Blocker) -> Blocker:
        things = (
            _told(each, usual[each.note]) if _is_running(each) else each for each in blocker.things
        )
        return replace(blocker, things=tuple(things))

    return replace(reason, blockers=tuple(map(told, reason.blockers))) if names else reason


def _told(thing: Thing, usual: Usual | None) -> Thing:
    return replace(thing, usual_ms=usual.p50) if usual is not None else thing


def _is_running(thing: Thing) -> bool:
    return thing.kind == "workflow" and thing.since is not None
