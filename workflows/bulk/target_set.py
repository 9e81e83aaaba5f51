"""Collects the set of a bulk job: the workflow ids it will act on, before it is confirmed.

A filter is read in pages, one transaction each. The cursor is stored in the job, so that another
process can continue. Workflows in a status that the verb takes are stored; those in other statuses
are only counted.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from django.db import router, transaction
from django.db.models import Count
from django.http import QueryDict

from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.bulk.batch import FORKED, HIDDEN
from dboshub.workflows.bulk.verbs import VERBS, Verb
from dboshub.workflows.connection import reading
from dboshub.workflows.models import BulkItem, BulkJob
from dboshub.workflows.search.criteria import Criteria, parse
from dboshub.workflows.selectors.keyset.pages import Page, WorkflowPager, read_cursor
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.statuses import STATUSES

MAX_ITEMS = 100_000
MAX_LEFT_OUT = 10_000
PAGE_SIZE = 1_000
# Different things that a job would do are counted apart up to so many.
MAX_PLANS = 200
COLLECTING = BulkJob.State.COLLECTING
TAKEN, OTHERS = "taken", "others"


def collect_selected(job: BulkJob, ids: Iterable[str], viewer: Viewer) -> None:
    """Store the selected workflows as the set, at most PAGE_SIZE of them."""
    wanted = list(dict.fromkeys(each for each in ids if "\x00" not in each))[:PAGE_SIZE]
    with reading() as session:
        found = rows_by_id(session, wanted, viewer=viewer)
    rows = sorted(found.values(), key=lambda row: (row.created_at, row.pk), reverse=True)
    with transaction.atomic(using=router.db_for_write(BulkJob)):
        job.left_out = +Counter({HIDDEN: len(wanted) - len(rows)})
        _keep(job, rows)
        end_collection(job)
        job.save()


def collect_page(job: BulkJob, viewer: Viewer) -> BulkJob | None:
    """Collect one page of the filter; return the job, or None if another process continued it."""
    place = job.cursor or {"part": TAKEN, "after": ""}
    criteria = _criteria(job, place["part"])
    page = _read(criteria, place["after"], viewer) if criteria else Page(rows=[])
    with transaction.atomic(using=router.db_for_write(BulkJob)):
        fresh = still_collecting(job)
        if fresh is None:
            return None
        _keep(fresh, _within(fresh, page) if place["part"] == TAKEN else page.rows)
        fresh.cursor = _next(fresh, place["part"], page)
        if fresh.cursor is None:
            end_collection(fresh)
        fresh.save()
        return fresh


def still_collecting(job: BulkJob) -> BulkJob | None:
    """The locked job; None if another process has continued or ended the collection."""
    same = BulkJob.objects.select_for_update().filter(pk=job.pk, state=COLLECTING)
    fresh = same.first()
    return fresh if fresh is not None and fresh.cursor == job.cursor else None


def _within(job: BulkJob, page: Page) -> list[WorkflowRow]:
    """The rows that fit into the set."""
    room = MAX_ITEMS - job.total
    job.is_capped = len(page.rows) > room or (len(page.rows) == room and bool(page.older))
    return page.rows[:room]


def _criteria(job: BulkJob, part: str) -> Criteria | None:
    """The filter at the time of the job, with the statuses of one part."""
    criteria = parse(QueryDict(job.filter), now=job.created_at, attributes=True)
    if criteria.problems:
        # A criterion that is left out would make the set larger.
        return None
    takes = VERBS[job.verb].takes
    wanted = criteria.statuses or STATUSES
    statuses = tuple(each for each in wanted if (each in takes) is (part == TAKEN))
    if criteria.by == "created":
        end = job.created_at + 1
        criteria = replace(criteria, until=min(criteria.until or end, end))
    return replace(criteria, statuses=statuses) if statuses else None


def _read(criteria: Criteria, after: str, viewer: Viewer) -> Page:
    with bounded_reading() as session:
        return WorkflowPager(session, criteria, viewer, size=PAGE_SIZE).after(read_cursor(after))


def _next(job: BulkJob, part: str, page: Page) -> dict[str, str] | None:
    """The cursor of the next page, or None at the end. Each part has its own cap."""
    is_full = job.is_capped if part == TAKEN else sum(job.left_out.values()) >= MAX_LEFT_OUT
    if page.older and not is_full:
        return {"part": part, "after": page.older}
    return {"part": OTHERS, "after": ""} if part == TAKEN else None


def _keep(job: BulkJob, rows: Iterable[WorkflowRow]) -> None:
    """Store the rows that the verb takes as items, and count the others by reason."""
    verb, left_out = VERBS[job.verb], Counter(job.left_out)
    taken: list[WorkflowRow] = []
    for row in rows:
        if row.created_at > job.created_at:
            # It was created after the user saw the list.
            continue
        why = _refusal(job, verb, row)
        if why:
            left_out[why] += 1
        else:
            taken.append(row)
    # A workflow whose status changes meanwhile can be read twice; it is stored once.
    plans = verb.foresee(taken)
    items = [item_of(job, verb, row, plans.get(row.pk)) for row in taken]
    BulkItem.objects.bulk_create(items, ignore_conflicts=True)
    job.total += len(items)
    job.left_out = dict(left_out)


def _refusal(job: BulkJob, verb: Verb, row: WorkflowRow) -> str:
    if row.status in verb.takes:
        return FORKED if verb.makes and row.was_forked_from and not job.options["again"] else ""
    return verb.refusals.get(row.status, "in a status unknown here")


def item_of(job: BulkJob, verb: Verb, row: WorkflowRow, plan: str | None) -> BulkItem:
    return BulkItem(
        job=job,
        workflow_id=row.pk,
        name=row.name,
        application_name=row.application_name,
        was=row.status,
        plan=plan,
        # Chosen now, so that a fork that is tried twice is created once.
        made=str(uuid.uuid4()) if verb.makes else "",
    )


def end_collection(job: BulkJob) -> None:
    """Fix the set, and count what it holds."""
    job.total = job.items.count()
    planned = job.items.exclude(plan=None).values_list("plan")
    counts = planned.annotate(count=Count("pk")).order_by("-count", "plan")
    job.plan = dict(counts[:MAX_PLANS])
    job.state = BulkJob.State.FROZEN
