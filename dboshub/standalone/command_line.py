"""The command line: ``dboshub``, ``python -m dboshub`` and ``manage.py``.

Without DJANGO_SETTINGS_MODULE and ``--settings`` the commands run with the settings of the
standalone dashboard.
"""

from __future__ import annotations

import gc
import os
import platform
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import django
from django.core.management.base import CommandError

from dboshub.management.command_errors import explained_outages
from dboshub.standalone import dashboard_options, other_database
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.environment import EnvironmentValueError

SETTINGS = "dboshub.settings"
COMMANDS = {
    "dashboard": "open the dashboard; with --url, look at any DBOS database",
    "runworkers": "run workflows until stopped",
    "workflow": "list, show, start and steer workflows",
    "replay": "run recorded workflows against the code present, and say where it differs",
    "queue": "list, add, change, pause and delete queues",
    "schedule": "list, pause, trigger, backfill and delete schedules",
    "migrate": "create or upgrade the tables of the hub",
    "migrate_system_database": "create or upgrade the system tables of any database",
    "doctor": "say what is wrong with the installation, and how to mend it",
    "createsuperuser": "make an administrator",
    "changepassword": "give an account another password",
    "ensure_admin": "make an administrator if there is none",
    "rename_application": "give all that an application owns to another name",
    "reset": "delete all workflows, queues, schedules and versions",
    "check": "check the settings",
    "version": "show the versions of DBOSHub, Django and Python",
}
USAGE_ERROR, INTERRUPTED = 2, 130


def main() -> None:
    """The console command: of Django's commands only those that have a use outside a checkout."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("help", "-h", "--help"):
        if not (named := [name for name in arguments[1:] if name in COMMANDS]):
            sys.stdout.write(overview())
            return
        arguments = [named[0], "--help"]
    if arguments[0] in ("version", "-V", "--version"):
        sys.stdout.write(versions())
        return
    if arguments[0] not in COMMANDS:
        sys.stderr.write(f"{unknown(arguments[0])}\n")
        sys.exit(USAGE_ERROR)
    # As with `python -m`: what workers import is looked for where the command is given.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    execute(arguments, program="dboshub")


def execute(arguments: Sequence[str], *, program: str) -> None:
    """Run a management command; whatever its settings lack is one sentence and the exit code 1."""
    # What is imported stays until the process ends: to look for garbage in it takes a sixth of a
    # start, and time from every later collection.
    gc.disable()
    try:
        if arguments and arguments[0] == "dashboard":
            os.environ.update(dashboard_options.environment_for(arguments[1:]))
        elif arguments and arguments[0] in other_database.COMMANDS:
            os.environ.update(other_database.environment_for(arguments[1:]))
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
        _load_settings(arguments)
        from django.core.management import execute_from_command_line

        if arguments and arguments[0] == "migrate":
            _create_missing_file(arguments)
        with explained_outages(arguments):
            django.setup()
            gc.freeze()
            gc.enable()
            execute_from_command_line([program, *arguments])
    except CommandError as error:
        sys.exit(f"CommandError: {error}")
    except EnvironmentValueError as error:
        sys.exit(str(error))
    except DBOSException as error:
        sys.exit(f"{error.message[:1].upper()}{error.message[1:]}.")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def overview() -> str:
    """Every command with one line."""
    width = max(map(len, COMMANDS)) + 2
    lines = "\n".join(f"  {name:{width}}{told}" for name, told in COMMANDS.items())
    return (
        "Usage: dboshub COMMAND [options]\n\n"
        f"{lines}\n\n"
        "dboshub COMMAND --help lists the options of a command. Settings are environment\n"
        "variables; with DJANGO_SETTINGS_MODULE or --settings MODULE, a Django project is used.\n"
    )


def unknown(verb: str) -> str:
    """What to say of a command that there is none of."""
    near = get_close_matches(verb, COMMANDS, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return f"There is no command {verb!r}. {hint}`dboshub --help` lists the commands."


def versions() -> str:
    """The versions that a report of a fault needs."""
    try:
        own = version("dboshub")
    except PackageNotFoundError:
        own = "from a checkout"
    return f"dboshub {own} (Django {django.get_version()}, Python {platform.python_version()})\n"


def _load_settings(arguments: Sequence[str]) -> None:
    """Import the settings, so that what is wrong with them is said in one sentence."""
    from django.core.management.base import CommandParser, handle_default_options

    parser = CommandParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--settings")
    parser.add_argument("--pythonpath")
    given, _ = parser.parse_known_args([*arguments[1:]])
    handle_default_options(given)
    name = os.environ["DJANGO_SETTINGS_MODULE"]
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            sys.exit(
                f"There is no settings module {name!r} (DJANGO_SETTINGS_MODULE or --settings)."
            )
        raise


def _create_missing_file(arguments: Sequence[str]) -> None:
    """Make the SQLite file that is to be migrated: every other command needs one that is there."""
    from django.core.management.base import CommandError, CommandParser
    from django.db import DEFAULT_DB_ALIAS, connections

    parser = CommandParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--database", default=DEFAULT_DB_ALIAS)
    for name in ("--check", "--plan", "--help"):
        parser.add_argument(name, action="store_true")
    given, _ = parser.parse_known_args([*arguments[1:]])
    if given.check or given.plan or given.help or given.database not in connections:
        return
    try:
        connections[given.database].prepare_database()
    except CommandError as error:
        sys.exit(str(error))
