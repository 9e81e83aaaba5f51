"""Each payload column holds a marker of its own: who sees it, on every page there is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import models
from django.test import Client
from django.urls import reverse

from dboshub.queues.models import Queue
from dboshub.schedules.models import Schedule
from dboshub.workflows.models import (
    Attempt,
    AuditEvent,
    Event,
    EventHistory,
    Executor,
    Message,
    Step,
    StreamValue,
    Workflow,
    WorkflowInput,
    WorkflowOutput,
)
from tests.support.runs import T0, pickled
from tests.web.access.test_permissions import ALL
from tests.web.workflows.test_detail import addresses

pytestmark = pytest.mark.django_db

PAYLOADS: dict[type[models.Model], tuple[str, ...]] = {
    Workflow: ("inputs", "output", "error", "request", "attributes"),
    WorkflowInput: ("inputs",),
    WorkflowOutput: ("output", "error"),
    Step: ("output", "error"),
    Event: ("value",),
    EventHistory: ("value",),
    StreamValue: ("value",),
    Message: ("message",),
    Attempt: ("error", "message"),
    Schedule: ("context",),
    Executor: ("functions", "activity"),
    AuditEvent: ("payload",),
}
# Columns whose names sound like these hold what a workflow was given or made.
SUSPECT = {
    "inputs",
    "input",
    "output",
    "error",
    "value",
    "message",
    "attributes",
    "context",
    "request",
    "functions",
    "activity",
    "result",
    "args",
    "kwargs",
    "payload",
    "headers",
}
# No page shows these to anybody yet.
SHOWN_NOWHERE = {
    "Workflow.request",
    "Executor.functions",
    "Executor.activity",
    # The operator group does not read the audit log: tests/web/workflows/test_edit.py
    "AuditEvent.payload",
}
# Ending the session would end the walk.
WALK = [f"/{address}" for address in ALL if address not in ("logout/", "login/", "password/")]
FORMATS: dict[str, Callable[[Any], str]] = {"portable_json": json.dumps, "py_pickle": pickled}


def marker(model: type[models.Model], column: str) -> str:
    return f"marker-{model.__name__}-{column}"


def markers() -> Iterator[tuple[str, str]]:
    for model, columns in PAYLOADS.items():
        for column in columns:
            yield f"{model.__name__}.{column}", marker(model, column)


def add(model: type[models.Model], encode: Callable[[Any], str], **columns: Any) -> None:
    payloads: dict[str, Any] = {name: encode(marker(model, name)) for name in PAYLOADS[model]}
    if "attributes" in payloads:
        payloads["attributes"] = {"tenant": marker(model, "attributes")}
    model._default_manager.create(**payloads | columns)


def fill(serialization: str) -> None:
    """A workflow as it is written now, one as it was written before, and what belongs to them."""
    encode = FORMATS[serialization]
    kept = {"serialization": serialization}
    begun = {"status": "ERROR", "name": "checkout", "created_at": T0, "updated_at": T0} | kept
    for workflow_id in ("w", "old"):
        add(Workflow, encode, workflow_uuid=workflow_id, **begun)
    one = {"workflow_uuid": "w"}
    for model in (WorkflowInput, WorkflowOutput):
        add(model, encode, **one)
    add(Step, encode, **one, **kept, function_id=1, function_name="charge", error=None)
    add(Step, encode, **one, **kept, function_id=2, function_name="ship", output=None)
    for model in (Event, EventHistory):
        step = {"function_id": 1} if model is EventHistory else {}
        add(model, encode, **one, **kept, **step, key="progress")
    add(StreamValue, encode, **one, **kept, key="log", offset=0, function_id=1)
    sent = {"message_uuid": "m-1", "destination_uuid": "w", "consumed": False}
    add(Message, encode, **sent, **kept, created_at_epoch_ms=T0)
    add(Attempt, str, **one, function_id=1, attempt=1, failed_at=T0)
    add(Executor, encode, incarnation="w", executor_id="local", lease_ms=1)
    named = {"schedule_id": "w", "schedule_name": "w", "workflow_name": "checkout"}
    add(Schedule, encode, **named, schedule="* * * * *")
    changed = [encode(marker(AuditEvent, "payload")), serialization, False]
    kept_of_it = {"old": changed, "new": changed}
    about = {"action": "edit", "target_kind": "workflow", "target": "w"}
    AuditEvent.objects.create(pk=1, payload=kept_of_it, **about, detail={"changed": "input"})
    Queue.objects.create(queue_id="w", name="w")


def member(client: Client, make_user: Callable[..., Any], group: str) -> Client:
    """Somebody of a group, let into the admin too."""
    user = make_user(group.split()[-1], is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client.force_login(user)
    return client


def everywhere() -> list[str]:
    # What was written before differs in the row itself alone.
    before = reverse("dboshub:workflows:value", args=["old"])
    old = [reverse("dboshub:workflows:detail", args=["old"])]
    old += [f"{before}?of={kind}" for kind in ("input", "output", "error", "attributes")]
    return [
        *WALK,
        *addresses("w"),
        *old,
        "/workflows/?status=ERROR&name=check*",
        "/workflows/?id=w",
        "/workflows/compare/?a=w&b=old",
        "/workflows/compare/?a=old&b=w",
    ]


def seen(client: Client, secrets: dict[str, str], address: str, method: str = "get") -> set[str]:
    found: set[str] = set()
    ways = ({},) if address.startswith("/admin/") else ({}, {"HX-Request": "true"})
    for headers in ways:
        response = getattr(client, method)(address, headers=headers)
        text = response.content.decode() + str(response.headers)
        found |= {name for name, secret in secrets.items() if secret in text}
    return found


def test_every_column_that_may_hold_a_payload_is_known_here() -> None:
    for app in ("dboshub_workflows", "dboshub_queues", "dboshub_schedules"):
        for model in apps.get_app_config(app).get_models():
            columns = {field.name for field in model._meta.concrete_fields}
            assert columns & SUSPECT == set(PAYLOADS.get(model, ())), model


@pytest.mark.parametrize("serialization", FORMATS)
def test_the_viewer_group_is_shown_no_payload_anywhere(
    client: Client, make_user: Callable[..., Any], serialization: str
) -> None:
    fill(serialization)
    viewer = member(client, make_user, "DBOSHub viewer")
    # As text, and as it is stored.
    stored = {f"{name} as stored": FORMATS[serialization](text) for name, text in markers()}
    for address in everywhere():
        assert not seen(viewer, dict(markers()) | stored, address), address
    for verb in ("cancel", "resume", "fork", "delete", "send"):
        address = reverse("dboshub:workflows:do", args=[verb, "w"])
        assert not seen(viewer, dict(markers()), address, "post"), address
    assert Workflow.objects.filter(status="ERROR").count() == 2


@pytest.mark.parametrize("serialization", FORMATS)
def test_the_operator_group_is_shown_every_one_of_them(
    client: Client, make_user: Callable[..., Any], serialization: str
) -> None:
    fill(serialization)
    operator = member(client, make_user, "DBOSHub operator")
    found = {
        name
        for address in everywhere()
        if not address.startswith("/admin/")
        for name in seen(operator, dict(markers()), address)
    }
    assert found == {name for name, _ in markers()} - SHOWN_NOWHERE
    for address in WALK:
        if address.startswith("/admin/"):
            assert not seen(operator, dict(markers()), address), address
