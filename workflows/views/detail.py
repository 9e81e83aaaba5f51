"""Pages about one workflow. htmx requests get fragments of the same pages."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from dboshub.workflows.actions.audit import actor_of, may_act, may_remedy, record
from dboshub.workflows.forms.workflow_forms import FORMS, SendForm
from dboshub.workflows.live.sections import UNFOLDED, section_digest
from dboshub.workflows.live.subscriptions import subscription_for
from dboshub.workflows.payloads.redacted import has_no_redactions
from dboshub.workflows.permissions import EDIT_RUN, START_WORKFLOW
from dboshub.workflows.rendering.family_drawing import draw
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.rendering.sections import render_section, stream_window
from dboshub.workflows.rendering.values import Value, ValueAddress, brief, whole
from dboshub.workflows.rendering.waterfall import zoom
from dboshub.workflows.selectors.detail import attempts, steps, streams, values
from dboshub.workflows.selectors.detail.step_search import search
from dboshub.workflows.selectors.relations import lineage
from dboshub.workflows.selectors.relations.family_tree import family_tree
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.views.attachments import attachment
from dboshub.workflows.views.htmx import wants_fragment
from dboshub.workflows.views.workflow_required import (
    may_see_payloads,
    query_int,
    with_audited_workflow,
    with_workflow,
)

MAX_DOWNLOAD = 64 * 1_024 * 1_024
MAX_NAME_LENGTH = 200
# The largest value of its column.
MAX_STEP_ID = 2**31 - 1
REDACTED = (
    "This value has redacted parts, or is too long to check: only a superuser may download it."
)


# What buttons of the page need, by verb.
NEEDS = {verb: form.permission for verb, form in FORMS.items()} | {
    "start": START_WORKFLOW,
    "edit": EDIT_RUN,
}


@require_safe
@with_audited_workflow
def workflow_detail(request: HttpRequest, session: Session, found: WorkflowRow) -> HttpResponse:
    """The page of a workflow.

    `?steps=` begins the waterfall at a step, `?from=&to=` zooms it, and each `?open=` unfolds a
    child far below.
    """
    start = query_int(request, "steps")
    window = zoom.asked(request.GET.get("from", ""), request.GET.get("to", ""))
    opened = [each for each in dict.fromkeys(request.GET.getlist("open")) if "\x00" not in each]
    shown = {"start": start, "window": window, "opened": opened[: steps.MAX_OPENED]}
    context = {
        "section": "workflows",
        "row": found,
        "header": _section(request, session, found, "workflow"),
        "steps": _section(request, session, found, "steps", **shown),
        "others": [
            _section(request, session, found, kind) for kind in ("events", "messages", "stream")
        ],
        "lineage": lineage.lineage(session, found, viewer=viewer_for(request.user)),
        "send_form": SendForm(found, prefix=""),
        "may_send": may_act(request.user, SendForm.permission),
        "payload": may_see_payloads(request),
        **_permissions(request),
    }
    return render(request, "dboshub/workflows/detail.html", context)


@require_safe
@with_audited_workflow
def step_table(request: HttpRequest, session: Session, found: WorkflowRow) -> HttpResponse:
    """The table of steps in pages: all of them, or those that match a name or failed."""
    start, text = query_int(request, "from"), request.GET.get("find", "").strip()[:MAX_NAME_LENGTH]
    is_failed = request.GET.get("failed") == "1"
    page = steps.page(session, found.pk, start=start)
    matches = None
    if (text or is_failed) and "\x00" not in text:
        matches = search(session, found.pk, text=text, failed=is_failed, start=start or 0)
    shown = page.steps if matches is None else matches.steps
    context = {
        "section": "workflows",
        "row": found,
        "page": page,
        "matches": matches,
        "steps": shown,
        "find": text,
        "is_failed": is_failed,
        "children": steps.children(session, shown, viewer=viewer_for(request.user)),
        **_permissions(request),
    }
    return render(request, "dboshub/workflows/steps.html", context)


@require_safe
@vary_on_headers("HX-Request")
@with_audited_workflow
def step_detail(
    request: HttpRequest, session: Session, found: WorkflowRow, function_id: int
) -> HttpResponse:
    """One step: times, output or error, failed attempts, and a link to fork from it."""
    if function_id > MAX_STEP_ID:
        raise Http404("no workflow has so many steps")
    step = steps.one(session, found.pk, function_id)
    failures = attempts.of_step(session, found.pk, function_id)
    if step is None and not failures:
        raise Http404(f"no step {function_id}")
    kind = "step-error" if step and step.is_failed else "step"
    address = ValueAddress(found.pk, kind, step=function_id)
    context = {
        "section": "workflows",
        "row": found,
        "number": function_id,
        "step": step,
        "value": _value(request, session, address) if step else None,
        "attempts": attempts.grouped(failures),
        "payload": may_see_payloads(request),
        **_permissions(request),
    }
    name = "_step.html" if wants_fragment(request) else "step.html"
    return render(request, f"dboshub/workflows/{name}", context)


@require_safe
@vary_on_headers("HX-Request")
@with_audited_workflow
def value_detail(request: HttpRequest, session: Session, found: WorkflowRow) -> HttpResponseBase:
    """One stored value, shown up to a size, or as a download of the stored text."""
    if not may_see_payloads(request):
        raise PermissionDenied("Seeing this needs the permission “view payload”.")
    address = _address(request, found)
    is_download = "download" in request.GET
    most = MAX_DOWNLOAD if is_download else values.MAX_SHOWN
    stored = _stored(session, address, most)
    if stored is None:
        raise Http404("no such value")
    if is_download:
        if not (request.user.is_superuser or has_no_redactions(stored.text, stored.serialization)):
            raise PermissionDenied(REDACTED)
        return _download(request, address, stored)
    context = {"section": "workflows", "row": found, "value": whole(address, stored)}
    name = "_value.html" if wants_fragment(request) else "value.html"
    return render(request, f"dboshub/workflows/{name}", context)


@require_safe
@with_workflow
def family_page(request: HttpRequest, session: Session, found: WorkflowRow) -> HttpResponse:
    """The family tree of a workflow as a drawing."""
    tree = family_tree(session, found, viewer=viewer_for(request.user))
    context = {
        "section": "workflows",
        "row": found,
        "tree": tree,
        "drawing": draw(tree, found.pk),
    }
    return render(request, "dboshub/workflows/family.html", context)


@require_safe
@with_audited_workflow
def stream_detail(request: HttpRequest, session: Session, found: WorkflowRow) -> HttpResponse:
    """One stream: its newest values with live updates, or the values from an offset on."""
    key = request.GET.get("key", "")
    stream = streams.stream(session, found.pk, key)
    if stream is None:
        raise Http404("no such stream")
    start = query_int(request, "from")
    payload = may_see_payloads(request)
    window = streams.window(session, found.pk, stream, payload=payload, start=start)
    follows = not (stream.is_closed or window.has_later)
    context = {
        "section": "workflows",
        "row": found,
        "subscription": subscription_for(request, "stream", found.pk, filter=key)
        if follows
        else None,
        "earlier": max(0, window.start - streams.WINDOW_SIZE),
        **stream_window(found, window, payload),
    }
    return render(request, "dboshub/workflows/stream.html", context)


def _section(
    request: HttpRequest, session: Session, found: WorkflowRow, kind: str, **options: Any
) -> dict[str, Any]:
    """The HTML of a section with its subscription; a selected part of the steps has none.

    Steps that this viewer unfolded are not pushed: their page is fetched again.
    """
    opened = options.get("opened")
    is_fixed = any(options.get(name) is not None for name in ("start", "window"))
    # Read before the section, so that a change in between is sent again and not lost.
    digest = "" if is_fixed else section_digest(session, kind, found.pk)
    html = render_section(
        kind,
        session,
        found,
        payload=may_see_payloads(request),
        viewer=viewer_for(request.user),
        **options,
    )
    return {
        "kind": kind,
        "subscription": None
        if is_fixed
        else subscription_for(request, kind, found.pk, filter=UNFOLDED if opened else ""),
        "digest": digest,
        "html": html,
    }


def _permissions(request: HttpRequest) -> dict[str, Any]:
    verbs = [verb for verb, needed in NEEDS.items() if may_act(request.user, needed)]
    return {
        "may": " ".join([*verbs, *may_remedy(request.user)]),
        "may_not": [verb for verb in NEEDS if verb not in verbs],
    }


def _address(request: HttpRequest, found: WorkflowRow) -> ValueAddress:
    kind = request.GET.get("of", "")
    if kind not in values.KINDS:
        raise Http404("no such kind of value")
    return ValueAddress(found.pk, kind, request.GET.get("key", ""), query_int(request, "step") or 0)


def _stored(session: Session, address: ValueAddress, most: int) -> values.StoredValue | None:
    if "\x00" in address.key:
        return None
    return values.value(
        session, address.kind, address.workflow_id, key=address.key, step=address.step, most=most
    )


def _value(request: HttpRequest, session: Session, address: ValueAddress) -> Value | None:
    if not may_see_payloads(request):
        return Value(address, 0, is_hidden=True)
    return brief(address, _stored(session, address, values.MAX_SHOWN))


def _download(
    request: HttpRequest, address: ValueAddress, stored: values.StoredValue
) -> HttpResponse:
    facts: dict[str, Any] = {"of": address.kind, "key": address.key, "step": address.step}
    record(actor_of(request), "download", "workflow", address.workflow_id, **facts)
    return attachment(stored.text, f"{address.kind}-{address.workflow_id[:60]}.txt")
