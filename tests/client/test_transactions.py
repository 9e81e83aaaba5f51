"""A client's rows within a transaction that the caller owns: they come and go with its data."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
import sqlalchemy
import sqlalchemy.orm

from dboshub import DBOSClient, EnqueueOptions, SendMessage
from dboshub.workflows.engine.errors import (
    DBOSException,
    DBOSNonExistentWorkflowError,
    DBOSQueueDeduplicatedError,
)
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.database_urls import sqlite_path
from dboshub.workflows.storage.sql import Statement
from tests.client.conftest import MakeClient

OPTIONS: EnqueueOptions = {
    "workflow_name": "client_triple",
    "queue_name": "jobs",
    "workflow_id": "outbox",
    "attributes": {"customer": 1},
}
Begin = Callable[[], Any]


class Undone(Exception):
    """Raised to roll back."""


def driver_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


@contextmanager
def raw(url: str) -> Iterator[Any]:
    """One transaction of the driver's own connection."""
    opened: Any = (
        sqlite3.connect(sqlite_path(url)) if url.startswith("sqlite") else psycopg.connect(url)
    )
    try:
        with opened:
            yield opened
    finally:
        opened.close()


@contextmanager
def connection(url: str) -> Iterator[Any]:
    engine = sqlalchemy.create_engine(driver_url(url))
    try:
        with engine.begin() as opened:
            yield opened
    finally:
        engine.dispose()


@contextmanager
def session(url: str) -> Iterator[Any]:
    engine = sqlalchemy.create_engine(driver_url(url))
    try:
        with sqlalchemy.orm.Session(engine) as opened, opened.begin():
            yield opened
    finally:
        engine.dispose()


@pytest.fixture(params=[raw, connection, session])
def begin(request: pytest.FixtureRequest, database_url: str) -> Begin:
    def begin() -> Any:
        return request.param(database_url)

    return begin


def test_what_is_enqueued_is_there_when_the_transaction_commits(
    alone: DBOSClient, begin: Begin
) -> None:
    with begin() as caller:
        handle = alone.enqueue_in_transaction(caller, OPTIONS, 1, two=2)
        assert alone.list_workflows() == []
    status = handle.get_status()
    assert (status.workflow_id, status.status) == ("outbox", "ENQUEUED")
    assert status.input == {"args": (1,), "kwargs": {"two": 2}}
    assert status.attributes == {"customer": 1}


def test_what_is_enqueued_is_gone_when_the_transaction_rolls_back(
    alone: DBOSClient, begin: Begin
) -> None:
    with suppress(Undone), begin() as caller:
        alone.enqueue_in_transaction(caller, OPTIONS, 1)
        raise Undone
    assert alone.list_workflows() == []


def test_messages_are_sent_when_the_transaction_commits(
    alone: DBOSClient, begin: Begin, database: Database
) -> None:
    alone.enqueue(OPTIONS, 1)
    with suppress(Undone), begin() as caller:
        alone.send_in_transaction(caller, "outbox", "lost")
        raise Undone
    with begin() as caller:
        alone.send_in_transaction(caller, "outbox", "one", "topic", "key")
        alone.send_in_transaction(caller, "outbox", "one", "topic", "key")
        alone.send_bulk_in_transaction(caller, [SendMessage("outbox", n) for n in (2, 3)])
    with database.reading() as reading:
        rows = reading.all(Statement("SELECT message_uuid FROM {notifications}"))
    assert len(rows) == 3
    assert ("key::outbox",) in rows


def test_the_callers_transaction_goes_on_after_a_refusal(alone: DBOSClient, begin: Begin) -> None:
    held: Any = {**OPTIONS, "deduplication_id": "one"}
    alone.enqueue(held, 1)
    with begin() as caller:
        again: Any = {**held, "workflow_id": "second"}
        with pytest.raises(DBOSQueueDeduplicatedError):
            alone.enqueue_in_transaction(caller, again, 1)
        with pytest.raises(DBOSNonExistentWorkflowError):
            alone.send_in_transaction(caller, "nobody", 1)
        alone.enqueue_in_transaction(caller, {**OPTIONS, "workflow_id": "third"}, 1)
    assert {each.workflow_id for each in alone.list_workflows()} == {"outbox", "third"}


def test_a_connection_without_a_transaction_is_refused(
    alone: DBOSClient, database_url: str
) -> None:
    opened: Any
    if database_url.startswith("sqlite"):
        opened = sqlite3.connect(sqlite_path(database_url), isolation_level=None)
    else:
        opened = psycopg.connect(database_url, autocommit=True)
    with pytest.raises(DBOSException, match="no open transaction"):
        alone.enqueue_in_transaction(opened, OPTIONS, 1)
    opened.close()


def test_what_is_no_connection_to_this_kind_of_database_is_refused(
    alone: DBOSClient, database_url: str
) -> None:
    with pytest.raises(DBOSException, match="no connection"):
        alone.enqueue_in_transaction("a connection", OPTIONS, 1)
    if not database_url.startswith("sqlite"):
        foreign = sqlite3.connect(":memory:")
        with pytest.raises(DBOSException, match="connection is to sqlite"):
            alone.enqueue_in_transaction(foreign, OPTIONS, 1)
        foreign.close()


@pytest.mark.django_db(transaction=True)
def test_a_django_connection_takes_part(make_client: MakeClient) -> None:
    from django.db import connection as django_connection
    from django.db import transaction

    from dboshub.workflows.connection import session_on
    from dboshub.workflows.storage.caller_session import CallerTransaction
    from dboshub.workflows.storage.caller_session import session_on as callers_session

    vendor: Any = django_connection.vendor
    count = Statement("SELECT COUNT(*) FROM {workflow_status}")
    with transaction.atomic():
        through = callers_session(django_connection, vendor=vendor, schema="dbos")
        assert through.one(count) == session_on("default").one(count)
    with pytest.raises(DBOSException, match="no open transaction"):
        CallerTransaction(django_connection, vendor=vendor, schema="dbos")
