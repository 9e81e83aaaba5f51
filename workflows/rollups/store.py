"""Writes rollups. A span is replaced as a whole, and only if it changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager

from django.db import router, transaction

from dboshub.workflows.models import QueueSample, RolledSpan, Rollup
from dboshub.workflows.models.rollups import MINUTE
from dboshub.workflows.rollups.counting import Tallies, recount
from dboshub.workflows.rollups.lease import LeaseHandle
from dboshub.workflows.storage.sql import Session

Reading = Callable[[], AbstractContextManager[Session]]


def hub_alias() -> str:
    """The alias of the database that holds the rollups."""
    return router.db_for_write(Rollup)


def recount_spans(
    lease: LeaseHandle, reading: Reading, since: int, until: int, *, width: int
) -> int:
    """Count the changed spans from `since` to `until` again; return their number.

    Raises LeaseLostError, and changes nothing, if another process took the lease.
    """
    spans = RolledSpan.objects.filter(width=width, at__gte=since, at__lt=until)
    known = dict(spans.values_list("at", "digest"))
    with reading() as session:
        counted = recount(session, since, until, width=width, known=known)
    if counted:
        with transaction.atomic(using=hub_alias()):
            lease.confirm()
            delete_spans(width, counted)
            insert_rollups(width, {at: each.tallies for at, each in counted.items()})
            RolledSpan.objects.bulk_create(
                RolledSpan(width=width, at=at, digest=each.fingerprint, covered=width // MINUTE)
                for at, each in counted.items()
            )
    return len(counted)


def insert_rollups(width: int, counted: Mapping[int, Tallies]) -> None:
    Rollup.objects.bulk_create(
        (
            Rollup(
                width=width,
                at=at,
                scope=scope,
                application=application,
                name=name,
                queue=queue,
                **tally.columns(),
            )
            for at, tallies in counted.items()
            for (scope, application, name, queue), tally in tallies.items()
        ),
        batch_size=500,
    )


def delete_spans(width: int, spans: Iterable[int]) -> None:
    """Delete the rollups of these spans and their counted marks. Queue samples stay."""
    among = {"width": width, "at__in": [*spans]}
    Rollup.objects.filter(**among).delete()
    RolledSpan.objects.filter(**among).delete()


def sample(lease: LeaseHandle, samples: Iterable[QueueSample]) -> None:
    """Insert queue samples; the first sample of a minute is kept."""
    with transaction.atomic(using=hub_alias()):
        lease.confirm()
        QueueSample.objects.bulk_create(samples, ignore_conflicts=True)
