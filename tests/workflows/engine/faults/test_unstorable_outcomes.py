"""An outcome is always recordable: what cannot be kept as it is becomes text, and that is said."""

from __future__ import annotations

import json
import logging
import threading
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from dboshub import DBOS, DBOSPortableJSONSerializer, Serializer, WorkflowSerializationFormat
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.error_text import storable
from dboshub.workflows.engine.errors import DBOSMaxStepRetriesExceeded, PortableWorkflowError
from dboshub.workflows.engine.journal.writes import Answer, OutcomeWrite, StepWrite, Write
from dboshub.workflows.engine.serialization import Codec
from dboshub.workflows.storage.transient_errors import raising_unavailable

Launch = Callable[..., None]
PORTABLE = WorkflowSerializationFormat.PORTABLE
SURROGATE = "half of an emoji: \ud83d"


class Odd(Exception):
    """What some clients raise: it holds a lock, and its text needs more than it has."""

    def __init__(self, message: str) -> None:
        self.message = message
        self.response = threading.Lock()

    def __str__(self) -> str:
        text: str = self.response.text  # type: ignore[attr-defined]
        return text


class HoldsALock(Exception):
    """An exception that cannot be pickled, with a message that can be shown."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.lock = threading.Lock()


class HasABadProperty(Exception):
    @property
    def code(self) -> int:
        raise RuntimeError("not known yet")


RAISED: dict[str, Callable[[str], Exception]] = {
    "neither pickles nor prints": Odd,
    "does not pickle": HoldsALock,
    "has a bad property": HasABadProperty,
    "holds a surrogate": lambda message: ValueError(f"{message} \ud800"),
    "holds a NUL": lambda message: ValueError(f"{message} \x00"),
}
attempts: list[str] = []


@DBOS.workflow()
def kept_fails(what: str) -> None:
    raise RAISED[what]("the cause")


@DBOS.workflow(serialization_type=PORTABLE)
def kept_fails_portably(what: str) -> None:
    raise RAISED[what]("the cause")


@DBOS.step()
def kept_failing_step(what: str) -> None:
    raise RAISED[what]("the cause")


@DBOS.workflow()
def kept_handles(what: str) -> str:
    try:
        kept_failing_step(what)
    except Exception as error:
        return type(error).__name__
    return "no error"


@DBOS.workflow(serialization_type=PORTABLE)
def kept_returns_portably(value: str) -> str:
    return value


@DBOS.step(retries_allowed=True, max_attempts=3, interval_seconds=0.001)
def kept_fails_once(what: str) -> str:
    attempts.append(what)
    if len(attempts) == 1:
        raise RAISED[what]("the cause")
    return "fine"


@DBOS.workflow()
def kept_retries(what: str) -> str:
    return kept_fails_once(what)


@DBOS.step()
def kept_gives(value: Any) -> Any:
    return value


@DBOS.workflow()
def kept_gives_by_a_step(value: Any) -> Any:
    try:
        return kept_gives(value)
    except ValueError as error:
        return f"caught {error}"


@DBOS.workflow()
def kept_gives_at_the_end(length: int) -> str:
    return "x" * length


@pytest.fixture(autouse=True)
def printable_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest-xdist sends what is logged as UTF-8; tracebacks here hold half a surrogate pair."""
    monkeypatch.setattr(
        logging.Formatter,
        "formatException",
        lambda self, info: storable(traceback_text(info)),
    )


def traceback_text(info: Any) -> str:
    return "".join(traceback.format_exception(info[1]))


# -- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize("what", RAISED)
@pytest.mark.parametrize("workflow", [kept_fails, kept_fails_portably], ids=["native", "portable"])
def test_every_error_ends_its_workflow_with_type_and_place(
    what: str, workflow: Callable[[str], None], dbos: type[DBOS]
) -> None:
    handle = DBOS.start_workflow(workflow, what)
    with pytest.raises(Exception) as raised:  # noqa: PT011
        handle.get_result()
    status = handle.get_status()
    assert status.status == "ERROR"
    kept = status.error
    made = RAISED[what]("")
    names = {type(kept).__name__, getattr(kept, "name", "")}
    assert type(made).__name__ in names or type(made).__name__ in str(kept)
    said = "cannot be shown" if isinstance(made, Odd) else "the cause"
    assert said in str(kept)
    notes = "\n".join([*getattr(raised.value, "__notes__", ()), *getattr(kept, "__notes__", ())])
    if workflow is kept_fails:
        assert "raise RAISED[what]" in notes
    if isinstance(made, Odd | HoldsALock) and workflow is kept_fails:
        assert "Recorded as text, because the exception could not be" in notes


@pytest.mark.parametrize("what", RAISED)
def test_the_body_meets_the_error_that_its_step_raised(what: str, dbos: type[DBOS]) -> None:
    handle = DBOS.start_workflow(kept_handles, what)
    assert handle.get_result() == type(RAISED[what]("")).__name__
    [step] = DBOS.list_workflow_steps(handle.workflow_id)
    assert step["error"] is not None


@pytest.mark.parametrize("what", RAISED)
def test_a_note_about_an_attempt_is_never_in_the_way_of_the_next(
    what: str, dbos: type[DBOS]
) -> None:
    attempts.clear()
    assert kept_retries(what) == "fine"
    assert len(attempts) == 2


def test_an_attempt_that_cannot_be_noted_is_tried_again_all_the_same(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(**note: Any) -> None:
        raise PermissionError("hub tables are read-only")

    monkeypatch.setattr(current_engine.engine().store, "record_failed_attempt", refuse)
    attempts.clear()
    assert kept_retries("does not pickle") == "fine"
    assert "hub tables are read-only" in caplog.text


@DBOS.step(retries_allowed=True, max_attempts=2, interval_seconds=0.001)
def kept_never_works() -> None:
    raise HoldsALock("the cause")


@DBOS.workflow()
def kept_gives_up() -> list[str]:
    try:
        kept_never_works()
    except DBOSMaxStepRetriesExceeded as error:
        return [str(each) for each in error.errors]
    return []


def test_a_replay_meets_the_type_of_error_that_the_run_met(dbos: type[DBOS]) -> None:
    handle = DBOS.start_workflow(kept_gives_up)
    first = handle.get_result()
    assert first == ["HoldsALock: the cause"] * 2
    assert DBOS.fork_workflow(handle.workflow_id, 100).get_result() == first


# -- values --------------------------------------------------------------------------------


def test_half_a_surrogate_pair_is_kept_by_the_portable_format(dbos: type[DBOS]) -> None:
    assert DBOS.start_workflow(kept_returns_portably, SURROGATE).get_result() == SURROGATE


@pytest.mark.parametrize("value", [{"text": SURROGATE}, "a\x00b", "ünï", "\ud83d\ude00"[:1], "😀"])
def test_the_portable_format_gives_back_what_it_was_given(value: Any) -> None:
    serializer = DBOSPortableJSONSerializer()
    text = serializer.serialize(value)
    assert serializer.deserialize(text.encode().decode()) == value


def test_a_value_above_the_limit_is_an_error_of_its_step(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(current_engine.engine().codec, "max_characters", 1_000)
    assert kept_gives_by_a_step("x").startswith("x")
    caught = DBOS.start_workflow(kept_gives_at_the_end, 2_000)
    with pytest.raises(ValueError, match="at most 1,000 can be kept"):
        caught.get_result()
    assert caught.get_status().status == "ERROR"


# -- serializers ---------------------------------------------------------------------------


class Json(Serializer):
    """A serializer of a program that never thought of exceptions."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)

    def name(self) -> str:
        return "own_json"


class Refuses(Json):
    """It keeps the arguments of this test, and nothing else."""

    def serialize(self, data: Any) -> str:
        if not (isinstance(data, dict) and "args" in data) and data is not None:
            raise RuntimeError("no")
        return json.dumps(data)


class Nul(Json):
    def serialize(self, data: Any) -> str:
        if isinstance(data, BaseException) or (isinstance(data, dict) and "message" in data):
            return "\x00"
        return json.dumps(data)

    def deserialize(self, serialized_data: str) -> Any:
        return Exception("?") if serialized_data == "\x00" else json.loads(serialized_data)


@pytest.mark.parametrize("serializer", [Json, Refuses, Nul, DBOSPortableJSONSerializer])
def test_a_serializer_that_refuses_errors_does_not_keep_a_workflow_pending(
    serializer: type[Serializer], launch: Launch
) -> None:
    launch(serializer=serializer())
    handle = DBOS.start_workflow(kept_fails, "does not pickle")
    with pytest.raises(Exception, match="the cause"):
        handle.get_result()
    status = handle.get_status()
    assert status.status == "ERROR"
    assert isinstance(status.error, PortableWorkflowError)
    assert "the cause" in status.error.message


def test_the_default_format_portable_keeps_the_errors_of_steps(launch: Launch) -> None:
    launch(serializer=DBOSPortableJSONSerializer())
    handle = DBOS.start_workflow(kept_handles, "has a bad property")
    assert handle.get_result() == "HasABadProperty"
    [step] = DBOS.list_workflow_steps(handle.workflow_id)
    kept = step["error"]
    assert isinstance(kept, PortableWorkflowError)
    assert (kept.name, kept.message) == ("HasABadProperty", "the cause")


def test_an_error_is_read_whatever_format_its_row_names() -> None:
    text = Codec(Refuses()).encode_error(ValueError("the cause"))
    read = Codec(Refuses()).decode_error(text, None)
    assert isinstance(read, PortableWorkflowError)
    assert "the cause" in read.message


# -- databases -----------------------------------------------------------------------------


def refusing(
    monkeypatch: pytest.MonkeyPatch,
    kind: type,
    is_refused: Callable[[Any], bool],
    error: Callable[[], Exception] = lambda: OverflowError("a row of this server is smaller"),
) -> list[Write]:
    """Make the connection of the journal refuse some writes, as a lower limit of a server does."""
    refused: list[Write] = []
    connection = type(current_engine.engine().journal._main.connection)
    apply, apply_isolated = connection.apply, connection.apply_isolated

    def check(write: Write) -> None:
        if isinstance(write, kind) and is_refused(write):
            refused.append(write)
            with raising_unavailable():
                raise error()

    def checked(self: Any, writes: Any, *, now: int) -> list[Answer]:
        for write in writes:
            check(write)
        return apply(self, writes, now=now)

    def checked_isolated(self: Any, write: Write, *, now: int) -> Answer:
        check(write)
        return apply_isolated(self, write, now=now)

    monkeypatch.setattr(connection, "apply", checked)
    monkeypatch.setattr(connection, "apply_isolated", checked_isolated)
    return refused


def test_a_result_that_the_database_refuses_ends_the_workflow_in_error(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = refusing(monkeypatch, OutcomeWrite, lambda write: write.output is not None)
    handle = DBOS.start_workflow(kept_gives_at_the_end, 10)
    with pytest.raises(Exception, match="a row of this server is smaller"):
        handle.get_result()
    status = handle.get_status()
    assert (status.status, len(refused)) == ("ERROR", 1)
    assert "OverflowError: a row of this server is smaller" in str(status.error)


def test_an_error_that_the_database_refuses_is_kept_as_text(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def is_first(write: OutcomeWrite) -> bool:
        seen.append(str(write.error))
        return len(seen) == 1

    refusing(monkeypatch, OutcomeWrite, is_first)
    handle = DBOS.start_workflow(kept_fails, "has a bad property")
    with pytest.raises(Exception, match="the cause"):
        handle.get_result()
    error = handle.get_status().error
    assert str(error) == "HasABadProperty: the cause"
    assert "a row of this server is smaller" in "".join(error.__notes__)  # type: ignore[union-attr]


def test_a_step_that_the_database_refuses_is_an_error_of_the_step(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch, StepWrite, lambda write: write.output is not None)
    handle = DBOS.start_workflow(kept_handles_a_refusal)
    assert handle.get_result() == "OverflowError"
    [step] = DBOS.list_workflow_steps(handle.workflow_id)
    assert isinstance(step["error"], OverflowError)


@DBOS.workflow()
def kept_handles_a_refusal() -> str:
    try:
        kept_gives("value")
    except Exception as error:
        return type(error).__name__
    return "no error"
