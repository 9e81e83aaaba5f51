"""Limits hold for any number of concurrent claimers; rates are counted by the given time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from dboshub.queues.engine.limits import Usage, allowance, partition_allowance
from dboshub.queues.engine.ports import Claim
from dboshub.queues.engine.queue_state import QueueClaimState
from dboshub.queues.engine.settings import QueueSettings, RateLimit
from dboshub.queues.storage import limited_claim
from dboshub.queues.storage.limited_claim import PartitionCursor
from dboshub.queues.storage.store import QueueStore
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.sql import Statement
from tests.queues.rows import APP, FINISH, VERSION, claim_request, columns_of, enqueue, run, tokens
from tests.queues.test_dispatcher import register

RUNNING = Statement("""
    SELECT queue_partition_key, count(*) FROM {workflow_status}
    WHERE status = 'PENDING' GROUP BY queue_partition_key
""")


def take(
    database: Database,
    most: int = 10,
    *,
    running_here: Callable[[str], int] = lambda key: 0,
    now: int | None = None,
    cursor: PartitionCursor | None = None,
) -> Claim:
    with database.writing() as session:
        return limited_claim.claim_within_limits(
            session, claim_request(tokens(most), running_here=running_here, now=now), cursor
        )


def ids(claim: Claim) -> list[str]:
    return [each.workflow_id for each in claim.workflows]


def running(database: Database) -> dict[str | None, int]:
    with database.reading() as session:
        return dict(session.all(RUNNING))


@pytest.fixture
def another(database_url: str, database: Database) -> Iterator[Callable[[], Database]]:
    """Open the same database again, as another process would."""
    opened: list[Database] = []

    def open_again() -> Database:
        opened.append(open_database(database_url, pool_size=2))
        return opened[-1]

    yield open_again
    for each in opened:
        each.close()


def contend(another: Callable[[], Database], queue: QueueSettings, rounds: int) -> list[str]:
    """Eight claimers on connections of their own; everything they took."""

    def claimer(number: int) -> list[str]:
        store = QueueStore(another(), application=APP, version=VERSION, executor_id="local")
        return [
            each.workflow_id
            for turn in range(rounds)
            for each in store.claim(queue, tokens(3, f"p{number}-{turn}"), lambda key: 0).workflows
        ]

    with ThreadPoolExecutor(8) as claimers:
        return [each for taken in claimers.map(claimer, range(8)) for each in taken]


def test_no_workflow_is_claimed_twice(database: Database, another: Callable[[], Database]) -> None:
    waiting = enqueue(database, count=150)
    assert sorted(contend(another, QueueSettings(name="q"), rounds=10)) == waiting


def test_global_concurrency_holds_under_contention(
    database: Database, another: Callable[[], Database]
) -> None:
    register(database, concurrency=7)
    enqueue(database, count=60)
    taken = contend(another, QueueSettings(name="q", concurrency=7), rounds=10)
    assert len(taken) == len(set(taken)) == running(database)[None]
    assert 0 < len(taken) <= 7
    assert len(taken) + len(take(database).workflows) == 7


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_limits_hold_whatever_isolation_the_server_defaults_to(
    database: Database, another: Callable[[], Database]
) -> None:
    register(database, concurrency=7)
    enqueue(database, count=60)
    with database.reading() as session:
        [name] = session.one(Statement("SELECT current_database()")) or [None]
        session.script(
            f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'serializable'"
        )
    taken = contend(another, QueueSettings(name="q", concurrency=7), rounds=10)
    assert 0 < len(taken) <= 7


def test_partition_concurrency_holds_under_contention(
    database: Database, another: Callable[[], Database]
) -> None:
    register(database, partition_concurrency=2)
    for key in "abcdef":
        enqueue(database, queue_partition_key=key, count=8)
    contend(another, QueueSettings(name="q", partition_concurrency=2), rounds=10)
    take(database, 100)
    assert running(database) == dict.fromkeys("abcdef", 2)


def test_a_rate_limit_holds_under_contention(
    database: Database, another: Callable[[], Database]
) -> None:
    register(database, limiter=RateLimit(9, 3_600))
    enqueue(database, count=60)
    taken = contend(another, QueueSettings(name="q", limiter=RateLimit(9, 3_600)), rounds=10)
    for workflow_id in taken:
        run(database, FINISH, id=workflow_id)
    assert len(taken) + len(take(database).workflows) == 9
    assert take(database).limited


def test_what_runs_counts_and_what_ended_makes_room(database: Database) -> None:
    register(database, concurrency=3)
    waiting = enqueue(database, count=5)
    first = take(database)
    assert (ids(first), first.limited) == (waiting[:3], True)
    assert take(database) == Claim(limited=True)
    run(database, FINISH, id=waiting[1])
    assert ids(take(database)) == waiting[3:4]


def test_other_applications_do_not_use_up_a_limit(database: Database) -> None:
    register(database, concurrency=1)
    enqueue(database, status="PENDING", application_name="other")
    waiting = enqueue(database)
    assert ids(take(database)) == waiting


def test_limits_are_those_of_the_row_at_the_time_of_the_claim(database: Database) -> None:
    register(database, concurrency=1)
    waiting = enqueue(database, count=3)
    store = QueueStore(database, application=APP, version=VERSION, executor_id="local")
    stale = QueueSettings(name="q", concurrency=1)
    register(database, concurrency=2)
    assert ids(store.claim(stale, tokens(9), lambda key: 0)) == waiting[:2]


def test_a_rate_window_slides(database: Database) -> None:
    register(database, limiter=RateLimit(2, 10.0))
    waiting = enqueue(database, count=6)
    assert ids(take(database, 1, now=100_000)) == waiting[:1]
    assert ids(take(database, now=104_000)) == waiting[1:2]
    assert take(database, now=109_999) == Claim(limited=True)
    assert ids(take(database, now=110_001)) == waiting[2:3]
    assert ids(take(database, now=114_001)) == waiting[3:4]


def test_finished_starts_stay_in_the_window_and_cancelled_ones_leave_it(
    database: Database,
) -> None:
    from dboshub.workflows.storage.control.cancel import cancel

    register(database, limiter=RateLimit(2, 10.0))
    waiting = enqueue(database, count=4)
    take(database, now=100_000)
    run(database, FINISH, id=waiting[0])
    assert take(database, now=101_000).limited
    with database.writing() as session:
        cancel(session, [waiting[1]], now=101_000)
    assert ids(take(database, now=101_000)) == waiting[2:3]


def test_only_claims_of_rate_limited_queues_are_marked_so(database: Database) -> None:
    register(database, partition_limiter=RateLimit(5, 10.0))
    [workflow_id] = enqueue(database, queue_partition_key="a")
    take(database)
    assert columns_of(database, workflow_id, "rate_limited") == (True,)


def test_every_partition_has_a_rate_of_its_own(database: Database) -> None:
    register(database, partition_limiter=RateLimit(1, 10.0))
    [a, later] = enqueue(database, queue_partition_key="a", count=2)
    [b] = enqueue(database, queue_partition_key="b")
    assert ids(take(database, now=100_000)) == [a, b]
    assert take(database, now=105_000) == Claim(limited=True)
    assert ids(take(database, now=110_001)) == [later]


def test_order_within_a_partition_is_kept(database: Database) -> None:
    register(database, partition_concurrency=9)
    [late, early] = enqueue(database, queue_partition_key="a", priority=3, count=2)
    [urgent] = enqueue(database, queue_partition_key="a", priority=1)
    assert ids(take(database, 2)) == [urgent, late]
    assert ids(take(database, 2)) == [early]


def test_rows_without_a_key_never_run_on_a_partitioned_queue(database: Database) -> None:
    register(database, partition_concurrency=1)
    enqueue(database)
    assert not take(database).workflows


def test_keys_mean_nothing_on_an_unpartitioned_queue(database: Database) -> None:
    register(database, concurrency=5)
    waiting = enqueue(database, queue_partition_key="a", count=3)
    assert ids(take(database)) == waiting


def test_worker_limits_of_partitions_count_what_runs_here(database: Database) -> None:
    register(database, partition_worker_concurrency=2)
    for key in "ab":
        enqueue(database, queue_partition_key=key, count=3)
    here = {"a": 1, "b": 2}
    take(database, running_here=here.__getitem__)
    assert running(database) == {"a": 1}


def test_a_queue_wide_limit_bounds_all_partitions_together(database: Database) -> None:
    register(database, concurrency=3, partition_concurrency=2)
    for key in "abc":
        enqueue(database, queue_partition_key=key, count=3)
    assert len(take(database).workflows) == 3
    assert max(running(database).values()) <= 2
    assert sum(running(database).values()) == 3


def test_full_partitions_do_not_hide_the_others(database: Database) -> None:
    register(database, partition_concurrency=1)
    for number in range(120):
        enqueue(database, queue_partition_key=f"a{number:03}", count=2)
    while take(database, 50).workflows:
        pass
    [free] = enqueue(database, queue_partition_key="z")
    assert ids(take(database, 1)) == [free]


def test_partitions_beyond_one_look_do_not_starve(database: Database) -> None:
    register(database, partition_concurrency=1)
    # Nobody here can run the first ones: they stay open.
    for number in range(12):
        enqueue(database, queue_partition_key=f"a{number:02}", application_version="other")
    late = [enqueue(database, queue_partition_key=key)[0] for key in ("m", "z")]
    cursor = PartitionCursor(at_once=5)
    looks = [take(database, cursor=cursor) for _ in range(4)]
    assert sorted(id_ for look in looks for id_ in ids(look)) == sorted(late)
    assert [look.has_more for look in looks] == [True, True, True, False]


def test_a_dispatcher_goes_on_with_the_partitions_that_a_claim_did_not_look_at() -> None:
    state = QueueClaimState(QueueSettings(name="q", partition_concurrency=1), waiting=True)
    state.claimed(Claim(has_more=True), 10, now=1.0)
    assert state.wants(1.0)


def test_partitions_take_turns_at_random(database: Database) -> None:
    register(database, partition_concurrency=1)
    for number in range(40):
        enqueue(database, queue_partition_key=f"{number:02}")
    first = [take(database, 1).workflows[0].partition_key for _ in range(10)]
    assert first != sorted(Counter(first), key=str)


def test_a_claimer_leaves_a_queue_that_another_one_is_claiming_from(
    postgres_url: str,
) -> None:
    from dboshub.workflows.storage.schema.migrate import migrate

    database = open_database(postgres_url)
    try:
        migrate(database)
        register(database, concurrency=5)
        enqueue(database)
        with database.writing() as session:
            session.one(limited_claim.LOCK_QUEUE, queue="q")
            assert take(database) == Claim(contended=True)
        assert len(take(database).workflows) == 1
    finally:
        database.close()


def test_the_smallest_limit_wins() -> None:
    queue = QueueSettings(name="q", concurrency=10, limiter=RateLimit(6, 1.0))
    assert allowance(queue, 100, Usage(running=2, recently_started=1)) == 5
    assert allowance(queue, 3, Usage()) == 3
    assert allowance(queue, 100, Usage(running=12)) == 0
    lanes = QueueSettings(name="q", partition_concurrency=4, partition_worker_concurrency=2)
    assert partition_allowance(lanes, 9, Usage(running=3), running_here=1) == 1
    assert partition_allowance(lanes, 9, Usage(), running_here=3) == 0
