"""Formats: one's own serializer, a workflow's, a call's, and those of other languages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dboshub import (
    DBOS,
    DBOSClient,
    DBOSPortableJSONSerializer,
    EnqueueOptions,
    Serializer,
    WorkflowSerializationFormat,
)
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Statement
from tests.client.conftest import MakeClient
from tests.support.runs import add_event, add_step, add_stream, add_workflow, insert

PORTABLE = WorkflowSerializationFormat.PORTABLE
FORMATS = Statement("SELECT serialization FROM {workflow_status} WHERE workflow_uuid = :id")
INPUTS = Statement("SELECT inputs FROM {workflow_input} WHERE workflow_uuid = :id")
STEPS = Statement(
    "SELECT function_name, serialization FROM {operation_outputs} WHERE workflow_uuid = :id"
)


class Reversed(Serializer):
    """JSON written backwards, so that nothing else reads it by chance."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data, default=repr)[::-1]

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data[::-1])

    def name(self) -> str:
        return "reversed"


@DBOS.step(name="serializer_step")
def double(number: int) -> tuple[int, int]:
    return number, number


@DBOS.workflow(name="serializer_native")
def native(number: int) -> list[Any]:
    DBOS.set_event("plain", [number])
    DBOS.set_event("portable", [number], serialization_type=PORTABLE)
    return [double(number)]


@DBOS.workflow(name="serializer_portable", serialization_type=PORTABLE)
def portable(number: int) -> dict[str, int]:
    DBOS.set_event("inherits", number)
    return {"number": number}


@pytest.fixture
def client(launch: Callable[..., None], make_client: MakeClient) -> DBOSClient:
    launch(serializer=Reversed())
    return make_client(serializer=Reversed())


def order(name: str, **options: Any) -> EnqueueOptions:
    given: Any = {"workflow_name": name, "queue_name": "_dbos_internal_queue", **options}
    return given  # type: ignore[no-any-return]


def test_an_applications_serializer_writes_and_reads_what_it_runs(
    client: DBOSClient, database: Database
) -> None:
    handle = client.enqueue(order("serializer_native"), 4)
    assert handle.get_result() == [[4, 4]]
    with database.reading() as session:
        assert session.one(FORMATS, id=handle.workflow_id) == ("reversed",)
        assert session.one(INPUTS, id=handle.workflow_id) == ('{"args": [4], "kwargs": {}}'[::-1],)
        assert ("serializer_step", "reversed") in session.all(STEPS, id=handle.workflow_id)
    assert client.get_all_events(handle.workflow_id) == {"plain": [4], "portable": [4]}


def test_a_step_returns_what_a_replay_will_return(client: DBOSClient) -> None:
    assert DBOS.start_workflow(native, 3).get_result() == [[3, 3]]


def test_a_workflow_may_be_portable_whatever_the_serializer(
    client: DBOSClient, database: Database
) -> None:
    handle = DBOS.start_workflow(portable, 5)
    assert handle.get_result() == {"number": 5}
    assert client.get_event(handle.workflow_id, "inherits") == 5
    with database.reading() as session:
        assert session.one(FORMATS, id=handle.workflow_id) == ("portable_json",)
        [(form,)] = session.all(
            Statement("SELECT serialization FROM {workflow_events} WHERE workflow_uuid = :id"),
            id=handle.workflow_id,
        )
    assert form == "portable_json"


def test_a_call_may_be_portable(client: DBOSClient, database: Database) -> None:
    handle = client.enqueue(order("serializer_native", serialization_type=PORTABLE), 6)
    assert handle.get_result() == [[6, 6]]
    with database.reading() as session:
        assert session.one(FORMATS, id=handle.workflow_id) == ("portable_json",)


def test_a_client_may_write_portable_values_only(
    launch: Callable[..., None], make_client: MakeClient
) -> None:
    launch()
    client = make_client(serializer=DBOSPortableJSONSerializer())
    assert client.enqueue(order("serializer_native"), 7).get_result() == [[7, 7]]


def test_formats_nobody_here_reads_are_shown_as_they_are(
    database: Database, make_client: MakeClient
) -> None:
    with database.writing() as session:
        for number, name in enumerate(("js_superjson", "DBOS_JSON", "java_jackson", "reversed")):
            add_workflow(session, f"foreign-{number}", serialization=name, output=1)
        add_workflow(session, "broken", serialization="portable_json", output=1)
        add_workflow(session, "readable", inputs=1, output=2)
        add_step(session, "readable", 1, "step", output=3)
        add_step(session, "readable", 2, "foreign", output=4)
        session.run(
            Statement(
                "UPDATE {operation_outputs} SET serialization = 'DBOS_JSON' WHERE function_id = 2"
            )
        )
    client = make_client()
    found = {each.workflow_id: each for each in client.list_workflows()}
    assert len(found) == 6
    assert (found["readable"].input, found["readable"].output) == ({"args": (1,), "kwargs": {}}, 2)
    assert all(
        isinstance(each.input, str) and isinstance(each.output, str)
        for name, each in found.items()
        if name != "readable"
    )
    steps = client.list_workflow_steps("readable")
    assert steps[0]["output"] == 3
    assert isinstance(steps[1]["output"], str)


def test_a_null_format_is_the_readers_own(database: Database, make_client: MakeClient) -> None:
    text = Reversed().serialize({"args": [1], "kwargs": {}})
    with database.writing() as session:
        insert(
            session,
            "workflow_status",
            workflow_uuid="scheduled",
            status="ENQUEUED",
            name="report",
            created_at=1,
            updated_at=1,
        )
        insert(session, "workflow_input", workflow_uuid="scheduled", inputs=text)
    [row] = make_client(serializer=Reversed()).list_workflows()
    assert row.input == {"args": (1,), "kwargs": {}}
    [row] = make_client().list_workflows()
    assert row.input == text


def test_events_and_streams_in_formats_nobody_here_reads_say_so(
    database: Database, make_client: MakeClient
) -> None:
    with database.writing() as session:
        add_workflow(session, "typescript")
        add_event(session, "typescript", "key", 1)
        add_stream(session, "typescript", "key", 1)
        for table in ("workflow_events", "streams"):
            session.run(Statement(f"UPDATE {{{table}}} SET serialization = 'js_superjson'"))
    client = make_client()
    with pytest.raises(ValueError, match="js_superjson"):
        client.get_event("typescript", "key")
    with pytest.raises(ValueError, match="js_superjson"):
        list(client.read_stream("typescript", "key"))
