"""Past and next ticks, and the effect of clock changes on them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dboshub.schedules.engine.calendar import Ticks, between, clock_changes, newest, upcoming
from dboshub.schedules.engine.cron import Cron

BERLIN = "Europe/Berlin"
SPRING = datetime(2027, 3, 27, 12, tzinfo=UTC)
AUTUMN = datetime(2027, 10, 30, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(["*/15 * * * *", "30 2 * * *", "0 * * * *", "0 0 * * 0", "*/7 * * * * *"]),
    st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", None]),
    st.sampled_from([SPRING, AUTUMN, datetime(2027, 4, 3, 12, tzinfo=UTC)]),
    st.integers(0, 3 * 24 * 3600),
)
def test_the_newest_ticks_are_those_that_ticked(
    expression: str, zone: str | None, start: datetime, seconds: int
) -> None:
    cron, now = Cron(expression, zone), start + timedelta(seconds=seconds)
    found = newest(cron, now, 10)
    # In UTC: just before a tick, the wall of a zone may show a time that does not exist.
    start = found[0].astimezone(UTC) - timedelta(microseconds=1)
    walked = [*cron.between(start, now + timedelta(microseconds=1))]
    assert [tick.isoformat() for tick in found] == [tick.isoformat() for tick in walked]
    assert len(found) == 10


def test_a_tick_that_is_now_has_passed() -> None:
    now = datetime(2027, 1, 1, 9, tzinfo=UTC)
    assert newest(Cron("0 9 * * *"), now, 3)[-1] == now
    assert upcoming(Cron("0 9 * * *"), now, 3)[0] == now + DAY


def test_what_ticks_once_in_years_has_few_ticks_and_breaks_nothing() -> None:
    leap = Cron("0 0 29 2 *")
    assert newest(leap, datetime(2027, 1, 1, tzinfo=UTC), 30) == []
    assert [tick.year for tick in upcoming(leap, datetime(2027, 1, 1, tzinfo=UTC), 2)] == [
        2028,
        2032,
    ]


def test_both_ends_of_a_span_are_included_and_its_length_is_capped() -> None:
    start = datetime(2027, 1, 1, tzinfo=UTC)
    hours = between(Cron("0 * * * *"), start, start + timedelta(hours=3), 100)
    assert [tick.hour for tick in hours] == [0, 1, 2, 3]
    assert len(between(Cron("* * * * * *"), start, start + DAY, 100)) == 100


def test_an_hour_that_comes_twice_is_in_a_span_twice() -> None:
    start = datetime(2027, 10, 31, 2, tzinfo=ZoneInfo(BERLIN))
    found = between(Cron("*/30 * * * *", BERLIN), start, start.replace(fold=1), 9)
    assert [tick.isoformat() for tick in found] == [
        "2027-10-31T02:00:00+02:00",
        "2027-10-31T02:30:00+02:00",
        "2027-10-31T02:00:00+01:00",
    ]


def test_a_daily_run_in_the_skipped_hour_comes_at_its_end() -> None:
    (change,) = clock_changes(Cron("30 2 * * *", BERLIN), SPRING, SPRING + 2 * DAY)
    assert (change.is_forward, change.runs) == (True, True)
    assert (change.wall.hour, change.wall.minute, change.high.hour) == (2, 30, 3)
    assert change.at == datetime(2027, 3, 28, 1, tzinfo=UTC)


def test_an_hourly_run_in_the_skipped_hour_does_not_run() -> None:
    (change,) = clock_changes(Cron("0 * * * *", BERLIN), SPRING, SPRING + 2 * DAY)
    assert (change.is_forward, change.runs, change.wall.hour) == (True, False, 2)


def test_what_comes_twice_is_told() -> None:
    (change,) = clock_changes(Cron("30 2 * * *", BERLIN), AUTUMN, AUTUMN + 2 * DAY)
    ticks = between(Cron("30 2 * * *", BERLIN), AUTUMN, AUTUMN + DAY, 9)
    assert not change.is_forward
    assert change.runs is (len(ticks) == 2)


@pytest.mark.parametrize(("expression", "zone"), [("0 9 * * *", BERLIN), ("30 2 * * *", None)])
def test_no_change_is_told_that_no_tick_meets(expression: str, zone: str | None) -> None:
    assert clock_changes(Cron(expression, zone), SPRING, SPRING + 2 * DAY) == []


def test_ticks_that_are_remembered_are_those_worked_out_anew() -> None:
    cron = Cron("*/20 * * * *", BERLIN)
    ticks = Ticks(cron, past=3, ahead=2)
    for minutes in (0, 1, 19, 20, 45, 5, 24 * 60):
        now = AUTUMN + timedelta(minutes=minutes)
        assert ticks.at(now) == (newest(cron, now, 3), upcoming(cron, now, 2))
