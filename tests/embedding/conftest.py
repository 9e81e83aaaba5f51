"""A real project that embeds us, once on each database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.embedding.project import HostProject
from tests.support.postgres import Server


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
