"""A real project that embeds us, once on each database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import connections

from tests.embedding.project import HostProject
from tests.support.postgres import Server

Entry = Callable[..., str]


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
