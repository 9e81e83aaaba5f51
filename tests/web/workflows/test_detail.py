"""The page of one workflow over HTTP, as a browser without scripts sees it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dboshub.workflows.connection import atomic, system_alias
from dboshub.workflows.models import AuditEvent
from tests.support.runs import (
    add_event,
    add_message,
    add_step,
    add_stream,
    add_workflow,
)

pytestmark = pytest.mark.django_db

MARKER = "s3cret-marker"
STATEMENTS = 60
HOSTILE = [
    "a/b/c",
    "with space and ?query=1#fragment",
    "<script>alert(1)</script>",
    "🐒/\u202eevil",
    "../../admin",
    "a/../b",
    "//double//",
    "trailing/",
    "line\nbreak",
    "~tilde",
    "back\\slash",
    "%2e%2e/100%",
    "'\"&",
]


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("viv", "dboshub_workflows.view_workflow"))
    return client


@pytest.fixture
def reader(client: Client, make_user: Callable[..., Any]) -> Client:
    permissions = ("dboshub_workflows.view_workflow", "dboshub_workflows.view_payload")
    client.force_login(make_user("rea", *permissions))
    return client


def page(client: Client, workflow_id: str, name: str = "detail", query: str = "") -> str:
    response = client.get(reverse(f"dboshub:workflows:{name}", args=[workflow_id]) + query)
    assert response.status_code == 200, response
    return response.content.decode()


def add_everything(workflow_id: str, value: Any, status: str = "SUCCESS") -> None:
    """A workflow with a value in every column that may hold one."""
    with atomic() as session:
        add_workflow(
            session,
            workflow_id,
            status,
            inputs=value,
            output=value,
            error=ValueError(value),
            attributes=f'{{"tenant": "{value}"}}',
        )
        add_step(session, workflow_id, 1, "charge", output=value)
        add_step(session, workflow_id, 2, "ship", error=ValueError(value))
        add_event(session, workflow_id, "progress", value, value, step=1)
        add_message(session, workflow_id, value, message_uuid="m-1")
        add_stream(session, workflow_id, "log", value)


def addresses(workflow_id: str) -> list[str]:
    names = ("detail", "steps", "value", "stream")
    found = [reverse(f"dboshub:workflows:{name}", args=[workflow_id]) for name in names]
    found += [reverse("dboshub:workflows:step", args=[number, workflow_id]) for number in (1, 2)]
    value, stream = found[2], found[3]
    found += [f"{stream}?key=log", f"{stream}?key=log&from=0", f"{value}?of=attributes"]
    for kind in ("input", "output", "error", "step", "step-error", "event", "history", "stream"):
        key = "log" if kind == "stream" else "progress"
        for step in (0, 1, 2):
            found.append(f"{value}?of={kind}&key={key}&step={step}")
            found.append(f"{value}?of={kind}&key={key}&step={step}&download=1")
    found.append(f"{value}?of=message&key=m-1")
    verbs = ("cancel", "resume", "fork", "delete", "send")
    return found + [reverse("dboshub:workflows:do", args=[verb, workflow_id]) for verb in verbs]


@pytest.mark.parametrize("status", ["SUCCESS", "ERROR", "PENDING"])
def test_no_payload_reaches_a_viewer_without_the_permission(viewer: Client, status: str) -> None:
    add_everything("w", MARKER, status)
    for address in addresses("w"):
        for headers in ({}, {"HX-Request": "true"}):
            response = viewer.get(address, headers=headers)
            assert MARKER.encode() not in response.content, address
            if "/value/" in address:
                assert response.status_code == 403, address


@pytest.mark.parametrize("status", ["SUCCESS", "ERROR"])
def test_the_marker_would_be_seen_by_those_who_may(reader: Client, status: str) -> None:
    add_everything("w", MARKER, status)
    html = page(reader, "w")
    assert html.count(MARKER) >= 7
    for kind in ("input", "output", "error", "attributes", "step&step=1", "step-error&step=2"):
        if kind not in ("output", "error") or (kind == "error") == (status == "ERROR"):
            assert MARKER in page(reader, "w", "value", f"?of={kind}"), kind


def test_pages_with_payloads_are_kept_by_no_cache(reader: Client) -> None:
    add_everything("w", MARKER)
    assert (
        reader.get(reverse("dboshub:workflows:detail", args=["w"]))["Cache-Control"] == "no-store"
    )


@pytest.mark.parametrize("workflow_id", HOSTILE)
def test_any_id_has_an_address_that_leads_to_it(viewer: Client, workflow_id: str) -> None:
    with atomic() as session:
        add_workflow(session, workflow_id, name="<img src=x onerror=alert(2)>")
        add_step(session, workflow_id, 1, "</svg><script>alert(4)</script>")
    address = reverse("dboshub:workflows:detail", args=[workflow_id])
    assert not re.search(r"/\.{0,2}(/|$)", address.removeprefix("/workflows/run"))
    html = page(viewer, workflow_id)
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    for name in ("steps",):
        assert "<script>alert" not in page(viewer, workflow_id, name)


def test_stored_markup_is_text(reader: Client) -> None:
    add_everything("w", "<script>alert(3)</script>", "ERROR")
    for address in ("detail", "steps"):
        html = page(reader, "w", address)
        assert "<script>alert" not in html
    assert "&lt;script&gt;alert(3)" in page(reader, "w")


@pytest.mark.parametrize("workflow_id", ["nope", "no/pe", "<b>x</b>", "~%%%", "~AA==", "a\x00b"])
def test_an_unknown_id_is_a_page_that_says_so(viewer: Client, workflow_id: str) -> None:
    response = viewer.get(reverse("dboshub:workflows:detail", args=[workflow_id]))
    assert response.status_code == 404
    assert b"No such workflow" in response.content
    assert b"<b>x</b>" not in response.content


def test_a_forged_address_is_not_found(viewer: Client) -> None:
    for address in ("run/~!!", "run/~%F0%9F%90%92", "run/", "do/explode/w", "step/x/w"):
        assert viewer.get(f"/workflows/{address}").status_code == 404, address


@pytest.mark.parametrize(
    "query", ["?of=nonsense", "?of=event&key=%00", "?of=step&step=99", "", "?of=history&step=-1"]
)
def test_a_value_that_is_not_there_is_not_found(reader: Client, query: str) -> None:
    add_everything("w", "x")
    assert reader.get(reverse("dboshub:workflows:value", args=["w"]) + query).status_code == 404


def test_there_is_no_inline_script_or_style(reader: Client) -> None:
    add_everything("w", "x", "ERROR")
    for address in addresses("w"):
        html = reader.get(address).content.decode()
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)", html), address


@pytest.mark.parametrize("steps", [3, 600])
def test_a_page_takes_a_fixed_number_of_statements(reader: Client, steps: int) -> None:
    with atomic() as session:
        add_workflow(session, "w", "PENDING")
        for number in range(1, steps + 1):
            add_workflow(session, f"w-{number}", parent_workflow_id="w")
            add_step(session, "w", number, f"start_{number}", child=f"w-{number}")
            add_step(session, f"w-{number}", 1, "inner", error=ValueError())
    with CaptureQueriesContext(connections[system_alias()]) as captured:
        page(reader, "w")
    assert len(captured) <= STATEMENTS, "\n".join(query["sql"] for query in captured)


def test_many_steps_come_in_pages(viewer: Client) -> None:
    with atomic() as session:
        add_workflow(session, "w")
        for number in range(1, 402):
            add_step(session, "w", number, f"step_{number}")
    html = page(viewer, "w")
    assert "step_200<" in html
    assert "step_201<" not in html
    assert "shown are 1 to 200" in html
    later = page(viewer, "w", query="?steps=201")
    assert "step_201<" in later
    assert "step_200<" not in later
    table = page(viewer, "w", "steps", "?from=401")
    assert "step_401<" in table
    assert "More<" not in table


def test_a_large_value_is_a_link_and_then_a_download(reader: Client) -> None:
    with atomic() as session:
        add_workflow(session, "w", output=MARKER + "x" * 400_000)
    html = page(reader, "w")
    assert MARKER not in html
    assert len(html) < 60_000
    address = reverse("dboshub:workflows:value", args=["w"]) + "?of=output"
    assert address in html
    shown = reader.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in shown
    assert len(shown) < 400_000
    whole = reader.get(f"{address}&download=1")
    assert "attachment" in whole["Content-Disposition"]
    assert whole["Content-Type"].startswith("text/plain")
    assert len(whole.content) > 400_000
    event = AuditEvent.objects.get(action="download")
    assert (event.username, event.target, event.detail["of"]) == ("rea", "w", "output")


def test_an_error_comes_with_its_traceback(reader: Client) -> None:
    error = ValueError("card declined")
    error.add_note('Traceback (most recent call last):\n  File "shop.py", line 3, in charge')
    with atomic() as session:
        add_workflow(session, "w", "ERROR", error=error)
    html = page(reader, "w")
    assert "ValueError" in html
    assert "card declined" in html
    assert "File &quot;shop.py&quot;, line 3, in charge" in html


def test_children_are_nested_and_kin_is_linked(viewer: Client) -> None:
    with atomic() as session:
        add_workflow(session, "root", name="root_flow")
        add_workflow(session, "w", parent_workflow_id="root")
        add_workflow(session, "w-1", name="pack", parent_workflow_id="w")
        add_step(session, "w", 1, "pack", child="w-1")
        add_step(session, "w-1", 1, "pick_items")
        add_workflow(session, "copy", forked_from="w")
    html = page(viewer, "w")
    assert "pick_items" in html
    for relative in ("root", "w-1", "copy"):
        assert reverse("dboshub:workflows:detail", args=[relative]) in html


def test_a_stream_can_be_read_back_and_followed(reader: Client) -> None:
    with atomic() as session:
        add_workflow(session, "w", "PENDING")
        add_stream(session, "w", "log &1", *(f"value {number}" for number in range(120)))
    html = page(reader, "w", "stream", "?key=log+%261")
    assert "value 119" in html
    assert "value 69" not in html
    assert 'data-topic="' in html
    earlier = page(reader, "w", "stream", "?key=log+%261&from=0")
    assert "value 49" in earlier
    assert 'data-topic="' not in earlier
    unknown = reader.get(reverse("dboshub:workflows:stream", args=["w"]) + "?key=none")
    assert unknown.status_code == 404


def test_a_stranger_and_somebody_without_permission_see_nothing(
    client: Client, make_user: Callable[..., Any]
) -> None:
    add_everything("w", MARKER)
    for address in addresses("w"):
        assert client.get(address).status_code == 302, address
    client.force_login(make_user("eve"))
    for address in addresses("w"):
        response = client.get(address)
        assert response.status_code == 403, address
        assert b"checkout" not in response.content
