"""Starting a workflow from the browser: a form typed by what executors publish."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from urllib.parse import unquote, urlencode

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from dboshub.queues.models import Queue
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import AuditEvent, Executor, Workflow, WorkflowInput
from dboshub.workflows.payloads import read
from dboshub.workflows.payloads.inline import inline
from dboshub.workflows.selectors.startable import arguments_of
from tests.support.runs import add_workflow

pytestmark = pytest.mark.django_db

VIEW = "dboshub_workflows.view_workflow"
START = "dboshub_workflows.start_workflow"
SIGNATURE = {
    "doc": "Take an order and ship it.",
    "parameters": {
        "type": "object",
        "properties": {
            "customer": {"type": "string"},
            "count": {"type": "integer"},
            "gift": {"type": "boolean", "default": False},
            "size": {"enum": ["s", "m"], "default": "m"},
            "lines": {"type": "array"},
        },
        "required": ["customer", "count", "lines"],
        "additionalProperties": False,
    },
}
GIVEN = {"arg:customer": "ada", "arg:count": "3", "arg:lines": '["a", 1]'}


@pytest.fixture
def operator(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("ops", VIEW, START, "dboshub_workflows.view_payload"))
    return client


def publish(name: str = "checkout", signature: Any = SIGNATURE, **columns: Any) -> None:
    now = now_ms()
    given = {
        "incarnation": f"i-{name}",
        "executor_id": "local",
        "application_name": "shop",
        "application_version": "v1",
        "lease_ms": 3_600_000,
        "last_beat_at": now,
        "functions": json.dumps({name: signature}),
    }
    Executor.objects.create(**given | columns)


def url(name: str = "checkout", query: str = "?app=shop") -> str:
    return reverse("dboshub:workflows:start", args=[name]) + query


def given_to(workflow: Workflow) -> str:
    row = WorkflowInput.objects.get(workflow_uuid=workflow.pk)
    return inline(read(row.inputs, workflow.serialization), 500)


def test_what_live_executors_publish_is_listed(operator: Client) -> None:
    publish()
    publish("ancient", last_beat_at=0)
    html = operator.get(reverse("dboshub:workflows:start_list")).content.decode()
    assert "checkout" in html
    assert "Take an order and ship it." in html
    arguments = html[html.index('data-label="Arguments"') :]
    names = re.findall(r"<code>(\w+)</code>", arguments[: arguments.index("</td>")])
    assert names == ["customer", "count", "gift", "size", "lines"]
    assert "ancient" not in html


def test_a_form_is_typed_by_the_signature(operator: Client) -> None:
    publish()
    html = operator.get(url()).content.decode()
    assert 'type="number" name="arg:count"' in html
    assert "Whole number." in html
    assert "empty: &quot;m&quot;" in html
    assert html.index('name="arg:customer"') < html.index('name="arg:lines"')


def test_it_is_enqueued_with_its_arguments_and_audited(operator: Client) -> None:
    publish()
    Queue.objects.create(queue_id="1", name="orders")
    more = {
        "queue": "orders",
        "priority": "4",
        "delay": "60",
        "workflow_id": "w-1",
        "reason": "redo",
    }
    response = operator.post(url(), GIVEN | more)
    assert response.headers["Location"] == reverse("dboshub:workflows:detail", args=["w-1"])
    row = Workflow.objects.get()
    assert (row.name, row.status, row.queue_name, row.priority) == (
        "checkout",
        "DELAYED",
        "orders",
        4,
    )
    assert (row.application_name, row.application_version) == ("shop", None)
    assert row.delay_until_epoch_ms == row.created_at + 60_000
    shown = given_to(row)
    assert "'customer': " in shown or '"customer": ' in shown
    assert '["a", 1]' in shown
    assert "gift" not in shown
    event = AuditEvent.objects.get()
    assert (event.action, event.target, event.reason, event.outcome) == (
        "start",
        "w-1",
        "redo",
        "done",
    )


def test_without_a_queue_nothing_holds_it_back(operator: Client) -> None:
    publish()
    operator.post(url(), GIVEN)
    row = Workflow.objects.get()
    assert (row.status, row.queue_name) == ("ENQUEUED", "_dbos_internal_queue")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"arg:count": "three"}, "Enter a whole number."),
        ({"arg:count": ""}, "This field is required."),
        ({"arg:lines": "[1,"}, "This is no JSON"),
        ({"arg:lines": "{}"}, "This must be an array"),
        ({"arg:size": '"xxl"'}, "Select a valid choice."),
        ({"queue": "nowhere"}, "Select a valid choice."),
        ({"delay": "-1"}, "greater than or equal to 0"),
    ],
)
def test_bad_input_says_what_to_do_and_starts_nothing(
    operator: Client, changed: dict[str, str], said: str
) -> None:
    publish()
    response = operator.post(url(), GIVEN | changed)
    assert response.status_code == 422
    assert said in response.content.decode()
    assert not Workflow.objects.exists()


def test_an_id_starts_once(operator: Client) -> None:
    publish()
    operator.post(url(), GIVEN | {"workflow_id": "w"})
    again = operator.post(url(), GIVEN | {"workflow_id": "w", "arg:customer": "bob"})
    assert again.status_code == 409
    assert "There is a workflow" in again.content.decode()
    assert "ada" in given_to(Workflow.objects.get())
    assert AuditEvent.objects.filter(outcome="refused").count() == 1


def test_a_queue_that_would_never_start_it_is_refused(operator: Client) -> None:
    publish()
    Queue.objects.create(queue_id="1", name="parts", partition_queue=True)
    Queue.objects.create(queue_id="2", name="whole")
    for more in ({"queue": "parts"}, {"queue": "whole", "partition_key": "k"}):
        assert operator.post(url(), GIVEN | more).status_code == 409
    assert operator.post(url(), GIVEN | {"deduplication_id": "d"}).status_code == 409
    assert not Workflow.objects.exists()
    held = GIVEN | {"queue": "whole", "deduplication_id": "d"}
    assert operator.post(url(), held).status_code == 302
    second = operator.post(url(), held)
    assert second.status_code == 409
    assert "holds this deduplication id" in second.content.decode()


def test_it_is_shown_as_code_and_not_started(operator: Client) -> None:
    publish()
    html = operator.post(url(), GIVEN | {"code": "1", "arg:customer": "it's"}).content.decode()
    assert "client.enqueue(" in html
    assert "customer=&quot;it&#x27;s&quot;" in html
    assert "manage.py workflow start checkout --kwargs" in html
    assert not Workflow.objects.exists()


def words_of(command: str, **environment: str) -> list[str]:
    """What a shell makes of a command, after its name."""
    script = command.replace("curl ", "printf '%s\\0' ", 1)
    done = subprocess.run(
        ["/bin/sh", "-c", script], env=environment, capture_output=True, check=True
    )
    return done.stdout.decode().split("\0")[:-1]


def test_it_is_shown_as_curl_that_starts_it(operator: Client) -> None:
    publish()
    hostile = 'it\'s "$HOME" `id`; @file\n\u202e&b=1'
    asked = GIVEN | {
        "code": "1",
        "arg:customer": hostile,
        "workflow_id": "by-curl",
        "reason": "test",
    }
    page = operator.post(url(), asked)
    [command] = [text for name, _, text in page.context["code"] if name == "curl"]
    session = operator.cookies[settings.SESSION_COOKIE_NAME].value
    words = words_of(command, DBOSHUB_SESSION=session)

    options = list(pairwise(words))
    client = Client(enforce_csrf_checks=True)
    client.cookies.load(next(value for option, value in options if option == "--cookie"))
    headers = dict(value.split(": ", 1) for option, value in options if option == "--header")
    sent = [value.split("=", 1) for option, value in options if option == "--data-urlencode"]
    body = urlencode([(unquote(name), value) for name, value in sent])
    form = "application/x-www-form-urlencoded"
    answer = client.post(words[-1], body, content_type=form, headers=headers)
    assert answer.status_code == 302
    row = WorkflowInput.objects.get(workflow_uuid="by-curl")
    started = Workflow.objects.get(pk="by-curl")
    _, kwargs = arguments_of(read(row.inputs, started.serialization))
    assert kwargs["customer"] == hostile
    refused = client.post(words[-1], body, content_type=form)
    assert refused.status_code == 403


def test_an_earlier_run_fills_it_in(operator: Client) -> None:
    publish()
    with atomic() as session:
        add_workflow(session, "before", inputs="grace")
        add_workflow(session, "other", name="other")
    html = operator.get(url()).content.decode()
    assert "like=before" in html
    assert "like=other" not in html
    assert 'value="grace"' in operator.get(url(query="?app=shop&like=before")).content.decode()


def test_what_cannot_be_filled_in_says_why(operator: Client) -> None:
    publish()
    with atomic() as session:
        add_workflow(session, "set", inputs={1, 2})
        add_workflow(session, "secret", inputs={"password": "hunter2"})
    for name in ("set", "secret"):
        html = operator.get(url(query=f"?like={name}")).content.decode()
        assert "cannot be copied into the form" in html
        assert "hunter2" not in html
    assert "There is no workflow" in operator.get(url(query="?like=none")).content.decode()


def test_arguments_are_not_shown_without_the_permission(
    client: Client, make_user: Callable[..., Any]
) -> None:
    publish()
    client.force_login(make_user("viv", VIEW, START))
    with atomic() as session:
        add_workflow(session, "before", inputs="grace")
    assert "grace" not in client.get(url(query="?like=before")).content.decode()
    assert client.post(url(), GIVEN).status_code == 302


def test_without_the_permission_nothing_starts_and_the_attempt_is_kept(
    client: Client, make_user: Callable[..., Any]
) -> None:
    publish()
    client.force_login(make_user("viv", VIEW))
    assert "Start the workflow" not in client.get(url()).content.decode()
    assert client.post(url(), GIVEN).status_code == 403
    assert not Workflow.objects.exists()
    assert AuditEvent.objects.get().outcome == "refused"


def test_a_name_that_nobody_publishes_is_written_by_hand(operator: Client) -> None:
    to = operator.get(reverse("dboshub:workflows:start_list") + "?name=ts/fn")
    assert to.headers["Location"] == url("ts/fn", "")
    html = operator.get(url("ts/fn", "")).content.decode()
    assert "No live executor publishes this workflow" in html
    operator.post(url("ts/fn", ""), {"arg:*": "[1]", "arg:**": '{"a": 2}'})
    row = Workflow.objects.get()
    assert (row.name, row.serialization) == ("ts/fn", "portable_json")
    assert WorkflowInput.objects.get().inputs == '{"positionalArgs":[1],"namedArgs":{"a":2}}'


@pytest.mark.parametrize("published", ["{", "7", "null", '["checkout"]', '{"checkout": 5}'])
def test_nonsense_that_is_published_breaks_no_page(operator: Client, published: str) -> None:
    publish(functions=published)
    assert operator.get(reverse("dboshub:workflows:start_list")).status_code == 200
    assert operator.get(url()).status_code == 200


def test_one_form_is_read_from_those_that_know_it_and_once_for_each_version(
    operator: Client,
) -> None:
    for at in range(3):
        publish("größe", incarnation=f"i-{at}", last_beat_at=now_ms() - at)
        publish("other", incarnation=f"o-{at}")
    publish("broken", functions='{"größe": nonsense')
    assert (
        b"arg:customer" in operator.get(reverse("dboshub:workflows:start", args=["größe"])).content
    )
    assert (
        b"arg:customer" in operator.get(reverse("dboshub:workflows:start", args=["other"])).content
    )
    listed = operator.get(reverse("dboshub:workflows:start_list")).content.decode()
    assert listed.count("Take an order and ship it.") == 2
