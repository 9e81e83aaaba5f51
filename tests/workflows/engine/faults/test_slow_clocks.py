"""A process whose clock is wrong: the database's clock orders what it writes all the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from dboshub import DBOS, DBOSClient
from dboshub.schedules.engine.records import Schedule
from dboshub.schedules.storage import schedules
from dboshub.workflows.storage.control import versions
from dboshub.workflows.storage.database import Database

HOUR_S = 3_600.0


@pytest.fixture
def wrong_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set this process's clock wrong by so many seconds."""
    right = time.time

    def set_wrong(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: right() + seconds)

    return set_wrong


def latest() -> str:
    return DBOS.get_latest_application_version()["version_name"]


@pytest.mark.parametrize("seconds", [-HOUR_S, HOUR_S])
def test_a_version_becomes_the_latest_when_it_is_first_launched(
    launch: Callable[..., None], wrong_by: Callable[[float], None], seconds: float
) -> None:
    launch(application_version="1")
    DBOS.destroy()
    wrong_by(seconds)
    launch(application_version="2")
    assert latest() == "2"
    DBOS.destroy()
    wrong_by(0)
    launch(application_version="3")
    assert latest() == "3"
    stamps = [each["version_timestamp"] for each in DBOS.list_application_versions()]
    assert max(stamps) - min(stamps) < HOUR_S * 500  # all by the database's clock


def test_a_version_is_promoted_by_a_client_with_a_slow_clock(
    launch: Callable[..., None], wrong_by: Callable[[float], None], database_url: str
) -> None:
    launch(application_version="1")
    DBOS.destroy()
    launch(application_version="2")
    wrong_by(-HOUR_S)
    client = DBOSClient(system_database_url=database_url)
    client.set_latest_application_version("1")
    client.destroy()
    assert latest() == "1"


def test_a_version_of_a_program_with_a_fast_clock_does_not_stay_the_latest(
    database: Database,
) -> None:
    with database.writing() as session:

        def latest_of(application: str) -> tuple[str, int]:
            found = versions.versions(session, application)[0]
            return found["version_name"], found["version_timestamp"]

        versions.register(session, "future", application="shop", now=9_000_000_000_000)
        for name in ("1", "2"):
            versions.register(session, name, application="shop", now=1)
            assert latest_of("shop")[0] == name
        versions.set_latest_version(session, "1", application="shop", now=1)
        assert latest_of("shop")[0] == "1"
        versions.register(session, "theirs", application="bank", now=5)
        assert latest_of("bank") == ("theirs", 5)


def tick(hours: float, offset: int = 0) -> str:
    """A time so many hours from now, written in a time zone."""
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    return at.astimezone(timezone(timedelta(hours=offset))).isoformat()


@pytest.mark.parametrize(
    ("recorded", "fired", "kept"),
    [
        (-2, -1, False),
        (-1, -2, True),
        (None, -1, False),
        (5, -1, False),  # the future: no tick was there yet
    ],
)
@pytest.mark.parametrize("zone", [0, 5, -11])
def test_the_last_tick_never_moves_back(
    database: Database, recorded: float | None, fired: float, kept: bool, zone: int
) -> None:
    before = None if recorded is None else tick(recorded)
    given = Schedule(
        schedule_id="id",
        schedule_name="nightly",
        workflow_name="clean",
        schedule="* * * * *",
        context="",
        last_fired_at=before,
    )
    at = tick(fired, zone)
    with database.writing() as session:
        schedules.create(session, given)
        schedules.set_last_fired(session, "nightly", at)
        [found] = schedules.schedules(session, application=None)
    assert found.last_fired_at == (before if kept else at)


def test_a_last_tick_that_is_no_time_is_overwritten(database: Database) -> None:
    given = Schedule(
        schedule_id="id",
        schedule_name="nightly",
        workflow_name="clean",
        schedule="* * * * *",
        context="",
        last_fired_at="yesterday",
    )
    with database.writing() as session:
        schedules.create(session, given)
        schedules.set_last_fired(session, "nightly", "2026-01-01T00:00:00+00:00")
        [found] = schedules.schedules(session, application=None)
    assert found.last_fired_at == "2026-01-01T00:00:00+00:00"
