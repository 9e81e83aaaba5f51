"""The ticker on both databases, with a clock that the test sets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from dboshub.schedules.engine.records import PAUSED, Schedule
from dboshub.schedules.engine.runs import Runs
from dboshub.schedules.engine.ticker import Ticker
from dboshub.schedules.storage.store import ScheduleStore
from dboshub.workflows.engine.serialization import Codec, DBOSPortableJSONSerializer
from dboshub.workflows.storage.control import versions
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Statement

RUNS = Statement(
    """
    SELECT workflow_uuid, name, status, queue_name, application_version, schedule_name,
        serialization, creator_xid
    FROM {workflow_status}
    ORDER BY created_at, workflow_uuid
    """
)
INPUTS = Statement("SELECT inputs FROM {workflow_input}")
PICKLED_NONE = Codec().encode(None)


class Clock:
    """Changes only when the test sets it."""

    def __init__(self, now: str = "2026-03-01T00:00:00+00:00") -> None:
        self.at = datetime.fromisoformat(now).timestamp()

    def now_ms(self) -> int:
        return round(self.at * 1000)

    def monotonic(self) -> float:
        return self.at


class Process:
    """The ticker of one process; the test calls run_due() itself."""

    def __init__(self, database: Database, clock: Clock, codec: Codec | None = None) -> None:
        self.store = ScheduleStore(database, application="shop")
        self.clock = clock
        self.told: list[str] = []
        runs = Runs(
            self.store, clock, codec or Codec(), application="shop", takes_actual_time={"decorated"}
        )
        self.ticker = Ticker(self.store, runs, enqueued=self.told.append)

    def lives(self, seconds: float) -> None:
        """Call run_due() as its thread would, for so many seconds of its clock."""
        end = self.clock.at + seconds
        while (pause := self.ticker.run_due()) + self.clock.at <= end:
            self.clock.at += max(pause, 0.001)
        self.clock.at = end


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shop(database: Database) -> Database:
    with database.writing() as session:
        versions.register(session, "v1", application="shop", now=1)
    return database


def schedule(name: str = "nightly", **changes: Any) -> Schedule:
    given: dict[str, Any] = {
        "schedule_id": f"id-{name}",
        "schedule_name": name,
        "workflow_name": "clean",
        "schedule": "* * * * *",
        "context": PICKLED_NONE,
        "application_name": "shop",
        **changes,
    }
    return Schedule(**given)


def runs(database: Database) -> list[tuple[Any, ...]]:
    with database.reading() as session:
        return session.all(RUNS)


def ids(database: Database) -> list[str]:
    return [row[0] for row in runs(database)]


def last_fired(process: Process) -> str | None:
    return process.store.find(names=["nightly"])[0].last_fired_at


def test_a_tick_starts_one_run_with_its_time_and_context(shop: Database, clock: Clock) -> None:
    process = Process(shop, clock)
    process.store.create(schedule(context=Codec().encode({"a": 1}), cron_timezone="Europe/Berlin"))
    process.lives(61)
    expected = "sched-nightly-2026-03-01T01:01:00+01:00"
    assert runs(shop) == [
        (expected, "clean", "ENQUEUED", "_dbos_internal_queue", "v1", "nightly", None, None)
    ]
    assert last_fired(process) == "2026-03-01T01:01:00+01:00"
    assert process.told == ["_dbos_internal_queue"]
    with shop.reading() as session:
        args, kwargs = Codec().decode_args(session.all(INPUTS)[0][0], None)
    assert args == (datetime(2026, 3, 1, 0, 1, tzinfo=UTC), {"a": 1})
    assert kwargs == {}


def test_a_portable_serializer_reads_what_the_ticker_wrote(shop: Database, clock: Clock) -> None:
    codec = Codec(DBOSPortableJSONSerializer())
    process = Process(shop, clock, codec)
    process.store.create(schedule(context=codec.encode({"a": 1})))
    process.lives(61)
    with shop.reading() as session:
        args, _ = codec.decode_args(session.all(INPUTS)[0][0], None)
    assert args[1] == {"a": 1}


def test_two_tickers_never_fire_one_tick_twice(shop: Database, clock: Clock) -> None:
    first, second = Process(shop, clock), Process(shop, clock)
    first.store.create(schedule(schedule="*/10 * * * * *"))
    for _ in range(300):
        first.ticker.run_due()
        second.ticker.run_due()
        clock.at += 0.4
    assert len(ids(shop)) == len(set(ids(shop))) == 11
    assert len(first.told) + len(second.told) == 11


def test_tickers_of_many_threads_race_for_each_tick_and_one_wins(
    shop: Database, clock: Clock
) -> None:
    processes = [Process(shop, clock) for _ in range(4)]
    processes[0].store.create(schedule(schedule="* * * * * *", automatic_backfill=True))
    for each in processes:
        each.ticker.run_due()
    clock.at += 5.5
    barrier = threading.Barrier(4)

    def turn(process: Process) -> None:
        barrier.wait(10)
        process.ticker.run_due()

    threads = [threading.Thread(target=turn, args=[each]) for each in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(ids(shop)) == 5
    assert sum(len(each.told) for each in processes) == 5


def test_both_passages_of_a_repeated_hour_fire(shop: Database) -> None:
    clock = Clock("2026-10-25T01:59:50+02:00")
    process = Process(shop, clock)
    process.store.create(schedule(schedule="0 * * * *", cron_timezone="Europe/Berlin"))
    process.lives(2 * 3600 + 20)
    assert ids(shop) == [
        "sched-nightly-2026-10-25T02:00:00+02:00",
        "sched-nightly-2026-10-25T02:00:00+01:00",
        "sched-nightly-2026-10-25T03:00:00+01:00",
    ]


@pytest.mark.parametrize(("backfills", "expected"), [(True, [1, 2, 3]), (False, [3])])
def test_ticks_missed_in_a_suspension_run_once_or_are_all_made_up_for(
    shop: Database, clock: Clock, backfills: bool, expected: list[int]
) -> None:
    process = Process(shop, clock)
    process.store.create(schedule(automatic_backfill=backfills))
    process.ticker.run_due()
    clock.at += 181
    process.ticker.run_due()
    wanted = [f"sched-nightly-2026-03-01T00:{minute:02}:00+00:00" for minute in expected]
    assert ids(shop) == wanted
    process.lives(60)
    assert ids(shop) == [*wanted, "sched-nightly-2026-03-01T00:04:00+00:00"]


def test_a_single_tick_that_comes_late_runs(shop: Database, clock: Clock) -> None:
    process = Process(shop, clock)
    process.store.create(schedule())
    process.ticker.run_due()
    clock.at += 119
    process.ticker.run_due()
    assert ids(shop) == ["sched-nightly-2026-03-01T00:01:00+00:00"]


def test_a_suspension_of_days_costs_a_schedule_of_seconds_one_run(
    shop: Database, clock: Clock
) -> None:
    process = Process(shop, clock)
    process.store.create(schedule(schedule="* * * * * *"))
    process.ticker.run_due()
    clock.at += 3 * 24 * 3_600
    process.ticker.run_due()
    assert ids(shop) == ["sched-nightly-2026-03-04T00:00:00+00:00"]


@pytest.mark.parametrize(("backfills", "expected"), [(True, 4), (False, 1)])
def test_ticks_while_no_process_lived_are_made_up_for_if_asked(
    shop: Database, clock: Clock, backfills: bool, expected: int
) -> None:
    process = Process(shop, clock)
    process.store.create(
        schedule(automatic_backfill=backfills, last_fired_at="2026-02-28T23:57:00+00:00")
    )
    process.lives(61)
    # 23:58, 23:59, 00:00 and 00:01, or the last of them alone.
    assert len(ids(shop)) == expected
    assert last_fired(process) == "2026-03-01T00:01:00+00:00"


def test_a_schedule_that_never_fired_makes_up_for_nothing(shop: Database, clock: Clock) -> None:
    process = Process(shop, clock)
    process.store.create(schedule(automatic_backfill=True))
    process.ticker.run_due()
    assert ids(shop) == []


def pause(store: ScheduleStore) -> None:
    store.set_status("nightly", PAUSED)


def delete(store: ScheduleStore) -> None:
    store.delete("nightly")


@pytest.mark.parametrize("end", [pause, delete])
def test_a_schedule_that_was_paused_or_deleted_fires_no_more(
    shop: Database, clock: Clock, end: Callable[[ScheduleStore], None]
) -> None:
    process = Process(shop, clock)
    process.store.create(schedule())
    process.lives(61)
    end(process.store)
    process.ticker.wake()
    process.lives(300)
    assert len(ids(shop)) == 1


def test_a_new_cron_expression_counts_from_now(shop: Database, clock: Clock) -> None:
    process = Process(shop, clock)
    process.store.create(schedule())
    process.lives(30)
    process.store.apply([schedule(schedule="*/5 * * * *")])
    process.ticker.wake()
    process.lives(300)
    assert ids(shop) == ["sched-nightly-2026-03-01T00:05:00+00:00"]


@pytest.mark.parametrize(
    "broken",
    [
        {"context": "no pickle"},
        {"schedule": "every now and then"},
        {"cron_timezone": "Mars/Olympus"},
        {"automatic_backfill": True, "last_fired_at": "yesterday"},
    ],
    ids=["context", "cron", "zone", "last firing"],
)
def test_a_row_that_nobody_can_read_does_not_hold_up_the_others(
    shop: Database, clock: Clock, broken: dict[str, Any]
) -> None:
    process = Process(shop, clock)
    process.store.create(schedule("a-broken-one", **broken))
    process.store.create(schedule())
    process.lives(125)
    assert [each for each in ids(shop) if "nightly" in each] == [
        "sched-nightly-2026-03-01T00:01:00+00:00",
        "sched-nightly-2026-03-01T00:02:00+00:00",
    ]


def test_a_long_backlog_does_not_hold_up_the_others(shop: Database, clock: Clock) -> None:
    process = Process(shop, clock)
    long_ago = schedule("a-backlog", automatic_backfill=True, last_fired_at="0001-01-01T00:00")
    process.store.create(long_ago)
    process.store.create(schedule())
    process.ticker.run_due()
    clock.at += 61
    assert process.ticker.run_due() == 0
    assert "sched-nightly-2026-03-01T00:01:00+00:00" in ids(shop)


def test_a_schedule_that_fails_for_days_holds_up_nobody(shop: Database, clock: Clock) -> None:
    process = Process(shop, clock)
    process.store.create(schedule("a-broken-one", context="no pickle"))
    process.store.create(schedule(schedule="0 0 * * *"))
    for _ in range(1_100):
        process.ticker.run_due()
        clock.at += 90
    assert ids(shop) == ["sched-nightly-2026-03-02T00:00:00+00:00"]


def test_a_context_that_is_mended_fires_the_tick_it_held_back(shop: Database, clock: Clock) -> None:
    process = Process(shop, clock)
    process.store.create(schedule(context="no pickle"))
    process.lives(62)
    assert ids(shop) == []
    process.store.apply([schedule()])
    process.ticker.wake()
    process.lives(60)
    assert "sched-nightly-2026-03-01T00:02:00+00:00" in ids(shop)


def test_the_table_is_read_every_second_at_first_and_seldom_later(
    shop: Database, clock: Clock
) -> None:
    process = Process(shop, clock)
    assert process.ticker.run_due() == 1
    clock.at += 61
    assert process.ticker.run_due() == 30
    process.ticker.wake()
    process.store.create(schedule())
    process.ticker.run_due()
    clock.at += 60
    process.ticker.run_due()
    assert len(ids(shop)) == 1
