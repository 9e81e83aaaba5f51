"""Bulk jobs and their items for pages. Viewers of only some applications see their own jobs."""

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
    """The id of the user whose jobs are visible, or None for all jobs."""
    return None if viewer_for(user).applications is None else user.pk


def job_page(owner: int | None, *, before: int | None = None) -> JobPage:
    """A page of jobs, newest first; older than job `before`, and only of `owner` if given."""
    jobs = _of(owner)
    if before is not None:
        jobs = jobs.filter(pk__lt=before)
    found = [*jobs.order_by("-pk")[: PAGE + 1]]
    return JobPage(found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else None)


def job(user: Any, job_id: int) -> BulkJob | None:
    """One job, or None if it does not exist or the user may not see it."""
    return _of(owner_seen_by(user)).filter(pk=job_id).first()


def item_page(
    job: BulkJob, viewer: Viewer, *, state: str = "", before: int | None = None
) -> ItemPage:
    """A page of the items that the viewer may see, in processing order, optionally of one state.

    Before the job starts, the page is a sample of the set.
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
