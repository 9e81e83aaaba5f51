"""Bulk jobs as people see them: all of them, or their own if they see only some applications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from dboshub.workflows.models import BulkItem, BulkJob
from dboshub.workflows.selectors.scope import Viewer, viewer_for

PAGE = 50
SAMPLE = 10


@dataclass(frozen=True, slots=True)
class JobPage:
    jobs: list[BulkJob]
    before: int | None


@dataclass(frozen=True, slots=True)
class ItemPage:
    items: list[BulkItem]
    before: int | None


def owner_seen_by(user: Any) -> int | None:
    """Whose jobs a person sees; None if everybody's."""
    return None if viewer_for(user).applications is None else user.pk


def job_page(owner: int | None, *, before: int | None = None) -> JobPage:
    """The newest jobs, or those older than one; of one person, if `owner` is not None."""
    jobs = _of(owner)
    if before is not None:
        jobs = jobs.filter(pk__lt=before)
    found = [*jobs.order_by("-pk")[: PAGE + 1]]
    return JobPage(found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else None)


def job(user: Any, job_id: int) -> BulkJob | None:
    """One job, or None if there is none or the person may not know of it."""
    return _of(owner_seen_by(user)).filter(pk=job_id).first()


def item_page(
    job: BulkJob, viewer: Viewer, *, state: str = "", before: int | None = None
) -> ItemPage:
    """Items in the order they are worked on, of one state if one is given, as far as seen.

    Before the job starts, a sample is enough to see what is in the set.
    """
    most = SAMPLE if job.started_at is None else PAGE
    items: QuerySet[BulkItem] = job.items.filter(state=state) if state else job.items.all()
    if viewer.applications is not None:
        unclaimed = Q(application_name__isnull=True) if viewer.unclaimed else Q(pk__in=())
        items = items.filter(Q(application_name__in=viewer.applications) | unclaimed)
    if before is not None:
        items = items.filter(pk__lt=before)
    found = [*items.order_by("-pk")[: most + 1]]
    return ItemPage(found[:most], found[most - 1].pk if len(found) > most else None)


def _of(owner: int | None) -> QuerySet[BulkJob]:
    return BulkJob.objects.all() if owner is None else BulkJob.objects.filter(user=owner)
