"""What fails is in the log with type and traceback, and user objects are not misread."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dboshub import DBOS
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.journal.writes import OutcomeWrite
from tests.support.eventually import eventually

Launch = Callable[..., None]


@DBOS.step(retries_allowed=True, max_attempts=2, interval_seconds=0.001)
def heard_step() -> None:
    raise KeyError("x")


@DBOS.workflow()
def heard_fails() -> None:
    raise KeyError("why it failed")


@DBOS.workflow()
async def heard_fails_async() -> None:
    raise KeyError("why it failed")


@DBOS.workflow()
def heard_retries() -> str:
    try:
        heard_step()
    except Exception as error:
        return type(error).__name__
    return "no error"


@DBOS.workflow()
def heard_returns() -> int:
    return 1


def records(caplog: pytest.LogCaptureFixture, level: int) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno == level]


# -- the log -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["start", "enqueue"])
@pytest.mark.parametrize("workflow", [heard_fails, heard_fails_async], ids=["sync", "async"])
def test_the_failure_of_a_background_workflow_is_logged_with_its_traceback(
    workflow: Callable[[], Any], how: str, dbos: type[DBOS], caplog: pytest.LogCaptureFixture
) -> None:
    DBOS.register_queue("heard")
    if how == "start":
        handle: Any = DBOS.start_workflow(workflow)
    else:
        handle = DBOS.enqueue_workflow("heard", workflow)
    with pytest.raises(KeyError, match="why it failed"):
        handle.get_result()
    eventually(lambda: records(caplog, logging.ERROR))
    [record] = records(caplog, logging.ERROR)
    assert handle.workflow_id in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError
    assert 'raise KeyError("why it failed")' in caplog.text


def test_a_cancelled_or_deleted_workflow_is_no_error_in_the_log(
    dbos: type[DBOS], caplog: pytest.LogCaptureFixture
) -> None:
    handles = [DBOS.start_workflow(heard_waits) for _ in range(2)]
    DBOS.cancel_workflow(handles[0].workflow_id)
    DBOS.delete_workflow(handles[1].workflow_id)
    eventually(lambda: not current_engine.engine().executions)
    assert records(caplog, logging.ERROR) == []


@DBOS.workflow()
def heard_waits() -> None:
    DBOS.recv("never", timeout_seconds=60)


def test_each_failed_attempt_is_logged_with_type_and_traceback(
    dbos: type[DBOS], caplog: pytest.LogCaptureFixture
) -> None:
    assert heard_retries() == "DBOSMaxStepRetriesExceeded"
    attempts = [each for each in records(caplog, logging.WARNING) if "attempt" in each.getMessage()]
    assert len(attempts) == 2
    for record in attempts:
        assert "KeyError: 'x'" in record.getMessage()
        assert record.exc_info is not None


def test_an_outcome_that_cannot_be_written_at_all_is_logged(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    journal = current_engine.engine().journal
    write = journal.write

    def refuse(wanted: Any, **options: Any) -> Any:
        if isinstance(wanted, OutcomeWrite):
            raise PermissionError("the table is read-only")
        return write(wanted, **options)

    def refuse_then(wanted: Any, then: Any, **options: Any) -> Any:
        return refuse(wanted, **options)

    monkeypatch.setattr(journal, "write", refuse)
    monkeypatch.setattr(journal, "write_then", refuse_then)
    DBOS.start_workflow(heard_returns)
    eventually(lambda: "the table is read-only" in caplog.text)
    eventually(lambda: not current_engine.engine().executions)
    assert any("is not recorded" in each.getMessage() for each in records(caplog, logging.ERROR))


SCRIPT = """
import logging, sys
{before}
from dboshub import DBOS
DBOS(config={{"name": "shop", "system_database_url": "{url}"{more}}})
DBOS.launch()
DBOS.logger.info("seen on the console")
DBOS.logger.debug("not seen")
DBOS.destroy()
"""


@pytest.mark.parametrize(
    ("before", "more", "seen"),
    [
        ("", "", 1),
        ("", ', "log_level": "INFO"', 1),
        ("", ', "log_level": "ERROR"', 0),
        ("", ', "log_level": 20', 1),
        ("", ', "console_log_level": "ERROR"', 0),
        ("", ', "console_log_level": "DEBUG"', 1),
        ("", ', "log_level": "INFO", "console_log_level": "ERROR"', 0),
        ("", ', "log_level": "INFO", "console_log_level": "DEBUG"', 1),
        ("logging.basicConfig(level='INFO')", ', "console_log_level": "ERROR"', 0),
        ("logging.basicConfig(level='INFO')", "", 1),
        ("logging.basicConfig(level='ERROR')", "", 0),
    ],
)
def test_the_logger_of_a_script_writes_to_the_console_once(
    before: str, more: str, seen: int, sqlite_url: str
) -> None:
    code = SCRIPT.format(before=before, url=sqlite_url, more=more)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.count("seen on the console") == seen
    assert "not seen" not in done.stderr


ESCAPES = """
import logging
from dboshub import DBOS
DBOS(config={{"name": "shop", "system_database_url": "{url}"}})
DBOS.logger.warning("two\\nlines, %s", "red \\x1b[31m and \\r")
logging.getLogger("dboshub").warning("a forged\\n2026-01-01 line, \\x1b[2J")
try:
    raise ValueError("cleared \\x1b[2J")
except ValueError:
    logging.getLogger("dboshub").exception("failed")
"""


def test_no_name_in_a_line_of_a_script_commands_its_terminal(sqlite_url: str) -> None:
    """Of user code a message may have lines, of the engine none."""
    done = subprocess.run(
        [sys.executable, "-c", ESCAPES.format(url=sqlite_url)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "\x1b" not in done.stderr
    assert "\r" not in done.stderr
    assert "two\nlines, red \\x1b[31m and \\r" in done.stderr
    assert "a forged\\n2026-01-01 line, \\x1b[2J" in done.stderr
    assert "cleared \\x1b[2J" in done.stderr


# -- user objects --------------------------------------------------------------------------


class Ambiguous:
    """As an array does it, ``==`` gives no truth value."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> Any:
        raise ValueError("the truth value of an array is ambiguous")

    def __hash__(self) -> int:
        return 1


class EqualToAll(Ambiguous):
    def __eq__(self, other: object) -> Any:
        return True

    def __hash__(self) -> int:
        return 1


@DBOS.workflow()
def heard_writes() -> int:
    for kind in (Ambiguous, EqualToAll):
        DBOS.write_stream("values", kind(3))
    DBOS.set_event("key", Ambiguous(4))
    DBOS.close_stream("values")
    return 2


@DBOS.workflow()
def heard_reads(workflow_id: str) -> list[int]:
    return [each.number for each in DBOS.read_stream(workflow_id, "values")]


def test_no_value_of_user_code_is_compared(dbos: type[DBOS]) -> None:
    handle = DBOS.start_workflow(heard_writes)
    assert handle.get_result() == 2
    read = [each.number for each in DBOS.read_stream(handle.workflow_id, "values")]
    assert read == heard_reads(handle.workflow_id) == [3, 3]
    assert DBOS.read_stream_offset(handle.workflow_id, "values", 1).number == 3
    assert DBOS.get_event(handle.workflow_id, "key", 1).number == 4


# -- StopIteration -------------------------------------------------------------------------


@DBOS.step()
def heard_stops() -> None:
    raise StopIteration("no more")


@DBOS.step()
def heard_generator() -> None:
    def items() -> Iterator[int]:
        yield next(iter(()))

    next(items())


@DBOS.workflow()
def heard_meets(which: str) -> str:
    try:
        {"step": heard_stops, "generator": heard_generator}[which]()
    except Exception as error:
        return repr(error)
    return "no error"


@DBOS.workflow()
def heard_ends_in_stop() -> None:
    raise StopIteration("no more")


def test_stop_iteration_is_met_as_it_was_raised(dbos: type[DBOS]) -> None:
    for _ in range(2):
        handle = DBOS.start_workflow(heard_meets, "step")
        assert handle.get_result() == "StopIteration('no more')"
    assert DBOS.fork_workflow(handle.workflow_id, 100).get_result() == "StopIteration('no more')"
    with pytest.raises(StopIteration, match="no more"):
        heard_ends_in_stop()
    with pytest.raises(StopIteration, match="no more"):
        DBOS.start_workflow(heard_ends_in_stop).get_result()


def test_what_python_made_of_a_stop_in_user_code_stays_a_runtime_error(dbos: type[DBOS]) -> None:
    assert heard_meets("generator") == "RuntimeError('generator raised StopIteration')"
