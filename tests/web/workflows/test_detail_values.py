"""How the page of a workflow words values, whoever wrote them and in whatever format."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dboshub.workflows.connection import atomic
from dboshub.workflows.engine.errors import DBOSMaxStepRetriesExceeded
from dboshub.workflows.rendering.listing.row_cells import row_cells
from dboshub.workflows.selectors.rows import row
from dboshub.workflows.storage.sql import Session, Statement
from tests.support.runs import T0, add_step, add_workflow, insert, pickled

pytestmark = pytest.mark.django_db

STATUSES = (
    "PENDING",
    "ENQUEUED",
    "DELAYED",
    "SUCCESS",
    "ERROR",
    "CANCELLED",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED",
    "OF_A_LATER_RELEASE",
)
INPUT = Statement("UPDATE {workflow_input} SET inputs = :inputs WHERE workflow_uuid = :id")
OUTPUT = Statement("UPDATE {workflow_output} SET output = :output WHERE workflow_uuid = :id")


@pytest.fixture
def reader(client: Client, make_user: Callable[..., Any]) -> Client:
    permissions = ("dboshub_workflows.view_workflow", "dboshub_workflows.view_payload")
    client.force_login(make_user("rea", *permissions))
    return client


def page(client: Client, workflow_id: str = "w") -> str:
    response = client.get(reverse("dboshub:workflows:detail", args=[workflow_id]))
    assert response.status_code == 200, response
    return response.content.decode()


def words(markup: str) -> str:
    """What a page says, without its markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())


def add_foreign_step(session: Session, number: int, **columns: Any) -> None:
    given = {"workflow_uuid": "w", "function_id": number, "function_name": f"step_{number}"}
    insert(session, "operation_outputs", **given | columns)


@pytest.mark.parametrize("status", STATUSES)
def test_every_state_has_a_page(reader: Client, status: str) -> None:
    with atomic() as session:
        add_workflow(session, "w", status, queue_name="orders", delay_until_epoch_ms=T0)
        add_step(session, "w", 1, "charge")
    assert "charge" in page(reader)


@pytest.mark.parametrize(
    ("args", "kwargs", "shown"),
    [
        (("mug", 2), {}, '("mug", 2)'),
        (("mug", 2), {"color": "red"}, '("mug", 2, color="red")'),
        ((), {"color": "red"}, '(color="red")'),
        ((), {}, "no arguments"),
    ],
)
@pytest.mark.parametrize("is_portable", [False, True])
def test_arguments_are_shown_as_a_call_has_them(
    reader: Client,
    args: tuple[Any, ...],
    kwargs: dict[str, str],
    shown: str,
    is_portable: bool,
) -> None:
    stored = pickled({"args": args, "kwargs": kwargs})
    if is_portable:
        quoted = ", ".join(f'"{each}"' if isinstance(each, str) else str(each) for each in args)
        named = ", ".join(f'"{name}": "{value}"' for name, value in kwargs.items())
        stored = f'{{"positionalArgs": [{quoted}], "namedArgs": {{{named}}}}}'
    with atomic() as session:
        serialization = "portable_json" if is_portable else "py_pickle"
        add_workflow(session, "w", serialization=serialization)
        session.run(INPUT, inputs=stored, id="w")
    assert f"Input {shown} Output" in words(page(reader))


def test_a_step_that_failed_every_time_says_how_often_and_how_it_ended(reader: Client) -> None:
    errors: list[Exception] = [ConnectionError("no route"), TimeoutError("no answer")]
    error = DBOSMaxStepRetriesExceeded("charge", 2, errors)
    error.add_note('Traceback (most recent call last):\n  File "shop.py", line 3, in charge')
    with atomic() as session:
        add_workflow(session, "w", "ERROR", error=error)
    said = words(page(reader))
    assert "Step charge failed 2 times, at last with TimeoutError: no answer" in said
    assert 'Traceback (most recent call last): File "shop.py", line 3, in charge' in said


def test_what_another_language_wrote_can_be_read(reader: Client) -> None:
    with atomic() as session:
        add_workflow(session, "w", serialization="js_superjson", executor_id=None)
        session.run(INPUT, inputs='{"json":["mug",{"at":"2026-09-01T08:00:00.000Z"}]}', id="w")
        add_foreign_step(session, 0, output='{"json":{"paid":12345678901234567890}}')
        add_foreign_step(session, 1, error='{"json":{"name":"Error","message":"declined"}}')
    said = words(page(reader))
    assert "12345678901234567890" in words(
        reader.get(reverse("dboshub:workflows:step", args=[0, "w"])).content.decode()
    )
    for word in ("mug", "2026-09-01T08:00:00.000Z", "step_0", "step_1", "declined"):
        assert word in said, word


def test_ten_thousand_steps_make_no_large_page(reader: Client) -> None:
    with atomic() as session:
        add_workflow(session, "w", "PENDING")
        for number in range(1, 10_001):
            add_foreign_step(session, number, output=pickled("x" * 200))
    markup = page(reader)
    assert len(markup) < 400_000
    assert "10,000" in words(markup)


@pytest.mark.parametrize("workflow_id", ["w", "order-1041", "sched-shop-2026-11-25T17:05:00+00:00"])
def test_ids_that_begin_alike_are_told_apart_by_their_ends(workflow_id: str) -> None:
    with atomic() as session:
        add_workflow(session, workflow_id)
        found = row(session, workflow_id)
    assert found is not None
    cell = row_cells(found)["id"]
    assert cell.endswith(f"</span>{workflow_id[-12:]}</code>")
    assert re.sub(r"<[^>]*>", "", cell) == workflow_id


def test_an_error_cut_at_its_cap_is_read_as_far_as_it_goes(reader: Client) -> None:
    with atomic() as session:
        add_workflow(session, "w")
        add_step(session, "w", 1, "charge", error=ValueError("declined " * 1_000))
    shown = words(page(reader))
    assert "declined declined" in shown
    assert "not a readable pickle" not in shown


@pytest.mark.parametrize("text", ["x" * 300_000, "é" * 300_000])
def test_a_value_cut_at_its_cap_says_so_and_shows_what_is_there(reader: Client, text: str) -> None:
    url = reverse("dboshub:workflows:value", args=["w"])
    with atomic() as session:
        add_workflow(session, "w", output=text, serialization="portable_json")
        stored = f'{{"note": "{text}"}}'
        session.run(OUTPUT, id="w", output=stored)
    shown = words(reader.get(url + "?of=output").content.decode())
    assert "characters are shown" in shown
    assert '{"note": "' + text[:20] in shown
    assert "Download all" in shown
    assert "not JSON" not in shown


def test_a_redacted_value_says_which_rule_hid_it_and_where_it_is_changed(reader: Client) -> None:
    with atomic() as session:
        add_workflow(session, "w", inputs={"access_token": "hunter2"}, output=[1])
    shown = words(page(reader))
    assert "redacted by *token" in shown
    assert "The rule *token hides parts of what is shown." in shown
    assert shown.count("DBOSHUB_REDACT") == 1
