"""The ticks of cron expressions, above all at clock changes."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dboshub.schedules.engine.cron import Cron
from dboshub.workflows.engine.errors import DBOSException

BERLIN = "Europe/Berlin"


def ticks(expression: str, start: str, count: int, timezone: str | None = BERLIN) -> list[str]:
    cron = Cron(expression, timezone)
    moment = datetime.fromisoformat(start)
    return [tick.isoformat() for tick in islice(cron.ticks(moment), count)]


def test_an_hour_that_comes_twice_ticks_twice() -> None:
    assert ticks("0 * * * *", "2026-10-25T01:30:00+02:00", 3) == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


def test_an_hour_that_is_skipped_does_not_tick() -> None:
    assert ticks("0 * * * *", "2026-03-29T00:30:00+01:00", 3) == [
        "2026-03-29T01:00:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T04:00:00+02:00",
    ]


def test_a_daily_tick_in_the_skipped_hour_comes_at_its_end() -> None:
    assert ticks("30 2 * * *", "2026-03-28T12:00:00+01:00", 2) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_seconds_come_first_of_six_fields() -> None:
    assert ticks("*/20 30 4 * * *", "2026-03-01T04:30:00+00:00", 3, None) == [
        "2026-03-01T04:30:20+00:00",
        "2026-03-01T04:30:40+00:00",
        "2026-03-02T04:30:00+00:00",
    ]


def test_without_a_zone_it_is_utc() -> None:
    assert ticks("0 9 * * *", "2026-07-01T10:30:00+02:00", 1, None) == ["2026-07-01T09:00:00+00:00"]


def test_between_leaves_out_both_ends_and_takes_naive_times_as_utc() -> None:
    found = Cron("0 * * * *").between(datetime(2026, 3, 1, 1), datetime(2026, 3, 1, 4))
    assert [tick.hour for tick in found] == [2, 3]


def test_between_ends_at_an_instant_and_not_at_what_the_wall_says() -> None:
    second_passage = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo(BERLIN))
    found = Cron("0 * * * *", BERLIN).between(datetime(2026, 10, 24, 23, 30), second_passage)
    assert [tick.isoformat() for tick in found] == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
    ]
    first_passage = second_passage.replace(fold=0)
    assert len([*Cron("45 * * * *", BERLIN).between(first_passage, second_passage)]) == 1


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["*/15 * * * *", "30 2 * * *", "0 0 * * 0", "*/7 * * * * *"]),
    st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
)
def test_ticks_are_later_instants_and_the_same_from_wherever_one_asks(
    expression: str, timezone: str, moment: datetime
) -> None:
    cron = Cron(expression, timezone)
    first, second = islice(cron.ticks(moment), 2)
    # Two aware times of one zone compare by their walls, so compare what the walls mean.
    assert moment < first.astimezone(UTC) < second.astimezone(UTC)
    assert cron.after(first) == second
    assert first.tzinfo == ZoneInfo(timezone)


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "99 * * * *", "* * * * * * 2027", "R * * * *", "1,H * * * *", "x" * 500, 5],
)
def test_what_is_no_schedule_is_refused(expression: Any) -> None:
    with pytest.raises(DBOSException, match="Invalid cron schedule"):
        Cron(expression)


@pytest.mark.parametrize("timezone", ["", "Mars/Olympus", "../etc/passwd", 5])
def test_what_is_no_zone_is_refused(timezone: Any) -> None:
    with pytest.raises(DBOSException, match="Invalid timezone"):
        Cron("* * * * *", timezone)
