"""Audit of requests that were denied: one row per user, address and 15 minutes."""

from __future__ import annotations

from hashlib import blake2s

from django.http import HttpRequest

from dboshub.workflows.actions.audit import actor_of, record_refusal
from dboshub.workflows.page_cache import page_cache

ACTION = "request"
ONE_ROW_PER_S = 15 * 60
MAX_PATH = 1_000


def record_denial(request: HttpRequest, why: str) -> None:
    """Write an audit row for a request that its user may not make, unless a recent one exists."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return
    target = f"{request.method} {request.path[:MAX_PATH]}"
    digest = blake2s(target.encode("utf-8", "backslashreplace")).hexdigest()
    if page_cache().add(f"denied-{user.pk}-{digest}", True, ONE_ROW_PER_S):
        record_refusal(actor_of(request), ACTION, "page", target, why or "no permission")
