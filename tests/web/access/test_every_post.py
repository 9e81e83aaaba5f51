"""Everything that can be posted: nothing without a login, nothing without the permission, and
with it a row in the audit log that says who, what, on what, why and from where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from dboshub.exports import store, writer
from dboshub.exports.store import Export
from dboshub.models import SavedView
from dboshub.queues.forms import control
from dboshub.queues.models import Queue, QueuePause
from dboshub.schedules.forms import control as schedule_forms
from dboshub.schedules.models import Schedule
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.forms import executor_forms, workflow_forms
from dboshub.workflows.models import ApplicationVersion, AuditEvent, BulkJob, Change, Workflow
from tests.support.runs import add_workflow, pickled
from tests.web.routes import routes

pytestmark = pytest.mark.django_db

ADDRESS = "203.0.113.9"
REASON = "because of the fire"
PASSWORD, NEW = "correct horse battery", "staple of nine lives"
# The number of what is there before; none that a sequence comes to.
THERE = 1_000_000
LOOKING = (
    "dboshub_workflows.view_workflow",
    "dboshub_queues.view_queue",
    "dboshub_schedules.view_schedule",
)
STEER = "dboshub_schedules.change_schedule"
# What leaves no trace in any table but the person's own session or cookies.
WITHOUT_TRACE = {"login", "logout", "dboshub:theme"}
# What only leads to another page.
WITHOUT_TRACE |= {"dboshub:workflows:compare"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing that can be posted by whom `needs` allows, and the audit row of it: what was done,
    to which kind of thing, and to which if that is known before."""

    at: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    needs: str
    row: tuple[str, str, str | None]
    asks_why: bool = True
    also: tuple[str, ...] = ()  # permissions without which nobody comes so far
    before: Callable[[], object] = lambda: None


def of_workflow(verb: str, needs: str, target: str = "w", **data: Any) -> Case:
    at = {"verb": verb, "workflow_id": target}
    return Case(
        at=at, data=data, needs=f"dboshub_workflows.{needs}", row=(verb, "workflow", target)
    )


def of_executors(verb: str, needs: str, kind: str, target: str, **data: Any) -> Case:
    at = {"verb": verb, "target": target}
    return Case(at=at, data=data, needs=f"dboshub_workflows.{needs}", row=(verb, kind, target))


def of_queue(verb: str, needs: str = "change_queue", **more: Any) -> Case:
    at = {"verb": verb, "name": "q"}
    return Case(at=at, needs=f"dboshub_queues.{needs}", row=(verb, "queue", "q"), **more)


def of_schedule(verb: str, **more: Any) -> Case:
    return Case(at={"verb": verb, "name": "s"}, needs=STEER, row=(verb, "schedule", "s"), **more)


def of_job(do: str, *, asks_why: bool = True, **columns: Any) -> Case:
    return Case(
        at={"job_id": THERE},
        data={"do": do},
        needs="dboshub_workflows.cancel_workflow",
        row=(f"bulk_{do}", "bulk", str(THERE)),
        asks_why=asks_why,
        before=lambda: BulkJob.objects.update(**columns),
    )


def pause_schedule() -> None:
    Schedule.objects.update(status="PAUSED")


def fail() -> None:
    Workflow.objects.filter(pk="ended").update(status="ERROR")


def loop() -> None:
    Workflow.objects.filter(pk="w").update(status="PENDING", recovery_attempts=9)


def pause_queue() -> None:
    QueuePause.objects.create(queue_name="q")


CASES: dict[str, list[Case]] = {
    "dboshub:workflows:do": [
        of_workflow("cancel", "cancel_workflow"),
        of_workflow("resume", "resume_workflow"),
        of_workflow("fork", "fork_workflow", step=1),
        of_workflow("delete", "delete_workflow", "ended"),
        of_workflow("send", "send_message", value='"paid"'),
    ],
    "dboshub:workflows:steer": [
        of_executors("adopt", "adopt_executor", "executor", "gone", application="shop"),
        of_executors("promote", "promote_version", "version", "v1"),
    ],
    "dboshub:workflows:start": [
        Case(
            at={"name": "checkout"},
            data={"workflow_id": "new"},
            needs="dboshub_workflows.start_workflow",
            row=("start", "workflow", "new"),
        )
    ],
    "dboshub:workflows:edit": [
        Case(
            at={"workflow_id": "w"},
            data={"arg:*": "[1]", "start_step": "1", "confirm": "1"},
            needs="dboshub_workflows.edit_run",
            row=("edit", "workflow", "w"),
            also=("dboshub_workflows.view_payload",),
        )
    ],
    "dboshub:workflows:bulk_new": [
        Case(
            data={"verb": "cancel", "filter": "name=checkout"},
            needs="dboshub_workflows.cancel_workflow",
            row=("bulk_freeze", "bulk", None),
            asks_why=False,
        )
    ],
    "dboshub:workflows:error_group": [
        Case(
            needs="dboshub_workflows.fork_workflow",
            row=("bulk_freeze", "bulk", None),
            asks_why=False,
            before=fail,
        )
    ],
    "dboshub:incident": [
        Case(
            at={"kind": "recovery", "key": "w"},
            data={"do": do} | more,
            needs="dboshub_workflows.decide_incident",
            row=(do.replace("_", " "), "incident", "recovery/w"),
            asks_why=False,
            before=loop,
        )
        for do, more in (("ignore", {"how": "always"}), ("stop_ignoring", {}), ("assign", {}))
    ],
    "dboshub:workflows:bulk": [
        of_job("start", state="frozen", total=1),
        of_job("stop", state="running", started_at=1),
        of_job("retry", state="done", failed=1, started_at=1),
        of_job("discard", state="frozen", asks_why=False),
        of_job("undo", state="done", started_at=now_ms(), asks_why=False),
    ],
    "dboshub:queues:do": [
        of_queue("pause"),
        of_queue("resume", before=pause_queue),
        of_queue("change", data={"concurrency": "4", "polling_interval_sec": "1"}),
        of_queue("delete", "delete_queue"),
    ],
    "dboshub:schedules:do": [
        of_schedule("pause"),
        of_schedule("resume", before=pause_schedule),
        of_schedule("trigger"),
        of_schedule(
            "backfill",
            data={
                "start": "2026-01-01T00:00",
                "end": "2026-01-01T00:00",
                "seen": "2026-01-01T00:00:00+00:00",
            },
        ),
        of_schedule("change", data={"cron": "5 * * * *"}),
        of_schedule("delete"),
    ],
    "dboshub:schedules:new": [
        Case(
            data={"name": "new", "workflow": "report", "cron": "0 * * * *", "application": "shop"},
            needs=STEER,
            row=("create", "schedule", "new"),
        )
    ],
    "dboshub:exports:new": [
        Case(
            data={"of": "workflows", "format": "csv", "filter": "name=checkout", "payload": "on"},
            needs="dboshub_workflows.view_payload",
            row=("export", "workflows", "name=checkout"),
        ),
        Case(
            data={"of": "audit", "format": "csv", "filter": "user=root"},
            needs="dboshub_workflows.view_auditevent",
            row=("export", "audit", "user=root"),
        ),
    ],
    "dboshub:exports:discard": [
        Case(
            at={"key": "an_export"},
            needs="dboshub_workflows.view_auditevent",
            row=("discard", "export", "an_export"),
            asks_why=False,
        )
    ],
    "dboshub:save_view": [
        Case(
            data={"page": "workflows", "name": "new", "query": "status=ERROR"},
            needs="dboshub_workflows.view_workflow",
            row=("save", "view", "new"),
            asks_why=False,
        )
    ],
    "dboshub:delete_view": [
        Case(
            at={"view_id": THERE},
            needs="dboshub_workflows.view_workflow",
            row=("delete", "view", "mine"),
            asks_why=False,
        )
    ],
    "dboshub:workflows:columns": [
        Case(
            data={"query": "", "column": ["created", "name"]},
            needs="dboshub_workflows.view_workflow",
            row=("save", "layout", "workflows"),
            asks_why=False,
        )
    ],
    # Everybody's own.
    "dboshub:preferences": [
        Case(
            data={"time_zone": "Asia/Tokyo"},
            needs="",
            row=("save", "preference", "time zone"),
            asks_why=False,
        )
    ],
    "password_change": [
        Case(
            data={"old_password": PASSWORD}
            | dict.fromkeys(("new_password1", "new_password2"), NEW),
            needs="",
            row=("change_password", "user", "ada"),
            asks_why=False,
        )
    ],
}
VERBS = {
    "dboshub:workflows:do": {*workflow_forms.FORMS},
    "dboshub:workflows:steer": {*executor_forms.FORMS},
    "dboshub:queues:do": {*control.FORMS},
    "dboshub:schedules:do": {*schedule_forms.FORMS, "change"},
}
ALL = [(name, case) for name, cases in CASES.items() for case in cases]
GUARDED = [(name, case) for name, case in ALL if case.needs]
IDS = [f"{name}-{case.row[0]}-{case.row[1]}" for name, case in ALL]


@pytest.fixture
def person(
    client: Client,
    make_user: Callable[..., User],
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> User:
    """Somebody who may look, logged in, where there is one thing of each kind to act on."""
    settings.DBOSHUB_DATA_DIR = tmp_path
    # Written by a thread, which would not see what this test's transaction holds.
    monkeypatch.setattr(writer, "start_writing", lambda export: None)
    user = make_user("ada", *LOOKING)
    client.force_login(user)
    with atomic() as session:
        owned = {"executor_id": "gone", "application_name": "shop"}
        add_workflow(session, "w", "PENDING", name="checkout", **owned)
        add_workflow(session, "ended", "SUCCESS", name="report", application_name="shop")
    for at, version in enumerate(("v1", "v2")):
        given = {"version_timestamp": at, "created_at": at, "application_name": "shop"}
        ApplicationVersion.objects.create(version_id=version, version_name=version, **given)
    Queue.objects.create(queue_id="q", name="q", application_name="shop")
    Schedule.objects.create(
        schedule_id="s",
        schedule_name="s",
        workflow_name="report",
        schedule="0 * * * *",
        context=pickled(None),
        application_name="shop",
    )
    job = BulkJob.objects.create(pk=THERE, verb="cancel", state="frozen", user=user, username="ada")
    Change.objects.create(job=job, workflow_id="w", at=1, was={})
    SavedView.objects.create(pk=THERE, owner=user, name="mine", query="status=ERROR")
    made = {"made_at": now_ms(), "touched_at": now_ms()}
    store.add(
        Export(key="an_export", user=str(user.pk), of="audit", query="", format="csv", **made)
    )
    return user


def everything() -> dict[str, list[str]]:
    """What is in every table but the audit log, and which exports there are."""
    labels = ("dboshub_workflows", "dboshub_queues", "dboshub_schedules", "dboshub", "auth")
    models = [model for label in labels for model in apps.get_app_config(label).get_models()]
    rows = {
        model._meta.label: sorted(str(row) for row in model._default_manager.values())
        for model in models
        if model is not AuditEvent and model._meta.managed
    }
    return rows | {"exports": sorted(each.key for each in store.all_exports())}


def allow(user: User, *permissions: str) -> None:
    """Let somebody do these things, and nothing else."""
    wanted = [each.split(".")[1] for each in permissions if each]
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))


def post(client: Client, name: str, case: Case) -> Any:
    data = {"reason": REASON, **case.data} if case.asks_why else case.data
    return client.post(reverse(name, kwargs=case.at), data, REMOTE_ADDR=ADDRESS)


def test_the_table_names_all_that_can_be_posted(client: Client, person: User) -> None:
    client.force_login(User.objects.create_superuser("root"))
    for route in routes():
        if route.name not in {*CASES, *WITHOUT_TRACE}:
            here = {
                name: "1" if kind in ("int", "dboshub_number") else "w"
                for kind, name in route.parts
            }
            assert client.post(route.at(here)).status_code == 405, f"{route.name} takes posts"
    for name, verbs in VERBS.items():
        assert {case.at["verb"] for case in CASES[name]} == verbs


@pytest.mark.parametrize(("name", "case"), ALL, ids=IDS)
def test_without_a_login_nothing_is_done(
    client: Client, person: User, name: str, case: Case
) -> None:
    allow(person, *LOOKING, *case.also, case.needs)
    client.logout()
    case.before()
    before = everything()
    answer = post(client, name, case)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/")
    assert everything() == before
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(("name", "case"), GUARDED, ids=IDS[: len(GUARDED)])
def test_without_the_permission_nothing_is_done(
    client: Client, person: User, name: str, case: Case
) -> None:
    allow(person, *({*LOOKING} - {case.needs}))
    case.before()
    before = everything()
    assert post(client, name, case).status_code == 403
    assert everything() == before
    assert not AuditEvent.objects.exclude(outcome="refused").exists()


@pytest.mark.parametrize(("name", "case"), ALL, ids=IDS)
def test_what_is_done_is_audited(client: Client, person: User, name: str, case: Case) -> None:
    allow(person, *LOOKING, *case.also, case.needs)
    case.before()
    before = everything()
    answer = post(client, name, case)
    assert answer.status_code == 302, answer.content.decode()
    assert everything() != before
    event = AuditEvent.objects.get()
    action, kind, target = case.row
    assert (event.user, event.username, event.address) == (person, "ada", ADDRESS)
    assert (event.action, event.target_kind, event.outcome) == (action, kind, "done")
    assert event.target == target or (target is None and event.target)
    assert event.reason == (REASON if case.asks_why else "")
