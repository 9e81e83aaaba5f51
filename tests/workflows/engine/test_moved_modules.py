"""Records name the modules of their classes: those that have moved since are still read."""

from __future__ import annotations

import base64
import importlib
import pickle
import sys
import types
from typing import Any

import pytest

from dboshub import DBOS
from dboshub.workflows.engine.errors import DBOSMaxStepRetriesExceeded, DBOSStreamTimeoutError
from dboshub.workflows.engine.moved_modules import MOVED_MODULES
from dboshub.workflows.engine.serialization import Codec, DefaultSerializer
from dboshub.workflows.engine.status import WorkflowStatus
from dboshub.workflows.storage.sql import Statement

ERROR = DBOSMaxStepRetriesExceeded("charge", 3, [ValueError("declined")])
NOW_IN = f"c{DBOSMaxStepRetriesExceeded.__module__}\n".encode()
RECORD = Statement("UPDATE {workflow_output} SET output = NULL, error = :error")
STATUS = Statement("UPDATE {workflow_status} SET status = 'ERROR' WHERE workflow_uuid = :id")


def as_recorded_by_0_1_0(value: Any) -> str:
    """The record with the module names of that version; protocol 2 writes names as lines."""
    text = pickle.dumps(value, protocol=2)
    text = text.replace(NOW_IN, b"cdboshub.workflows.engine.errors\n")
    for old, new in MOVED_MODULES.items():
        text = text.replace(f"c{new}\n".encode(), f"c{old}\n".encode())
    assert b"cdboshub" not in text
    return base64.b64encode(text).decode("ascii")


@pytest.fixture
def foreign_package(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """An application's own package that has the old name of ours, with a class of its own."""
    package, engine = types.ModuleType("workflows"), types.ModuleType("workflows.engine")
    errors = types.ModuleType("workflows.engine.errors")
    errors.Declined = type("Declined", (Exception,), {"__module__": errors.__name__})  # type: ignore[attr-defined]
    for module in (package, engine, errors):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return errors


def test_an_old_error_is_raised_as_what_it_was(foreign_package: types.ModuleType) -> None:
    read = Codec().decode_error(as_recorded_by_0_1_0(ERROR), None)
    assert type(read) is DBOSMaxStepRetriesExceeded
    assert read.args[:2] == ERROR.args[:2]


def test_an_error_that_0_2_recorded_by_its_message_is_read() -> None:
    """Its pickle holds the class, the message as the only argument, and the attributes."""
    fields = {"message": "no value came", "dbos_error_code": 16, "status_uuid": None}
    record = pickle.dumps(_Recorded(DBOSStreamTimeoutError, ("no value came",), fields))
    read = Codec().decode_error(base64.b64encode(record).decode("ascii"), None)
    assert type(read) is DBOSStreamTimeoutError
    assert str(read) == "DBOS Error 16: no value came"


class _Recorded:
    """Pickles as what these three restore."""

    def __init__(self, *parts: Any) -> None:
        self._parts = parts

    def __reduce__(self) -> tuple[Any, ...]:
        return self._parts


def test_a_class_of_the_applications_package_stays_its_own(
    foreign_package: types.ModuleType,
) -> None:
    text = DefaultSerializer().serialize(foreign_package.Declined("no funds"))
    assert type(DefaultSerializer().deserialize(text)) is foreign_package.Declined


def test_an_old_status_is_read_as_one() -> None:
    status = WorkflowStatus(workflow_id="w", status="SUCCESS", name="checkout")
    assert DefaultSerializer().deserialize(as_recorded_by_0_1_0(status)) == status


def test_a_class_of_another_script_is_named_with_what_to_do() -> None:
    text = base64.b64encode(b"c__main__\nOrderOfTheOtherScript\n.").decode()
    with pytest.raises(AttributeError, match=r"^OrderOfTheOtherScript was defined in a script"):
        DefaultSerializer().deserialize(text)
    unknown = base64.b64encode(b"cpickle\nNoSuchName\n.").decode()
    with pytest.raises(AttributeError, match=r"no attribute|get attribute"):
        DefaultSerializer().deserialize(unknown)


def test_every_new_name_is_a_module() -> None:
    for new in MOVED_MODULES.values():
        importlib.import_module(new)


def test_a_run_recorded_by_an_old_version_fails_as_it_failed(dbos: type[DBOS]) -> None:
    @DBOS.workflow()
    def recorded_long_ago() -> str:
        return "kept"

    handle = DBOS.start_workflow(recorded_long_ago)
    assert handle.get_result() == "kept"
    with DBOS._runtime.database.writing() as session:
        session.run(RECORD, error=as_recorded_by_0_1_0(ERROR))
        session.run(STATUS, id=handle.workflow_id)
    with pytest.raises(DBOSMaxStepRetriesExceeded, match="charge"):
        DBOS.retrieve_workflow(handle.workflow_id).get_result()
