"""`manage.py workflow`: what a person types, and the JSON that answers."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from dboshub.workflows.connection import atomic, reading
from dboshub.workflows.models import AuditEvent
from dboshub.workflows.storage.listing.workflow_rows import workflows
from dboshub.workflows.storage.sql import Statement

pytestmark = pytest.mark.django_db

STEP = Statement(
    """
    INSERT INTO {operation_outputs} (workflow_uuid, function_id, function_name, output)
    VALUES (:id, 1, 'charge', '"receipt"')
    """
)
QUEUE = Statement("INSERT INTO {queues} (name) VALUES ('mail')")
PAUSE = Statement("""
    INSERT INTO {dboshub_queue_pause} (queue_name, paused_at, reason)
    VALUES ('mail', 1, 'stock taking')
""")


def workflow(*words: str) -> Any:
    out = StringIO()
    call_command("workflow", *words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_starting_enqueues_by_name_with_the_given_arguments() -> None:
    answer = workflow("start", "checkout", "--args", '["mug", 2]', "--kwargs", '{"gift": true}')
    assert answer["status"] == "ENQUEUED"
    found = workflow("get", answer["workflow_id"])
    assert found["name"] == "checkout"
    assert found["queue_name"] == "_dbos_internal_queue"
    assert found["application_name"] is None
    assert found["recovery_attempts"] == 0
    assert found["input"] == '{"args": ("mug", 2), "kwargs": {"gift": True}}'


def test_what_is_started_can_be_read_by_dbos() -> None:
    from dbos._serialization import DefaultSerializer

    answer = workflow("start", "checkout", "--args", '["mug", 2]', "--kwargs", '{"gift": true}')
    with reading() as session:
        (row,) = workflows(session, {"workflow_ids": [answer["workflow_id"]]})
    assert row["serialization"] == "py_pickle"
    assert DefaultSerializer().deserialize(row["input"]) == {
        "args": ("mug", 2),
        "kwargs": {"gift": True},
    }


def test_an_id_is_started_once() -> None:
    assert workflow("start", "checkout", "--id", "order/1 é")["workflow_id"] == "order/1 é"
    with pytest.raises(CommandError, match="already"):
        workflow("start", "checkout", "--id", "order/1 é")


def test_why_it_does_not_run_is_told_with_what_to_do() -> None:
    with atomic() as session:
        session.run(QUEUE)
        session.run(PAUSE)
    workflow("start", "checkout", "--id", "w", "--queue", "mail")
    answer = workflow("why", "w")
    assert (answer["code"], answer["trouble"]) == ("queue_paused", True)
    assert [each["code"] for each in answer["blockers"]] == ["queue_paused", "no_executor"]
    told = StringIO()
    call_command("workflow", "why", "w", stdout=told)
    assert (
        "why:         Enqueued on mail; the queue mail is paused: stock taking." in told.getvalue()
    )
    assert "queue resume mail" in told.getvalue()


def test_why_something_ended_is_told_too() -> None:
    workflow("start", "checkout", "--id", "w")
    workflow("cancel", "w")
    assert workflow("why", "w")["code"] == "cancelled"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("start", "checkout", "--args", '{"a": 1}'), "invalid JSON list"),
        (("start", "checkout", "--kwargs", "nonsense"), "invalid JSON dict"),
        (("start", "checkout", "--args", "[NaN]"), "not a number"),
        (("start", "checkout", "--queue", "nowhere"), "no queue 'nowhere'"),
        (("get", "nobody"), "no workflow 'nobody'"),
        (("steps", "nobody"), "no workflow 'nobody'"),
        (("why", "nobody"), "no workflow 'nobody'"),
        (("cancel", "nobody"), "no workflow 'nobody'"),
        (("list", "--status", "LOST"), "invalid choice"),
    ],
)
def test_what_cannot_be_done_is_explained(words: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        workflow(*words)


def test_listing_is_newest_first_and_filtered() -> None:
    for number in range(3):
        workflow("start", "checkout" if number else "refund", "--id", f"w{number}")
    assert {each["workflow_id"] for each in workflow("list")} == {"w0", "w1", "w2"}
    assert len(workflow("list", "--limit", "2")) == 2
    assert [each["workflow_id"] for each in workflow("list", "--name", "refund")] == ["w0"]
    assert workflow("list", "--status", "ERROR") == []
    assert "input" not in workflow("list")[0]


def test_cancel_resume_and_fork_are_audited_as_the_person_at_the_terminal() -> None:
    workflow("start", "checkout", "--id", "order")
    assert workflow("cancel", "order", "--reason", "sold out")["status"] == "CANCELLED"
    assert workflow("resume", "order")["status"] == "ENQUEUED"
    forked = workflow("fork", "order", "--step", "2", "--version", "v7")
    assert (forked["forked_from"], forked["app_version"]) == ("order", "v7")
    events = AuditEvent.objects.order_by("pk")
    assert [each.action for each in events] == ["start", "cancel", "resume", "fork"]
    assert events[1].reason == "sold out"
    assert events[1].username.endswith("(manage.py)")


def test_steps_show_their_outputs() -> None:
    workflow("start", "checkout", "--id", "order")
    with atomic() as session:
        session.run(STEP, id="order")
    (step,) = workflow("steps", "order")
    assert (step["function_id"], step["function_name"], step["error"]) == (1, "charge", None)
    assert "receipt" in step["output"]
