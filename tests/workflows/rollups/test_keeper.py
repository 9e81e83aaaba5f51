"""Counting by minute: replaced, never added up, by one leader; gaps where nobody counted."""

from __future__ import annotations

from typing import Any

import pytest

from dboshub.workflows.connection import atomic, reading
from dboshub.workflows.models import Lease, QueueSample, RolledSpan, Rollup, Workflow
from dboshub.workflows.models.rollups import HOUR, MINUTE
from dboshub.workflows.rollups import store
from dboshub.workflows.rollups.counting import MAX_SERIES
from dboshub.workflows.rollups.downsampling import MINUTES_KEPT_MS, downsample_hour
from dboshub.workflows.rollups.histogram import bucket
from dboshub.workflows.rollups.lease import LEASE_MS, LeaseHandle, LeaseLostError
from dboshub.workflows.rollups.maintenance import (
    CLOSING_DELAY_MS,
    FOLLOWER_POLL_S,
    RECOUNTED_MINUTES,
    RollupMaintainer,
)
from dboshub.workflows.storage.database_clock import database_now
from tests.support.runs import add_workflow

pytestmark = pytest.mark.django_db

T0 = 1_700_000_040_000 // HOUR * HOUR


@pytest.fixture
def lease() -> LeaseHandle:
    held = LeaseHandle("rollups", "me")
    assert held.take(T0)
    return held


def work(workflow_id: str, status: str, ended: int | None, **columns: Any) -> None:
    with atomic() as session:
        given = {"created_at": T0, "completed_at": ended} | columns
        add_workflow(session, workflow_id, status, **given)


def recount_spans(lease: LeaseHandle, since: int = T0, until: int = T0 + 10 * MINUTE) -> int:
    return store.recount_spans(lease, reading, since, until, width=MINUTE)


def one(at: int, **wanted: Any) -> Rollup:
    return Rollup.objects.get(at=at, **({"scope": "all"} | wanted))


def test_a_minute_holds_what_ended_and_what_was_made_in_it_by_name_and_queue(
    lease: LeaseHandle,
) -> None:
    end = T0 + 3 * MINUTE
    work("a", "SUCCESS", end + 5_000, queue_name="mail", started_at_epoch_ms=end + 1_000)
    work("b", "ERROR", end + 6_000, name="refund")
    work("c", "CANCELLED", end + MINUTE - 1, name="refund")
    work("d", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", end + MINUTE)
    work("e", "PENDING", None, application_name=None)

    assert recount_spans(lease) == 10

    mail = one(end, scope="one", name="checkout")
    assert (mail.queue, mail.succeeded, mail.created, mail.failed) == ("", 1, 0, 0)
    assert mail.run == {str(bucket(4_000)): 1}
    assert mail.wait == {str(bucket(3 * MINUTE + 1_000)): 1}
    queue = one(end, scope="queue", queue="mail")
    assert (queue.name, queue.succeeded, queue.run, queue.wait) == ("", 1, mail.run, mail.wait)
    refund = one(end, scope="one", name="refund")
    assert (refund.failed, refund.cancelled, refund.wait) == (1, 1, {})
    assert refund.run == {str(bucket(3 * MINUTE + 6_000)): 1}
    total = one(end, application="shop")
    assert (total.succeeded, total.failed, total.cancelled, total.gave_up) == (1, 1, 1, 0)
    assert one(end + MINUTE).gave_up == 1
    assert (one(T0, application="shop").created, one(T0, application="").created) == (4, 1)


def test_work_that_was_delayed_waits_from_its_due_time(lease: LeaseHandle) -> None:
    times = {"delay_until_epoch_ms": T0 + 60_000, "started_at_epoch_ms": T0 + 61_000}
    work("a", "SUCCESS", T0 + 70_000, queue_name="mail", **times)
    recount_spans(lease)
    assert one(T0 + MINUTE).wait == {str(bucket(1_000)): 1}


def test_a_wait_in_the_run_is_no_wait_on_the_queue(lease: LeaseHandle) -> None:
    times = {"delay_until_epoch_ms": T0 + 60_000, "started_at_epoch_ms": T0 + 1_000}
    work("a", "SUCCESS", T0 + 70_000, queue_name="mail", **times)
    recount_spans(lease)
    found = one(T0 + MINUTE)
    assert (found.wait, found.run) == ({str(bucket(1_000)): 1}, {str(bucket(69_000)): 1})


def test_counting_again_changes_nothing(lease: LeaseHandle) -> None:
    work("a", "SUCCESS", T0 + 5_000)
    recount_spans(lease)
    before = [*Rollup.objects.order_by("id").values_list()]
    assert recount_spans(lease) == 0
    assert [*Rollup.objects.order_by("id").values_list()] == before


def test_a_commit_that_came_late_is_counted_when_its_minute_is_closed_again(
    lease: LeaseHandle,
) -> None:
    work("a", "SUCCESS", T0 + 5_000)
    recount_spans(lease)
    work("b", "SUCCESS", T0 + 6_000)
    assert recount_spans(lease) == 1
    assert one(T0).succeeded == 2


def test_what_is_resumed_after_its_end_is_not_counted_twice(lease: LeaseHandle) -> None:
    work("a", "ERROR", T0 + 5_000)
    recount_spans(lease)
    Workflow.objects.filter(pk="a").update(status="PENDING", completed_at=None)
    recount_spans(lease)
    assert (one(T0).created, one(T0).failed) == (1, 0)
    Workflow.objects.filter(pk="a").update(status="SUCCESS", completed_at=T0 + 2 * MINUTE)
    recount_spans(lease)
    assert (one(T0).failed, one(T0 + 2 * MINUTE).succeeded) == (0, 1)


def test_a_quiet_minute_is_known_to_be_zero_and_an_uncounted_one_is_a_gap(
    lease: LeaseHandle,
) -> None:
    recount_spans(lease, T0, T0 + 2 * MINUTE)
    assert [*RolledSpan.objects.order_by("at").values_list("at", flat=True)] == [T0, T0 + MINUTE]
    assert not Rollup.objects.exists()


def test_beyond_so_many_names_and_queues_the_least_are_not_told_apart(lease: LeaseHandle) -> None:
    with atomic() as session:
        for number in range(MAX_SERIES + 3):
            columns = {"name": f"n{number:03}", "created_at": T0, "completed_at": T0 + 1}
            add_workflow(session, f"w{number}", "CANCELLED", queue_name=f"q{number}", **columns)
        add_workflow(session, "often", "CANCELLED", created_at=T0, completed_at=T0, name="n502")
    recount_spans(lease, T0, T0 + MINUTE)
    assert Rollup.objects.filter(scope="one").count() == MAX_SERIES
    assert Rollup.objects.filter(scope="queue").count() == MAX_SERIES
    assert one(T0, scope="one", name="n502").cancelled == 2
    assert (one(T0, scope="rest").cancelled, one(T0).cancelled) == (3, MAX_SERIES + 4)


def test_old_minutes_become_hours_that_know_how_much_of_them_was_counted(
    lease: LeaseHandle,
) -> None:
    work("a", "SUCCESS", T0 + 5_000)
    work("b", "SUCCESS", T0 + 5 * MINUTE)
    work("c", "ERROR", T0 + HOUR)
    recount_spans(lease)
    recount_spans(lease, T0 + HOUR, T0 + HOUR + MINUTE)
    for at, waiting in ((T0, 3), (T0 + MINUTE, 8), (T0 + HOUR, 5)):
        QueueSample.objects.create(width=MINUTE, at=at, queue="q", waiting=waiting, running=1)

    assert downsample_hour(lease, T0 + HOUR + MINUTES_KEPT_MS)
    assert not downsample_hour(lease, T0 + HOUR + MINUTES_KEPT_MS)

    hour = one(T0, width=HOUR)
    assert (hour.created, hour.succeeded, sum(hour.run.values())) == (3, 2, 2)
    assert RolledSpan.objects.get(width=HOUR).covered == 10
    assert QueueSample.objects.get(width=HOUR).waiting == 8
    assert {row.at for row in RolledSpan.objects.filter(width=MINUTE)} == {T0 + HOUR}
    assert one(T0 + HOUR, width=MINUTE).failed == 1


def test_minutes_of_an_earlier_release_become_hours_by_name_and_by_queue(
    lease: LeaseHandle,
) -> None:
    for minute, (queue, number) in enumerate((("mail", 1), ("web", 2), ("", 4))):
        shared = {"width": MINUTE, "at": T0 + minute * MINUTE, "application": "shop"}
        columns = {"succeeded": number, "run": {"5": number}}
        RolledSpan.objects.create(width=MINUTE, at=T0 + minute * MINUTE)
        Rollup.objects.create(scope="all", **shared, **columns)
        Rollup.objects.create(scope="one", name="pay", queue=queue, **shared, **columns)
    assert downsample_hour(lease, T0 + HOUR + MINUTES_KEPT_MS)
    hours = Rollup.objects.filter(width=HOUR).values_list("scope", "name", "queue", "succeeded")
    assert {*hours} == {
        ("all", "", "", 7),
        ("one", "pay", "", 7),
        ("queue", "", "mail", 1),
        ("queue", "", "web", 2),
    }


def test_who_lost_the_lease_writes_nothing(lease: LeaseHandle) -> None:
    work("a", "SUCCESS", T0 + 5_000)
    other = LeaseHandle("rollups", "other")
    assert not other.take(T0 + LEASE_MS)
    assert other.take(T0 + LEASE_MS + 1)
    with pytest.raises(LeaseLostError):
        recount_spans(lease)
    assert not Rollup.objects.exists()
    assert recount_spans(other) == 10


def keeper(owner: str) -> RollupMaintainer:
    return RollupMaintainer(LeaseHandle("rollups", owner), reading, lambda session, now: [])


def last_closed() -> int:
    """The end of the minutes that are counted by now."""
    with reading() as session:
        return (database_now(session) - CLOSING_DELAY_MS) // MINUTE * MINUTE


def test_one_of_several_leads_and_the_next_takes_over_what_is_left() -> None:
    begun = last_closed()
    work("old", "SUCCESS", begun - 30 * MINUTE, created_at=begun - 40 * MINUTE)
    leader, follower = keeper("one"), keeper("two")

    leader.run_once()
    assert follower.run_once() == FOLLOWER_POLL_S
    assert RolledSpan.objects.count() == RECOUNTED_MINUTES + 1

    Lease.objects.update(until=0)
    for _ in range(20):
        follower.run_once()
    assert leader.run_once() == FOLLOWER_POLL_S
    assert one(begun - 30 * MINUTE).succeeded == 1
    assert one(begun - 40 * MINUTE).created == 1
    minutes = [*RolledSpan.objects.order_by("at").values_list("at", flat=True)]
    assert minutes == [*range(begun - 40 * MINUTE, minutes[-1] + 1, MINUTE)]


def test_what_is_missing_is_filled_in_newest_first_and_long_ago_by_hours() -> None:
    begun = last_closed()
    long_ago = (begun - MINUTES_KEPT_MS) // HOUR * HOUR - 2 * HOUR
    work("old", "SUCCESS", long_ago + 5, created_at=long_ago)
    alone = keeper("one")
    alone.run_once()
    reached: list[RolledSpan] = []
    while not reached or reached[-1] not in reached[:-1]:
        alone.run_once()
        reached.append(RolledSpan.objects.latest("id"))
    # A minute that ends meanwhile is counted before the rest.
    edges = [each.at for each in reached[:-1] if each.at < begun]
    assert edges == sorted(edges, reverse=True)
    assert one(long_ago, width=HOUR).succeeded == 1
    hours = {*RolledSpan.objects.filter(width=HOUR).values_list("at", flat=True)}
    by_now = (last_closed() - MINUTES_KEPT_MS) // HOUR * HOUR  # the hour may have turned
    assert {long_ago, long_ago + HOUR} <= hours <= {*range(long_ago, by_now, HOUR)}
    assert RolledSpan.objects.filter(width=MINUTE, at__lt=long_ago + 2 * HOUR).count() == 0
