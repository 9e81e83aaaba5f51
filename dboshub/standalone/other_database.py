"""The options with which a command uses another system database; they choose its settings."""

from __future__ import annotations

import os
from argparse import SUPPRESS, ArgumentError, ArgumentParser
from collections.abc import Sequence

from dboshub.standalone.dashboard_options import look_at

COMMANDS = ("workflow", "replay", "queue", "schedule")


def environment_for(arguments: Sequence[str]) -> dict[str, str]:
    """The environment variables that the options stand for, read before Django.

    Raises DatabaseUrlError, DatabaseUnreachableError and SchemaError if the URL leads to no
    database of DBOS; nothing is created.
    """
    parser = ArgumentParser(
        add_help=False, allow_abbrev=False, argument_default=SUPPRESS, exit_on_error=False
    )
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("-s", "--url", "--sys-db-url")
    parser.add_argument("--schema")
    try:
        options = vars(parser.parse_known_args([*arguments])[0])
    except ArgumentError:
        return {}  # Django's command says what is wrong with the arguments themselves
    if "help" in options or "url" not in options:
        return {}
    found = {"DBOS_SYSTEM_SCHEMA": options["schema"]} if options.get("schema") else {}
    return found | look_at(options["url"], {**os.environ, **found})
