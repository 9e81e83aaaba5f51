"""Actions on workflows: permitted, possible, done, written down; or refused with advice."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from dboshub.workflows.actions import workflow_actions
from dboshub.workflows.actions.audit import ActionRefusedError, Actor, NotPermittedError
from dboshub.workflows.models import (
    AuditEvent,
    Event,
    EventHistory,
    Message,
    Step,
    Workflow,
    WorkflowInput,
    WorkflowOutput,
)

pytestmark = pytest.mark.django_db

ENDED = ["SUCCESS", "ERROR"]
ACTIVE = ["PENDING", "ENQUEUED", "DELAYED"]
STOPPED = ["CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


@pytest.fixture
def operator(make_user: Callable[..., Any]) -> Actor:
    verbs = ["cancel_workflow", "resume_workflow", "fork_workflow", "delete_workflow"]
    names = [f"dboshub_workflows.{name}" for name in [*verbs, "send_message"]]
    return Actor(make_user("grace", *names), "10.0.0.7")


def workflow(workflow_id: str = "order/7 ✓", status: str = "PENDING", **fields: Any) -> Workflow:
    given = {"name": "checkout", "owner_xid": "owner-1", "queue_name": "q", "created_at": 1_000}
    return Workflow.objects.create(
        workflow_uuid=workflow_id, status=status, **(given | {"updated_at": 1_000} | fields)
    )


def now(workflow_id: str = "order/7 ✓") -> Workflow:
    return Workflow.objects.get(pk=workflow_id)


def audited() -> AuditEvent:
    """The one audit event there is."""
    return AuditEvent.objects.get()


@pytest.mark.parametrize("status", [*ACTIVE, "MAX_RECOVERY_ATTEMPTS_EXCEEDED"])
def test_cancelling_takes_the_row_from_its_executor_and_is_written_down(
    operator: Actor, status: str
) -> None:
    workflow(status=status, deduplication_id="once")

    workflow_actions.cancel(operator, "order/7 ✓", reason="  customer left ")

    row = now()
    assert (row.status, row.owner_xid, row.queue_name, row.deduplication_id) == (
        "CANCELLED",
        None,
        None,
        None,
    )
    assert row.completed_at == row.updated_at > 1_000
    event = audited()
    assert (event.username, event.user, event.address) == ("grace", operator.user, "10.0.0.7")
    assert (event.action, event.target_kind, event.target) == ("cancel", "workflow", "order/7 ✓")
    assert (event.reason, event.outcome) == ("customer left", "done")
    assert event.detail == {"was": status, "children": []}


@pytest.mark.parametrize("status", [*ENDED, "CANCELLED"])
def test_what_has_ended_cannot_be_cancelled_and_the_attempt_is_written_down(
    operator: Actor, status: str
) -> None:
    workflow(status=status, completed_at=2_000)

    with pytest.raises(ActionRefusedError, match=r"Fork it|Resume it"):
        workflow_actions.cancel(operator, "order/7 ✓", reason="try")

    assert (now().status, now().completed_at, now().owner_xid) == (status, 2_000, "owner-1")
    event = audited()
    assert (event.outcome, event.reason) == ("refused", "try")
    assert event.detail["refused"]
    assert event.detail["advice"]


def test_cancelling_with_children_takes_all_descendants_that_still_run(operator: Actor) -> None:
    workflow("top")
    workflow("child", parent_workflow_id="top")
    workflow("grandchild", "DELAYED", parent_workflow_id="child")
    workflow("done", "SUCCESS", parent_workflow_id="top")
    workflow("stranger")

    workflow_actions.cancel(operator, "top", children=True)

    assert [now(each).status for each in ("top", "child", "grandchild", "done", "stranger")] == [
        "CANCELLED",
        "CANCELLED",
        "CANCELLED",
        "SUCCESS",
        "PENDING",
    ]
    assert audited().detail["children"] == ["child", "grandchild"]


def test_children_are_left_alone_unless_asked_for(operator: Actor) -> None:
    workflow("top")
    workflow("child", parent_workflow_id="top")

    workflow_actions.cancel(operator, "top")

    assert now("child").status == "PENDING"


@pytest.mark.parametrize("status", [*ACTIVE, *STOPPED])
def test_resuming_enqueues_it_again_without_its_old_owner_and_deadline(
    operator: Actor, status: str
) -> None:
    workflow(status=status, recovery_attempts=9, workflow_deadline_epoch_ms=5, completed_at=2_000)

    workflow_actions.resume(operator, "order/7 ✓")

    row = now()
    assert (row.status, row.queue_name) == ("ENQUEUED", "_dbos_internal_queue")
    assert (row.recovery_attempts, row.owner_xid) == (0, None)
    assert (row.workflow_deadline_epoch_ms, row.completed_at) == (None, None)
    assert audited().detail == {"was": status, "queue": "_dbos_internal_queue"}


@pytest.mark.parametrize("status", ENDED)
def test_a_final_outcome_is_not_resumed(operator: Actor, status: str) -> None:
    workflow(status=status)

    with pytest.raises(ActionRefusedError, match="Fork it"):
        workflow_actions.resume(operator, "order/7 ✓")

    assert now().status == status
    assert audited().outcome == "refused"


def test_resuming_on_a_queue_that_would_never_run_it_is_refused(operator: Actor) -> None:
    from dboshub.queues.models import Queue

    workflow(status="CANCELLED")
    workflow("keyed", "CANCELLED", queue_partition_key="eu")
    Queue.objects.create(name="plain")
    Queue.objects.create(name="split", partition_queue=True, partition_concurrency=1)

    with pytest.raises(ActionRefusedError, match="no queue 'nowhere'"):
        workflow_actions.resume(operator, "order/7 ✓", queue="nowhere")
    with pytest.raises(ActionRefusedError, match="partitioned"):
        workflow_actions.resume(operator, "order/7 ✓", queue="split")
    assert now().status == "CANCELLED"

    workflow_actions.resume(operator, "order/7 ✓", queue="plain")
    workflow_actions.resume(operator, "keyed", queue="split")

    assert (now().queue_name, now("keyed").queue_name) == ("plain", "split")


def test_forking_copies_the_steps_before_and_leaves_the_source_as_it_is(operator: Actor) -> None:
    workflow(status="ERROR", application_name="shop", application_version="v1")
    WorkflowInput.objects.create(workflow_uuid="order/7 ✓", inputs="given")
    for step in (1, 2, 3):
        Step.objects.create(workflow_uuid="order/7 ✓", function_id=step, function_name=f"s{step}")
        history = {"key": "progress", "value": str(step)}
        EventHistory.objects.create(workflow_uuid="order/7 ✓", function_id=step, **history)

    new_id = workflow_actions.fork(
        operator, "order/7 ✓", start_step=3, reason="again", version="v2"
    )

    fork = now(new_id)
    assert (fork.status, fork.forked_from, fork.name) == ("ENQUEUED", "order/7 ✓", "checkout")
    assert (fork.application_name, fork.application_version) == ("shop", "v2")
    assert WorkflowInput.objects.get(pk=new_id).inputs == "given"
    steps = Step.objects.filter(workflow_uuid=new_id).order_by("function_id")
    assert [step.function_name for step in steps] == ["s1", "s2"]
    assert Event.objects.get(workflow_uuid=new_id).value == "2"
    assert (now().status, now().was_forked_from) == ("ERROR", True)
    assert audited().detail["fork"] == new_id


def test_forking_from_a_step_that_cannot_be_is_refused(operator: Actor) -> None:
    workflow()

    with pytest.raises(ActionRefusedError, match="Fork from 1"):
        workflow_actions.fork(operator, "order/7 ✓", start_step=-1)

    assert Workflow.objects.count() == 1
    assert not now().was_forked_from


@pytest.mark.parametrize("serialization", ["py_pickle", None])
def test_a_message_to_a_python_workflow_is_what_its_worker_unpickles(
    operator: Actor, serialization: str | None
) -> None:
    workflow(serialization=serialization)
    value = {"paid": True, "cents": [1250, 0.5, None, "✓"]}

    workflow_actions.send(operator, "order/7 ✓", topic="payment", value=value)

    message = Message.objects.get()
    assert (message.destination_uuid, message.topic) == ("order/7 ✓", "payment")
    assert (message.consumed, message.serialization) == (False, "py_pickle")
    assert pickle.loads(base64.b64decode(message.message)) == value
    assert audited().detail == {"was": "PENDING", "topic": "payment"}


@pytest.mark.parametrize("serialization", ["portable_json", "js_superjson", "DBOS_JSON"])
def test_a_message_to_any_other_workflow_is_portable(operator: Actor, serialization: str) -> None:
    workflow(serialization=serialization)

    workflow_actions.send(operator, "order/7 ✓", topic="", value={"paid": "✓"})

    message = Message.objects.get()
    assert (message.topic, message.serialization) == ("__null__topic__", "portable_json")
    assert json.loads(message.message) == {"paid": "✓"}


def test_a_message_that_nobody_will_read_or_that_is_no_plain_data_is_refused(
    operator: Actor,
) -> None:
    workflow()
    workflow("ended", "SUCCESS")

    with pytest.raises(ActionRefusedError, match="reads no more messages"):
        workflow_actions.send(operator, "ended", topic="", value=1)
    with pytest.raises(ActionRefusedError, match="cannot be written"):
        workflow_actions.send(operator, "order/7 ✓", topic="", value=float("nan"))
    with pytest.raises(ActionRefusedError, match="NUL"):
        workflow_actions.send(operator, "order/7 ✓", topic="a\x00b", value=1)

    assert not Message.objects.exists()
    assert AuditEvent.objects.filter(outcome="refused").count() == 3


def test_deleting_removes_all_that_was_recorded_and_keeps_the_audit_row(operator: Actor) -> None:
    workflow(status="SUCCESS", application_name="shop")
    workflow("other", "SUCCESS")
    for model in (WorkflowInput, WorkflowOutput):
        model.objects.create(workflow_uuid="order/7 ✓")
    for each in ("order/7 ✓", "other"):
        Step.objects.create(workflow_uuid=each, function_id=1)
        Event.objects.create(workflow_uuid=each, key="k", value="v")
        Message.objects.create(message_uuid=each, destination_uuid=each, message="m")

    workflow_actions.delete(operator, "order/7 ✓", reason="gdpr")

    assert [each.pk for each in Workflow.objects.all()] == ["other"]
    assert not WorkflowInput.objects.exists()
    assert not WorkflowOutput.objects.exists()
    for model in (Step, Event, Message):
        assert model.objects.count() == 1
    event = audited()
    assert event.detail == {
        "was": "SUCCESS",
        "name": "checkout",
        "application": "shop",
        "children": [],
    }


@pytest.mark.parametrize("status", ACTIVE)
def test_what_is_active_is_cancelled_before_it_is_deleted(operator: Actor, status: str) -> None:
    workflow("top", "SUCCESS")
    workflow("child", status, parent_workflow_id="top")

    with pytest.raises(ActionRefusedError, match="child is still active"):
        workflow_actions.delete(operator, "top", children=True)
    with pytest.raises(ActionRefusedError, match="Cancel what is active"):
        workflow_actions.delete(operator, "child")
    assert Workflow.objects.count() == 2

    workflow_actions.cancel(operator, "child")
    workflow_actions.delete(operator, "top", children=True)

    assert not Workflow.objects.exists()


def test_only_the_delay_of_what_has_not_begun_is_changed(operator: Actor) -> None:
    workflow("fresh", status="DELAYED", delay_until_epoch_ms=5)
    workflow("asleep", status="DELAYED", delay_until_epoch_ms=5, started_at_epoch_ms=1_000)
    workflow_actions.set_delay(operator, "fresh", seconds=60)
    with pytest.raises(ActionRefusedError, match="It has begun"):
        workflow_actions.set_delay(operator, "asleep", seconds=60)
    assert (now("fresh").delay_until_epoch_ms or 0) > 5
    assert now("asleep").delay_until_epoch_ms == 5


VERBS: dict[str, Callable[[Actor, str], object]] = {
    "cancel": workflow_actions.cancel,
    "resume": workflow_actions.resume,
    "fork": lambda actor, target: workflow_actions.fork(actor, target, start_step=1),
    "send": lambda actor, target: workflow_actions.send(actor, target, topic="", value=1),
    "rewind": workflow_actions.rewind,
    "delay": lambda actor, target: workflow_actions.set_delay(actor, target, seconds=1),
    "attributes": lambda actor, target: workflow_actions.update_attributes(actor, target, {}),
    "delete": workflow_actions.delete,
}


@pytest.mark.parametrize("verb", VERBS)
def test_without_the_permission_nothing_happens_but_the_audit_row(
    make_user: Callable[..., Any], verb: str
) -> None:
    workflow(status="CANCELLED")
    viewer = Actor(
        make_user("eve", "dboshub_workflows.view_workflow", "dboshub_workflows.view_payload")
    )

    with pytest.raises(NotPermittedError, match="Ask an administrator"):
        VERBS[verb](viewer, "order/7 ✓")

    assert (now().status, Workflow.objects.count()) == ("CANCELLED", 1)
    assert not Message.objects.exists()
    event = audited()
    assert (event.username, event.action, event.outcome) == ("eve", verb, "refused")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("workflow_id", ["nobody", "a\x00b"])
def test_a_workflow_that_is_not_there_is_refused_and_written_down(
    operator: Actor, verb: str, workflow_id: str
) -> None:
    with pytest.raises(ActionRefusedError, match="There is no workflow"):
        VERBS[verb](operator, workflow_id)

    assert audited().outcome == "refused"


def test_when_the_audit_row_cannot_be_written_nothing_was_done(
    operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow()

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(AuditEvent, "end", full)
    with pytest.raises(OSError, match="disk full"):
        workflow_actions.cancel(operator, "order/7 ✓")

    assert now().status == "PENDING"
