"""The system tables may be in a database of their own, beside the host's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.embedding.project import HostProject
from tests.support.postgres import Server

SETTINGS = """
from bakery.settings import *
DATABASES["system"] = {system!r}
DBOS_SYSTEM_DATABASE_ALIAS = "system"
DATABASE_ROUTERS = ["dboshub.routers.SystemTables"]
"""
ORDER = """
from django.db import transaction
from dboshub import DBOS
from orders.models import Order
from orders.workflows import wait_for_word
with transaction.atomic(using="system"):
    DBOS.start_workflow(wait_for_word, 1)
    transaction.set_rollback(True, using="system")
order = Order.objects.create(loaf="split")
with transaction.atomic(), transaction.atomic(using="system"):
    handle = DBOS.start_workflow(wait_for_word, order.pk)
    DBOS.send(handle.workflow_id, "whole", topic="word")
result = handle.get_result()
order.refresh_from_db()
print(len(DBOS.list_workflows()), result, order.loaf)
"""


@pytest.fixture
def apart(host: HostProject, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The settings module of the host with a second database of the same kind."""
    with ExitStack() as stack:
        system = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "flows.sqlite3")}
        if host.is_on_postgres:
            server: Server = request.getfixturevalue("postgres_server")
            url = conninfo_to_dict(stack.enter_context(server.fresh_database()))
            system = {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": str(url["dbname"]),
                "USER": str(url["user"]),
                "HOST": str(url["host"]),
                "PORT": str(url["port"]),
            }
        (host.folder / "bakery" / "apart.py").write_text(SETTINGS.format(system=system))
        yield "--settings=bakery.apart"


def test_workflows_in_a_database_of_their_own(host: HostProject, apart: str) -> None:
    assert "dboshub.E004" in host.fails("check", apart, "--database", "system")
    host.manage("migrate", apart, "--database", "system", "-v", "0")
    host.manage("migrate", apart, "-v", "0")
    told = host.manage("check", apart, "--database", "system", "--database", "default")
    assert "no issues" in told
    worker = host.start("runworkers", apart)
    try:
        assert host.manage("shell", apart, "-v", "0", "-c", ORDER).split() == [
            "1",
            "whole",
            "whole",
        ]
    finally:
        worker.terminate()
        assert worker.wait(40) == 0
