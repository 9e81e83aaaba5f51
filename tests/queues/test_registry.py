"""The table of queues: which application may change a row, and which change is kept."""

from __future__ import annotations

from typing import Any

import pytest

from dboshub.queues.engine.ports import OnConflict
from dboshub.queues.engine.settings import QueueSettings, RateLimit
from dboshub.queues.storage import registry
from dboshub.queues.storage.registry import Registrar
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.storage.database import Database
from tests.queues.rows import PAUSE, VERSION_ROW, run

OLD, NEW, OTHER = Registrar("shop", "v1"), Registrar("shop", "v2"), Registrar("bank", "v1")

FULL = QueueSettings(
    name="q",
    concurrency=9,
    worker_concurrency=5,
    limiter=RateLimit(50, 30.0),
    partition_concurrency=4,
    partition_worker_concurrency=2,
    partition_limiter=RateLimit(3, 1.5),
    polling_interval_sec=0.25,
    application_name="shop",
)


def register(
    database: Database,
    registrar: Registrar = OLD,
    on_conflict: OnConflict = "update_if_latest_version",
    **settings: Any,
) -> None:
    with database.writing() as session:
        registry.register(
            session, registrar, QueueSettings(name="q", **settings), on_conflict=on_conflict, now=1
        )


def declare(database: Database, registrar: Registrar = OLD, **settings: Any) -> None:
    with database.writing() as session:
        registry.declare(session, registrar, QueueSettings(name="q", **settings), now=1)


def retrieved(database: Database) -> QueueSettings | None:
    with database.reading() as session:
        return registry.retrieve(session, "q")


def concurrency(database: Database) -> int | None:
    found = retrieved(database)
    assert found is not None
    return found.concurrency


@pytest.fixture
def two_versions(database: Database) -> Database:
    run(database, VERSION_ROW, name="v1", at=1, application="shop")
    run(database, VERSION_ROW, name="v2", at=2, application="shop")
    return database


def test_every_setting_survives_the_row(database: Database) -> None:
    with database.writing() as session:
        registry.register(session, OLD, FULL, on_conflict="never_update", now=1)
    assert retrieved(database) == FULL


def test_a_queue_that_is_not_there_is_none(database: Database) -> None:
    assert retrieved(database) is None


@pytest.mark.parametrize(
    ("policy", "registrar", "expected"),
    [
        ("always_update", OLD, 2),
        ("always_update", NEW, 2),
        ("never_update", NEW, 1),
        ("update_if_latest_version", NEW, 2),
        ("update_if_latest_version", OLD, 1),
    ],
)
def test_the_policy_decides_about_a_row_that_is_there(
    two_versions: Database, policy: OnConflict, registrar: Registrar, expected: int
) -> None:
    register(two_versions, concurrency=1)
    register(two_versions, registrar, policy, concurrency=2)
    assert concurrency(two_versions) == expected


def test_without_registered_versions_everybody_is_the_latest(database: Database) -> None:
    register(database, concurrency=1)
    register(database, concurrency=2)
    assert concurrency(database) == 2


@pytest.mark.parametrize("write", [register, declare])
def test_a_name_belongs_to_one_application(database: Database, write: Any) -> None:
    register(database, concurrency=1)
    with pytest.raises(DBOSException, match="already registered by application 'shop'"):
        write(database, OTHER, concurrency=2)
    assert concurrency(database) == 1


def test_an_operators_edit_survives_restarts_and_deploys(two_versions: Database) -> None:
    declare(two_versions, OLD, concurrency=1)
    with two_versions.writing() as session:
        assert registry.update(session, QueueSettings(name="q", concurrency=7), now=2)
    declare(two_versions, OLD, concurrency=1)
    declare(two_versions, NEW, concurrency=1)
    assert concurrency(two_versions) == 7


def test_a_changed_declaration_of_the_latest_version_takes_over(two_versions: Database) -> None:
    declare(two_versions, OLD, concurrency=1)
    declare(two_versions, NEW, concurrency=3)
    declare(two_versions, OLD, concurrency=1)
    assert concurrency(two_versions) == 3


def test_a_declaration_adopts_a_row_that_was_registered_otherwise(database: Database) -> None:
    register(database, concurrency=1)
    declare(database, concurrency=2)
    assert concurrency(database) == 2


def test_own_and_unowned_queues_are_listed(database: Database) -> None:
    for name, owner in (("b", OLD), ("a", OLD), ("c", OTHER)):
        with database.writing() as session:
            registry.register(
                session, owner, QueueSettings(name=name), on_conflict="never_update", now=1
            )
    with database.reading() as session:
        mine = registry.list_queues(session, application="shop")
        theirs = registry.list_queues(session, application="shop", applications=["bank", "none"])
    assert [each.name for each in mine] == ["a", "b"]
    assert [each.name for each in theirs] == ["c"]


def test_deleting_forgets_pause_and_declaration(database: Database) -> None:
    declare(database, concurrency=1)
    run(database, PAUSE, name="q")
    with database.writing() as session:
        assert registry.delete(session, "q")
        assert not registry.delete(session, "q")
        assert not registry.update(session, QueueSettings(name="q"), now=1)
    declare(database, concurrency=1)
    assert concurrency(database) == 1


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"name": "_dbos_mine"}, "reserved"),
        ({"worker_concurrency": 2, "concurrency": 1}, "concurrency must be greater"),
        ({"partition_concurrency": 3, "concurrency": 2}, "greater than or equal to partition"),
        ({"partition_concurrency": 0}, "at least 1"),
        ({"partition_worker_concurrency": 0}, "at least 1"),
        ({"partition_concurrency": 1, "partition_worker_concurrency": 2}, "greater than or equal"),
        ({"worker_concurrency": 1, "partition_worker_concurrency": 2}, "greater than or equal"),
        ({"polling_interval_sec": 0}, "must be positive"),
    ],
)
def test_settings_no_row_may_have_are_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        QueueSettings(**{"name": "q", **settings}).validate()


def test_a_limiter_needs_both_numbers() -> None:
    with pytest.raises(ValueError, match="'limit' and 'period'"):
        RateLimit.of({"limit": 1})  # type: ignore[typeddict-item]
    assert RateLimit.of({"limit": 1, "period": 2}) == RateLimit(1, 2.0)
