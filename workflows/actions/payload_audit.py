"""Audit of payload views: one row per user, target and 15 minutes.

Reloads and live updates within this time add no rows. If the row cannot be written, the error is
raised, so that the payload is not shown.
"""

from __future__ import annotations

from hashlib import blake2s

from dboshub.workflows.actions.audit import Actor, record
from dboshub.workflows.clock import now_ms
from dboshub.workflows.models import AuditEvent
from dboshub.workflows.page_cache import page_cache

ACTION = "view payload"
ONE_ROW_PER_MS = 15 * 60 * 1_000


def record_payload_view(actor: Actor, kind: str, target: str) -> None:
    """Write an audit row for a view of a target's payloads, unless a recent row exists."""
    key = f"payload-view-{actor.user.pk}-{blake2s(f'{kind} {target}'.encode()).hexdigest()}"
    if not page_cache().add(key, True, ONE_ROW_PER_MS / 1_000):
        return
    try:
        at = _known(actor, kind, target)
        if at is None:
            record(actor, ACTION, kind, target)
        else:
            # Another process wrote the row: cache it for the rest of its time.
            page_cache().set(key, True, max(0, at + ONE_ROW_PER_MS - now_ms()) / 1_000)
    except BaseException:
        page_cache().delete(key)
        raise


def _known(actor: Actor, kind: str, target: str) -> int | None:
    """When the last row of these 15 minutes was written (epoch ms), or None."""
    rows = AuditEvent.objects.filter(
        target_kind=kind, target=target, at__gt=now_ms() - ONE_ROW_PER_MS, action=ACTION
    )
    return rows.filter(user=actor.user.pk).order_by("-at").values_list("at", flat=True).first()
