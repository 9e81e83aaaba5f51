"""Workflows that a search finds: by their id, and by the values within them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.urls import reverse

from dboshub.global_search.results import MAX_RESULTS, Group, Result, grouped
from dboshub.workflows.engine.records import TEMP_WORKFLOW
from dboshub.workflows.search.criteria import Criteria
from dboshub.workflows.selectors.keyset.pages import Page, WorkflowPager
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.selectors.value_search import ValueMatches
from dboshub.workflows.storage.sql import Session

# Seconds in which ids are looked through for a fragment.
BUDGET_S = 0.05
FIRST_CHUNK = 2_000
MIN_FRAGMENT = 2


@dataclass(frozen=True, slots=True)
class IdMatches:
    """Workflows by their id. `searched_to` (epoch ms) is set if the time ran out for fragments;
    `more` is the list that goes on. `exact` is the workflow with this very id."""

    groups: list[Group]
    more: str
    searched_to: int | None = None
    exact: WorkflowRow | None = None


def by_id(session: Session, viewer: Viewer, words: str) -> IdMatches:
    """Workflows with this id, those whose id begins so, and the newest whose id contains it."""
    found: dict[str, Result] = {}
    exact = rows_by_id(session, [words, words.rpartition("-")[0]], viewer=viewer)
    for row in exact.values():
        found[row.pk] = result(
            row, "this id" if row.pk == words else "this id, of one of its steps"
        )
    # A value that begins with "!" is a negation.
    for row in _page(session, viewer, words).rows if not words.startswith("!") else ():
        found.setdefault(row.pk, result(row, "id begins so"))
    searched_to = None
    if len(found) <= MAX_RESULTS and len(words) >= MIN_FRAGMENT:
        page = _page(session, viewer, f"*{words}*")
        searched_to = page.searched_to
        for row in page.rows:
            found.setdefault(row.pk, result(row, "id contains it"))
    more = f"{reverse('dboshub:workflows:list')}?{urlencode({'id': f'*{words}*'})}"
    groups = grouped("Workflows by id", found.values(), more)
    return IdMatches(groups, more, searched_to, exact.get(words))


def _page(session: Session, viewer: Viewer, wanted: str) -> Page:
    criteria = Criteria(texts=(("id", wanted),), internal=True)
    pager = WorkflowPager(
        session,
        criteria,
        viewer,
        size=MAX_RESULTS + 1,
        budget_s=BUDGET_S,
        first_chunk=FIRST_CHUNK,
    )
    return pager.first()


def by_value(found: ValueMatches) -> list[Group]:
    """The workflows in which a value was found."""
    results = tuple(
        replace(result(each.row, each.place), excerpt=each.excerpt) for each in found.matches
    )
    return [Group("Values in workflows", results)] if results else []


def result(row: WorkflowRow, reason: str) -> Result:
    """A workflow as a result, with the reason why it matched."""
    name = (row.name or "unnamed").removeprefix(TEMP_WORKFLOW)
    address = reverse("dboshub:workflows:detail", args=[row.pk])
    return Result(name, address, reason, row.pk, status=row.status, at=row.created_at)
