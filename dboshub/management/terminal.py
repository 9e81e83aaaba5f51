"""Base classes of the commands: output for people or as JSON; a refusal exits with code 1.

A user of the shell is permitted to do everything. The audit log records the name.
"""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError

from dboshub.checks import OUR_CHECKS
from dboshub.management.output import rendered
from dboshub.management.readiness import failure_of, require_databases
from dboshub.schedules.engine.cron import aware
from dboshub.standalone.preparation import prepare_for_other_database
from dboshub.workflows.actions.audit import ActionRefusedError, Actor
from dboshub.workflows.actions.terminal_user import TerminalUser
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.visible_text import visible
from dboshub.workflows.payloads.encode import NotPlainError

Arguments = Callable[[ArgumentParser], object]


def actor() -> Actor:
    return Actor(TerminalUser())


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A subcommand: `run` gets the arguments by name and returns the result."""

    name: str
    help: str
    run: Callable[..., Any]
    arguments: Sequence[Arguments] = ()


class TerminalCommand(BaseCommand, ABC):
    """A command with `arguments` that prints the result of `run_subcommand`."""

    requires_system_checks = OUR_CHECKS
    arguments: Sequence[Arguments] = ()

    def needs_databases(self, **options: Any) -> bool:
        """Whether it uses the databases of this project, which must then be migrated."""
        return True

    def add_arguments(self, parser: ArgumentParser) -> None:
        for add in (*self.arguments, as_json):
            add(parser)

    def handle(self, *, as_json: bool, **options: Any) -> None:
        with errors_as_command_errors():
            if self.needs_databases(**options):
                require_databases()
            answer = self.run_subcommand(**options)
        self.stdout.write(rendered(answer, as_json=as_json))

    @abstractmethod
    def run_subcommand(self, **options: Any) -> Any:
        """Perform the command; return the result."""


class SubcommandsCommand(TerminalCommand):
    """A command with subcommands."""

    subcommands: Sequence[Subcommand] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parsers = parser.add_subparsers(dest="subcommand", required=True)
        for subcommand in self.subcommands:
            each = parsers.add_parser(
                subcommand.name, help=subcommand.help, description=subcommand.help
            )
            for add in (*subcommand.arguments, url, schema, as_json):
                add(each)

    def handle(self, *, as_json: bool, **options: Any) -> None:
        # The URL and its schema became settings before Django read them.
        options.pop("schema")
        if options.pop("url") is not None:
            prepare_for_other_database()
        super().handle(as_json=as_json, **options)

    def run_subcommand(self, **options: Any) -> Any:
        name = options.pop("subcommand")
        (chosen,) = (each for each in self.subcommands if each.name == name)
        return chosen.run(**options)


@contextmanager
def errors_as_command_errors() -> Iterator[None]:
    """Raise refusals and errors as CommandError: a message and exit code 1."""
    try:
        yield
    except NotPlainError as error:
        raise CommandError(visible(f"These arguments cannot be written: {error}.")) from error
    except DBOSException as error:
        raise CommandError(visible(error.message, keep="\n")) from error
    except DatabaseError as error:
        raise failure_of(error) from error
    except (ActionRefusedError, OSError) as error:
        raise CommandError(visible(str(error), keep="\n")) from error


def argument(*names: str, **options: Any) -> Arguments:
    """A function that adds this argument to a parser."""
    return lambda parser: parser.add_argument(*names, **options)


as_json = argument("--json", action="store_true", dest="as_json", help="answer in JSON")
reason = argument("--reason", default="", help="for the audit log")
workflow_id = argument("workflow_id")
queue = argument("--queue", help="queue to run on; by default no limit applies")


yes = argument("-y", "--yes", action="store_true", help="do not ask")
url = argument("-s", "--url", "--sys-db-url", help="URL of another system database")
schema = argument("--schema", default="dbos", help="PostgreSQL schema of --url")


def confirm(what: str, *, is_confirmed: bool) -> None:
    """Ask for confirmation. Raises CommandError if it is refused."""
    if is_confirmed:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"{what} Confirm it with --yes: there is nobody to ask.")
    if input(f"{what} Type yes to go on: ").strip().lower() != "yes":
        raise CommandError("Nothing was changed.")


def json_of(kind: type) -> Callable[[str], Any]:
    """An argument type: JSON whose value has this Python type."""

    def parse(text: str) -> Any:
        value = json.loads(text)
        if not isinstance(value, kind):
            raise ValueError(text)
        return value

    parse.__name__ = f"JSON {kind.__name__}"
    return parse


def time_argument(text: str) -> datetime:
    """An argument type: an ISO 8601 time, UTC if it has no offset."""
    try:
        return aware(datetime.fromisoformat(text))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a time such as 2026-11-25T09:00+01:00") from None
