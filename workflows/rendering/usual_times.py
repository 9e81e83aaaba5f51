"""What the holders that a reason names usually take."""

from __future__ import annotations

from dataclasses import replace

from dboshub.workflows.rendering.reason import Blocker, Reason, Thing
from dboshub.workflows.rollups.usual import usual_duration


def with_usual_times(reason: Reason, application: str | None, now: int) -> Reason:
    """The reason whose running workflows say what those of their name usually take."""
    names = {
        thing.note for blocker in reason.blockers for thing in blocker.things if _is_running(thing)
    }
    usual = {name: usual_duration(name, application, now) for name in sorted(names)}

    def told(blocker: Blocker) -> Blocker:
        things = (
            replace(each, usual_ms=usual[each.note]) if _is_running(each) else each
            for each in blocker.things
        )
        return replace(blocker, things=tuple(things))

    return replace(reason, blockers=tuple(map(told, reason.blockers))) if names else reason


def _is_running(thing: Thing) -> bool:
    return thing.kind == "workflow" and thing.since is not None
