"""When the database fails, a page says what is wrong and what to do: no traceback, no blank."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, connection, connections
from django.db.utils import load_backend
from django.test import Client
from django.urls import reverse

from dboshub.env import django_database
from dboshub.web.outages import AWAY, outage_of
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.engine.ports import StorageUnavailableError
from dboshub.workflows.models import AuditEvent
from dboshub.workflows.storage.sql import Statement

pytestmark = pytest.mark.django_db

DETAIL = "/workflows/run/w"
ENDLESS = Statement(
    "WITH RECURSIVE n(at) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT COUNT(*) FROM n"
)


@pytest.fixture
def reader(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(
        make_user("rea", "dboshub_workflows.view_workflow", "dboshub_workflows.cancel_workflow")
    )
    client.raise_request_exception = False
    return client


@pytest.fixture(params=["postgresql", "sqlite"])
def away(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> Iterator[None]:
    """The system database lies where nobody answers; the hub's own is there."""
    url = "postgresql://nobody@127.0.0.1:1/none"
    config = django_database(url, pool_size=0)
    if request.param == "sqlite":
        config = django_database(f"sqlite:///{tmp_path}/gone/none.sqlite3", pool_size=0)
    config = {**connections.settings["default"], **config}
    # Called "default" towards the guard that keeps tests off other databases.
    connections["away"] = load_backend(config["ENGINE"]).DatabaseWrapper(config, "default")
    settings.DBOS_SYSTEM_DATABASE_ALIAS = "away"
    yield
    del connections["away"]


def text(response: Any) -> str:
    assert "no-store" not in response.get("Cache-Control", "")
    page: str = response.content.decode()
    assert "Traceback" not in page
    return page


@pytest.mark.usefixtures("away")
def test_a_database_that_is_away_has_a_page_that_says_so(reader: Client) -> None:
    response = reader.get(f"{DETAIL}?steps=3")
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    page = text(response)
    assert "The database does not answer" in page
    assert f'href="{DETAIL}?steps=3"' in page
    assert "<script" not in page


@pytest.mark.usefixtures("away")
def test_an_open_page_says_it_in_its_main_part(reader: Client) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver//evil.example/?a=1"}
    response = reader.get(DETAIL, headers=headers)
    assert (response.status_code, response["HX-Retarget"]) == (503, "#main")
    page = text(response)
    assert "<html" not in page
    assert 'href="/%2Fevil.example/?a=1"' in page


@pytest.mark.usefixtures("away")
def test_what_was_posted_is_not_offered_again(reader: Client) -> None:
    response = reader.post(
        reverse("dboshub:workflows:do", args=["cancel", "w"]), {"reason": "stuck"}
    )
    assert response.status_code == 503
    assert "Try again</a>" not in text(response)


def test_a_table_that_is_not_there_asks_for_migrate(reader: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {AuditEvent._meta.db_table} RENAME TO elsewhere")
    with pytest.raises(DatabaseError) as caught:
        AuditEvent.objects.count()
    outage = outage_of(caught.value)
    assert outage is not None
    assert "migrate" in outage.advice
    assert not outage.passes


def test_a_statement_given_up_is_told_from_a_database_that_is_away() -> None:
    with pytest.raises(DatabaseError) as caught, bounded_reading(20) as session:
        session.one(ENDLESS)
    outage = outage_of(caught.value)
    assert outage is not None
    assert outage.title == "The database took too long"
    # Whoever reads on this connection next has all the time.
    assert AuditEvent.objects.count() == 0


def test_a_database_that_may_only_be_read_is_told_from_one_that_is_away() -> None:
    on_sqlite = connection.vendor == "sqlite"
    forbid = "PRAGMA query_only = ON" if on_sqlite else "SET TRANSACTION READ ONLY"
    outage = outage_of(failure_of(forbid, "DELETE FROM dboshub_audit_event"))
    if on_sqlite:
        connection.cursor().execute("PRAGMA query_only = OFF")
    assert outage is not None
    assert outage.title == "The database is read-only"


def failure_of(before: str, statement: str) -> DatabaseError:
    with connection.cursor() as cursor:
        cursor.execute(before)
        with pytest.raises(DatabaseError) as caught:
            cursor.execute(statement)
    return caught.value


@pytest.mark.parametrize(
    ("error", "is_outage"),
    [
        (OperationalError("server closed the connection unexpectedly"), True),
        (InterfaceError("connection already closed"), True),
        (StorageUnavailableError("journal stopped"), True),
        (DatabaseError("something of ours"), False),
        (ValueError("no such table"), False),
        (None, False),
    ],
)
def test_only_the_databases_own_faults_are_its_outages(
    error: BaseException | None, is_outage: bool
) -> None:
    assert outage_of(error) == (AWAY if is_outage else None)
