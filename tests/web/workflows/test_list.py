"""The list of workflows over HTTP, as a browser without scripts sees it, and as htmx does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.db import OperationalError, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dboshub.models import SavedView
from dboshub.workflows.connection import atomic, system_alias
from dboshub.workflows.models import BulkJob
from dboshub.workflows.page_cache import page_cache
from tests.support.rows import insert

pytestmark = pytest.mark.django_db

T0 = 1_700_000_000_000
LIST = "/workflows/"


@pytest.fixture(autouse=True)
def fresh_cache() -> None:
    page_cache().clear()


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("ada", "dboshub_workflows.view_workflow"))
    return client


def add(**values: Any) -> str:
    with atomic() as session:
        return insert(session, **values)


def body(client: Client, address: str, **options: Any) -> str:
    response = client.get(address, **options)
    assert response.status_code == 200, response
    return response.content.decode()


def table(page: str) -> str:
    return page.split("<tbody>")[1].split("</tbody>")[0]


def test_a_stranger_is_sent_to_the_door_and_back(client: Client) -> None:
    response = client.get(LIST + "?status=ERROR")
    assert response.status_code == 302
    assert response["Location"] == "/login/?next=/workflows/%3Fstatus%3DERROR"


def test_someone_without_the_permission_is_told_whom_to_ask(
    client: Client, make_user: Callable[..., Any]
) -> None:
    add(workflow_uuid="secret-id", name="secret_name")
    client.force_login(make_user("eve"))
    response = client.get(LIST)
    assert response.status_code == 403
    said = response.content.decode()
    assert "DBOSHub viewer" in said
    assert "eve" in said
    assert "secret" not in said


def test_an_empty_database_says_what_will_appear(viewer: Client) -> None:
    assert "No workflows yet" in body(viewer, LIST)


def test_a_row_shows_its_facts_and_leads_to_its_page(viewer: Client) -> None:
    workflow_id = "shop/order 1 \N{SPARKLES} <b>"
    add(
        workflow_uuid=workflow_id,
        status="ERROR",
        name="check<out>",
        queue_name="mail",
        application_name="shop",
        application_version="v7",
        created_at=T0,
        started_at_epoch_ms=T0 + 1_000,
        completed_at=T0 + 4_500,
    )
    page = body(viewer, LIST)
    assert f'href="{reverse("dboshub:workflows:detail", args=[workflow_id])}"' in page
    for shown in (
        "Failed",
        "check&lt;out&gt;",
        "mail",
        "shop",
        "v7",
        "3.5 s",
        "2023-11-14 22:13:20",
    ):
        assert shown in page, shown
    assert "<b>" not in page.split("<tbody>")[1]


def test_steps_and_internal_workflows_say_what_they_are(viewer: Client) -> None:
    add(workflow_uuid="a", name="<temp>.charge_card", queue_name="_dbos_internal_queue")
    add(workflow_uuid="b", name="_dbos_debouncer_workflow")
    add(workflow_uuid="c", name=None)
    assert "_dbos_debouncer" not in table(body(viewer, LIST))
    page = body(viewer, LIST + "?internal=yes")
    assert ">charge_card</a>" in page
    assert ">step</span>" in page
    assert page.count(">internal</span>") == 2
    assert ">unnamed</a>" in page


def test_pills_count_by_status_and_lead_to_it(viewer: Client) -> None:
    for number, status in enumerate(("PENDING", "ENQUEUED", "ENQUEUED", "ERROR", "SUCCESS")):
        add(workflow_uuid=str(number), status=status, queue_name="q")
    page = " ".join(body(viewer, LIST).split())
    assert 'In flight <b data-cell="in_flight">3</b>' in page
    assert 'Queued <b data-cell="ENQUEUED">2</b>' in page
    assert 'Failed <b data-cell="ERROR">1</b>' in page
    assert 'href="?status=ENQUEUED"' in page


def test_a_filter_keeps_what_matches_and_says_so(viewer: Client) -> None:
    add(workflow_uuid="kept", name="alpha", status="ERROR")
    add(workflow_uuid="left", name="beta", status="ERROR")
    page = body(viewer, LIST + "?status=ERROR&name=al*")
    assert "kept" in page
    assert "left" not in table(page)
    assert 'value="status:ERROR name:al*"' in page
    assert "<span>name:al*</span>" in page


def test_a_span_of_time_says_what_in_flight_it_hides(viewer: Client) -> None:
    add(workflow_uuid="stuck", status="PENDING", created_at=T0)
    add(workflow_uuid="waiting", status="ENQUEUED", queue_name="q", created_at=T0)
    add(workflow_uuid="done", status="SUCCESS", created_at=T0)
    assert "2 from before this span still in flight" in body(viewer, LIST + "?since=24h")
    for elsewhere in ("", "?since=24h&status=ERROR", "?since=24h&name=x", f"?since={T0}"):
        assert "from before this span" not in body(viewer, LIST + elsewhere)


def test_a_filter_without_a_match_offers_the_way_out(viewer: Client) -> None:
    add(workflow_uuid="one", name="alpha")
    page = body(viewer, LIST + "?name=absent")
    assert "No workflow matches" in page
    assert "Every row was searched" in page


def test_a_filter_that_makes_no_sense_is_named(viewer: Client) -> None:
    page = body(viewer, LIST + "?status=BOILING&since=yesterday")
    assert "There is no status &#x27;BOILING&#x27;" in page
    assert "&#x27;yesterday&#x27; is not a time" in page


def test_a_plain_form_leads_to_the_address_without_its_empty_fields(viewer: Client) -> None:
    response = viewer.get(LIST + "?id=&name=alpha&queue=&status=ERROR")
    assert response["Location"] == LIST + "?status=ERROR&name=alpha"


def test_older_and_newer_lead_through_every_row(viewer: Client) -> None:
    for number in range(120):
        add(workflow_uuid=f"w-{number:03}", created_at=T0 + number // 10)
    seen: list[str] = []
    address: str | None = LIST
    while address:
        response = viewer.get(address)
        seen += [row.workflow_uuid for row in response.context["page"].rows]
        address = f"{LIST}?{response.context['older']}" if response.context["older"] else None
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 120
    assert "Newer" in response.content.decode()
    back = viewer.get(f"{LIST}?{response.context['newer']}")
    assert [row.workflow_uuid for row in back.context["page"].rows] == seen[50:100]


def test_a_list_by_when_things_ended_shows_that_and_is_ordered_by_it(viewer: Client) -> None:
    add(workflow_uuid="quick", created_at=T0 + 5, completed_at=T0 + 6_000)
    add(workflow_uuid="slow", created_at=T0, completed_at=T0 + 9_000)
    add(workflow_uuid="running", status="PENDING", created_at=T0 + 7)
    page = body(viewer, f"{LIST}?by=completed&since={T0 + 5_000}")
    assert page.index("slow</code>") < page.index("quick</code>")
    assert "running</code>" not in page
    assert 'data-cell="completed">Completed' in page
    assert 'data-cell="created"' not in page


def test_a_tree_counts_children_and_leads_to_them(viewer: Client) -> None:
    add(workflow_uuid="mother/1")
    add(workflow_uuid="child", parent_workflow_id="mother/1")
    rows = table(body(viewer, LIST + "?top=yes"))
    assert "child</code>" not in rows
    assert 'href="?parent=mother%2F1"' in rows
    assert "child" in table(body(viewer, LIST + "?parent=mother%2F1"))


def test_children_unfold_beneath_their_parent_and_the_address_keeps_it(viewer: Client) -> None:
    add(workflow_uuid="mother/1")
    for number in range(25):
        status = "ERROR" if number == 24 else "SUCCESS"
        made = {"created_at": T0 + number, "parent_workflow_id": "mother/1"}
        add(workflow_uuid=f"child-{number}", status=status, **made)
    add(workflow_uuid="grandchild", parent_workflow_id="child-24")
    rows = table(body(viewer, LIST + "?top=yes"))
    assert 'href="?top=yes&amp;open=mother%2F1"' in rows
    assert 'aria-expanded="false"' in rows

    rows = table(body(viewer, LIST + "?top=yes&open=mother%2F1"))
    assert 'aria-expanded="true"' in rows
    assert 'href="?top=yes"' in rows
    assert "20 of 25" in rows
    # What failed comes first, and what is beneath can be unfolded in turn.
    assert rows.index("child-24</code>") < rows.index("child-0</code>")
    assert "grandchild</code>" not in rows
    address = LIST + "?top=yes&open=mother%2F1&open=child-24"
    rows = table(body(viewer, address))
    assert rows.index("child-24</code>") < rows.index("grandchild</code>")
    assert 'class="below below-2"' in rows
    pushed = viewer.get(address, headers={"HX-Request": "true"})
    assert pushed["HX-Push-Url"] == address


def test_only_some_can_lie_open_and_nonsense_opens_nothing(
    viewer: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        add(workflow_uuid=f"mother-{number}")
        add(workflow_uuid=f"child-{number}", parent_workflow_id=f"mother-{number}")
    asked = "".join(f"&open=mother-{number}" for number in range(30))
    with django_assert_max_num_queries(80):
        rows = table(body(viewer, f"{LIST}?top=yes&open=nobody{asked}"))
    assert rows.count('class="below below-1"') == 19
    # The list itself knows no tree.
    assert "below-1" not in table(body(viewer, f"{LIST}?{asked[1:]}"))


def test_a_box_that_is_not_understood_keeps_its_text_and_says_why(viewer: Client) -> None:
    add(workflow_uuid="one", name="alpha")
    add(workflow_uuid="two", name="beta")
    page = body(viewer, LIST + "?q=" + quote("nam:x status:boiling name:alpha"))
    assert "Did you mean name?" in page
    assert "There is no status &#x27;boiling&#x27;" in page
    assert 'value="nam:x status:boiling name:alpha"' in page
    # A list without the criteria that are not understood would show more than was asked for.
    assert "<tbody>" not in page
    assert "run/one" not in page


@pytest.mark.parametrize("query", ["q=customer%3A9003", "customer=9003", "and=customer%3A9003"])
def test_an_unknown_key_is_an_error_and_never_a_dropped_filter(
    make_user: Callable[..., Any], query: str
) -> None:
    add(workflow_uuid="one")
    permissions = ("view_workflow", "view_payload", "cancel_workflow")
    other = Client()
    other.force_login(make_user("bob", *(f"dboshub_workflows.{each}" for each in permissions)))
    page = body(other, f"{LIST}?{query}")
    assert "This filter is not understood" in page
    assert "There is no key &#x27;customer&#x27;. Did you mean attr.customer?" in page
    assert "<tbody>" not in page
    assert 'href="/workflows/?q=attr.customer%3A9003"' in page
    assert 'href="/workflows/?q=%22customer%3A9003%22"' in page
    # A click on a status keeps the criterion, and what acts on all that match refuses it.
    assert 'href="?customer=9003&amp;status=ERROR"' in page
    assert "Save this view" not in page
    refused = other.post("/workflows/bulk/new/", {"verb": "cancel", "filter": query})
    assert refused.status_code == 409
    assert (
        other.post(
            "/exports/new/", {"of": "workflows", "filter": query, "format": "csv"}
        ).status_code
        == 422
    )
    assert not BulkJob.objects.exists()
    assert not SavedView.objects.exists()
    other.post("/views/save/", {"page": "workflows", "name": "all", "query": query})
    assert not SavedView.objects.exists()


def test_a_part_of_an_id_finds_it(viewer: Client) -> None:
    add(workflow_uuid="shop-ORDER-9003-eu", name="checkout")
    add(workflow_uuid="shop-order-9004-eu", name="checkout")
    assert viewer.get(LIST, {"q": "order-9003"})["Location"] == LIST + "?id=%2Aorder-9003%2A"
    rows = table(body(viewer, LIST + "?id=*order-9003*"))
    assert "ORDER-9003" in rows.replace("</span>", "")
    assert "9004" not in rows
    nothing = body(viewer, LIST + "?id=*9005*")
    assert 'href="/find/?q=9005">Search names and values for 9005' in nothing


def test_times_are_words_and_never_epoch_milliseconds(viewer: Client) -> None:
    add(workflow_uuid="one", created_at=T0 + 1)
    page = body(viewer, f"{LIST}?since={T0}&until={T0 + 86_400_500}&by=completed")
    bar = page.split("<tbody>")[0].split('id="listing"')[1]
    assert "since:2023-11-14T22:13:20 until:2023-11-15T22:13:20.500" in bar
    chips = re.sub(r"<[^>]+>", "", bar.split('aria-label="Filters in use"')[1].split("</ul>")[0])
    assert "Completed since 2023-11-14 22:13:20.000 UTC" in chips
    assert "Completed before 2023-11-15 22:13:20.500 UTC" in chips
    assert "Created in the last 2h" in body(viewer, f"{LIST}?since=2h")
    assert viewer.get(LIST, {"q": "since:2023-11-14T22:13:20"})["Location"].endswith(
        "?since=2023-11-14T22%3A13%3A20"
    )


def test_the_box_and_a_cell_lead_to_the_same_address(viewer: Client) -> None:
    add(workflow_uuid="one", name="say hi", queue_name="!mail*")
    page = body(viewer, LIST)
    assert 'value="queue:=!mail*"' in page
    found = viewer.get(LIST, {"q": "status:SUCCESS", "and": "queue:=!mail*"})
    assert found["Location"] == LIST + "?status=SUCCESS&queue=%3D%21mail%2A"
    assert "one" in table(body(viewer, found["Location"]))
    assert viewer.get(LIST, {"q": 'name:"say hi"'})["Location"] == LIST + "?name=say+hi"


def test_attributes_are_asked_about_only_by_those_who_may_see_payloads(
    viewer: Client, make_user: Callable[..., Any]
) -> None:
    add(workflow_uuid="one")
    page = body(viewer, LIST + "?attr.customer=42")
    assert "needs the right to see payloads" in page
    assert "<tbody>" not in page
    other = Client()
    other.force_login(
        make_user("bob", "dboshub_workflows.view_workflow", "dboshub_workflows.view_payload")
    )
    said = body(other, LIST + "?attr.customer=42")
    assert "No workflow matches" in said
    assert 'value="attr.customer:42"' in said


def test_columns_are_kept_and_an_address_can_ask_for_others(viewer: Client) -> None:
    add(workflow_uuid="one", executor_id="pod-7", authenticated_user="bob")
    kept = viewer.post(
        "/workflows/columns/", {"query": "name=work&columns=x", "column": ["user", "bogus"]}
    )
    assert kept["Location"] == LIST + "?name=work"
    page = body(viewer, LIST)
    assert 'data-cell="user"' in page
    assert 'data-cell="name"' in page
    assert 'data-cell="status"' not in table(page)
    asked = body(viewer, LIST + "?columns=executor.created")
    assert "pod-7" in asked
    assert 'data-cell="user"' not in asked
    assert "?columns=executor.created&amp;status=ERROR" in asked


def test_suggestions_go_on_from_what_is_typed(viewer: Client) -> None:
    for number, name in enumerate(("checkout", "check stock", "mail")):
        add(workflow_uuid=str(number), name=name, queue_name="q!")

    def words(text: str) -> list[str]:
        found = viewer.get("/workflows/suggest/", {"text": text}).json()["options"]
        return [option["text"] for option in found]

    assert words("status:ERROR na") == ["status:ERROR name:"]
    assert words("-name:che") == ['-name:"check stock" ', "-name:checkout "]
    assert words("queue:") == ["queue:q! "]
    assert words("heck") == ['name:"check stock" ', "name:checkout "]
    assert words("status:canc") == ["status:CANCELLED "]
    assert words("nonsense:x") == []


def test_an_exact_id_goes_to_its_page(viewer: Client) -> None:
    add(workflow_uuid="shop/order 1")
    detail = reverse("dboshub:workflows:detail", args=["shop/order 1"])
    for key in ("id", "q"):
        assert viewer.get(LIST, {key: " shop/order 1 "})["Location"] == detail
    asked_by_htmx = viewer.get(LIST, {"id": "shop/order 1"}, headers={"HX-Request": "true"})
    assert asked_by_htmx["HX-Redirect"] == detail


def test_a_step_of_a_workflow_in_the_search_box_leads_to_the_workflow(viewer: Client) -> None:
    add(workflow_uuid="order-1")
    found = viewer.get(LIST, {"q": "order-1-3"})
    assert found["Location"] == reverse("dboshub:workflows:detail", args=["order-1"])


def test_the_search_box_falls_back_on_ids_that_begin_so_and_then_on_names(viewer: Client) -> None:
    add(workflow_uuid="order-1", name="checkout")
    assert viewer.get(LIST, {"q": "ord"})["Location"] == LIST + "?id=ord"
    assert viewer.get(LIST, {"q": "check"})["Location"] == LIST + f"?name={quote('check*')}"
    assert viewer.get(LIST, {"q": "!ord"})["Location"] == LIST + f"?id={quote('*!ord*')}"
    assert viewer.get(LIST, {"q": ""})["Location"] == LIST


def test_htmx_gets_the_listing_alone_and_the_clean_address(viewer: Client) -> None:
    add(workflow_uuid="one")
    address = LIST + "?name=&queue=&status=SUCCESS"
    response = viewer.get(address, headers={"HX-Request": "true"})
    said = response.content.decode()
    assert said.strip().startswith('<div id="listing"')
    assert "<html" not in said
    assert response["HX-Push-Url"] == LIST + "?status=SUCCESS"
    assert "HX-Request" in response["Vary"]


def test_history_restored_by_htmx_gets_the_whole_page(viewer: Client) -> None:
    headers = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    assert "<html" in body(viewer, LIST, headers=headers)


def test_every_row_carries_a_topic_to_follow(viewer: Client) -> None:
    add(workflow_uuid="one")
    table = body(viewer, LIST).split("<tbody>")[1]
    assert 'data-kind="row" data-key="one"' in table
    assert 'data-cell="status"' in table


def test_a_page_takes_as_many_statements_with_fifty_rows_as_with_one(viewer: Client) -> None:
    def statements(address: str) -> int:
        page_cache().clear()
        with CaptureQueriesContext(connections[system_alias()]) as queries:
            body(viewer, address)
        return len(queries)

    add(workflow_uuid="first", status="ERROR")
    few = statements(LIST), statements(LIST + "?status=ERROR")
    for number in range(60):
        add(workflow_uuid=f"w-{number}", status="ERROR", created_at=T0 + number)
    assert (statements(LIST), statements(LIST + "?status=ERROR")) == few
    # Session, user, two for permissions; two each for the rows, suggestions and counts; one each
    # for saved views, the viewer's scope, time zone and layout; on PostgreSQL three for the time
    # limit.
    assert max(few) <= (17 if connections[system_alias()].vendor == "postgresql" else 14)


def test_counts_and_suggestions_are_shared_for_a_moment(viewer: Client) -> None:
    add(workflow_uuid="one")
    body(viewer, LIST)
    with CaptureQueriesContext(connections[system_alias()]) as queries:
        body(viewer, LIST)
    assert not [
        query
        for query in queries
        if "workflow_status" in query["sql"] and "UNION ALL" in query["sql"]
    ]


def test_a_database_that_does_not_answer_leaves_a_page_that_says_so(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise OperationalError("canceling statement due to statement timeout\nCONTEXT: secret")

    monkeypatch.setattr("dboshub.workflows.selectors.keyset.pages.WorkflowPager.after", refuse)
    response = viewer.get(LIST + "?name=alpha")
    said = response.content.decode()
    assert response.status_code == 503
    assert "The database did not answer" in said
    assert "statement timeout" in said
    assert "secret" not in said
    assert 'value="name:alpha"' in said


def test_no_page_carries_inline_code_or_style(viewer: Client) -> None:
    add(workflow_uuid="one")
    for address in (LIST, LIST + "?name=zzz", "/nowhere"):
        said = viewer.get(address).content.decode()
        assert " style=" not in said
        assert "<style" not in said
        assert not re.search(r"<[^>]*\son\w+=", said)
        assert "<script>" not in said
