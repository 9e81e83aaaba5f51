"""The command ``schedule``: list, inspect and control schedules.

Whoever has a shell here may run the application's code, so contexts are unpickled where a run is
started, unlike on pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.core.management.base import CommandError

from dboshub.management.terminal import (
    Subcommand,
    SubcommandsCommand,
    actor,
    argument,
    reason,
    time_argument,
)
from dboshub.schedules import actions, selectors
from dboshub.schedules.engine.calendar import upcoming
from dboshub.schedules.engine.records import Schedule
from dboshub.schedules.rendering import describe_cron
from dboshub.workflows.connection import reading
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.serialization import Codec
from dboshub.workflows.payloads.inline import inline
from dboshub.workflows.selectors.scope import EVERYTHING
from dboshub.workflows.storage.sql import Session

NEXT = 5
MAX_CONTEXT_LENGTH = 10_000  # characters of a context


def list_(*, limit: int, **_: Any) -> list[dict[str, Any]]:
    with reading() as session:
        return [_outline(each) for each in islice(_all(session), limit)]


def get(*, name: str, **_: Any) -> dict[str, Any]:
    with reading() as session:
        found = selectors.one(session, name, EVERYTHING)
        if found is None:
            raise CommandError(f"There is no schedule {name!r}.")
        _size, context = selectors.context(session, name)
    return _outline(found) | {
        "context": None if context is None else inline(context, MAX_CONTEXT_LENGTH),
        "next_runs": _next_runs(found),
    }


def pause(*, name: str, reason: str, **_: Any) -> dict[str, Any]:
    actions.pause(actor(), name, reason=reason)
    return get(name=name)


def resume(*, name: str, reason: str, **_: Any) -> dict[str, Any]:
    actions.resume(actor(), name, reason=reason)
    return get(name=name)


def trigger(*, name: str, reason: str, **_: Any) -> dict[str, Any]:
    return {"workflow_id": actions.trigger(actor(), name, reason=reason, codec=Codec())}


def backfill(*, name: str, start: datetime, end: datetime, reason: str, **_: Any) -> dict[str, Any]:
    started = actions.backfill(actor(), name, start, end, reason=reason, codec=Codec())
    return {"workflow_ids": started}


def delete(*, name: str, reason: str, **_: Any) -> dict[str, Any]:
    actions.delete(actor(), name, reason=reason)
    return {"deleted": name}


def _all(session: Session) -> Iterator[Schedule]:
    after = ""
    while True:
        page = selectors.page(session, EVERYTHING, after=after)
        yield from page.schedules
        if not page.after:
            return
        after = page.after


def _outline(schedule: Schedule) -> dict[str, Any]:
    return {
        **{name: getattr(schedule, name) for name in selectors.COLUMNS},
        "in_words": describe_cron(schedule.schedule),
    }


def _next_runs(schedule: Schedule) -> list[str]:
    try:
        return [tick.isoformat() for tick in upcoming(schedule.cron, datetime.now(UTC), NEXT)]
    except (DBOSException, ValueError):
        return []


NAME = argument("name")
SPAN = tuple(
    argument(
        option, dest=name, type=time_argument, required=True, help="ISO 8601, UTC without offset"
    )
    for option, name in (("--from", "start"), ("--to", "end"))
)


class Command(SubcommandsCommand):
    help = "List, inspect and control schedules."
    subcommands = (
        Subcommand(
            "list", "list schedules by name", list_, (argument("--limit", type=int, default=100),)
        ),
        Subcommand("get", "show a schedule with its context and its next runs", get, (NAME,)),
        Subcommand("pause", "let no tick start a run", pause, (NAME, reason)),
        Subcommand("resume", "go on with the next tick", resume, (NAME, reason)),
        Subcommand("trigger", "start one run now", trigger, (NAME, reason)),
        Subcommand(
            "backfill",
            "start a run for every tick of a past span that has none",
            backfill,
            (NAME, *SPAN, reason),
        ),
        Subcommand("delete", "remove it; its runs stay", delete, (NAME, reason)),
    )
