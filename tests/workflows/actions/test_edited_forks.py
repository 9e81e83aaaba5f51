"""A fork with a change, run by an engine: it goes on from the changed value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from dboshub import DBOS, SetWorkflowID
from dboshub.management.terminal import actor
from dboshub.workflows.actions.audit import ActionRefusedError
from dboshub.workflows.actions.edited_forks import NewInput, NewResult, fork_edited
from tests.support.eventually import eventually
from tests.support.launched import engine_threads
from tests.workflows.engine.calls import Calls

pytestmark = pytest.mark.django_db(transaction=True)
calls = Calls()


@DBOS.step()
def ef_price(number: int) -> int:
    calls.note("ef_price", number)
    return number * 10


@DBOS.step()
def ef_book(price: int) -> str:
    calls.note("ef_book", price)
    return f"booked {price}"


@DBOS.workflow()
def ef_order(number: int, place: dict[str, Any]) -> str:
    price = ef_price(number)
    return f"{ef_book(price)} for {place['city']}"


@pytest.fixture
def hub(db: None) -> Iterator[type[DBOS]]:
    """An engine on the database of Django's connection."""
    given = connection.settings_dict
    url = f"sqlite:///{given['NAME']}"
    if connection.vendor == "postgresql":
        url = f"postgresql://{given['USER']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"
    DBOS(config={"name": "test-app", "system_database_url": url})
    DBOS.launch()
    calls.clear()
    yield DBOS
    DBOS.destroy(grace_period_sec=2)
    eventually(lambda: engine_threads() == [])


def begin() -> None:
    with SetWorkflowID("w"):
        assert ef_order(3, {"city": "Rome"}) == "booked 30 for Rome"
    calls.clear()


def test_a_fork_goes_on_with_the_changed_result(hub: type[DBOS]) -> None:
    begin()
    fork = fork_edited(actor(), "w", NewResult(step=1, value=99), reason="mispriced")
    assert DBOS.retrieve_workflow(fork).get_result() == "booked 99 for Rome"
    assert calls.noted == [("ef_book", 99)]
    assert DBOS.retrieve_workflow("w").get_result() == "booked 30 for Rome"


def test_a_fork_runs_with_the_changed_input(hub: type[DBOS]) -> None:
    begin()
    changed = NewInput(args=[4], kwargs={"place": {"city": "Oslo"}})
    fork = fork_edited(actor(), "w", changed)
    assert DBOS.retrieve_workflow(fork).get_result() == "booked 40 for Oslo"
    later = NewInput(args=[4], kwargs={"place": {"city": "Oslo"}}, start_step=2)
    again = fork_edited(actor(), "w", later)
    assert DBOS.retrieve_workflow(again).get_result() == "booked 30 for Oslo"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (NewResult(step=7, value=1), "Step 7 is not recorded"),
        (NewResult(step=1, value={1, 2}), "cannot be written"),
        (NewInput(args=[object()], kwargs={}), "cannot be written"),
        (NewInput(args=[], kwargs={}, start_step=-1), "no step -1"),
    ],
)
def test_what_is_refused_leaves_no_fork(hub: type[DBOS], change: Any, why: str) -> None:
    begin()
    with pytest.raises(ActionRefusedError, match=why):
        fork_edited(actor(), "w", change)
    assert [each.workflow_id for each in DBOS.list_workflows()] == ["w"]
