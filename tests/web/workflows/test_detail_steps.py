"""Steps among many: failed attempts, the map, search by name and failure, the next failure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dboshub.workflows.connection import atomic
from dboshub.workflows.models import Attempt, Step
from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.rendering.components import duration
from dboshub.workflows.selectors.detail import step_search
from dboshub.workflows.storage.sql import Statement
from tests.support.runs import T0, add_step, add_workflow, insert

pytestmark = pytest.mark.django_db

VIEW = "dboshub_workflows.view_workflow"
MESSAGE = "the card network said no"


@pytest.fixture
def as_user(client: Client, make_user: Callable[..., Any]) -> Callable[..., Client]:
    def log_in(*permissions: str) -> Client:
        client.force_login(make_user("viv", VIEW, *permissions))
        return client

    return log_in


def page(client: Client, name: str, *args: Any, query: str = "") -> str:
    response = client.get(reverse(f"dboshub:workflows:{name}", args=args) + query)
    assert response.status_code == 200, response
    return response.content.decode()


def add_attempt(step: int, attempt: int, *, is_last: bool = False) -> None:
    Attempt.objects.create(
        workflow_uuid="w",
        function_id=step,
        attempt=attempt,
        error="CardError",
        message=MESSAGE,
        failed_at=T0 + attempt,
        next_at=None if is_last else T0 + attempt + 1,
    )


def add_many(count: int, *failed: int) -> None:
    """A long workflow whose steps take a second each; every hundredth is a shipment."""
    with atomic() as session:
        add_workflow(session, "w")
        Step.objects.bulk_create(
            Step(
                workflow_uuid="w",
                function_id=number,
                function_name="Ship" if number % 100 == 0 else "pack",
                started_at_epoch_ms=T0 + number * 1_000,
                completed_at_epoch_ms=T0 + number * 1_000 + 1_000,
                error="boom" if number in failed else None,
            )
            for number in range(1, count + 1)
        )


def numbers(html: str) -> list[int]:
    return [int(each) for each in re.findall(r'<td class="number">(\d+)</td>', html)]


def test_failed_attempts_are_counted_in_the_waterfall_and_told_on_the_step(
    as_user: Callable[..., Client],
) -> None:
    client = as_user("dboshub_workflows.view_payload")
    with atomic() as session:
        add_workflow(session, "w")
        add_step(session, "w", 1, "charge")
    add_attempt(1, 0)
    add_attempt(1, 1, is_last=True)
    assert 'title="failed attempts"' in page(client, "detail", "w")
    shown = page(client, "step", 1, "w")
    assert shown.index("Attempt 2") < shown.index("Attempt 1")
    assert shown.count(MESSAGE) == 2
    assert shown.count("the last one") == 1


def test_what_failed_is_hidden_without_the_permission(as_user: Callable[..., Client]) -> None:
    client = as_user()
    with atomic() as session:
        add_workflow(session, "w")
        add_step(session, "w", 1, "charge")
    add_attempt(1, 0)
    shown = page(client, "step", 1, "w")
    assert "Attempt 1" in shown
    assert MESSAGE not in shown
    assert "CardError" not in shown


def test_a_step_that_fails_again_and_again_is_shown_before_it_is_recorded(
    as_user: Callable[..., Client],
) -> None:
    client = as_user("dboshub_workflows.view_payload")
    with atomic() as session:
        add_workflow(session, "w", "PENDING", started_at_epoch_ms=T0)
        add_step(session, "w", 1, "reserve")
    add_attempt(2, 0)
    url = reverse("dboshub:workflows:step", args=[2, "w"])
    assert f'href="{url}">Failed attempts of step 2' in page(client, "detail", "w")
    assert MESSAGE in page(client, "step", 2, "w")
    assert client.get(reverse("dboshub:workflows:step", args=[3, "w"])).status_code == 404


def test_a_database_without_the_table_of_attempts_has_none(as_user: Callable[..., Client]) -> None:
    client = as_user()
    with atomic() as session:
        add_workflow(session, "w")
        add_step(session, "w", 1, "charge")
        session.run(Statement("DROP TABLE {dboshub_attempt}"))
    assert "Attempt" not in page(client, "step", 1, "w")
    assert 'title="failed attempts"' not in page(client, "detail", "w")


def test_a_few_steps_have_no_map(as_user: Callable[..., Client]) -> None:
    client = as_user()
    add_many(20, 3)
    shown = page(client, "detail", "w")
    assert "step-map" not in shown
    assert "Next failed" not in shown


def test_the_map_of_many_steps_leads_to_each_part_and_marks_failures(
    as_user: Callable[..., Client],
) -> None:
    client = as_user()
    add_many(1_000, 555)
    shown = page(client, "detail", "w")
    figure = shown[shown.index("<figure") : shown.index("</figure")]
    assert figure.count("<title>") == 100 + 1
    assert "<title>Steps 550 to 559, 10 s, 1 failed</title>" in figure
    assert figure.count("s-error") == 1
    assert f"{reverse('dboshub:workflows:detail', args=['w'])}?steps=550#steps" in figure


def test_the_next_failure_begins_again_at_the_end(as_user: Callable[..., Client]) -> None:
    client = as_user()
    add_many(1_000, 10, 555)
    assert "Next failed: step 555" in page(client, "detail", "w")
    assert "Next failed: step 10" in page(client, "detail", "w", query="?steps=556")


def test_steps_are_found_by_name_and_failure(as_user: Callable[..., Client]) -> None:
    client = as_user()
    add_many(500, 100, 250)
    assert numbers(page(client, "steps", "w", query="?find=ship")) == [100, 200, 300, 400, 500]
    assert numbers(page(client, "steps", "w", query="?failed=1")) == [100, 250]
    assert numbers(page(client, "steps", "w", query="?failed=1&find=SHIP")) == [100]
    assert "No such step" in page(client, "steps", "w", query="?find=100%25")
    assert "No such step" in page(client, "steps", "w", query="?find=_")


def test_a_search_goes_on_where_it_ended(
    as_user: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = as_user()
    monkeypatch.setattr(step_search, "MAX_STEPS_SCANNED", 150)
    add_many(400)
    shown = page(client, "steps", "w", query="?find=ship")
    assert numbers(shown) == [100]
    assert "?find=ship&amp;from=150" in shown
    assert numbers(page(client, "steps", "w", query="?find=ship&from=150")) == [200]
    assert "Search on" not in page(client, "steps", "w", query="?find=ship&from=300")
    more = page(client, "steps", "w", query="?find=pack&from=150")
    assert "Search on" in more


def test_a_step_of_hostile_name_is_shown_as_text(as_user: Callable[..., Client]) -> None:
    client = as_user()
    with atomic() as session:
        add_workflow(session, "w")
        insert(
            session,
            "operation_outputs",
            workflow_uuid="w",
            function_id=1,
            function_name="<script>alert(1)</script>",
        )
    shown = page(client, "steps", "w", query="?find=%3Cscript%3E")
    assert numbers(shown) == [1]
    assert "<script>alert" not in shown


def test_a_time_is_zoomed_by_links_that_keep_the_step_the_page_began_at(
    as_user: Callable[..., Client],
) -> None:
    add_many(1_200)
    client = as_user()
    begin, end = T0 + 610_000, T0 + 690_000
    shown = page(client, "detail", "w", query=f"?steps=601&from={begin}&to={end}")
    assert "Zoomed, standing still" in shown
    link = r'data-zoom="\+" href="[^"]*\?steps=601&amp;from=(\d+)&amp;to=(\d+)'
    [closer] = re.findall(link, shown)
    assert begin < int(closer[0]) < int(closer[1]) < end
    assert "?steps=601&amp;#steps" in shown
    assert "from=9&" not in page(client, "detail", "w", query="?from=9&to=2%00")


def test_each_bar_has_its_usual_durations_beside_it(as_user: Callable[..., Client]) -> None:
    page_cache().clear()
    viewer = as_user()
    with atomic() as session:
        for at in range(1, 31):
            add_workflow(session, f"w{at}", name="usual", completed_at=T0 + 1_000)
            add_step(session, f"w{at}", 1, "charge", 0, 10 * at)
        add_workflow(session, "slow", name="usual", completed_at=T0 + 9_000)
        add_step(session, "slow", 1, "charge", 0, 8_000)
        add_workflow(session, "alone", name="other")
    shown = page(viewer, "detail", "slow")
    p50, p95 = (duration(ms) for ms in (160, 300))
    assert f"{p50} · {p95} of 31" in shown
    assert "the newest 31 good runs" in shown
    assert shown.count("longer than usual") == 2
    assert "longer than usual" not in page(viewer, "detail", "w1")
    # One run is too few for percentiles, and says so.
    alone = page(viewer, "detail", "alone")
    assert "the only good run" in alone
    assert "usually, p50" not in alone


def test_sixty_failed_attempts_are_folded_between_the_newest_and_the_first(
    as_user: Callable[..., Client],
) -> None:
    client = as_user("dboshub_workflows.view_payload")
    with atomic() as session:
        add_workflow(session, "w")
        add_step(session, "w", 1, "charge")
    for at in range(60):
        add_attempt(1, at, is_last=at == 59)
    shown = page(client, "step", 1, "w")
    start = shown.rindex("<details")
    fold = shown[start : shown.index("</details>", start)]
    assert "56 more, attempts 2 to 57, each <code>CardError</code>" in fold
    assert ("Attempt 57<" in fold, "Attempt 58<" in fold, "Attempt 1<" in fold) == (
        True,
        False,
        False,
    )
    assert shown.index("Attempt 60<") < shown.index("Attempt 58<") < start
    assert shown.index("Attempt 1<") > start + len(fold)
