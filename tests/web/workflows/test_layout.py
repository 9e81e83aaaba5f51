"""The layout of the list: columns in any order, values by path, density, and each person's own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dboshub.workflows.connection import atomic, system_alias
from dboshub.workflows.models import AuditEvent, ListLayout
from dboshub.workflows.page_cache import page_cache
from tests.support.runs import T0, add_workflow

pytestmark = pytest.mark.django_db

NONE = "\N{EN DASH}"
LIST, KEEP = "/workflows/", "/workflows/columns/"
VIEW, PAYLOAD = "dboshub_workflows.view_workflow", "dboshub_workflows.view_payload"
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def fresh_cache() -> None:
    page_cache().clear()


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def reader(make_user: Callable[..., Any]) -> Client:
    return signed_in(make_user("rea", VIEW, PAYLOAD))


@pytest.fixture
def viewer(make_user: Callable[..., Any]) -> Client:
    return signed_in(make_user("viv", VIEW))


def add(workflow_id: str, *args: Any, **columns: Any) -> None:
    with atomic() as session:
        add_workflow(session, workflow_id, *args, **columns)


def body(client: Client, query: str = "") -> str:
    response = client.get(f"{LIST}?{query}")
    assert response.status_code == 200
    return response.content.decode()


def titles(html: str) -> list[str]:
    head = html.split("<thead>")[1].split("</thead>")[0]
    found = re.findall(r'<th scope="col" data-cell="([^"]*)"', head)
    return [unescape(each) for each in found if each != "check"]


def cell(html: str, column: str) -> list[str]:
    found = re.findall(rf'<td data-cell="{re.escape(column)}"[^>]*>(.*?)</td>', html, re.DOTALL)
    return [unescape(re.sub(r"<[^>]+>", "", each)).strip() for each in found]


def test_columns_stand_in_the_order_in_which_they_are_kept(viewer: Client) -> None:
    add("one")
    kept = viewer.post(KEEP, {"query": "name=checkout", "column": ["created", "name", "status"]})
    assert kept["Location"] == f"{LIST}?name=checkout"
    assert titles(body(viewer)) == ["created", "name", "status"]
    columns = ["created", "name", "status"]
    viewer.post(KEEP, {"query": "", "column": columns, "move": "- status"})
    assert titles(body(viewer)) == ["created", "status", "name"]
    viewer.post(KEEP, {"query": "", "column": columns, "move": "+ created"})
    assert titles(body(viewer)) == ["name", "created", "status"]
    viewer.post(KEEP, {"query": "", "column": columns, "move": "- created"})
    assert titles(body(viewer)) == columns
    viewer.post(KEEP, {"query": "", "column": columns, "default": "yes"})
    assert titles(body(viewer))[:3] == ["status", "name", "id"]
    # An address can ask for others, and links of earlier releases separate them by dots.
    assert titles(body(viewer, "columns=created,id,name")) == ["created", "id", "name"]
    assert titles(body(viewer, "columns=executor.created")) == ["name", "executor", "created"]


def test_a_layout_is_its_owner_s_alone_and_has_an_audit_row(viewer: Client, reader: Client) -> None:
    add("one")
    viewer.post(KEEP, {"query": "", "column": ["created", "name"], "density": "compact"})
    assert titles(body(reader))[0] == "status"
    assert 'class="rows rows--compact"' in body(viewer)
    assert 'class="rows"' in body(reader)
    assert ListLayout.objects.count() == 1
    event = AuditEvent.objects.get(action="save")
    assert (event.username, event.target_kind, event.target) == ("viv", "layout", "workflows")
    viewer.post(KEEP, {"query": "", "column": ["created", "name"], "density": "huge"})
    assert 'class="rows"' in body(viewer)


def test_values_stand_in_columns_by_place_and_by_path(reader: Client) -> None:
    order = {"order": {"id": 9003, "lines": [{"sku": "b-1"}]}}
    add("good", inputs=order, output={"total": 19.9}, attributes=json.dumps({"customer": "acme"}))
    add("bad", "ERROR", error=ValueError("no box"), created_at=T0 - 1)
    paths = ["input[0].order.lines[0].sku", "output.total", "attr.customer", "output.none"]
    html = body(reader, "columns=" + ",".join(["name", "error", "input", "attr", *paths]))
    assert cell(html, "error") == [NONE, "ValueError: no box"]
    assert cell(html, "input") == [
        '({"order": {"id": 9003, "lines": [{"sku": "b-1"}]}})',
        "no arguments",
    ]
    assert cell(html, "attr") == ['{"customer": "acme"}', NONE]
    assert [cell(html, path) for path in paths] == [
        ["b-1", NONE],
        ["19.9", NONE],
        ["acme", NONE],
        [NONE, NONE],
    ]


def test_a_path_is_added_and_what_is_none_is_refused(reader: Client) -> None:
    add("one", output={"total": 7})
    reader.post(KEEP, {"query": "", "column": ["name"], "path": " output.total "})
    assert titles(body(reader))[:2] == ["name", "output.total"]
    for path in ("total", "output", "output..x", "output.a,b", "x" * 300):
        reader.post(KEEP, {"query": "", "column": ["name"], "path": path})
        html = body(reader)
        assert "output.total" not in titles(html)
        assert "A column of a value is a path" in html
    many = [f"output.n{number}" for number in range(8)]
    reader.post(KEEP, {"query": "", "column": [*many, "name"], "path": "output.more"})
    assert "At most 8 of these." in body(reader)


def test_who_may_not_see_payloads_gets_no_values_and_is_told_so(viewer: Client) -> None:
    add("one", inputs="secret-9003", attributes=json.dumps({"customer": "secret-acme"}))
    html = body(viewer, "columns=name,input,attr.customer,created")
    assert titles(html) == ["name", "created"]
    assert (
        "Not shown: Input, attr.customer. Columns of values need the right to see payloads." in html
    )
    assert "secret" not in html
    assert 'value="input"' not in html
    assert 'name="path"' not in html
    assert not AuditEvent.objects.filter(action="view payload").exists()


def test_redacted_values_stay_redacted(reader: Client, settings: Any) -> None:
    settings.DBOSHUB_REDACT = ("*token*",)
    add("one", output={"api_token": "tok-9003", "n": 1})
    html = body(reader, "columns=name,output,output.api_token")
    assert "tok-9003" not in html
    assert cell(html, "output.api_token") == ["redacted by *token*"]


def test_values_in_a_list_are_audited_and_not_stored_by_browsers(reader: Client) -> None:
    add("one", output=1)
    assert "no-store" not in reader.get(LIST).get("Cache-Control", "")
    for _ in range(2):
        assert reader.get(f"{LIST}?columns=name,output")["Cache-Control"] == "no-store"
    event = AuditEvent.objects.get(action="view payload")
    assert (event.username, event.target_kind, event.target) == ("rea", "list", "")


def test_values_cost_one_statement_for_the_page(reader: Client) -> None:
    def statements(query: str) -> int:
        page_cache().clear()
        with CaptureQueriesContext(connections[system_alias()]) as seen:
            body(reader, query)
        return len([each for each in seen if "workflow_input" in each["sql"]])

    for number in range(60):
        add(f"w-{number}", output=number, created_at=T0 + number)
    assert statements("columns=name,output,input,error,attr,output.x") == 1
    assert statements("columns=name") == 0


def test_values_too_long_for_a_cell_are_cut(reader: Client) -> None:
    add("one", output="x" * 100_000)
    shown = cell(body(reader, "columns=name,output"), "output")[0]
    assert len(shown) <= 300
    assert shown.endswith("…")


def test_what_matches_is_counted(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(130):
        add(f"w-{number}", "ERROR" if number % 2 else "SUCCESS", created_at=T0 + number)
    page = " ".join(body(viewer, "status=ERROR").split())
    assert "50 shown" in page
    assert 'hx-get="/workflows/count/?status=ERROR"' in page
    assert 'href="?status=ERROR&amp;count=yes"' in page
    counted = viewer.get("/workflows/count/?status=ERROR", headers=HTMX).content.decode()
    assert counted.strip() == "65 match"
    assert "· 65 match" in " ".join(body(viewer, "status=ERROR&count=yes").split())
    assert (
        viewer.get("/workflows/count/?status=ERROR")["Location"] == f"{LIST}?status=ERROR&count=yes"
    )
    assert "Count all" not in body(viewer)
    assert "Count all" not in body(viewer, "id=w-1*")
    monkeypatch.setattr("dboshub.workflows.selectors.keyset.matching_count.MAX_ROWS", 20)
    for query in ("status=ERROR", "name=checkout", "status=ERROR&status=SUCCESS"):
        counted = viewer.get(f"/workflows/count/?{query}", headers=HTMX).content.decode().strip()
        assert re.fullmatch(r"at least \d+ match", counted), query


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("name=checkout", 12),
        ("name=other", 3),
        ("name=*THE*", 3),
        ("id=w-1*", 6),
        ("user=-", 15),
        ("status=in_flight", 3),
        ("status=!SUCCESS", 6),
        ("since=2h", 0),
        ("nothing=1", 0),
    ],
)
def test_a_count_is_that_of_the_list(viewer: Client, query: str, number: int) -> None:
    for at in range(15):
        status = ("SUCCESS", "SUCCESS", "SUCCESS", "ERROR", "ENQUEUED")[at % 5]
        name = "other" if at % 5 == 2 else "checkout"
        add(f"w-{at}", status, name=name, created_at=T0 + at, queue_name="q")
    counted = viewer.get(f"/workflows/count/?{query}", headers=HTMX).content.decode()
    assert counted.strip() == f"{number} match"
