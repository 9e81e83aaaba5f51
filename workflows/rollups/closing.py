"""Writing what was counted: a closed span is replaced whole, and left alone if nothing changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from django.db import router, transaction

from workflows.models import QueueSample, RolledSpan, Rollup
from workflows.models.rollups import MINUTE
from workflows.rollups.counting import Tallies
from workflows.rollups.lease import Hold


def hub_alias() -> str:
    """The database of the rollups: the hub's own."""
    return router.db_for_write(Rollup)


def close(hold: Hold, counted: Mapping[int, Tallies], *, width: int) -> int:
    """Replace these spans by what was counted now; how many differed from what was stored.

    Raises LeaseLostError, and changes nothing, if another process leads meanwhile.
    """
    known = dict(
        RolledSpan.objects.filter(width=width, at__in=[*counted]).values_list("at", "digest")
    )
    digests = {at: _digest(tallies) for at, tallies in counted.items()}
    changed = [at for at, digest in digests.items() if known.get(at) != digest]
    if changed:
        with transaction.atomic(using=hub_alias()):
            hold.confirm()
            forget(width, changed)
            put(width, {at: counted[at] for at in changed})
            RolledSpan.objects.bulk_create(
                RolledSpan(width=width, at=at, digest=digests[at], covered=width // MINUTE)
                for at in changed
            )
    return len(changed)


def put(width: int, counted: Mapping[int, Tallies]) -> None:
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


def forget(width: int, spans: Iterable[int]) -> None:
    """Remove the counts of these spans, and that they were counted; samples stay."""
    among = {"width": width, "at__in": [*spans]}
    Rollup.objects.filter(**among).delete()
    RolledSpan.objects.filter(**among).delete()


def sample(hold: Hold, samples: Iterable[QueueSample]) -> None:
    """Keep what was seen waiting; the first look at a minute counts."""
    with transaction.atomic(using=hub_alias()):
        hold.confirm()
        QueueSample.objects.bulk_create(samples, ignore_conflicts=True)


def _digest(tallies: Tallies) -> str:
    facts = sorted((*key, tally.columns()) for key, tally in tallies.items())
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=12).hexdigest()
