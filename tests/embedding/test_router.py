"""The router of ours answers for our tables, and lets the project's own routers do the rest."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from dboshub.models import SavedView
from dboshub.queues.models import Queue
from dboshub.routers import SystemTables
from dboshub.workflows.models import AuditEvent, Workflow

router = SystemTables()


@pytest.fixture(autouse=True)
def two_databases(settings: Any) -> None:
    settings.DBOS_SYSTEM_DATABASE_ALIAS = "flows"


def test_reads_and_writes_go_where_the_tables_are() -> None:
    for ask in (router.db_for_read, router.db_for_write):
        assert [ask(each) for each in (Workflow, Queue, AuditEvent, SavedView, User)] == [
            "flows",
            "flows",
            "default",
            "default",
            None,
        ]


def test_tables_are_made_where_they_are_read() -> None:
    asked = {
        (db, app, model): router.allow_migrate(db, app, model)
        for db in ("default", "flows", "theirs")
        for app, model in (
            ("dboshub_workflows", "workflow"),
            ("dboshub_workflows", "auditevent"),
            ("dboshub", "savedview"),
            ("shop", "order"),
        )
    }
    assert {key for key, answer in asked.items() if answer} == {
        ("flows", "dboshub_workflows", "workflow"),
        ("default", "dboshub_workflows", "auditevent"),
        ("default", "dboshub", "savedview"),
    }
    assert {key for key, answer in asked.items() if answer is None} == {
        ("default", "shop", "order"),
        ("theirs", "shop", "order"),
    }


def test_with_one_database_others_may_migrate_there(settings: Any) -> None:
    settings.DBOS_SYSTEM_DATABASE_ALIAS = "default"
    assert router.allow_migrate("default", "shop", "order") is None
    assert router.allow_migrate("default", "dboshub_workflows", "workflow")


def test_relations_are_within_one_database() -> None:
    assert router.allow_relation(AuditEvent(), User())
    assert not router.allow_relation(Workflow(), User())
    assert router.allow_relation(User(), User()) is None
