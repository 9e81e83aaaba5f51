"""A real project that embeds us, once on each database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import connections

from tests.embedding.project import HostProject, postgres_variable
from tests.support.postgres import Server

Entry = Callable[..., str]
WORK = """
from django.core.management import call_command
call_command("workflow", "start", "bake", "--args", '["brown"]', "--id", "brown")
call_command("workflow", "start", "wait_for_oven", "--args", '["rye"]', "--id", "rye")
"""


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HostProject]:
    """The project as `migrate` has left it; its tests run once on each of the two databases."""
    folder = tmp_path_factory.mktemp(f"host-{request.param}")
    with ExitStack() as stack:
        url = f"sqlite:///{folder}/db.sqlite3"
        if request.param == "postgres":
            server: Server = request.getfixturevalue("postgres_server")
            url = stack.enter_context(server.fresh_database())
        project = HostProject(folder, url)
        stack.callback(project.stop)
        project.make()
        yield project


@pytest.fixture(scope="session")
def worked(host: HostProject) -> Iterator[None]:
    """A worker of the host runs `brown`, which ends, and `rye`, which waits for a message."""
    worker = host.start("runworkers", "--grace", "1")
    try:
        host.manage("shell", "-v", "0", "-c", WORK)
        yield
    finally:
        worker.terminate()
        worker.wait(30)


@pytest.fixture
def entry(django_db_blocker: Any) -> Iterator[Entry]:
    """Add an entry to DATABASES: entry("sqlite3", NAME=…); its alias."""
    aliases: list[str] = []

    def add(engine: str = "postgresql", **given: Any) -> str:
        alias = f"host{len(aliases)}"
        connections.settings[alias] = connections.configure_settings(
            {"default": {}, alias: {"ENGINE": f"django.db.backends.{engine}", **given}}
        )[alias]
        aliases.append(alias)
        return alias

    with django_db_blocker.unblock():
        yield add
    for alias in aliases:
        if alias in connections.settings:
            connections[alias].close()
            del connections[alias]
            del connections.settings[alias]


@pytest.fixture(scope="session")
def orders(request: pytest.FixtureRequest, host: HostProject) -> Iterator[HostProject]:
    """The same project on another database of the kind, where only the test's own workers work."""
    changes = {"DJANGO_SETTINGS_MODULE": "bakery.orders"}
    (host.folder / "bakery" / "orders.py").write_text(
        "from bakery.settings import *\n"
        "if 'HOST_POSTGRES' not in os.environ:\n"
        "    DATABASES['default']['NAME'] = BASE_DIR / 'orders.sqlite3'\n"
    )
    with ExitStack() as stack:
        if host.is_on_postgres:
            server: Server = request.getfixturevalue("postgres_server")
            changes |= postgres_variable(stack.enter_context(server.fresh_database()))
        project = host.with_environment(**changes)
        stack.callback(project.stop)
        project.prepare()
        yield project
