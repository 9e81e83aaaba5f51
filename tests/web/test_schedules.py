"""The pages of schedules, as plain HTML."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dboshub.schedules import rendering
from dboshub.schedules.actions import PERMISSION
from dboshub.schedules.engine.records import Schedule as Row
from dboshub.schedules.models import Schedule
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import AuditEvent, Workflow
from tests.support.runs import add_workflow, insert, pickled

pytestmark = pytest.mark.django_db

NAME = "nightly/report 🐒"
HOSTILE = [
    "<script>alert(1)</script>",
    "do/pause/x",
    "..",
    "a//b/",
    "~x",
    "\u202egnp",
    "a?b#c%2F",
    " ",
]
# PostgreSQL has its time limit, and begins and ends a transaction.
DETAIL_STATEMENTS = 19 if connection.vendor == "postgresql" else 16
VIEW = ("dboshub_schedules.view_schedule", "dboshub_workflows.view_workflow")


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("viv", *VIEW))
    return client


@pytest.fixture
def admin(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("grace", *VIEW, PERMISSION))
    return client


def add(name: str = NAME, **columns: Any) -> Row:
    given: dict[str, Any] = {
        "schedule_id": name,
        "schedule_name": name,
        "workflow_name": "report",
        "schedule": "0 * * * *",
        "context": pickled({"tenant": "MARKER"}),
        "status": "ACTIVE",
        "application_name": "shop",
    }
    given |= columns
    Schedule.objects.create(**given)
    return Row(**given)


def add_version() -> None:
    with atomic() as session:
        insert(
            session,
            "application_versions",
            version_id="1",
            version_name="v1",
            version_timestamp=1,
            created_at=1,
            application_name="shop",
        )


def hours_ago(hours: int) -> datetime:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return now - timedelta(hours=hours)


def add_run(hours: int, status: str = "SUCCESS", iso: str = "") -> str:
    run = f"sched-{NAME}-{iso or hours_ago(hours).isoformat()}"
    with atomic() as session:
        add_workflow(session, run, status, schedule_name=NAME)
    return run


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def detail(name: str = NAME) -> str:
    return reverse("dboshub:schedules:detail", args=[name])


def do(verb: str, name: str = NAME) -> str:
    return reverse("dboshub:schedules:do", args=[verb, name])


def labels(html: str) -> list[str]:
    return [unescape(each) for each in re.findall(r'class="tick[^>]*aria-label="([^"]*)"', html)]


def plain(html: str) -> str:
    """The text of a page, without markup."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split()).replace(" ,", ",")


def test_a_schedule_is_told_in_plain_words_with_its_facts(viewer: Client) -> None:
    add(
        schedule="30 9 * * 1-5",
        cron_timezone="Europe/Berlin",
        queue_name="mail",
        automatic_backfill=True,
        last_fired_at="2026-01-05T09:30:00+01:00",
    )
    listed = page(viewer, reverse("dboshub:schedules:list"))
    for said in ("At 09:30, Monday through Friday", "Europe/Berlin", "mail", "shop", "backfills"):
        assert said in listed
    assert 'href="/workflows/?name=report"' in listed
    assert f'href="{detail()}"' in listed
    shown = page(viewer, detail())
    assert "2026-01-05T08:30:00.000Z" in shown
    assert shown.count("CET") + shown.count("CEST") == 5
    assert "schedule=nightly%2Freport" in shown


def test_runs_are_links_and_missed_ticks_are_seen(viewer: Client) -> None:
    add()
    run = add_run(4)
    add_run(2, "ERROR")
    html = page(viewer, detail())
    told = labels(html)
    assert len(told) == 30
    assert [each.partition(": ")[2] for each in told[-5:-1]] == [
        "Succeeded",
        "no run",
        "Failed",
        "no run",
    ]
    assert told[0].endswith("before the first run that is known of")
    assert f'href="{reverse("dboshub:workflows:detail", args=[run])}"' in html
    missed = 3 if told[-1].endswith("no run") else 2
    assert f"{missed} of 30 without a run" in html
    assert f"{missed} of 30 without a run" in page(viewer, reverse("dboshub:schedules:list"))


def test_the_last_ticks_are_summed_up_by_outcome_and_lateness(viewer: Client) -> None:
    add()
    assert "Outcomes" not in page(viewer, detail())
    # By hours since the tick: the status, and when the run was enqueued and started, ms after it.
    for hours, status, enqueued, started in (
        (6, "SUCCESS", 40, 100),
        (5, "SUCCESS", 50, 2_000),
        (4, "ERROR", 60, 90_000),
        (3, "ENQUEUED", 5_000, None),
        (2, "WEIRD", -900, None),
    ):
        tick = rendering.epoch_ms(hours_ago(hours))
        began = None if started is None else tick + started
        run = add_run(hours, status)
        Workflow.objects.filter(pk=run).update(
            created_at=tick + enqueued, started_at_epoch_ms=began
        )
    said = plain(page(viewer, detail()))
    assert "Outcomes Queued 1 Succeeded 2 Failed 1 WEIRD 1 " in said
    assert "Enqueued after the tick half within 50 ms, all within 5 s 5 runs" in said
    assert "Latest start after the tick half within 2 s, all within 1 min 30 s 3 runs" in said


def test_the_lateness_of_one_run_is_one_time(viewer: Client) -> None:
    add()
    Workflow.objects.filter(pk=add_run(3)).update(
        created_at=rendering.epoch_ms(hours_ago(3)) + 7, started_at_epoch_ms=None
    )
    said = plain(page(viewer, detail()))
    assert "Enqueued after the tick 7 ms 1 run " in said
    assert "Latest start" not in said


def test_the_summary_of_ticks_costs_no_statement(viewer: Client) -> None:
    add()
    with CaptureQueriesContext(connection) as without:
        page(viewer, detail())
    for hours in range(2, 20):
        add_run(hours)
    with CaptureQueriesContext(connection) as summed:
        page(viewer, detail())
    assert len(summed) <= len(without) <= DETAIL_STATEMENTS


def test_a_missed_tick_leads_those_who_may_to_its_backfill(admin: Client) -> None:
    add()
    add_run(4)
    add_version()
    (url,) = {
        unescape(each)
        for each in re.findall(r'href="([^"]*backfill[^"]*start=[^"]*)"', page(admin, detail()))
        if hours_ago(3).strftime("T%H%%3A00") in each
    }
    preview = page(admin, url)
    assert "1 tick" in preview
    assert "Start 1 run<" in preview


def test_runs_that_another_sdk_started_are_found(viewer: Client) -> None:
    add(context='{"json":null}')
    add_run(3, iso=hours_ago(3).strftime("%Y-%m-%dT%H:00:00.000Z"))
    assert labels(page(viewer, detail()))[-4].endswith("Succeeded")


def test_ticks_of_a_pause_are_not_called_missed(viewer: Client) -> None:
    add(status="PAUSED", last_fired_at=hours_ago(5).isoformat())
    html = page(viewer, detail())
    assert labels(html)[-1].endswith("no run, it is paused")
    assert "without a run</span>" not in html
    assert "if it were active" in html


def test_a_change_of_the_clocks_is_warned_of() -> None:
    row = Row(
        schedule_id="1",
        schedule_name="x",
        workflow_name="x",
        schedule="30 2 * * *",
        context="",
        cron_timezone="Europe/Berlin",
    )
    spring = rendering.show(row, datetime(2027, 3, 26, 12, tzinfo=UTC))
    assert spring.warnings == [
        "On Sunday 28 March 2027 the clocks skip from 02:00 to 03:00: 02:30 does not exist, "
        "and runs at 03:00 instead."
    ]
    assert [each.note for each in spring.next_runs[:2]] == [
        "",
        "instead of 02:30, which the clocks skip",
    ]
    assert spring.next_runs[1].local == "Sun 28 Mar 03:00 CEST"
    assert spring.next_runs[1].here == "Sun 28 Mar 01:00"
    autumn = rendering.show(row, datetime(2027, 10, 29, 12, tzinfo=UTC))
    assert "02:30 comes twice" in autumn.warnings[0]
    assert "this time comes twice: the clocks go back" in [each.note for each in autumn.next_runs]


@pytest.mark.parametrize(
    "columns",
    [
        {"schedule": "99 * * * *"},
        {"schedule": "0 0 31 2 *"},
        {"schedule": ""},
        {"cron_timezone": "Mars/Olympus"},
        {"status": "WEIRD"},
        {"last_fired_at": "yesterday"},
        {"schedule": "@daily"},
        {"schedule": "9" * 200_000, "cron_timezone": "Z" * 200_000, "workflow_name": "w" * 200_000},
        {"context": "\u202e{"},
        {"workflow_class_name": "<b>", "workflow_name": "<b>", "application_name": "<b>"},
    ],
)
def test_a_row_that_makes_no_sense_breaks_no_page(admin: Client, columns: dict[str, Any]) -> None:
    add(**columns)
    for url in (reverse("dboshub:schedules:list"), detail(), do("pause"), do("backfill")):
        html = page(admin, url)
        assert html.count("9" * 400) + html.count("Z" * 400) == 0
        assert "<b>" not in html.replace("<b>0</b>", "").replace("<b>1</b>", "")
    span = {"start": "2026-01-01T00:00", "end": "2026-01-02T00:00"}
    assert admin.get(do("backfill"), span).status_code in (200, 409, 422)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_may_be_anything(admin: Client, name: str) -> None:
    add(name)
    html = page(admin, reverse("dboshub:schedules:list"))
    assert "<script>alert" not in html
    assert f'href="{detail(name)}"' in html
    for url in (detail(name), do("pause", name)):
        assert "<script>alert" not in page(admin, url)
    assert admin.post(do("pause", name))["Location"] == detail(name)
    assert Schedule.objects.get().status == "PAUSED"


def test_there_is_a_page_for_having_none_and_for_finding_none(viewer: Client) -> None:
    assert "No schedules yet" in page(viewer, reverse("dboshub:schedules:list"))
    add()
    url = reverse("dboshub:schedules:list")
    assert "No schedule matches" in page(viewer, f"{url}?q=zzz")
    assert "No schedule matches" in page(viewer, f"{url}?status=PAUSED&after=%00")
    assert "nightly/report" in page(viewer, f"{url}?q=nightly&status=ACTIVE")
    missing = viewer.get(detail("nobody"))
    assert missing.status_code == 404
    assert "No such schedule" in missing.content.decode()


def test_a_database_that_does_not_answer_is_said_to_be_so(viewer: Client) -> None:
    add()
    table = Schedule._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {connection.ops.quote_name(table)} RENAME TO gone")
    response = viewer.get(reverse("dboshub:schedules:list"))
    assert response.status_code == 503
    assert "The database did not answer" in response.content.decode()


def test_many_schedules_come_in_pages_at_a_bounded_cost(viewer: Client) -> None:
    for number in range(60):
        add(f"s{number:02}")
    with CaptureQueriesContext(connection) as few:
        first = page(viewer, reverse("dboshub:schedules:list"))
    ours = [each for each in few.captured_queries if "workflow_" in each["sql"]]
    assert len(ours) == 3
    assert first.count('class="schedule-what"') == 25
    assert "context" not in "".join(each["sql"] for each in ours)
    second = page(viewer, f"{reverse('dboshub:schedules:list')}?after=s24")
    assert 'href="/schedules/s25/"' in second
    assert 'href="/schedules/s24/"' not in second


def test_without_the_permission_to_view_there_is_no_page(
    client: Client, make_user: Callable[..., Any]
) -> None:
    add()
    client.force_login(make_user("bob", "dboshub_workflows.view_workflow"))
    for url in (reverse("dboshub:schedules:list"), detail(), do("pause")):
        assert client.get(url).status_code == 403
    assert client.post(do("pause")).status_code == 403
    assert 'href="/schedules/"' not in page(client, "/workflows/")


def test_who_may_only_look_is_offered_nothing_and_refused(viewer: Client) -> None:
    add()
    html = page(viewer, detail())
    assert "/schedules/do/" not in html
    assert "may look but not act" in html
    asked = viewer.get(do("pause"))
    assert asked.status_code == 403
    assert PERMISSION in asked.content.decode()
    assert viewer.post(do("pause")).status_code == 403
    assert Schedule.objects.get().status == "ACTIVE"
    assert AuditEvent.objects.get().outcome == "refused"


def test_the_context_is_for_those_who_may_see_payloads(
    client: Client, make_user: Callable[..., Any]
) -> None:
    add()
    client.force_login(make_user("viv", *VIEW, PERMISSION))
    for url in (reverse("dboshub:schedules:list"), detail(), do("trigger")):
        assert "MARKER" not in page(client, url)
    client.force_login(make_user("pia", *VIEW, "dboshub_workflows.view_payload"))
    response = client.get(detail())
    assert "MARKER" in response.content.decode()
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("verb", ["pause", "resume", "trigger", "backfill", "delete"])
def test_each_action_asks_first_and_changes_nothing(admin: Client, verb: str) -> None:
    add()
    html = page(admin, do(verb))
    assert ('method="post"' in html.split('id="confirm"')[1]) is (verb != "backfill")
    assert Schedule.objects.get().status == "ACTIVE"
    assert not AuditEvent.objects.exists()
    assert admin.get(do("explode")).status_code == 404


def test_acting_leads_on_and_keeps_the_reason(admin: Client) -> None:
    add()
    add_version()
    assert admin.post(do("pause"), {"reason": "stock"})["Location"] == detail()
    assert "Paused. Workers notice" in page(admin, detail())
    assert AuditEvent.objects.get().reason == "stock"
    run = admin.post(do("trigger"))["Location"]
    assert run == reverse("dboshub:workflows:detail", args=[Workflow.objects.get().pk])
    assert admin.post(do("delete"))["Location"] == reverse("dboshub:schedules:list")
    assert not Schedule.objects.exists()


def test_what_is_refused_is_said_with_advice(admin: Client) -> None:
    add()
    response = admin.post(do("resume"))
    assert response.status_code == 409
    assert "Trigger it to run it now" in response.content.decode()


def test_a_backfill_shows_the_exact_ticks_then_starts_them(admin: Client) -> None:
    add(cron_timezone="Europe/Berlin")
    add_version()
    span = {"start": "2026-01-05T09:00", "end": "2026-01-05T11:00"}
    preview = admin.get(do("backfill"), span).content.decode()
    for at in ("09:00", "10:00", "11:00"):
        assert f"Mon 05 Jan 2026 {at}" in preview
    assert "Start 3 runs" in preview
    assert not Workflow.objects.exists()
    found = re.search(r'name="seen" value="([^"]*)"', preview)
    assert found
    posted = admin.post(do("backfill"), {**span, "seen": found[1], "reason": "outage"})
    assert posted["Location"] == detail()
    ids = set(Workflow.objects.values_list("pk", flat=True))
    assert ids == {f"sched-{NAME}-2026-01-05T{hour}:00:00+01:00" for hour in ("09", "10", "11")}
    again = admin.get(do("backfill"), span).content.decode()
    assert "had no run" in again
    assert "of which 0" in again
    assert "Start " not in again.split("confirm-buttons")[1].split("</form>")[0]


@pytest.mark.parametrize(
    ("span", "status", "why"),
    [
        ({"start": "x", "end": "2026-01-05T11:00"}, 422, "Write a time such as"),
        ({"start": "2026-01-06T11:00", "end": "2026-01-05T11:00"}, 422, "before the start"),
        ({"start": "0001-01-01T00:00", "end": "0001-01-01T00:00"}, 409, "no tick"),
        ({"start": "2020-01-06T11:00", "end": "2026-01-05T11:00"}, 409, "more than 1,000 ticks"),
        ({"start": "2026-01-06T11:00", "end": "2999-01-05T11:00"}, 409, "future"),
    ],
)
def test_a_span_that_makes_no_sense_is_explained(
    admin: Client, span: dict[str, str], status: int, why: str
) -> None:
    add()
    response = admin.get(do("backfill"), span)
    assert response.status_code == status
    assert why in unescape(response.content.decode())


def test_a_backfill_that_nobody_was_shown_is_refused(admin: Client) -> None:
    add()
    span = {"start": "2026-01-05T09:00", "end": "2026-01-05T11:00"}
    assert admin.post(do("backfill"), span).status_code == 409
    assert not Workflow.objects.exists()


def test_pages_keep_the_content_policy(admin: Client) -> None:
    add()
    add_run(3)
    for url in (reverse("dboshub:schedules:list"), detail(), do("backfill"), do("delete")):
        html = page(admin, url)
        assert not re.search(r'\sstyle="|\son\w+="|<script>|javascript:', html)


def test_the_admin_only_looks(client: Client, make_user: Callable[..., Any]) -> None:
    add()
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    url = reverse("admin:dboshub_schedules_schedule_change", args=[NAME])
    html = page(client, url)
    assert "MARKER" not in html
    assert pickled({"tenant": "MARKER"}) not in html
    assert client.post(url, {"status": "PAUSED"}).status_code == 403
    assert client.get(reverse("admin:dboshub_schedules_schedule_add")).status_code == 403
    assert (
        client.get(reverse("admin:dboshub_schedules_schedule_delete", args=[NAME])).status_code
        == 403
    )
    assert Schedule.objects.get().status == "ACTIVE"
