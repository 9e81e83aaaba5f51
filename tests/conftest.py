"""Fixtures for every test: both databases, users. Imports of our own code stay inside fixtures."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.leaks import assert_no_connection, assert_not_open
from tests.support.memory import scratch_root
from tests.support.postgres import Server, shared_server
from tests.support.scheduling import Scheduling, rank

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from dboshub.workflows.storage.database import Database

# Read by pytest when the first `tmp_path` is asked for.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", scratch_root())
# A shell makes its background jobs ignore Ctrl-C, and so would every process that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# scripts/test.sh collects these alone.
BROWSER_TESTS = Path(__file__).parent / "browser"
WITH_TABLES = {"database", "launch"}
DJANGO_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Let the garbage collector rest: what is collected stays until the process ends.

    Each of several processes first prepares a part of what all need to collect.
    """
    given: dict[str, Any] | None = getattr(session.config, "workerinput", None)
    if given is not None:
        from tests.support.first_run import prepare_part

        number = int(given["workerid"].removeprefix("gw"))
        prepare_part(session.config, number, given["workercount"])
    elif session.config.pluginmanager.hasplugin("dsession"):
        return  # its processes collect
    gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what touches Django's database: it runs once on each, in processes of their own."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if item.get_closest_marker("django_db") or fixtures & DJANGO_FIXTURES:
            item.add_marker("django")
        is_in_browser = item.path.is_relative_to(BROWSER_TESTS)
        if (item.get_closest_marker("browser") is None) == is_in_browser:
            raise pytest.UsageError(f"{item.nodeid}: browser tests are those in {BROWSER_TESTS}")


@pytest.hookimpl(trylast=True, specname="pytest_collection_modifyitems")
def pytest_long_ones_first(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank(item.nodeid))


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over thousands of tests, which stay until the process ends."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling | None:
    return Scheduling(config, log) if config.getoption("dist") == "loadscope" else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Start PostgreSQL once, before the worker processes inherit the environment."""
    shared_server()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Drop what processes of this run kept for one another, on a server that may outlive it."""
    is_worker = hasattr(session.config, "workerinput")
    if not is_worker and "DBOSHUB_TEST_PG_URL" in os.environ:
        shared_server().drop_kept()


@pytest.fixture(autouse=True)
def only_own_schedules(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other modules scheduled does not fire in this test, though they share its process."""
    if "dboshub.schedules.engine.schedule_registry" not in sys.modules:
        return
    from dboshub.schedules.engine.schedule_registry import schedule_registry
    from dboshub.workflows.engine.registration.registry import registry

    mine = {
        name: cron
        for name, cron in schedule_registry.declared.items()
        if registry.workflows[name].function.__module__ == request.module.__name__
    }
    monkeypatch.setattr(schedule_registry, "declared", mine)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """The databases. The flush after a test that commits takes what migrations added, too."""
    from django.apps import apps
    from django.db.models.signals import post_migrate

    *_, last = (each for each in apps.get_app_configs() if each.models_module)
    # After that of every app, as permissions of groups are.
    post_migrate.connect(_add_groups, sender=last)


def _add_groups(using: str, **_rest: Any) -> None:
    from django.contrib.auth.models import Group, Permission
    from django.db.models import Value
    from django.db.models.functions import Concat

    groups = import_module("dboshub.migrations.0001_initial").GROUPS
    for name, wanted in groups.items():
        group, _ = Group.objects.using(using).get_or_create(name=name)
        named = Permission.objects.using(using).annotate(
            label=Concat("content_type__app_label", Value("."), "codename")
        )
        group.permissions.set(named.filter(label__in=wanted))


@pytest.fixture
def plain_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process without a Django project, which has no client before it launches."""
    from dboshub.workflows.engine import current_engine

    monkeypatch.setattr(current_engine, "_process_client", None)


@pytest.fixture(scope="session")
def postgres_server() -> Server:
    return shared_server()


@pytest.fixture(scope="session")
def migrated_template(postgres_server: Server) -> Iterator[str]:
    """The name of a PostgreSQL database with the system tables, to copy from."""
    from dboshub.workflows.storage.database import open_database
    from dboshub.workflows.storage.schema.migrate import migrate

    with postgres_server.fresh_database() as url:
        opened = open_database(url)
        migrate(opened)
        opened.close()
        yield url.rpartition("/")[2]


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest, postgres_server: Server) -> Iterator[str]:
    """A PostgreSQL database of this test's own, empty; at the end nobody is connected to it.

    A test that asks for what has tables gets a copy with tables: to make them again takes longer.
    """
    has_tables = WITH_TABLES & set(request.fixturenames)
    template = request.getfixturevalue("migrated_template") if has_tables else "template1"
    with postgres_server.fresh_database(template) as url:
        yield url
        assert_no_connection(postgres_server, url.rpartition("/")[2])


@pytest.fixture
def sqlite_url(tmp_path: Path) -> Iterator[str]:
    """A SQLite file of this test's own, not there yet; at the end nobody here has it open."""
    file = tmp_path / "system.sqlite3"
    yield f"sqlite:///{file}"
    assert_not_open(file)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, empty database; the test runs once on each of the two."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The storage layer on a fresh, migrated database; the test runs once on each of the two."""
    from dboshub.workflows.storage.database import open_database
    from dboshub.workflows.storage.schema.migrate import migrate

    opened = open_database(database_url)
    try:
        migrate(opened)
        yield opened
    finally:
        opened.close()


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    """Make a user with these permissions: `make_user("ada", "dboshub_queues.view_queue")`."""
    from django.contrib.auth.models import Permission, User

    def make(name: str = "ada", *permissions: str, **fields: Any) -> User:
        user = User.objects.create_user(name, password="correct horse battery", **fields)
        for permission in permissions:
            app, codename = permission.split(".")
            wanted = Permission.objects.filter(content_type__app_label=app, codename=codename)
            user.user_permissions.add(wanted.get())
        return user

    return make
