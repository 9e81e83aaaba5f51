"""What was stored to be slow costs a request so much time and no more, and the page still comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from dboshub.web import guard
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.connection import atomic
from dboshub.workflows.payloads import redacted
from dboshub.workflows.payloads.redacted import NOT_READ, readable
from dboshub.workflows.rendering import error_facts
from dboshub.workflows.storage.sql import Statement
from dboshub.workflows.time_budget import is_spent, time_budget
from tests.support.runs import add_step, add_workflow

pytestmark = pytest.mark.django_db

ONE = Statement("SELECT 1")


@pytest.fixture
def reader(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(
        make_user("rea", "dboshub_workflows.view_workflow", "dboshub_workflows.view_payload")
    )
    with atomic() as session:
        for number in range(5):
            add_workflow(session, f"w{number}", "ERROR", error=ValueError(f"error {number}"))
            add_step(session, f"w{number}", 1, "pay", error=ValueError(f"step {number}"))
    return client


class Spent:
    """A budget that is used up after so many questions."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_a_budget_ends_with_its_block_and_an_inner_one_lengthens_none() -> None:
    assert not is_spent()
    with time_budget(-1):
        assert is_spent()
        with time_budget(60):
            assert is_spent()
    assert not is_spent()


def test_no_value_is_read_and_no_statement_begins_after_the_time() -> None:
    assert readable("[1]", "portable_json") != NOT_READ
    with bounded_reading() as session:
        assert session.one(ONE)
        with time_budget(-1):
            assert readable("[1]", "portable_json") == NOT_READ
            assert readable(None, None) != NOT_READ
            with pytest.raises(OperationalError, match="takes too long"):
                session.one(ONE)


def test_errors_that_were_not_read_in_time_are_a_group_of_their_own(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(error_facts, "is_spent", Spent(after=3))
    answer = reader.get("/workflows/errors/")
    assert answer.status_code == 200
    html = answer.content.decode()
    assert "not read in time" in html
    assert "ValueError" in html


def test_values_that_were_not_read_in_time_are_cells_that_say_so(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redacted, "is_spent", Spent(after=0))
    for page in ("/workflows/run/w0", "/workflows/value/w0?of=error"):
        answer = reader.get(page)
        assert answer.status_code == 200, page
        assert "takes too long" in answer.content.decode(), page


def test_every_page_has_a_budget(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "REQUEST_S", -1)
    assert reader.get("/workflows/").status_code == 503
    monkeypatch.setattr(guard, "REQUEST_S", 60)
    assert reader.get("/workflows/").status_code == 200
    assert not is_spent()


def test_the_scan_for_names_takes_time_by_the_length_of_a_text() -> None:
    # Would take hours if a name were tried again from each of its characters.
    begun = time.monotonic()
    for text in ("a" * 500_000, "a-" * 250_000, 'a "' * 200_000, "\\" * 500_000, " " * 500_000):
        readable(text, "yaml")
    assert time.monotonic() - begun < 60
