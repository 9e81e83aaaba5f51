"""The statements of a group of writes: alone or among others of their kind. PostgreSQL only."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from dboshub.workflows.engine.journal.writes import (
    LOCKED,
    REFUSED,
    OutcomeWrite,
    StartWrite,
    StepWrite,
    Verdict,
    Write,
)
from dboshub.workflows.engine.records import NewWorkflow
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.journal.connections import PostgresJournalConnection
from dboshub.workflows.storage.journal.postgres_batch import Batch
from dboshub.workflows.storage.postgres import PostgresDatabase
from tests.support.eventually import eventually

NOW = 1_800_000_000_000
SIZES = pytest.mark.parametrize("size", [1, 3])


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    opened = open_database(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def journal(database: Database) -> Iterator[PostgresJournalConnection]:
    assert isinstance(database, PostgresDatabase)
    connection = PostgresJournalConnection(database)
    yield connection
    connection.close()


def start_of(name: str) -> StartWrite:
    row = NewWorkflow(
        workflow_uuid=name,
        status="PENDING",
        name="order",
        created_at=NOW,
        updated_at=NOW,
        attributes='{"customer": 7}',
        owner_xid=f"owner of {name}",
        creator_xid=f"owner of {name}",
    )
    return StartWrite(row=row, inputs=f"input of {name}")


def step_of(name: str, owner: str | None = None) -> StepWrite:
    owner = owner or f"owner of {name}"
    return StepWrite(
        workflow_id=name, owner=owner, function_id=1, name="pay", output="paid", started_at=NOW
    )


def outcome_of(name: str, owner: str | None = None) -> OutcomeWrite:
    owner = owner or f"owner of {name}"
    return OutcomeWrite(
        workflow_id=name, owner=owner, status="SUCCESS", output="yes", error=None, now=NOW
    )


def verdicts(journal: PostgresJournalConnection, *writes: Write) -> set[Verdict]:
    return {answer.verdict for answer in journal.apply(writes, now=NOW)}


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


@SIZES
def test_each_kind_is_written_by_one_statement(
    journal: PostgresJournalConnection, postgres_url: str, size: int
) -> None:
    names = [f"w{n}" for n in range(size)]
    for kind in (start_of, step_of, outcome_of):
        writes = [kind(name) for name in names]
        assert len(Batch(writes, NOW).statements) == 1
        assert verdicts(journal, *writes) == {Verdict.DONE}
    found = rows(
        postgres_url,
        "SELECT s.workflow_uuid, status, attributes, owner_xid, completed_at, i.inputs, r.output,"
        " o.output, o.started_at_epoch_ms, o.retention_timestamp"
        " FROM dbos.workflow_status s JOIN dbos.workflow_input i USING (workflow_uuid)"
        " JOIN dbos.workflow_output r USING (workflow_uuid)"
        " JOIN dbos.operation_outputs o USING (workflow_uuid) ORDER BY 1",
    )
    ended = ("SUCCESS", {"customer": 7}, None, NOW)
    assert found == [(name, *ended, f"input of {name}", "yes", "paid", NOW, NOW) for name in names]


@SIZES
@pytest.mark.parametrize("kind", [step_of, outcome_of])
def test_what_another_transaction_holds_is_skipped_at_once(
    journal: PostgresJournalConnection, postgres_url: str, kind: type, size: int
) -> None:
    names = [f"w{n}" for n in range(size)]
    journal.apply([start_of(name) for name in names], now=NOW)
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT FROM dbos.workflow_status FOR UPDATE")
        assert verdicts(journal, *map(kind, names)) == {Verdict.LOCKED}
    assert verdicts(journal, *map(kind, names)) == {Verdict.DONE}


@SIZES
@pytest.mark.parametrize("kind", [step_of, outcome_of])
def test_a_write_of_another_owner_writes_nothing(
    journal: PostgresJournalConnection, postgres_url: str, kind: type, size: int
) -> None:
    names = [f"w{n}" for n in range(size)]
    journal.apply([start_of(name) for name in names], now=NOW)
    stale = [kind(name, "another") for name in names]
    assert verdicts(journal, *stale) == {Verdict.LOCKED}
    assert journal.apply_isolated(stale[0], now=NOW) == REFUSED
    for table in ("operation_outputs", "workflow_output"):
        assert rows(postgres_url, f"SELECT count(*) FROM dbos.{table}") == [(0,)]


@SIZES
def test_a_repeated_start_and_step_are_told_apart_alone(
    journal: PostgresJournalConnection, size: int
) -> None:
    names = [f"w{n}" for n in range(size)]
    starts, steps = [start_of(name) for name in names], [step_of(name) for name in names]
    for writes in (starts, steps):
        assert verdicts(journal, *writes) == {Verdict.DONE}
        assert journal.apply(writes, now=NOW) == [LOCKED] * size
        assert journal.apply_isolated(writes[0], now=NOW).verdict is Verdict.DONE
    assert journal.apply([*steps, start_of("new")], now=NOW)[:-1] == [LOCKED] * size


@SIZES
def test_writes_of_several_kinds_are_one_statement(
    journal: PostgresJournalConnection, postgres_url: str, size: int
) -> None:
    names = [f"w{n}" for n in range(size)]
    journal.apply([start_of(f"{name}-{kind}") for name in names for kind in "so"], now=NOW)
    writes = [
        write
        for name in names
        for write in (outcome_of(f"{name}-o"), start_of(f"{name}-new"), step_of(f"{name}-s"))
    ]
    assert len(Batch(writes, NOW).statements) == 1
    assert len(Batch(writes[1:], NOW).statements) == 1
    answers = journal.apply(writes, now=NOW)
    assert [each.verdict for each in answers] == [Verdict.DONE] * len(writes)
    assert [bool(each.started and each.started.created) for each in answers[:3]] == [
        *(False, True, False)
    ]
    written = "SELECT xmin FROM dbos.operation_outputs UNION SELECT xmin FROM dbos.workflow_output"
    assert len(rows(postgres_url, written)) == 1


def test_a_step_and_the_outcome_of_one_workflow_are_both_written(
    journal: PostgresJournalConnection, postgres_url: str
) -> None:
    journal.apply([start_of("one"), start_of("other")], now=NOW)
    for name in ("one", "other"):
        answers = journal.apply([outcome_of(name), step_of(name), start_of(f"{name}-2")], now=NOW)
        assert [each.verdict for each in answers] == [Verdict.DONE] * 3
    written = "SELECT xmin FROM dbos.operation_outputs UNION SELECT xmin FROM dbos.workflow_output"
    assert len(rows(postgres_url, written)) == 2


def test_what_is_locked_in_a_group_of_several_kinds_keeps_no_other_write_waiting(
    journal: PostgresJournalConnection, postgres_url: str
) -> None:
    journal.apply([start_of(name) for name in ("free", "held", "ending")], now=NOW)
    writes = [step_of("free"), step_of("held"), outcome_of("ending"), start_of("new")]
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT FROM dbos.workflow_status WHERE workflow_uuid = 'held' FOR UPDATE")
        verdicts = [each.verdict for each in journal.apply(writes, now=NOW)]
    assert verdicts == [Verdict.DONE, Verdict.LOCKED, Verdict.DONE, Verdict.DONE]


@SIZES
def test_no_write_reads_all_of_a_table_that_has_grown(
    journal: PostgresJournalConnection, postgres_url: str, size: int
) -> None:
    """A server keeps the plan of a statement that was asked for often while the table was small."""

    def write(prefix: str) -> None:
        names = [f"{prefix}-{n}" for n in range(size)]
        for kind in (start_of, step_of, outcome_of):
            assert verdicts(journal, *map(kind, names)) == {Verdict.DONE}

    for n in range(15):
        write(f"early-{n}")
    with psycopg.connect(postgres_url) as other:
        other.execute(
            "INSERT INTO dbos.workflow_status (workflow_uuid, status, created_at, updated_at)"
            " SELECT 'old' || n, 'SUCCESS', 1, 1 FROM generate_series(1, 5000) n"
        )
    before = _read(postgres_url)
    for n in range(15):
        write(f"late-{n}")
    journal.close()  # the server's counts are complete when the connection has ended
    after = eventually(lambda: found if (found := _read(postgres_url))[1] > before[1] else None)
    assert after[0] - before[0] < 5_000


def _read(url: str) -> tuple[int, int]:
    """How many workflows were read by scans of the whole table, and how many by an index."""
    [(all_of_it, by_index)] = rows(
        url,
        "SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_user_tables"
        " WHERE relname = 'workflow_status'",
    )
    assert isinstance(all_of_it, int)
    assert isinstance(by_index, int)
    return all_of_it, by_index
