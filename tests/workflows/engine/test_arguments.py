"""Arguments of queued workflows are checked and converted; log records say where they ran."""

from __future__ import annotations

import logging
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from dboshub import (
    DBOS,
    DBOSConfiguredInstance,
    SetWorkflowID,
    WorkflowSerializationFormat,
    make_pydantic_args_validator,
    pydantic_args_validator,
)
from dboshub.workflows.engine.registration.arguments import coerced

ROOT = Path(__file__).resolve().parents[3]
INTERNAL = "_dbos_internal_queue"
PORTABLE = WorkflowSerializationFormat.PORTABLE


def upper(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    [value] = args
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return (value.upper(),), kwargs


@DBOS.workflow(validate_args=upper)
def args_upper(value: str) -> str:
    return value


@DBOS.workflow(validate_args=pydantic_args_validator)
def args_checked(count: int, when: date = date(2026, 1, 1), *more: float, **rest: str) -> list[Any]:
    return [count, when, more, rest]


@DBOS.workflow(serialization_type=PORTABLE)
def args_dated(when: datetime, day: date | None, text: str, either: str | datetime) -> list[str]:
    return [repr(each) for each in (when, day, text, either)]


@DBOS.dbos_class()
class ArgsOf(DBOSConfiguredInstance):
    @DBOS.workflow(serialization_type=PORTABLE)
    def dated(self, day: date) -> str:
        return f"{self.config_name} {day!r}"

    @DBOS.workflow(validate_args=pydantic_args_validator)
    def checked(self, count: int) -> int:
        return count


INSTANCE = ArgsOf("me")


@DBOS.step()
def args_log_in_step() -> None:
    DBOS.logger.warning("in a step")


@DBOS.workflow()
def args_log() -> None:
    DBOS.logger.warning("in a workflow")
    args_log_in_step()


def enqueued(function: Any, *args: Any, **kwargs: Any) -> Any:
    return DBOS.enqueue_workflow(INTERNAL, function, *args, **kwargs)


def test_a_validator_sees_queued_arguments_only(dbos: type[DBOS]) -> None:
    assert args_upper("direct") == "direct"
    assert enqueued(args_upper, "queued").get_result() == "QUEUED"


def test_what_a_validator_raises_is_the_workflows_error(dbos: type[DBOS]) -> None:
    handle = enqueued(args_upper, 5)
    with pytest.raises(TypeError, match="5 is not text"):
        handle.get_result()
    assert handle.get_status().status == "ERROR"
    assert DBOS.list_workflow_steps(handle.workflow_id) == []


def test_pydantic_converts_by_the_annotations_or_names_every_fault(dbos: type[DBOS]) -> None:
    handle = enqueued(args_checked, "3", "2026-05-06", "0.5", 1, note="n")
    assert handle.get_result() == [3, date(2026, 5, 6), (0.5, 1.0), {"note": "n"}]
    assert enqueued(args_checked, 1).get_result() == [1, date(2026, 1, 1), (), {}]
    with pytest.raises(ValueError, match=r"count: .*when: ") as raised:
        enqueued(args_checked, "three", "someday").get_result()
    assert "args_checked cannot take these arguments" in str(raised.value)
    with pytest.raises(ValueError, match="missing: count"):
        enqueued(args_checked).get_result()


def test_a_validator_can_be_made_of_any_function() -> None:
    def function(count: int, name: str) -> None: ...

    validate = make_pydantic_args_validator(function)
    assert validate(("1",), {"name": "x"}) == ((1, "x"), {})
    with pytest.raises(ValueError, match="missing: name; unknown: nam;"):
        validate((1,), {"nam": "x"})
    with pytest.raises(TypeError, match="pass pydantic_args_validator as validate_args="):
        pydantic_args_validator((), {})


def test_without_pydantic_the_validator_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['pydantic'] = None\n"
        "from dboshub import DBOS, pydantic_args_validator\n"
        "DBOS.workflow(validate_args=pydantic_args_validator)(lambda: None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "needs pydantic 2: pip install 'pydantic>=2'" in done.stderr


def test_portable_dates_come_back_where_the_annotations_ask_for_them(dbos: type[DBOS]) -> None:
    when, day = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC), date(2026, 5, 6)
    assert enqueued(args_dated, when, day, day, when).get_result() == [
        repr(when),
        repr(day),
        "'2026-05-06'",
        "'2026-05-06T07:08:09.000Z'",
    ]
    assert enqueued(args_dated, when, None, "x", "y").get_result()[1] == "None"


def test_methods_are_checked_without_their_receiver(dbos: type[DBOS]) -> None:
    assert enqueued(INSTANCE.dated, date(2026, 5, 6)).get_result() == "me datetime.date(2026, 5, 6)"
    assert enqueued(INSTANCE.checked, "7").get_result() == 7


def test_what_cannot_be_bound_is_left_to_the_call() -> None:
    def function(day: date) -> None: ...

    assert coerced(function, ("2026-05-06", 1), {}) == (("2026-05-06", 1), {})


def test_records_of_the_logger_say_where_they_come_from(
    dbos: type[DBOS], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "dboshub.app"), SetWorkflowID("w"):
        args_log()
        DBOS.logger.warning("outside")
    inside, in_step, outside = [each for each in caplog.records if each.name == "dboshub.app"]
    assert vars(inside)["operationUUID"] == vars(in_step)["operationUUID"] == "w"
    assert vars(in_step)["stepID"] == 1
    assert vars(outside)["executorID"] == DBOS.executor_id
    assert vars(outside)["applicationVersion"] == DBOS.application_version
    assert "operationUUID" not in vars(outside)
