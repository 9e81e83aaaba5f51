"""Commands on a database that does not answer, or is not migrated: one sentence, nothing made."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dboshub.workflows import invocation
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.schema.migrate import migrate
from tests.first_failures.conftest import Manage, RunCommands
from tests.first_failures.unreachable import REFUSING, SECRET, SOON_S, silent_server

READERS = ("workflow list", "workflow get no-id", "queue list", "schedule list", "ensure_admin")
WRITERS = ("workflow start shop.order", "queue pause orders", "schedule pause nightly")
DJANGOS = ("migrate --no-input", "createsuperuser --no-input", "changepassword ada")
WITHOUT_THE_HUB = "The database lacks the migrations dboshub.0001_initial, "
WORKERS = ("runworkers", "runworkers --processes 2", "runworkers --child")


def test_every_command_says_at_once_which_server_refuses(run_commands: RunCommands) -> None:
    commands = (*READERS, *WRITERS, *DJANGOS, *WORKERS)
    for command, done in zip(commands, run_commands(REFUSING, *commands), strict=True):
        assert done["code"] == 1, command
        assert (
            done["told"]
            .splitlines()[0]
            .startswith(
                "CommandError: Cannot connect to PostgreSQL database 'shop' on 127.0.0.1, port 1, "
                "as user 'ada': Connection refused."
            )
        ), (command, done["told"])
        assert len(done["told"].splitlines()) == 1, done["told"]
        assert done["seconds"] < SOON_S, command
        assert SECRET not in done["told"]


def test_a_worker_says_whether_it_tries_again(run_commands: RunCommands) -> None:
    alone, parent, child = run_commands(REFUSING, *WORKERS)
    for done in (alone, parent):
        assert "No worker was started, and nothing tries again" in done["told"]
    assert "The supervisor starts this worker again." in child["told"]


def test_a_silent_server_is_given_up_in_two_seconds(run_commands: RunCommands) -> None:
    with silent_server() as url:
        for done in run_commands(url, "workflow list", "runworkers", "migrate --no-input"):
            assert "as user 'ada': no answer within 2 s." in done["told"]
            assert done["seconds"] < SOON_S


def test_commands_that_name_a_database_tell_it_alike(
    run_commands: RunCommands, tmp_path: Path
) -> None:
    commands = ("reset --yes", "reset --yes --drop", "migrate_system_database")
    for done in run_commands(REFUSING, *(f"{each} --url {REFUSING}" for each in commands)):
        assert "Cannot connect to PostgreSQL database 'shop' on 127.0.0.1, port 1" in done["told"]
        assert len(done["told"].splitlines()) == 1, done["told"]
        assert done["seconds"] < SOON_S
    [done] = run_commands(REFUSING, f"reset --yes --url sqlite:///{tmp_path}/none.sqlite3")
    assert "none.sqlite3: there is no such file" in done["told"]
    assert not [*tmp_path.glob("none*")]


def test_a_traceback_is_shown_to_who_asks(manage: Manage) -> None:
    done = manage(REFUSING, "migrate", "--no-input", "--traceback")
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert SECRET not in done.stderr


def test_manage_py_ends_with_the_sentence_alone(manage: Manage) -> None:
    done = manage(REFUSING, "migrate", "--no-input")
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: Cannot connect to PostgreSQL database 'shop'")
    assert len(done.stderr.splitlines()) == 1


# -- databases that answer, and lack tables ------------------------------------------------


def tables(url: str) -> set[str]:
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        if not file.exists():
            return set()
        connection = sqlite3.connect(file)
        try:
            return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        finally:
            connection.close()
    with psycopg.connect(url) as server:
        listed = "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
        return {name for (name,) in server.execute(f"{listed} WHERE nspname IN ('dbos', 'public')")}


def execute(url: str, statement: str) -> None:
    database = open_database(url)
    try:
        with database.writing() as session:
            session.script(statement)
    finally:
        database.close()


@pytest.fixture
def system_tables_only(database_url: str) -> str:
    """What `DBOS.launch()` in a script leaves: no table of the hub's own."""
    database = open_database(database_url)
    try:
        database.check_connection(create=True)
        migrate(database)
    finally:
        database.close()
    return database_url


def refused(done: dict[str, object], sentence: str) -> bool:
    told = str(done["told"])
    return done["code"] == 1 and sentence in told and "Run `manage.py migrate`." in told


def test_an_empty_database_is_refused_by_every_command(
    database_url: str, run_commands: RunCommands
) -> None:
    commands = (*READERS, *WRITERS, *WORKERS)
    for command, done in zip(commands, run_commands(database_url, *commands), strict=True):
        is_file = database_url.startswith("sqlite")
        sentence = "there is no such file" if is_file else "The database lacks the migrations"
        assert refused(done, sentence), (command, done)
    assert tables(database_url) == set()


def test_system_tables_alone_are_refused_and_nothing_is_added(
    system_tables_only: str, run_commands: RunCommands
) -> None:
    before = tables(system_tables_only)
    commands = (*READERS, *WRITERS, *WORKERS)
    for command, done in zip(commands, run_commands(system_tables_only, *commands), strict=True):
        assert refused(done, "The database lacks the migrations dboshub."), (command, done)
    assert tables(system_tables_only) == before


def test_a_worker_that_counts_nothing_needs_the_tables_of_executors(
    system_tables_only: str, run_commands: RunCommands
) -> None:
    is_file = system_tables_only.startswith("sqlite")
    table = "dboshub_executor" if is_file else '"dbos"."dboshub_executor"'
    execute(system_tables_only, f"DROP TABLE {table}")
    [done] = run_commands(system_tables_only, "runworkers", DBOSHUB_ROLLUPS="0", DBOSHUB_BULK="0")
    assert refused(done, "The database lacks the tables dboshub_executor."), done


def test_a_migration_that_was_not_run_is_named(
    database_url: str, run_commands: RunCommands, unmigrate: Callable[[str], None]
) -> None:
    unmigrate(database_url)
    before = tables(database_url)
    for done in run_commands(database_url, "workflow list", "runworkers"):
        assert refused(done, WITHOUT_THE_HUB), done
    assert tables(database_url) == before


def test_a_table_that_was_taken_away_is_told_from_a_fault(
    database_url: str, run_commands: RunCommands
) -> None:
    run_commands(database_url, "migrate --no-input")
    execute(database_url, "DROP TABLE dboshub_audit_event")
    [done] = run_commands(database_url, "queue add orders")
    assert refused(done, "The database is not ready for this release ("), done
    assert "dboshub_audit_event" in done["told"]
    assert len(done["told"].splitlines()) == 1


def test_several_workers_that_cannot_start_are_not_started_again(
    system_tables_only: str, manage: Manage
) -> None:
    begun = time.monotonic()
    done = manage(
        system_tables_only,
        "runworkers",
        "--processes",
        "2",
        "--import",
        "no_such_module",
        DBOSHUB_ROLLUPS="0",
        DBOSHUB_BULK="0",
    )
    assert done.returncode == 1
    assert "There is no module 'no_such_module' on the Python path" in done.stderr
    assert done.stderr.rstrip().endswith(
        "CommandError: The workers cannot start: the message above says why."
    )
    assert time.monotonic() - begun < 40


PAGES = """
from django.conf import settings
from django.test import Client
from django.test.utils import override_settings

plain = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
override_settings(STORAGES=settings.STORAGES | plain).enable()
client = Client(raise_request_exception=False, headers={"host": "localhost"})
client.cookies[settings.SESSION_COOKIE_NAME] = "x" * 32
for address in ("/workflows/", "/", "/queues/", "/schedules/"):
    response = client.get(address)
    print(address, response.status_code, b"Run manage.py migrate" in response.content)
"""


def test_pages_ask_for_migrate_and_create_nothing(system_tables_only: str, manage: Manage) -> None:
    before = tables(system_tables_only)
    done = manage(system_tables_only, "shell", "-c", PAGES)
    assert done.stdout.splitlines()[-4:] == [
        "/workflows/ 503 True",
        "/ 503 True",
        "/queues/ 503 True",
        "/schedules/ 503 True",
    ], done.stderr
    assert tables(system_tables_only) == before


@pytest.mark.parametrize(
    ("called", "program", "words"),
    [
        ("manage.py", "manage.py", [sys.executable, "manage.py"]),
        ("/srv/shop/manage.py", "manage.py", [sys.executable, "/srv/shop/manage.py"]),
        ("/venv/bin/dboshub", "dboshub", [sys.executable, "/venv/bin/dboshub"]),
        (
            "/site-packages/dboshub/__main__.py",
            "python -m dboshub",
            [sys.executable, "-m", "dboshub"],
        ),
        ("/venv/bin/gunicorn", "manage.py", [sys.executable, "/venv/bin/gunicorn"]),
    ],
)
def test_advice_names_the_command_as_its_user_calls_it(
    called: str, program: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [called, "migrate"])
    assert invocation.command("migrate") == f"{program} migrate"
    assert invocation.program_command() == words


def test_a_wheel_without_a_manage_py_has_its_own_command(
    monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    settings.SETTINGS_MODULE = "dboshub.settings"
    monkeypatch.setattr(sys, "argv", ["/venv/bin/daphne"])
    monkeypatch.setattr(invocation, "PACKAGE", tmp_path / "dboshub")
    assert invocation.command("migrate") == "dboshub migrate"


@pytest.fixture
def unmigrate(run_commands: RunCommands) -> Callable[[str], None]:
    """Migrate a database, but for the migrations of the app `dboshub`."""

    def run(url: str) -> None:
        done = run_commands(
            url, "migrate --no-input --verbosity 0", "migrate dboshub zero --verbosity 0"
        )
        assert [each["code"] for each in done] == [0, 0], done

    return run
