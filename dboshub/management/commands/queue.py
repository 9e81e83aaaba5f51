"""The command ``queue``: list, inspect and control queues."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict, replace
from typing import Any

from django.core.management.base import CommandError

from dboshub.management.terminal import Subcommand, SubcommandsCommand, actor, argument, reason
from dboshub.queues import actions
from dboshub.queues.engine.settings import QueueSettings, RateLimit
from dboshub.queues.selectors import overview
from dboshub.queues.storage.registry import retrieve
from dboshub.workflows.connection import reading
from dboshub.workflows.selectors.scope import EVERYTHING
from dboshub.workflows.storage.database_clock import database_now

COUNTS = ("concurrency", "worker_concurrency", "partition_concurrency")
LIMITS = (*COUNTS, "partition_worker_concurrency")
LIMITERS = ("limiter", "partition_limiter")


def list_(**_: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = ""
    with reading() as session:
        now = database_now(session)
        while True:
            page = overview.page(session, EVERYTHING, now=now, after=after)
            found += [_outline(each) for each in page.queues]
            if not page.after:
                return found
            after = page.after


def get(*, name: str, **_: Any) -> dict[str, Any]:
    with reading() as session:
        found = overview.one(session, name, EVERYTHING, now=database_now(session))
    if found is None:
        raise CommandError(f"There is no queue {name!r}.")
    return _outline(found)


def add(*, name: str, application_name: str | None, reason: str, **given: Any) -> dict[str, Any]:
    settings = QueueSettings(name=name, application_name=application_name)
    actions.add_queue(actor(), _changed(settings, given), reason=reason)
    return get(name=name)


def change(*, name: str, reason: str, **given: Any) -> dict[str, Any]:
    with reading() as session:
        settings = retrieve(session, name)
    if settings is None:
        raise CommandError(f"There is no queue {name!r} with limits to change.")
    actions.change_queue(actor(), _changed(settings, given), reason=reason)
    return get(name=name)


def pause(*, name: str, reason: str, **_: Any) -> dict[str, Any]:
    actions.pause_queue(actor(), name, reason=reason)
    return get(name=name)


def resume(*, name: str, reason: str, **_: Any) -> dict[str, Any]:
    actions.resume_queue(actor(), name, reason=reason)
    return get(name=name)


def delete(*, name: str, reason: str, **_: Any) -> dict[str, Any]:
    actions.delete_queue(actor(), name, reason=reason)
    return {"deleted": name}


def _changed(settings: QueueSettings, given: dict[str, Any]) -> QueueSettings:
    """The settings with the given changes; 0 removes a limit."""
    changes: dict[str, Any] = {
        key: given[key] or None for key in LIMITS if given.get(key) is not None
    }
    for key in LIMITERS:
        if given.get(key) is not None:
            limit, period = given[key]
            changes[key] = RateLimit(int(limit), period) if limit else None
    if given.get("polling_interval_sec") is not None:
        changes["polling_interval_sec"] = given["polling_interval_sec"]
    return replace(settings, **changes)


def _outline(facts: overview.QueueFacts) -> dict[str, Any]:
    settings = asdict(facts.settings) if facts.settings else {}
    return {
        "name": facts.name,
        "registered": facts.settings is not None,
        "paused": facts.pause is not None,
        "waiting": facts.depth.waiting.number,
        "running": facts.depth.running.number,
        "delayed": facts.depth.delayed.number,
        **{key: value for key, value in settings.items() if key != "name"},
    }


def limits(parser: ArgumentParser) -> None:
    """Arguments for the limits of a queue."""
    for key in LIMITS:
        parser.add_argument(f"--{key.replace('_', '-')}", type=int, help="0 for no limit")
    for key in LIMITERS:
        parser.add_argument(
            f"--{key.replace('_', '-')}",
            type=float,
            nargs=2,
            metavar=("STARTS", "SECONDS"),
            help="starts in a period; 0 0 for no limit",
        )
    parser.add_argument("--polling-interval-sec", type=float)


NAME = argument("name")


class Command(SubcommandsCommand):
    help = "List, inspect and control queues."
    subcommands = (
        Subcommand("list", "list queues by name", list_),
        Subcommand("get", "show a queue with its limits", get, (NAME,)),
        Subcommand(
            "add",
            "register a queue",
            add,
            (
                NAME,
                argument(
                    "-a", "--application-name", help="the only application that claims from it"
                ),
                limits,
                reason,
            ),
        ),
        Subcommand("change", "change limits; others stay", change, (NAME, limits, reason)),
        Subcommand("pause", "stop claims from it", pause, (NAME, reason)),
        Subcommand("resume", "allow claims from it again", resume, (NAME, reason)),
        Subcommand("delete", "remove a queue on which nothing waits", delete, (NAME, reason)),
    )
