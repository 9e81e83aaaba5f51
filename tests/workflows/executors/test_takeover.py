"""Whose work is taken over, when, by whom, and how often: on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from dboshub.workflows.engine.membership.incarnations import ProcessIdentity
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.membership import executors, recover
from dboshub.workflows.storage.sql import Session
from tests.workflows.executors.fleet import (
    EXECUTOR,
    LEASE,
    ROW,
    Node,
    count,
    pass_time,
    pending,
    run_on,
    status_of,
    tombstone,
)

WITHIN = (LEASE.lease_ms + LEASE.beat_ms) / 1000


def test_work_of_a_dead_process_is_enqueued_again_once_within_lease_and_beat(
    database: Database,
) -> None:
    dead, first, second = (Node(database) for _ in range(3))
    on_queue = run_on(database, dead, 2, queue="mail")
    direct = run_on(database, dead, 2)
    mine = run_on(database, first, 2)
    pass_time(10, dead, first, second)
    dead.is_up = False
    pass_time(WITHIN + 1, first, second)
    assert tombstone(database, dead.incarnation) in (first.incarnation, second.incarnation)
    with database.reading() as session:
        for workflow_id in on_queue:
            assert session.one(ROW, id=workflow_id) == ("ENQUEUED", "mail", None, 1, None)
        for workflow_id in direct:
            row = session.one(ROW, id=workflow_id)
            assert row == ("ENQUEUED", "_dbos_internal_queue", None, 1, None)
    assert [status_of(database, each) for each in mine] == ["PENDING", "PENDING"]
    assert first.host.woken + second.host.woken == 1


def test_nobody_is_taken_over_before_the_lease_is_over(database: Database) -> None:
    silent, observer = Node(database), Node(database)
    (workflow_id,) = run_on(database, silent)
    pass_time(10, silent, observer)
    silent.is_up = False
    pass_time(LEASE.lease_ms / 1000 - 1, silent, observer)
    assert status_of(database, workflow_id) == "PENDING"
    silent.is_up = True
    pass_time(120, silent, observer)
    assert status_of(database, workflow_id) == "PENDING"
    assert tombstone(database, silent.incarnation) is None


def test_wrong_wall_clocks_kill_nobody(database: Database) -> None:
    hour = 3_600_000
    nodes = [Node(database, skew_ms=skew, started=1e6 + skew) for skew in (-hour, 0, hour)]
    for node in nodes:
        run_on(database, node, 3)
    pass_time(300, *nodes)
    assert count(database, "PENDING") == 9
    assert [tombstone(database, node.incarnation) for node in nodes] == [None] * 3


def test_clocks_of_somewhat_different_speed_kill_nobody(database: Database) -> None:
    fast, slow = Node(database), Node(database)
    run_on(database, slow, 3)
    pass_time(300, fast, slow, rate={fast: 1.5, slow: 0.75})
    assert count(database, "PENDING") == 3


def test_an_outage_of_the_observer_makes_nobody_look_dead(database: Database) -> None:
    busy, observer = Node(database), Node(database)
    run_on(database, busy, 3)
    pass_time(20, busy, observer)
    observer.line.cut = True
    pass_time(300, busy, observer)
    observer.line.cut = False
    busy.is_up = False
    pass_time(LEASE.lease_ms / 1000 - 1, busy, observer)
    busy.is_up = True
    pass_time(60, busy, observer)
    assert count(database, "PENDING") == 3
    assert tombstone(database, busy.incarnation) is None


def test_after_an_outage_of_the_database_only_who_does_not_return_is_taken_over(
    database: Database,
) -> None:
    gone, one, two = (Node(database) for _ in range(3))
    (lost,) = run_on(database, gone)
    kept = run_on(database, one, 2)
    pass_time(20, gone, one, two)
    for node in (gone, one, two):
        node.line.cut = True
    pass_time(600, gone, one, two)
    gone.is_up = False
    for node in (one, two):
        node.line.cut = False
    pass_time(WITHIN + 1, one, two)
    assert status_of(database, lost) == "ENQUEUED"
    assert [status_of(database, each) for each in kept] == ["PENDING", "PENDING"]
    assert (one.host.tombstoned, two.host.tombstoned) == (0, 0)


def test_a_beat_at_the_last_moment_saves_a_process(database: Database) -> None:
    late, observer = Node(database), Node(database)
    seen = _beat_of(database, late)
    pass_time(LEASE.beat_ms / 1000, late)
    with database.writing() as session:
        assert not executors.declare_dead(
            session, late.incarnation, beat=seen, by=observer.incarnation
        )
    with database.writing() as session:
        assert executors.declare_dead(
            session, late.incarnation, beat=_read_beat(session, late), by=observer.incarnation
        )


def test_a_process_that_was_declared_dead_comes_back_as_another(database: Database) -> None:
    frozen, observer = Node(database), Node(database)
    (workflow_id,) = run_on(database, frozen)
    before, token = frozen.incarnation, frozen.host.token()
    pass_time(10, frozen, observer)
    frozen.is_up = False
    pass_time(WITHIN + 1, frozen, observer)
    assert status_of(database, workflow_id) == "ENQUEUED"
    frozen.is_up = True
    pass_time(LEASE.beat_ms / 1000, frozen, observer)
    assert frozen.host.tombstoned == 1
    assert frozen.incarnation != before
    assert not token.startswith(f"hub:{frozen.incarnation}:")
    (again,) = run_on(database, frozen)
    pass_time(120, frozen, observer)
    assert status_of(database, again) == "PENDING"
    assert frozen.host.tombstoned == 1


def test_what_a_process_took_under_its_old_name_is_freed_when_it_learns_of_its_death(
    database: Database,
) -> None:
    frozen, observer = Node(database), Node(database)
    pass_time(10, frozen, observer)
    frozen.is_up = False
    pass_time(WITHIN + 1, frozen, observer)
    (late,) = run_on(database, frozen)
    frozen.is_up = True
    pass_time(LEASE.beat_ms / 1000 + 1, frozen)
    assert status_of(database, late) == "ENQUEUED"


def test_a_fleet_finishes_the_sweep_of_an_observer_that_died_over_it(database: Database) -> None:
    dead, witness = Node(database), Node(database)
    (workflow_id,) = run_on(database, dead)
    pass_time(10, dead, witness)
    with database.writing() as session:
        number = _read_beat(session, dead)
        assert executors.declare_dead(session, dead.incarnation, beat=number, by="somebody")
    pass_time(LEASE.beat_ms / 1000, witness)
    assert status_of(database, workflow_id) == "ENQUEUED"


def test_two_processes_share_the_id_local_and_leave_each_other_alone(database: Database) -> None:
    first = Node(database)
    ids = run_on(database, first, 3)
    second = Node(database)
    pass_time(120, first, second)
    assert {status_of(database, each) for each in ids} == {"PENDING"}
    first.is_up = False
    third = Node(database, proven_dead=lambda process: False)
    assert {status_of(database, each) for each in ids} == {"PENDING"}
    pass_time(WITHIN + 1, second, third)
    assert {status_of(database, each) for each in ids} == {"ENQUEUED"}


def test_a_process_proven_dead_is_taken_over_at_once(database: Database) -> None:
    crashed = ProcessIdentity(
        hostname="here", pid=4711, boot_id="b", pid_namespace="n", process_started="1"
    )
    predecessor = Node(database, process=crashed)
    ids = run_on(database, predecessor, 1_500)
    successor = Node(database, proven_dead=lambda process: process == crashed)
    assert {status_of(database, each) for each in ids} == {"ENQUEUED"}
    assert tombstone(database, predecessor.incarnation) == successor.incarnation


def test_a_process_that_stopped_cleanly_leaves_nothing_behind(database: Database) -> None:
    leaving, staying = Node(database), Node(database)
    (forgotten,) = run_on(database, leaving)
    pass_time(6, leaving, staying)
    leaving.is_up = False
    leaving.heart.stop()
    pass_time(LEASE.beat_ms / 1000, staying)
    assert status_of(database, forgotten) == "ENQUEUED"
    assert tombstone(database, leaving.incarnation) is None


def test_a_process_of_another_application_takes_nothing(database: Database) -> None:
    shop = Node(database)
    bank = Node(database, application="bank")
    (workflow_id,) = run_on(database, shop)
    pass_time(10, shop, bank)
    shop.is_up = False
    pass_time(WITHIN + 60, bank)
    assert tombstone(database, shop.incarnation) == bank.incarnation
    assert status_of(database, workflow_id) == "PENDING"
    Node(database)
    assert status_of(database, workflow_id) == "ENQUEUED"


def test_many_recoverers_at_once_move_each_row_once(database: Database) -> None:
    with database.writing() as session:
        for number in range(500):
            pending(session, f"hub:{'0' * 32}:{number}")
        stale = recover.orphans(session, application="shop")
    assert len(stale) == 500

    def recover_all(_: int) -> int:
        with database.writing() as session:
            return recover.reenqueue(session, stale, now=1)

    with ThreadPoolExecutor(4) as threads:
        moved = sum(threads.map(recover_all, range(4)))
    with database.writing() as session:
        # What one of them found locked by another is left to its next round.
        moved += recover.reenqueue(session, stale, now=1)
    assert moved == 500
    assert count(database, "ENQUEUED") == 500


def test_a_long_sweep_never_costs_a_process_its_own_heartbeat(database: Database) -> None:
    node = Node(database)
    pass_time(31, node)
    with database.writing() as session:
        for number in range(2_500):
            pending(session, f"hub:{'0' * 32}:{number}")
    node.clock.reading += 30
    beats = _beat_of(database, node)
    moved = []
    while node.heart.run_due() == 0:
        moved.append((count(database, "ENQUEUED"), _beat_of(database, node) - beats))
        node.clock.reading += LEASE.beat_ms / 1000  # that slow is each statement
        assert len(moved) < 10, "the heart finds no rest"
    assert moved == [(1_000, 1), (2_000, 2), (2_500, 3), (2_500, 4)]


def _beat_of(database: Database, node: Node) -> int:
    with database.reading() as session:
        return _read_beat(session, node)


def _read_beat(session: Session, node: Node) -> int:
    row = session.one(EXECUTOR, incarnation=node.incarnation)
    assert row is not None
    return int(row[0])
