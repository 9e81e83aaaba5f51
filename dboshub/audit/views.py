"""The page of the audit log."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from dboshub.audit import selectors
from dboshub.audit.live import page_key
from dboshub.workflows.clock import now_ms
from dboshub.workflows.live.source import digest
from dboshub.workflows.live.subscriptions import subscription_for
from dboshub.workflows.models import AuditEvent
from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.permissions import VIEW_AUDIT_EVENT
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.selectors.scope import viewer_for

SUGGESTIONS_TTL_S = 60
MAX_DETAIL_LENGTH = 20_000
PAGES = {
    "workflow": "dboshub:workflows:detail",
    "queue": "dboshub:queues:detail",
    "schedule": "dboshub:schedules:detail",
    "bulk": "dboshub:workflows:bulk",
    "export": "dboshub:exports:export",
}
# Kinds whose target is the filter of a list.
FILTERED = {
    "workflows": "dboshub:workflows:list",
    "audit": "dboshub:audit",
    "errors": "dboshub:workflows:errors",
}
LISTED = {
    "executor": "dboshub:workflows:executors",
    "version": "dboshub:workflows:executors",
    "incident": "dboshub:incidents",
}
# Outcome to CSS class, icon, word and meaning.
OUTCOMES = {
    "done": ("s-success", "circle-check", "Done", "It took effect."),
    "refused": ("s-cancelled", "ban", "Refused", "Nothing was changed."),
    "started": ("s-error", "circle-alert", "Unfinished", "It may or may not have taken effect."),
}
UNKNOWN = ("s-unknown", "circle-help", "", "Unknown here.")


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as shown. `refusal` is why it was refused, `detail` its facts as JSON."""

    event: AuditEvent
    url: str
    style: tuple[str, str, str, str]
    refusal: str
    detail: str


@require_safe
@permission_required(VIEW_AUDIT_EVENT, raise_exception=True)
def audit(request: HttpRequest) -> HttpResponse:
    """One page of the audit log; the query string is its state."""
    wanted = selectors.criteria(request.GET, now=now_ms())
    if "" in request.GET.dict().values():
        # A form also sends its empty fields: the canonical URL has none.
        return redirect(f"{reverse('dboshub:audit')}?{wanted.query()}".rstrip("?"))
    after = request.GET.get("after", "")
    viewer, user_id = viewer_for(request.user), request.user.pk
    context: dict[str, object] = {"section": "audit", "wanted": wanted, "outcomes": OUTCOMES}
    try:
        page = selectors.page(wanted, viewer, user_id, after)
        known = page_cache().get_or_set(
            f"audit-known-{viewer.key}-{user_id if viewer.applications is not None else ''}",
            lambda: selectors.suggestions(viewer, user_id),
            SUGGESTIONS_TTL_S,
        )
    except DatabaseError as error:
        context["failure"] = str(error).split("\n", 1)[0]
        return render(request, "dboshub/audit/list.html", context, status=503)
    is_first = selectors.parse_cursor(after) is None
    context |= {
        "page": page,
        "known": known,
        "entries": [entry(each) for each in page.events],
        "older": wanted.query(after=page.after) if page.after else "",
        "is_first": is_first,
        "live_page": subscription_for(
            request, "audit", page_key(viewer, user_id), filter=wanted.query()
        )
        if is_first
        else None,
        "live_digest": digest([each.pk for each in page.events[:1]]),
    }
    return render(request, "dboshub/audit/list.html", context)


def entry(event: AuditEvent) -> Entry:
    """An event with the URL of its target and its facts."""
    css, icon, word, meaning = OUTCOMES.get(event.outcome, UNKNOWN)
    detail = dict(event.detail) if isinstance(event.detail, dict) else {"detail": event.detail}
    refusal = " ".join(str(detail.pop(key)) for key in ("refused", "advice") if key in detail)
    text = json.dumps(detail, indent=1, ensure_ascii=False, sort_keys=True) if detail else ""
    return Entry(
        event, target_url(event), (css, icon, word or event.outcome, meaning), refusal, _cut(text)
    )


def target_url(event: AuditEvent) -> str:
    """The URL of the target's page; empty if there is none."""
    if event.target_kind in LISTED:
        return reverse(LISTED[event.target_kind])
    if event.target_kind in FILTERED:
        return f"{reverse(FILTERED[event.target_kind])}?{event.target}"
    # The page of a deleted target says so. A target that no URL can hold has no page.
    page = PAGES.get(event.target_kind)
    try:
        return reverse(page, args=[event.target]) if page and event.target else ""
    except NoReverseMatch:
        return ""


def _cut(text: str) -> str:
    return text if len(text) <= MAX_DETAIL_LENGTH else f"{text[:MAX_DETAIL_LENGTH]} …"
