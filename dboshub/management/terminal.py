"""Commands made of verbs. They answer people, or programs with ``--json``; a refusal exits with 1.

Whoever has a shell on this machine may do all: the audit log says who it was.
"""

from __future__ import annotations

import getpass
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

from dboshub.management.output import rendered
from dboshub.schedules.engine.cron import aware
from dboshub.workflows.actions.audit import ActionRefusedError, Actor
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.payloads.encode import NotPlainError

Arguments = Callable[[ArgumentParser], object]


class TerminalUser:
    """The person at the terminal."""

    is_authenticated = False
    is_superuser = True

    def get_username(self) -> str:
        return f"{getpass.getuser()} (manage.py)"

    def has_perm(self, permission: str) -> bool:
        return True


def actor() -> Actor:
    return Actor(TerminalUser())


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One thing a command does: `run` gets the arguments by name and returns the answer."""

    name: str
    help: str
    run: Callable[..., Any]
    arguments: Sequence[Arguments] = ()


class TerminalCommand(BaseCommand, ABC):
    """A command that does one thing: `arguments` and `run` are its own."""

    arguments: Sequence[Arguments] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        for add in (*self.arguments, as_json):
            add(parser)

    def handle(self, *, as_json: bool, **options: Any) -> None:
        with errors_as_command_errors():
            answer = self.run_subcommand(**options)
        self.stdout.write(rendered(answer, as_json=as_json))

    @abstractmethod
    def run_subcommand(self, **options: Any) -> Any:
        """Do it; what to print."""


class SubcommandsCommand(TerminalCommand):
    """A command with subcommands."""

    verbs: Sequence[Subcommand] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parsers = parser.add_subparsers(dest="verb", required=True)
        for verb in self.verbs:
            each = parsers.add_parser(verb.name, help=verb.help, description=verb.help)
            for add in (*verb.arguments, as_json):
                add(each)

    def run_subcommand(self, **options: Any) -> Any:
        verb = options.pop("verb")
        (chosen,) = (each for each in self.verbs if each.name == verb)
        return chosen.run(**options)


@contextmanager
def errors_as_command_errors() -> Iterator[None]:
    """Turn what cannot be done into a message and the exit code 1."""
    try:
        yield
    except NotPlainError as error:
        raise CommandError(f"These arguments cannot be written: {error}.") from error
    except DBOSException as error:
        raise CommandError(error.message) from error
    except (ActionRefusedError, OSError) as error:
        raise CommandError(str(error)) from error


def argument(*names: str, **options: Any) -> Arguments:
    """An argument, to be added to whichever parser wants it."""
    return lambda parser: parser.add_argument(*names, **options)


as_json = argument("--json", action="store_true", dest="as_json", help="answer in JSON")
reason = argument("--reason", default="", help="for the audit log")
workflow_id = argument("workflow_id")
queue = argument("--queue", help="queue to run on; by default past every limit")


yes = argument("-y", "--yes", action="store_true", help="do not ask")
url = argument("-s", "--url", "--sys-db-url", help="another system database than this hub's")
schema = argument("--schema", default="dbos", help="PostgreSQL schema of --url")


def confirm(what: str, *, is_confirmed: bool) -> None:
    """Ask the person at the terminal. Raises CommandError unless they agree."""
    if is_confirmed:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"{what} Confirm it with --yes: there is nobody to ask.")
    if input(f"{what} Type yes to go on: ").strip().lower() != "yes":
        raise CommandError("Nothing was changed.")


def json_of(kind: type) -> Callable[[str], Any]:
    """A parser of JSON whose value is of a kind."""

    def parse(text: str) -> Any:
        value = json.loads(text)
        if not isinstance(value, kind):
            raise ValueError(text)
        return value

    parse.__name__ = f"JSON {kind.__name__}"
    return parse


def moment(text: str) -> datetime:
    """An ISO 8601 time, UTC without an offset."""
    try:
        return aware(datetime.fromisoformat(text))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a time such as 2026-11-25T09:00+01:00") from None
