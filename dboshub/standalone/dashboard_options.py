"""The options of ``dboshub dashboard``, read before Django: they choose its settings."""

from __future__ import annotations

import os
import re
from argparse import SUPPRESS, ArgumentError, ArgumentParser
from collections.abc import Mapping, Sequence
from hashlib import blake2s
from pathlib import Path

from dboshub.standalone.data_directory import data_directory
from dboshub.standalone.foreign_database import require_system_tables
from dboshub.workflows.engine.errors import DatabaseUrlError
from dboshub.workflows.environment import flag
from dboshub.workflows.storage.database import is_url_of
from dboshub.workflows.storage.database_urls import sqlite_url

DIRECTORY = "dashboards"
SCHEMA = "dbos"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options, for this module and for Django's command."""
    parser.add_argument(
        "--url",
        help="look at this system database, which any DBOS library may have made; nothing in it "
        "is created or changed, but by the actions that you confirm",
    )
    parser.add_argument("--schema", help=f"its schema on PostgreSQL; {SCHEMA} by default")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port",
        default=os.environ.get("PORT", "").strip() or "8000",
        help="port to listen on; by default that of the variable PORT, or 8000",
    )
    parser.add_argument("--read-only", action="store_true", help="refuse every action")
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="where accounts, the secret key and exports are kept; by default the user's "
        "directory for data",
    )
    parser.add_argument(
        "--hub-database",
        metavar="URL",
        help="database for accounts, audit log and charts; by default a file in the data directory",
    )


def environment_for(arguments: Sequence[str]) -> dict[str, str]:
    """The environment variables that the options stand for.

    Raises DatabaseUrlError, DatabaseUnreachableError and SchemaError if `--url` leads to no
    database of DBOS; nothing is created.
    """
    parser = ArgumentParser(
        add_help=False, allow_abbrev=False, argument_default=SUPPRESS, exit_on_error=False
    )
    parser.add_argument("-h", "--help", action="store_true")
    add_arguments(parser)
    try:
        options = vars(parser.parse_known_args([*arguments])[0])
    except ArgumentError:
        # Django's command says what is wrong with the arguments themselves.
        return {}
    if "help" in options:
        return {}
    found: dict[str, str] = {}
    if options.get("data_dir"):
        found["DBOSHUB_DATA_DIR"] = os.path.abspath(options["data_dir"])
    if options.get("read_only"):
        found["DBOSHUB_READ_ONLY"] = "1"
    if options.get("schema"):
        found["DBOS_SYSTEM_SCHEMA"] = options["schema"]
    if options.get("hub_database"):
        found["DBOSHUB_DATABASE_URL"] = options["hub_database"]
    # An empty URL is a mistake, such as a variable that is not set, and no wish for the default.
    if "url" in options:
        found |= look_at(options["url"], {**os.environ, **found})
    return found


def look_at(url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment variables with which a process uses another system database.

    What the hub keeps about it is in a file of its own: nothing is created in that database.
    """
    schema = environment.get("DBOS_SYSTEM_SCHEMA", "").strip() or SCHEMA
    database = require_system_tables(
        url,
        schema,
        read_only=flag("DBOSHUB_READ_ONLY", environment=environment),
        behind_pooler=flag("DBOSHUB_BEHIND_POOLER", environment=environment),
    )
    found = {"DBOS_SYSTEM_DATABASE_URL": url}
    given = environment.get("DBOSHUB_DATABASE_URL", "").strip()
    if not given:
        path = hub_file(data_directory(environment), database.identity, database.name)
        found["DBOSHUB_DATABASE_URL"] = sqlite_url(path)
    elif is_url_of(given, database.opened):
        raise DatabaseUrlError(
            database.masked,
            "--hub-database (DBOSHUB_DATABASE_URL) is the same database: name another one, or "
            "leave it out",
        )
    return found


def hub_file(directory: Path, identity: str, name: str) -> Path:
    """The file for what a dashboard itself keeps about one system database.

    Each has its own, because charts, audit log and saved views are about that database.
    """
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:40] or "database"
    digest = blake2s(identity.encode(), digest_size=4).hexdigest()
    return directory / DIRECTORY / f"{readable}-{digest}.sqlite3"
