"""List, inspect and steer schedules from a terminal; every answer is JSON.

Whoever has a shell here may run the application's code, so contexts are unpickled where a run is
started, unlike on pages.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dboshub.management.commands.workflow import TerminalUser
from schedules import actions, selectors
from schedules.engine.calendar import upcoming
from schedules.engine.cron import aware
from schedules.engine.records import Schedule
from schedules.rendering import in_words
from workflows.audit import ActionRefusedError, Actor
from workflows.connection import reading
from workflows.engine.errors import DBOSException
from workflows.engine.serialization import Codec
from workflows.payloads.inline import inline
from workflows.selectors.scope import EVERYTHING
from workflows.storage.sql import Session

NEXT = 5
SHOWN = 10_000  # characters of a context


class Command(BaseCommand):
    help = "List, inspect and steer schedules; every answer is JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listing = verbs.add_parser("list", help="list schedules by name")
        listing.add_argument("--limit", type=int, default=100)
        for verb, meaning in (
            ("get", "show a schedule with its context and its next runs"),
            ("pause", "let no tick start a run"),
            ("resume", "go on with the next tick"),
            ("trigger", "start one run now"),
            ("backfill", "start a run for every tick of a past span that has none"),
            ("delete", "remove it; its runs stay"),
        ):
            each = verbs.add_parser(verb, help=meaning)
            each.add_argument("name")
            if verb != "get":
                each.add_argument("--reason", default="", help="for the audit log")
            if verb == "backfill":
                zone = "ISO 8601, UTC without an offset; included"
                each.add_argument("--from", dest="start", type=_moment, required=True, help=zone)
                each.add_argument("--to", dest="end", type=_moment, required=True, help=zone)

    def handle(self, *, verb: str, **options: Any) -> None:
        run: Callable[..., Any] = getattr(self, f"_{verb}")
        with _explained():
            answer = run(**options)
        self.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False))

    def _list(self, *, limit: int, **_: Any) -> list[dict[str, Any]]:
        with reading() as session:
            return [_outline(each) for each in islice(_all(session), limit)]

    def _get(self, *, name: str, **_: Any) -> dict[str, Any]:
        with reading() as session:
            found = selectors.one(session, name, EVERYTHING)
            if found is None:
                raise CommandError(f"There is no schedule {name!r}.")
            _size, context = selectors.context(session, name)
        return _outline(found) | {
            "context": None if context is None else inline(context, SHOWN),
            "next_runs": _next_runs(found),
        }

    def _pause(self, *, name: str, reason: str, **_: Any) -> dict[str, Any]:
        actions.pause(_actor(), name, reason=reason)
        return self._get(name=name)

    def _resume(self, *, name: str, reason: str, **_: Any) -> dict[str, Any]:
        actions.resume(_actor(), name, reason=reason)
        return self._get(name=name)

    def _trigger(self, *, name: str, reason: str, **_: Any) -> dict[str, Any]:
        return {"workflow_id": actions.trigger(_actor(), name, reason=reason, codec=Codec())}

    def _backfill(
        self, *, name: str, start: datetime, end: datetime, reason: str, **_: Any
    ) -> dict[str, Any]:
        started = actions.backfill(_actor(), name, start, end, reason=reason, codec=Codec())
        return {"workflow_ids": started}

    def _delete(self, *, name: str, reason: str, **_: Any) -> dict[str, Any]:
        actions.delete(_actor(), name, reason=reason)
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
        "in_words": in_words(schedule.schedule),
    }


def _next_runs(schedule: Schedule) -> list[str]:
    try:
        return [tick.isoformat() for tick in upcoming(schedule.cron, datetime.now(UTC), NEXT)]
    except (DBOSException, ValueError):
        return []


def _actor() -> Actor:
    return Actor(TerminalUser())


def _moment(text: str) -> datetime:
    try:
        return aware(datetime.fromisoformat(text))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a time such as 2026-11-25T09:00+01:00") from None


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ActionRefusedError as refusal:
        raise CommandError(str(refusal)) from refusal
