"""Application versions as the tables of DBOS keep them."""

from __future__ import annotations

import pytest

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.storage.control import versions
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Statement

UNCLAIMED = Statement(
    """
    INSERT INTO {application_versions} (version_id, version_name, version_timestamp, created_at)
    VALUES ('x', 'old', 1, 1)
    """
)


def test_registering_again_makes_nothing_the_latest(database: Database) -> None:
    with database.writing() as session:
        assert versions.latest(session, application="shop") is None
        versions.register(session, "v1", application="shop", now=10)
        versions.register(session, "v2", application="shop", now=20)
        versions.register(session, "v1", application="shop", now=30)
        found = versions.versions(session, "shop")
        latest = versions.latest(session, application="shop")
    assert [each["version_name"] for each in found] == ["v2", "v1"]
    assert latest == found[0]
    assert (found[1]["version_timestamp"], found[1]["created_at"]) == (10, 10)


def test_rolling_back_stamps_the_version_and_forward_again(database: Database) -> None:
    with database.writing() as session:
        for name, now in (("v1", 10), ("v2", 20)):
            versions.register(session, name, application="shop", now=now)
        assert versions.set_latest_version(session, "v1", application="shop", now=30)
        latest = versions.latest(session, application="shop")
        assert latest is not None
        assert (latest["version_name"], latest["version_timestamp"]) == ("v1", 30)
        assert latest["created_at"] == 10


def test_an_unknown_version_is_no_error(database: Database) -> None:
    with database.writing() as session:
        assert not versions.set_latest_version(session, "nowhere", application="shop", now=1)
        assert versions.versions(session, None) == []


def test_a_version_of_another_application_is_refused(database: Database) -> None:
    with database.writing() as session:
        versions.register(session, "v1", application="bank", now=1)
        with pytest.raises(DBOSException, match="distinct application_version"):
            versions.register(session, "v1", application="shop", now=2)
        with pytest.raises(DBOSException, match="'bank'"):
            versions.set_latest_version(session, "v1", application="shop", now=2)
        assert versions.versions(session, "shop") == []


def test_an_unclaimed_version_is_claimed_by_whoever_launches_with_it(database: Database) -> None:
    with database.writing() as session:
        session.run(UNCLAIMED)
        assert len(versions.versions(session, "shop")) == 1
        versions.register(session, "old", application="shop", now=5)
        (found,) = versions.versions(session, "shop")
        assert (found["application_name"], found["version_timestamp"]) == ("shop", 1)
        assert versions.versions(session, "bank") == []


def test_a_client_without_an_application_sees_and_stamps_all(database: Database) -> None:
    with database.writing() as session:
        versions.register(session, "v1", application="shop", now=1)
        versions.register(session, "w1", application="bank", now=2)
        assert versions.set_latest_version(session, "v1", application=None, now=3)
        found = versions.versions(session, None)
    assert [(each["version_name"], each["application_name"]) for each in found] == [
        ("v1", "shop"),
        ("w1", "bank"),
    ]
