"""How long it is recorded what actions changed, and thus can be undone."""

from __future__ import annotations

import time

from dboshub.workflows.clock import now_ms
from dboshub.workflows.models import Change

DAYS = 30
LASTS_MS = DAYS * 86_400_000
MAX_ROWS = 5_000
# A process looks for old rows so often.
INTERVAL_S = 600.0

_next_look = [0.0]


def is_kept(since: int) -> bool:
    """Whether all changes after this time (epoch ms) are recorded still."""
    return since > now_ms() - LASTS_MS


def forget_old_changes() -> int:
    """Delete at most MAX_ROWS changes that are no longer kept, if it is time; how many there were.

    While there are more, it is always time.
    """
    now = time.monotonic()
    if now < _next_look[0]:
        return 0
    old = Change.objects.filter(at__lt=now_ms() - LASTS_MS).order_by("at")
    found = [*old.values_list("pk", flat=True)[:MAX_ROWS]]
    Change.objects.filter(pk__in=found)._raw_delete(Change.objects.db)
    _next_look[0] = now if len(found) == MAX_ROWS else now + INTERVAL_S
    return len(found)
