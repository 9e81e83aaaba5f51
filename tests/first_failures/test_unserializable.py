"""What cannot be serialized is named: the argument, the step, and the place within the value."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from dboshub import DBOS, DBOSClient, Debouncer, Queue, WorkflowSerializationFormat

LOCK = threading.Lock()
ORDERS = Queue("first_orders")


@dataclass
class FirstOrder:
    number: int
    parts: Any


@DBOS.workflow()
def first_echo(order: Any = None, *rest: Any, note: Any = None, **more: Any) -> Any:
    return order


@DBOS.dbos_class()
class FirstShop:
    @classmethod
    @DBOS.workflow()
    def first_sell(cls, order: Any) -> Any:
        return order


@DBOS.step()
def first_bad_step() -> Any:
    return {"parts": [1, LOCK]}


@DBOS.workflow()
def first_calls_bad_step() -> Any:
    return first_bad_step()


@DBOS.transaction()
def first_bad_transaction() -> Any:
    return LOCK


@DBOS.workflow()
def first_calls_bad_transaction() -> Any:
    return first_bad_transaction()


@DBOS.workflow()
def first_tick(at: Any, context: Any) -> None: ...


CALLS: dict[str, Callable[..., Any]] = {
    "call": lambda *args, **kwargs: first_echo(*args, **kwargs),
    "start": lambda *args, **kwargs: DBOS.start_workflow(first_echo, *args, **kwargs),
    "enqueue": lambda *args, **kwargs: ORDERS.enqueue(first_echo, *args, **kwargs),
    "enqueue by name": lambda *args, **kwargs: DBOS.enqueue_workflow(
        "first_orders", first_echo, *args, **kwargs
    ),
    "debounce": lambda *args, **kwargs: Debouncer.create(first_echo).debounce(
        "key", 5, *args, **kwargs
    ),
}
TYPE = "_thread.lock"
# Arguments, and what is said of them.
ARGUMENTS: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "positional": ((LOCK,), {}, f"argument 'order' of workflow 'first_echo' is of type {TYPE}"),
    "keyword": ((), {"note": LOCK}, f"argument 'note' of workflow 'first_echo' is of type {TYPE}"),
    "of *rest": ((1, 2, LOCK), {}, f"argument 3 of workflow 'first_echo' is of type {TYPE}"),
    "of **more": ((), {"why": LOCK}, f"argument 'why' of workflow 'first_echo' is of type {TYPE}"),
    "nested": (
        ({"items": [0, {"lock": LOCK}]},),
        {},
        f"holds a value of type {TYPE} at order['items'][1]['lock'], which cannot be recorded",
    ),
    "of an object": (
        (FirstOrder(1, [LOCK]),),
        {},
        f"holds a value of type {TYPE} at order.parts[0], which cannot be recorded",
    ),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("case", ARGUMENTS)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_argument_is_named_with_its_type(call: str, case: str, dbos: type[DBOS]) -> None:
    args, kwargs, said = ARGUMENTS[case]
    # The type is that of the other library's error: pickle's own.
    with pytest.raises(TypeError, match=r"^cannot pickle '_thread.lock' object: ") as raised:
        CALLS[call](*args, **kwargs)
    assert said in str(raised.value)
    assert "which cannot be recorded as py_pickle. Pass plain data" in str(raised.value)
    assert DBOS.list_workflows() == []


def test_a_receiver_is_no_argument(dbos: type[DBOS]) -> None:
    with pytest.raises(TypeError, match=r"argument 'order' of workflow 'FirstShop.first_sell' is"):
        FirstShop.first_sell(LOCK)


def test_a_lambda_is_told_by_its_name(dbos: type[DBOS]) -> None:
    with pytest.raises(AttributeError, match=r"argument 'order' .* of type function \(.*<lambda>"):
        first_echo(lambda: 1)


def test_a_client_names_an_argument_by_its_place_or_keyword(
    dbos: type[DBOS], database_url: str
) -> None:
    client = DBOSClient(system_database_url=database_url)
    try:
        options: Any = {"workflow_name": "first_echo", "queue_name": "first_orders"}
        with pytest.raises(TypeError, match=r"argument 2 of workflow 'first_echo' is of type _thr"):
            client.enqueue(options, 1, LOCK)
        with pytest.raises(TypeError, match=r"argument 'note' of workflow 'first_echo' is of type"):
            client.enqueue(options, 1, note=LOCK)
        options["serialization_type"] = WorkflowSerializationFormat.PORTABLE
        with pytest.raises(
            TypeError, match=r"FirstOrder at order\[0\]\['of'\], which cannot be"
        ) as raised:
            client.enqueue(options, order=[{"of": FirstOrder(1, None)}])
        assert "recorded as portable_json" in str(raised.value)
    finally:
        client.destroy()
    assert DBOS.list_workflows() == []


def test_a_steps_result_names_the_step_live_and_in_the_record(dbos: type[DBOS]) -> None:
    handle = DBOS.start_workflow(first_calls_bad_step)
    with pytest.raises(TypeError) as raised:
        handle.get_result()
    said = f"the result of step 'first_bad_step' holds a value of type {TYPE} at value['parts'][1]"
    assert said in str(raised.value)
    [step] = DBOS.list_workflow_steps(handle.workflow_id)
    assert said in str(step["error"])


def test_a_transactions_result_names_it(dbos: type[DBOS]) -> None:
    with pytest.raises(TypeError, match=r"the result of \w+ 'first_bad_transaction' is of type"):
        first_calls_bad_transaction()


def test_a_schedules_context_names_the_schedule(dbos: type[DBOS]) -> None:
    with pytest.raises(TypeError, match=r"the context of schedule 'first' .* at context\['lock'\]"):
        DBOS.create_schedule(
            schedule_name="first",
            workflow_fn=first_tick,
            schedule="0 0 1 1 *",
            context={"lock": LOCK},
        )
    assert DBOS.list_schedules() == []


def test_what_is_nested_too_deeply_says_so(dbos: type[DBOS]) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(RecursionError) as raised:
        first_echo(deep)
    assert "argument 'order' of workflow 'first_echo' is nested too deeply" in "".join(
        [str(raised.value), *raised.value.__notes__]
    )


def test_a_large_value_is_searched_only_so_far(dbos: type[DBOS]) -> None:
    with pytest.raises(
        TypeError, match=r"argument 'order' of workflow 'first_echo' is of type list"
    ):
        first_echo([*range(20_000), LOCK])
