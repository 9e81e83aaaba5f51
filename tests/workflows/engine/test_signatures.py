"""What executors publish of a workflow's parameters."""

from __future__ import annotations

import json
from typing import Any, Literal, NotRequired, TypedDict

from dboshub import DBOS, WorkflowSerializationFormat
from dboshub.workflows.actions.start_request import StartRequest
from dboshub.workflows.actions.starting import inputs_of, row_of
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.registration.parameter_schema import (
    FunctionPublisher,
    parameters_schema,
)
from dboshub.workflows.engine.registration.registry import Registry
from dboshub.workflows.engine.registration.workflow import Workflow
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.journal.insert_workflow import start as insert


class Line(TypedDict):
    sku: str
    count: NotRequired[int]


@DBOS.workflow(name="signatures.order", serialization_type=WorkflowSerializationFormat.PORTABLE)
def order(
    number: int,
    /,
    customer: str,
    lines: list[Line],
    paid: bool = False,
    size: Literal["s", "m"] | None = None,
    weight: float | None = None,
    when: object = ...,
    **rest: Any,
) -> None:
    """Take an order.

    And more.
    """


def test_parameters_are_told_as_json_schema() -> None:
    assert parameters_schema(order) == {
        "type": "object",
        "properties": {
            "number": {"type": "integer"},
            "customer": {"type": "string"},
            "lines": {
                "type": "array",
                "items": {
                    "type": "object",
                    "title": "Line",
                    "properties": {"sku": {"type": "string"}, "count": {"type": "integer"}},
                    "required": ["sku"],
                },
            },
            "paid": {"type": "boolean", "default": False},
            "size": {"anyOf": [{"enum": ["s", "m"]}, {"type": "null"}], "default": None},
            "weight": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
            "when": {"x-default": "Ellipsis"},
        },
        "required": ["number", "customer", "lines"],
        "additionalProperties": True,
        "x-positional": ["number"],
    }


def test_what_json_cannot_say_is_named_and_accepts_anything() -> None:
    def takes(moment: Any, table: dict[str, set[int]], *more: int) -> None:
        pass

    takes.__annotations__["moment"] = "nowhere.Moment"
    found = parameters_schema(takes)
    assert found["properties"] == {"moment": {}, "table": {}}
    assert found["x-more"] == "more"
    takes.__annotations__["moment"] = set
    assert parameters_schema(takes)["properties"]["moment"] == {"title": "set"}
    assert parameters_schema(type)["type"] == "object"


def test_a_registry_is_told_anew_only_when_it_grew() -> None:
    registry = Registry()
    registry.add(Workflow("one", lambda x: x, is_async=False))
    publish = FunctionPublisher(registry)
    first = publish()
    assert publish() is first
    registry.add(Workflow("two", order, is_async=False))
    registry.add_step("step", order, is_async=False)
    assert sorted(json.loads(publish())) == ["one", "two"]


def test_an_annotation_whose_class_is_defined_later_is_read_again() -> None:
    names: dict[str, Any] = {"__name__": "later"}
    exec("def takes(line: 'Later'): pass", names)
    registry = Registry()
    registry.add(Workflow("takes", names["takes"], is_async=False))
    publish = FunctionPublisher(registry)

    def told() -> Any:
        return json.loads(publish())["takes"]["parameters"]["properties"]["line"]

    assert told() == {}
    names["Later"] = int
    registry.add(Workflow("another", order, is_async=False))
    assert told() == {"type": "integer"}


def test_an_executor_publishes_them(dbos: type[DBOS]) -> None:
    engine = current_engine.engine()
    told = json.loads(FunctionPublisher(engine.registry)())["signatures.order"]
    assert told["doc"] == "Take an order."
    assert told["is_portable"] is True
    assert told["parameters"]["required"] == ["number", "customer", "lines"]


@DBOS.workflow(name="signatures.adds")
def adds(a: int, b: int = 2) -> int:
    return a + b


def test_what_a_page_starts_runs(dbos: type[DBOS], database: Database) -> None:
    order = StartRequest(name="signatures.adds", application="test-app", kwargs={"a": 40})
    with database.writing() as session:
        insert(session, row_of(order, "w", now=database_now(session)), inputs_of(order))
    assert DBOS.retrieve_workflow("w").get_result() == 42
