"""Collects the set of a job that undoes another one: what it can put back.

What has changed since is left out, and counted by its reason.
"""

from __future__ import annotations

from collections import Counter

from django.db import router, transaction

from dboshub.workflows.bulk.target_set import (
    MAX_ITEMS,
    PAGE_SIZE,
    collect_page,
    end_collection,
    item_of,
    still_collecting,
)
from dboshub.workflows.bulk.undo import way_back
from dboshub.workflows.bulk.verbs import VERBS
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import reading
from dboshub.workflows.models import BulkItem, BulkJob, Change
from dboshub.workflows.selectors.rows import rows_by_id
from dboshub.workflows.selectors.scope import Viewer


def collect_next(job: BulkJob, viewer: Viewer) -> BulkJob | None:
    """Collect one page of the set, whatever it is of; None if another process continued it."""
    if job.undoes_id is None:
        return collect_page(job, viewer)
    after = (job.cursor or {"after": ""})["after"]
    changes = [
        *Change.objects.filter(job=job.undoes_id, workflow_id__gt=after).order_by("workflow_id")[
            : PAGE_SIZE + 1
        ]
    ]
    items, left_out = _sorted_out(job, changes[:PAGE_SIZE], viewer)
    with transaction.atomic(using=router.db_for_write(BulkJob)):
        fresh = still_collecting(job)
        if fresh is None:
            return None
        room = MAX_ITEMS - fresh.total
        fresh.is_capped = len(items) > room
        fresh.total += len(BulkItem.objects.bulk_create(items[:room]))
        fresh.left_out = dict(Counter(fresh.left_out) + left_out)
        more = len(changes) > PAGE_SIZE and not fresh.is_capped
        fresh.cursor = {"after": changes[PAGE_SIZE - 1].workflow_id} if more else None
        if not more:
            end_collection(fresh)
        fresh.save()
        return fresh


def _sorted_out(
    job: BulkJob, changes: list[Change], viewer: Viewer
) -> tuple[list[BulkItem], Counter[str]]:
    """Items for what can be put back, and the numbers of the others by reason."""
    source, now = job.undoes, now_ms()
    if source is None:
        return [], Counter()
    with reading() as session:
        rows = rows_by_id(session, [each.workflow_id for each in changes], viewer=viewer)
    items: list[BulkItem] = []
    left_out: Counter[str] = Counter()
    for change in changes:
        row = rows.get(change.workflow_id)
        back = way_back(change, source.verb, row, now=now)
        if row is None or not back.words:
            left_out[back.refusal] += 1
        else:
            items.append(item_of(job, VERBS[job.verb], row, back.words))
    return items, left_out
