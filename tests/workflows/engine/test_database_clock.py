"""The engine's clock follows the database's, and does not go back when it is measured again."""

from __future__ import annotations

import time

import pytest

from dboshub.workflows.engine.clock import MAX_STANDSTILL_S, DatabaseClock

T0 = 1_700_000_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> DatabaseClock:
    """At T0, on a machine whose monotonic clock stands at 100 seconds."""
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    clock = DatabaseClock()
    clock.adjust(T0, 100.0)
    return clock


def at(seconds: float, clock: DatabaseClock, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0 + seconds)
    return clock.now_ms() - T0


def test_it_goes_on_with_the_monotonic_clock(
    clock: DatabaseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert [at(each, clock, monkeypatch) for each in (0, 0.5, 2)] == [0, 500, 2_000]


def test_it_stands_still_where_a_measurement_is_a_little_earlier(
    clock: DatabaseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert at(1.0, clock, monkeypatch) == 1_000
    clock.adjust(T0 + 750, 101.0)
    assert at(1.125, clock, monkeypatch) == 1_000
    # A second measurement, which is as early, does not let it go back either.
    clock.adjust(T0 + 875, 101.125)
    assert [at(each, clock, monkeypatch) for each in (1.25, 1.5)] == [1_000, 1_250]


def test_it_goes_forward_at_once(clock: DatabaseClock, monkeypatch: pytest.MonkeyPatch) -> None:
    at(1.0, clock, monkeypatch)
    clock.adjust(T0 + 1_500, 101.0)
    assert at(1.0, clock, monkeypatch) == 1_500


def test_it_goes_back_where_the_database_s_clock_was_set_back(
    clock: DatabaseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(1.0, clock, monkeypatch)
    clock.adjust(T0 + 1_000 - round(MAX_STANDSTILL_S * 1_000) - 125, 101.0)
    assert at(1.0, clock, monkeypatch) == -125
