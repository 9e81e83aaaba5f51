"""When a name last succeeded, from the rollups: no index of the system tables tells."""

from __future__ import annotations

from dboshub.workflows.models import Rollup
from dboshub.workflows.models.rollups import HOUR, MINUTE


def last_success(name: str, application: str | None, before: int) -> tuple[int, int] | None:
    """The start and end (epoch ms) of the newest counted span before a time with a success."""
    spans = Rollup.objects.filter(
        name=name, width__in=(MINUTE, HOUR), at__lt=before, scope=Rollup.Scope.ONE, succeeded__gt=0
    )
    found = spans.filter(application=application or "").order_by("-at")
    span = found.values_list("at", "width").first()
    return None if span is None else (span[0], span[0] + span[1])
