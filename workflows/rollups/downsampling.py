"""Downsamples old minutes to hours and deletes old hours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Max, Min

from dboshub.workflows.models import QueueSample, RolledSpan, Rollup
from dboshub.workflows.models.rollups import HOUR, MINUTE
from dboshub.workflows.rollups.counting import MAX_SERIES, OUTCOMES, Key, Tallies, Tally
from dboshub.workflows.rollups.histogram import merged
from dboshub.workflows.rollups.lease import LeaseHandle
from dboshub.workflows.rollups.store import hub_alias, insert_rollups

# How long minutes are kept before they are downsampled, and hours before they are deleted.
MINUTES_KEPT_MS, HOURS_KEPT_MS = 48 * HOUR, 400 * 24 * HOUR


def downsample_hour(lease: LeaseHandle, now: int) -> bool:
    """Downsample the oldest hour whose minutes are all too old; False if there is none.

    Times before the oldest that is kept belong to no hour.
    """
    kept, until = now - HOURS_KEPT_MS, (now - MINUTES_KEPT_MS) // HOUR * HOUR
    oldest = [
        model.objects.filter(width=MINUTE, at__gte=kept, at__lt=until).aggregate(first=Min("at"))
        for model in (RolledSpan, QueueSample)
    ]
    found = [each["first"] for each in oldest if each["first"] is not None]
    if not found:
        return False
    start = min(found) // HOUR * HOUR
    with transaction.atomic(using=hub_alias()):
        lease.confirm()
        _downsample_counts(start)
        _downsample_samples(start)
        for model in (RolledSpan, Rollup, QueueSample):
            model.objects.filter(width__in=(MINUTE, HOUR), at__lt=kept).delete()
    return True


def _downsample_counts(start: int) -> None:
    """Replace minutes by their hour, unless the hour was counted from the system tables."""
    within = {"width": MINUTE, "at__gte": start, "at__lt": start + HOUR}
    spans, rollups = RolledSpan.objects.filter(**within), Rollup.objects.filter(**within)
    covered = min(spans.count(), HOUR // MINUTE)
    if covered and not RolledSpan.objects.filter(width=HOUR, at=start).exists():
        insert_rollups(HOUR, {start: merge_rollups(rollups)})
        RolledSpan.objects.create(width=HOUR, at=start, covered=covered)
    rollups.delete()
    spans.delete()


def _downsample_samples(start: int) -> None:
    minutes = QueueSample.objects.filter(width=MINUTE, at__gte=start, at__lt=start + HOUR)
    largest = minutes.values("queue").annotate(
        most_waiting=Max("waiting"), most_running=Max("running"), longest=Max("oldest_ms")
    )
    cut = {*minutes.filter(is_at_least=True).values_list("queue", flat=True)}
    QueueSample.objects.bulk_create(
        [
            QueueSample(
                width=HOUR,
                at=start,
                queue=each["queue"],
                waiting=each["most_waiting"],
                running=each["most_running"],
                oldest_ms=each["longest"],
                is_at_least=each["queue"] in cut,
            )
            for each in largest
        ],
        ignore_conflicts=True,
    )
    minutes.delete()


def merge_rollups(rows: Iterable[Rollup]) -> Tallies:
    """One span from several. Beyond MAX_SERIES, the smallest names are added to the rest, and the
    smallest queues are left out."""
    groups: dict[Key, list[Rollup]] = defaultdict(list)
    for row in rows:
        for key in _keys(row):
            groups[key].append(row)
    for scope in (Rollup.Scope.ONE, Rollup.Scope.QUEUE):
        of_scope = [key for key in groups if key[0] == scope]
        of_scope.sort(key=lambda key: -sum(_size(row) for row in groups[key]))
        for key in of_scope[MAX_SERIES:]:
            left = groups.pop(key)
            if scope == Rollup.Scope.ONE:
                groups[Rollup.Scope.REST.value, key[1], "", ""] += left
    return {key: total(group) for key, group in groups.items()}


def _keys(row: Rollup) -> list[Key]:
    """What a row counts: one of an earlier release counts for its name and for its queue."""
    if row.scope != Rollup.Scope.ONE or not row.queue:
        return [(row.scope, row.application, row.name, row.queue)]
    return [
        (Rollup.Scope.ONE.value, row.application, row.name, ""),
        (Rollup.Scope.QUEUE.value, row.application, "", row.queue),
    ]


def total(rows: Iterable[Rollup]) -> Tally:
    """The sum of rollup rows."""
    tally = Tally()
    for row in rows:
        tally.outcomes.update({name: getattr(row, name) for name in OUTCOMES.values()})
        tally.run.update(merged([row.run]))
        tally.wait.update(merged([row.wait]))
    return tally


def _size(row: Rollup) -> int:
    return sum(getattr(row, name) for name in OUTCOMES.values())
