"""A real project that embeds us, once on each database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.embedding.project import HostProject
from tests.support.postgres import Server

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
