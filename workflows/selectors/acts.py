"""Who acted on something, from the audit log and the bulk jobs, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from dboshub.workflows.models import AuditEvent, BulkItem, BulkJob
from dboshub.workflows.permissions import VIEW_AUDIT_EVENT
from dboshub.workflows.selectors.audit_scope import events_in_scope
from dboshub.workflows.selectors.bulk import owner_seen_by
from dboshub.workflows.selectors.scope import viewer_for

MAX_SHOWN, MAX_IDS, MAX_JOBS = 10, 200, 20
# Looking is no act.
VIEWS = ("view payload",)


@dataclass(frozen=True, slots=True)
class Act:
    """One act of a person; `job` is the bulk job that did it to `count` workflows."""

    at: int
    username: str
    action: str
    reason: str
    target: str = ""
    job: int | None = None
    count: int = 0

    @property
    def words(self) -> str:
        return self.action.replace("_", " ")


def acts_on(user: Any, kind: str, targets: Iterable[str], since: int | None) -> list[Act]:
    """The acts on these targets at `since` (epoch ms) or later that the user may know of."""
    if not user.has_perm(VIEW_AUDIT_EVENT):
        return []
    events = AuditEvent.objects.filter(
        events_in_scope(viewer_for(user), user.pk),
        target_kind=kind,
        target__in=[*targets][:MAX_IDS],
        at__gte=since or 0,
        outcome=AuditEvent.Outcome.DONE,
    )
    newest = events.exclude(action__in=VIEWS).order_by("-at", "-id")[:MAX_SHOWN]
    return [Act(each.at, each.username, each.action, each.reason, each.target) for each in newest]


def acts_on_workflows(user: Any, ids: Iterable[str], since: int) -> list[Act]:
    """The acts on these workflows, one by one and by the newest bulk jobs."""
    if not user.has_perm(VIEW_AUDIT_EVENT):
        return []
    wanted = [*ids][:MAX_IDS]
    newest = BulkJob.objects.filter(created_at__gte=since, started_at__isnull=False)
    owner = owner_seen_by(user)
    newest = newest if owner is None else newest.filter(user=owner)
    jobs = {job.pk: job for job in newest.order_by("-created_at", "-id")[:MAX_JOBS]}
    items = BulkItem.objects.filter(job__in=[*jobs], workflow_id__in=wanted, state="done")
    by_jobs = [
        Act(job.started_at or 0, job.username, job.verb, job.reason, job=job.pk, count=number)
        for job_id, number in items.values_list("job").annotate(Count("id"))
        if (job := jobs.get(job_id))
    ]
    found = [*acts_on(user, "workflow", wanted, since), *by_jobs]
    return sorted(found, key=lambda act: -act.at)[:MAX_SHOWN]
