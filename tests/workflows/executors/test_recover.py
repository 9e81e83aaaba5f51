"""The rows themselves: handing back, reconciling, adopting, and what is left alone."""

from __future__ import annotations

import pytest

from dboshub.workflows.engine.membership.incarnations import ProcessIdentity
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.membership import executors, recover
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Session, Statement
from tests.workflows.executors.fleet import (
    EXECUTOR,
    LEASE,
    LONG_AGO,
    ROW,
    Node,
    count,
    pass_time,
    pending,
    run_on,
    status_of,
    tombstone,
)

ATTEMPTS = Statement("UPDATE {workflow_status} SET recovery_attempts = :attempts")
FINISH = Statement(
    """
    UPDATE {workflow_status}
    SET status = 'SUCCESS', owner_xid = NULL
    WHERE workflow_uuid = :id
    """
)
TOUCH = Statement("UPDATE {workflow_status} SET updated_at = :at WHERE workflow_uuid = :id")
ENDED = Statement(
    "UPDATE {dboshub_executor} SET stopped_at = :at, declared_dead_at = NULL"
    " WHERE incarnation = :incarnation"
)
INCARNATIONS = Statement("SELECT incarnation FROM {dboshub_executor} ORDER BY registered_at")


@pytest.mark.parametrize(("before", "after"), [(1, 0), (7, 6), (0, 0), (None, None)])
def test_handing_back_counts_no_attempt(
    database: Database, before: int | None, after: int | None
) -> None:
    with database.writing() as session:
        direct = pending(session, "hub:mine:1")
        queued = pending(session, "hub:mine:2", queue="mail")
        session.run(ATTEMPTS, attempts=before)
        owned = [(direct, "hub:mine:1"), (queued, "hub:mine:2")]
        assert recover.hand_back(session, owned, now=LONG_AGO + 5) == 2
        assert recover.hand_back(session, owned, now=LONG_AGO + 6) == 0
    with database.reading() as session:
        internal = "_dbos_internal_queue"
        assert session.one(ROW, id=direct) == ("ENQUEUED", internal, None, after, None)
        assert session.one(ROW, id=queued) == ("ENQUEUED", "mail", None, after, None)


def test_only_what_one_still_owns_is_handed_back(database: Database) -> None:
    with database.writing() as session:
        taken = pending(session, "hub:theirs:1")
        finished = pending(session, "hub:mine:1")
        session.run(FINISH, id=finished)
        owned = [(taken, "hub:mine:2"), (finished, "hub:mine:1"), ("unknown", "hub:mine:3")]
        assert recover.hand_back(session, owned, now=1) == 0
    assert (status_of(database, taken), status_of(database, finished)) == ("PENDING", "SUCCESS")


def test_a_row_of_unknown_owner_goes_by_its_missing_token(database: Database) -> None:
    with database.writing() as session:
        workflow_id = pending(session, None)
        assert recover.reenqueue(session, [(workflow_id, "")], now=1) == 0
        assert recover.reenqueue(session, [(workflow_id, None)], now=1) == 1


def test_ids_that_look_like_json_or_hold_quotes_are_found(database: Database) -> None:
    odd = Statement("UPDATE {workflow_status} SET workflow_uuid = :odd WHERE workflow_uuid = :id")
    with database.writing() as session:
        for name in ("order/1 'é' \"x\"", "\U0001f6d2", "123", "null", "[1]", '{"a":1}'):
            workflow_id = pending(session, "hub:mine:1")
            session.run(odd, odd=name, id=workflow_id)
            assert recover.reenqueue(session, [(name, "hub:mine:1")], now=1) == 1, name


def test_what_a_process_lost_it_enqueues_again_itself(database: Database) -> None:
    node = Node(database)
    running, lost, fresh = run_on(database, node, 3)
    node.host.running = {running}
    with database.writing() as session:
        session.run(TOUCH, id=fresh, at=node.clock.now_ms() + 25_000)
    pass_time(31, node)
    assert status_of(database, running) == "PENDING"
    assert status_of(database, lost) == "ENQUEUED"
    assert status_of(database, fresh) == "PENDING"
    assert node.host.woken == 1
    pass_time(31, node)
    assert status_of(database, fresh) == "ENQUEUED"


def test_a_workflow_that_begins_or_ends_during_the_look_is_not_lost(database: Database) -> None:
    node = Node(database)
    ending, beginning = run_on(database, node, 2)
    answers = iter([{ending}, {beginning}])
    membership = node.heart._membership
    assert membership.reconcile(node.incarnation, lambda: next(answers), node.clock.now_ms()) == 0


def test_rows_of_other_programs_are_never_swept(database: Database) -> None:
    with database.writing() as session:
        pending(session, "5b1e6a1e-8d0f-4f7c-9f0d-0a5a3c9b7f11", executor_id="other")
        pending(session, None, executor_id="other")
    node = Node(database)
    pass_time(120, node)
    assert count(database, "PENDING") == 2


def test_a_start_recovers_what_a_dbos_process_of_the_same_id_and_version_left(
    database: Database,
) -> None:
    foreign = "5b1e6a1e-8d0f-4f7c-9f0d-0a5a3c9b7f11"
    with database.writing() as session:
        same = pending(session, foreign)
        unclaimed = pending(session, None, application=None)
        others = [
            pending(session, foreign, executor_id="vm-7"),
            pending(session, foreign, version="v2"),
            pending(session, foreign, application="bank"),
        ]
    Node(database)
    assert status_of(database, same) == status_of(database, unclaimed) == "ENQUEUED"
    assert [status_of(database, each) for each in others] == ["PENDING"] * 3


def test_adopting_takes_everything_of_an_executor_but_what_lives(database: Database) -> None:
    alive = Node(database, executor_id="vm-7")
    (living,) = run_on(database, alive)
    with database.writing() as session:
        foreign = [
            pending(session, "5b1e6a1e-8d0f-4f7c-9f0d-0a5a3c9b7f11", executor_id="vm-7", version=v)
            for v in ("v1", "v2")
        ]
        ownerless = pending(session, None, executor_id="vm-7")
        elsewhere = pending(session, None, executor_id="vm-8")
        bank = pending(session, None, executor_id="vm-7", application="bank")
        assert recover.adopt_executor(session, "vm-7", application="shop", now=1) == 3
    assert {status_of(database, each) for each in (*foreign, ownerless)} == {"ENQUEUED"}
    assert {status_of(database, each) for each in (living, elsewhere, bank)} == {"PENDING"}


def test_a_supervisor_records_the_end_of_the_child_it_has_reaped(database: Database) -> None:
    child = ProcessIdentity(
        hostname="here", pid=4711, boot_id="b", pid_namespace="n", process_started="1"
    )
    node, sibling = Node(database, process=child), Node(database)
    (workflow_id,) = run_on(database, node)
    pass_time(1, sibling)
    with database.writing() as session:
        assert executors.mark_dead(session, child, by="supervisor") == 1
        assert executors.mark_dead(session, child, by="supervisor") == 0
    pass_time(LEASE.beat_ms / 1000, sibling)
    assert tombstone(database, node.incarnation) == "supervisor"
    assert status_of(database, workflow_id) == "ENQUEUED"


def test_ended_incarnations_are_kept_while_a_row_names_them(database: Database) -> None:
    named, unnamed, recent, alive = (Node(database) for _ in range(4))
    run_on(database, named)
    with database.writing() as session:
        for node in (named, unnamed):
            session.run(ENDED, at=1, incarnation=node.incarnation)
        executors.stop(session, recent.incarnation)
        assert executors.delete_ended(session, retention_ms=60_000) == 1
        left = {row[0] for row in session.all(INCARNATIONS)}
    assert left == {named.incarnation, recent.incarnation, alive.incarnation}


def test_a_beat_is_one_statement_and_publishes_only_what_changed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, other = Node(database), Node(database)
    node.host.running, node.host.doing = {"a", "b"}, '[["a","recv"]]'
    asked: list[dict[str, object]] = []
    cursor = Session.cursor

    def counting(session: Session, statement: Statement, params: dict[str, object]) -> object:
        asked.append(params)
        return cursor(session, statement, params)

    monkeypatch.setattr(Session, "cursor", counting)
    pass_time(16, node)
    monkeypatch.undo()
    beats = [each for each in asked if "activity" in each]
    assert len(beats) == 3
    assert [each["activity"] for each in beats] == ['[["a","recv"]]', None, None]
    assert {each["functions"] for each in beats} == {None}
    # One sweep, which begins with a look and finds nothing, is all that came besides.
    assert len(asked) - len(beats) == 1
    with database.reading() as session:
        row = session.one(EXECUTOR, incarnation=node.incarnation)
    assert row == (4, 2, '[["a","recv"]]', '["checkout"]', None, None, None)
    assert other.clock.adjusted_to is not None


def test_a_beat_tells_the_time_of_the_database(database: Database) -> None:
    node = Node(database, skew_ms=86_400_000)
    with database.reading() as session:
        row = session.one(
            Statement(
                postgres="SELECT extract(epoch FROM now()) * 1000",
                sqlite="SELECT unixepoch('now') * 1000",
            )
        )
    assert row is not None
    assert node.clock.adjusted_to is not None
    assert abs(node.clock.adjusted_to - int(row[0])) < 5_000


def test_a_sweep_reads_the_index_of_pending_rows(postgres_url: str) -> None:
    database = open_database(postgres_url)
    try:
        migrate(database)
        with database.writing() as session:
            session.run(MANY_FINISHED)
            for number in range(100):
                pending(session, f"hub:{'0' * 32}:{number}")
            session.script("ANALYZE")
            for statement in (
                recover.ORPHANS,
                recover.OWNED_BY_INCARNATION,
                recover.ADOPTABLE,
                recover.SAME_EXECUTOR_ID,
            ):
                plan = "\n".join(row[0] for row in session.all(_explained(statement), **PARAMS))
                assert "idx_workflow_status_pending" in plan, plan
    finally:
        database.close()


MANY_FINISHED = Statement(
    """
    INSERT INTO {workflow_status} (workflow_uuid, status, name, application_name, created_at)
    SELECT 'w' || n, 'SUCCESS', 'checkout', 'shop', n FROM generate_series(1, 20000) AS n
    """
)
PARAMS = {
    "application": "shop",
    "executor_id": "local",
    "version": "v1",
    "with_unclaimed": 1,
    "most": 1_000,
    "before": LONG_AGO,
    "prefix": "hub:00000000000000000000000000000000:",
}


def _explained(statement: Statement) -> Statement:
    return Statement(f"EXPLAIN {statement.postgres}")
