"""The page about the hub itself: works with no worker alive, and with a database that does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import connection
from django.db.utils import load_backend
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dboshub.hub import diagnostics
from dboshub.live.metrics import LiveMetrics
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic, reading
from dboshub.workflows.engine.background import LoopFailures
from dboshub.workflows.models import Lease, RolledSpan
from dboshub.workflows.models.rollups import MINUTE
from dboshub.workflows.selectors import database_health
from dboshub.workflows.slow_queries import SlowFunctions
from dboshub.workflows.storage.sql import Session, Statement
from tests.support.runs import add_workflow

pytestmark = pytest.mark.django_db

HUB = "/hub/"
SLEEP = Statement(
    postgres="SELECT pg_sleep(0.03)",
    sqlite="WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
    " SELECT MAX(i) FROM n",
)


@pytest.fixture
def operator(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("olga", "dboshub_workflows.view_workflow", "dboshub.view_hub"))
    return client


def page(client: Client) -> str:
    response = client.get(HUB)
    assert response.status_code == 200, response
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def test_the_database_is_named_measured_and_compared(operator: Client) -> None:
    with atomic() as session:
        add_workflow(session, "w", "SUCCESS")
    told = page(operator)
    kind = "SQLite 3." if connection.vendor == "sqlite" else "PostgreSQL 1"
    for said in (kind, "Schema version 125", "Round trip", " ours", "workflow_status"):
        assert said in told, said
    assert "Missing indexes" not in told
    assert re.search(r"\d indexes of schema 125 are there", told)


def test_no_row_is_counted_for_it(operator: Client) -> None:
    with CaptureQueriesContext(connection) as seen:
        page(operator)
    asked = [each["sql"].upper() for each in seen.captured_queries]
    assert not [sql for sql in asked if "COUNT(*)" in sql and "SQLITE_MASTER" not in sql]
    assert len(seen.captured_queries) < 80


def test_a_missing_index_comes_with_the_statement_that_makes_it(operator: Client) -> None:
    schema = '"dbos".' if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {schema}workflow_status_created_at_index")
    assert "Missing indexes" in page(operator)
    with reading() as session:
        (missing,) = [each for each in database_health.expected(session) if not each.is_there]
    with connection.cursor() as cursor:
        # Within this test's transaction, which CONCURRENTLY does not allow.
        cursor.execute(missing.ddl.replace(" CONCURRENTLY", ""))
    assert "Missing indexes" not in page(operator)


def test_every_index_can_be_made_by_what_is_shown() -> None:
    with reading() as session, connection.cursor() as cursor:
        for each in database_health.expected(session):
            assert each.is_there, each.name
            cursor.execute(each.ddl.replace(" CONCURRENTLY", ""))


def test_settings_are_shown_without_their_secrets(operator: Client, settings: Any) -> None:
    settings.DBOS_SYSTEM_DATABASE_URL = "postgresql://dbos:hunter2@db:5432/shop"
    settings.DBOSHUB_LISTEN_DSN = "postgresql://db/shop?password=hunter3"
    told = page(operator)
    assert "postgresql://dbos:***@db:5432/shop" in told
    assert "DBOSHUB_SECRET_KEY set, not shown" in told
    assert "hunter" not in told
    assert str(settings.SECRET_KEY) not in told


def test_who_leads_and_how_far_the_rollups_have_come(operator: Client) -> None:
    assert "No process holds the lease yet" in page(operator)
    now = now_ms()
    Lease.objects.create(name="rollups", owner="abcdef0123456789", until=now + 60_000)
    RolledSpan.objects.create(width=MINUTE, at=now - 3 * MINUTE)
    told = page(operator)
    assert "rollups led by abcdef" in told
    assert "counted up to 2 min ago" in told
    Lease.objects.update(until=now - 120_000)
    assert "led by nobody since 2 min ago" in page(operator)


@pytest.mark.parametrize("opened", [reading, bounded_reading])
def test_slow_statements_are_attributed_to_the_function_that_ran_them(
    operator: Client,
    opened: Callable[[], AbstractContextManager[Session]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    empty = SlowFunctions()
    for user in ("dboshub.workflows.connection", "dboshub.hub.views"):
        monkeypatch.setattr(f"{user}.SLOW_QUERIES", empty)
    with opened() as session:
        slow_question_of_this_test(session)
    assert "tests.web.test_hub.slow_question_of_this_test" in page(operator)


def slow_question_of_this_test(session: Any) -> None:
    for _ in range(3):
        session.one(SLEEP)


def test_the_memory_of_slow_statements_is_bounded_and_keeps_the_worst() -> None:
    slowest = SlowFunctions(slow_s=0.0, most=10)
    for number in range(100):
        slowest.record(f"f{number}", (number * 37 % 100) / 100)
    assert [each.worst_ms for each in slowest.worst(3)] == [990, 980, 970]
    assert len(slowest.worst(1_000)) == 10
    slowest.record(slowest.worst(1)[0].name, 0.01)
    assert (slowest.worst(1)[0].times, slowest.worst(1)[0].mean_ms) == (2, 500)


def test_what_live_push_did_is_told_in_milliseconds() -> None:
    metrics = LiveMetrics()
    assert (metrics.typical_s(), metrics.longest_s(), metrics.lag_s()) == (None, None, None)
    for took in (0.001, 0.002, 0.09):
        metrics.ticked(took)
    metrics.sent(5)
    live = diagnostics.Live(sockets=1, topics=2, is_watching=True, metrics=metrics)
    assert (live.typical_ms, live.longest_ms, metrics.ticks, metrics.frames) == (2, 90, 3, 5)
    assert live.lag_ms is not None


@pytest.fixture
def away(settings: Any) -> Iterator[None]:
    from django.db import connections

    from dboshub.env import django_database

    config = django_database("postgresql://nobody@127.0.0.1:1/none", pool_size=0)
    config = {**connections.settings["default"], **config}
    # Called "default" towards the guard that keeps tests off other databases.
    connections["away"] = load_backend(config["ENGINE"]).DatabaseWrapper(config, "default")
    settings.DBOS_SYSTEM_DATABASE_ALIAS = "away"
    yield
    del connections["away"]


@pytest.mark.usefixtures("away")
def test_a_database_that_is_away_leaves_the_rest_of_the_page(operator: Client) -> None:
    response = operator.get(HUB)
    assert response.status_code == 503
    told = response.content.decode()
    assert "The database did not answer in full" in told
    assert "Sockets open" in told
    assert "DBOS_SYSTEM_SCHEMA" in told


def test_it_is_for_operators_and_admins(client: Client, make_user: Callable[..., Any]) -> None:
    client.force_login(make_user("bob", "dboshub_workflows.view_workflow"))
    assert client.get(HUB).status_code == 403
    assert f'href="{HUB}"' not in client.get("/workflows/").content.decode()
    assert client.post(HUB).status_code == 405


def test_a_loop_that_fails_in_this_process_is_named(operator: Client) -> None:
    failures = LoopFailures("Counting <for> the charts")
    failures.failed(OSError("Input/output error"))
    found = page(operator)
    failures.recovered()
    assert "Counting &lt;for&gt; the charts fails in this process" in found
    assert "Input/output error" in found
    assert "fails in this process" not in page(operator)
