"""What rollups know beyond indexes: how many succeeded in all, and names that are rare."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dboshub.workflows.connection import reading
from dboshub.workflows.models.rollups import MINUTE
from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.rollups.lease import LeaseHandle
from dboshub.workflows.rollups.totals import all_counts, names
from dboshub.workflows.selectors import counts
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from tests.workflows.rollups.test_keeper import T0, lease, recount_spans, work

__all__ = ["lease"]
pytestmark = pytest.mark.django_db
SHOP = Viewer(frozenset({"shop"}), unclaimed=False)


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """More have succeeded than are looked at: twelve, half of them in one application."""
    monkeypatch.setattr(counts, "NEWEST_ROWS", 5)
    monkeypatch.setattr(counts, "SHOWN_CAP", 3)
    page_cache().clear()
    for at in range(12):
        made = T0 + at * MINUTE // 2
        application = "shop" if at % 2 == 0 else "till"
        work(
            f"w{at}", "SUCCESS", made, created_at=made, name=f"n{at}", application_name=application
        )
    yield
    page_cache().clear()


def succeeded(viewer: Viewer = EVERYTHING) -> str:
    with reading() as session:
        return str(all_counts(session, viewer=viewer)["SUCCESS"])


def test_before_anything_was_counted_the_newest_are() -> None:
    assert succeeded() == "3+"


def test_many_are_added_up_for_each_scope(lease: LeaseHandle) -> None:
    recount_spans(lease)
    assert succeeded() == "≈12"
    assert succeeded(SHOP) == "≈6"


def test_where_minutes_were_not_counted_there_are_at_least_so_many(lease: LeaseHandle) -> None:
    recount_spans(lease, T0 + MINUTE, T0 + 10 * MINUTE)
    assert succeeded() == "10+"


def test_names_are_known_however_long_ago_they_were_seen(lease: LeaseHandle) -> None:
    recount_spans(lease)
    assert names(EVERYTHING) == sorted(f"n{at}" for at in range(12))
    # A name may belong to an application that they may not know of.
    assert names(SHOP) == []


def test_what_an_index_holds_is_counted_up_to_a_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(4):
        work(f"e{at}", "ERROR", T0, created_at=T0)
    with reading() as session:
        assert str(counts.counts(session)["ERROR"]) == "4"
        monkeypatch.setattr(counts, "MAX_INDEXED", 3)
        assert str(counts.counts(session)["ERROR"]) == "3+"
