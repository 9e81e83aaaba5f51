"""A database that has no memory for one value: tried for some seconds, then an error says so."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import psycopg
import pytest

from dboshub import DBOS
from dboshub.workflows.engine.journal import commit_retry
from dboshub.workflows.engine.journal.commit_retry import ATTEMPTS_WITH_LARGE, LARGE_WRITE
from dboshub.workflows.engine.journal.writes import OutcomeWrite, Write
from dboshub.workflows.engine.ports import StorageExhaustedError, StorageUnavailableError
from dboshub.workflows.storage.transient_errors import is_momentary, raising_unavailable
from tests.workflows.engine.faults.test_unstorable_outcomes import refusing


@DBOS.workflow()
def memory_gives(length: int) -> str:
    return "x" * length


@DBOS.step()
def memory_step(length: int) -> str:
    return "x" * length


@DBOS.workflow()
def memory_gives_by_a_step(length: int) -> str:
    return memory_step(length)


@DBOS.workflow()
def memory_takes(value: str) -> int:
    return len(value)


@pytest.mark.parametrize("workflow", [memory_gives, memory_gives_by_a_step])
def test_a_value_that_the_database_has_no_memory_for_is_an_error_that_says_so(
    workflow: Callable[[int], str], no_memory: list[int], dbos: type[DBOS]
) -> None:
    """It is tried for some seconds; another value of the same group is kept."""
    handle = DBOS.start_workflow(workflow, LARGE_WRITE)
    neighbour = DBOS.start_workflow(memory_gives, 10)
    assert neighbour.get_result() == "x" * 10
    with pytest.raises(Exception, match="cannot be kept: the database answers others"):
        handle.get_result()
    assert handle.get_status().status == "ERROR"
    assert len(no_memory) >= ATTEMPTS_WITH_LARGE


def test_arguments_that_the_database_has_no_memory_for_are_refused(
    no_memory: list[int], dbos: type[DBOS]
) -> None:
    with pytest.raises(ValueError, match="cannot be kept: the database answers others"):
        DBOS.start_workflow(memory_takes, "x" * LARGE_WRITE)


def test_a_database_without_memory_is_waited_for_by_small_values(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not why it has none."""
    tried: list[Write] = []

    def is_early(write: OutcomeWrite) -> bool:
        tried.append(write)
        return len(tried) <= ATTEMPTS_WITH_LARGE + 3

    refusing(monkeypatch, OutcomeWrite, is_early, out_of_memory)
    assert DBOS.start_workflow(memory_gives, 10).get_result() == "x" * 10
    assert len(tried) > ATTEMPTS_WITH_LARGE + 3


@pytest.fixture
def no_memory(dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the writes that the database had no memory for: all the large ones."""
    sizes: list[int] = []

    def is_large(write: Write) -> bool:
        if write.size < LARGE_WRITE:
            return False
        sizes.append(write.size)
        return True

    refusing(monkeypatch, object, is_large, out_of_memory)
    return sizes


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_retry, "RETRY_MAX_S", commit_retry.RETRY_FIRST_S)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.ProgramLimitExceeded("a string buffer cannot be enlarged"),  # 54000
        psycopg.errors.StatementTooComplex("stack depth limit exceeded"),  # 54001
        psycopg.errors.CharacterNotInRepertoire("invalid byte sequence"),  # 22021
        psycopg.errors.UntranslatableCharacter("no equivalent in encoding"),  # 22P05
        psycopg.errors.InternalError_("invalid memory alloc request size 1073741824"),  # XX000
        sqlite3.DataError("string or blob too big"),  # SQLITE_TOOBIG
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_of_one_value_are_not_waited_for(error: Exception) -> None:
    assert not is_momentary(error)


@pytest.mark.parametrize("vendor", ["sqlite", "postgres"])
def test_a_lack_of_memory_is_told_from_other_momentary_errors(vendor: str) -> None:
    with pytest.raises(StorageExhaustedError), raising_unavailable():
        raise out_of_memory() if vendor == "sqlite" else psycopg.errors.OutOfMemory("no memory")
    with pytest.raises(StorageUnavailableError) as raised, raising_unavailable():
        raise psycopg.errors.DiskFull("no space left")
    assert not isinstance(raised.value, StorageExhaustedError)


def out_of_memory() -> Exception:
    return MemoryError()
