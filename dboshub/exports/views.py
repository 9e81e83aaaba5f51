"""Pages of exports: one begins an export, another shows its progress and downloads it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import IO, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dboshub.exports import store, writer
from dboshub.exports.formats import FORMATS, MIME_TYPES
from dboshub.exports.live import export_facts, page_key
from dboshub.exports.sources import SOURCES, Source
from dboshub.exports.store import DONE, Export
from dboshub.workflows.actions.audit import actor_of, record
from dboshub.workflows.clock import now_ms
from dboshub.workflows.live.source import digest
from dboshub.workflows.live.subscriptions import scope_of, subscription_for
from dboshub.workflows.permissions import VIEW_PAYLOAD
from dboshub.workflows.rendering.page_templates import render

INVALID, CONFLICT = 422, 409
PIECE_BYTES = 65_536
MAX_REASON_LENGTH = 1_000
FULL = "There are too many exports. Discard some of yours, or wait until they expire."
NOT_UNDERSTOOD = "The filter is not understood, so nothing is exported."
NO_REASON = "An export of payloads needs a reason: write what it is for."


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The form of an export; a POST begins it."""
    given = request.POST if request.method == "POST" else request.GET
    source = _source(request, given.get("of", ""))
    query = QueryDict(given["filter"]) if "filter" in given else given
    may_see = bool(source.payload_columns) and request.user.has_perm(VIEW_PAYLOAD)
    cleaned, problems = source.clean_query(query, now_ms(), may_see)
    context = {
        "of": given["of"],
        "source": source,
        "query": cleaned,
        "problems": problems,
        "after": given.get("after", "")[:2_000],
        "formats": FORMATS,
        "may_see": may_see,
        "expires_min": store.EXPIRES_MS // 60_000,
        "most_bytes": writer.MAX_BYTES,
        "section": given["of"],
    }
    if request.method != "POST":
        return render(request, "dboshub/exports/new.html", context)
    return _begin(request, source, context)


def _begin(request: HttpRequest, source: Source, context: dict[str, Any]) -> HttpResponse:
    reason = request.POST.get("reason", "").strip()[:MAX_REASON_LENGTH]
    wants_payload = "payload" in request.POST
    if wants_payload and not context["may_see"]:
        raise PermissionDenied("Exporting payloads needs the permission “view payload”.")
    if request.POST.get("format", "") not in FORMATS:
        raise Http404("no such format")
    if context["problems"]:
        # Without what is not understood, the filter would match more.
        context["refusal"] = NOT_UNDERSTOOD
        return render(request, "dboshub/exports/new.html", context, status=INVALID)
    if wants_payload and not reason:
        context |= {"refusal": NO_REASON, "wants_payload": True}
        return render(request, "dboshub/exports/new.html", context, status=INVALID)
    export = Export(
        key=store.new_key(),
        user=_user(request),
        made_at=now_ms(),
        touched_at=now_ms(),
        of=context["of"],
        query=context["query"],
        format=request.POST["format"],
        payload=wants_payload,
        scope=_scope(request),
        after=context["after"],
    )
    refusal = _store(export)
    if refusal:
        context |= {"refusal": refusal, "reason": reason, "wants_payload": wants_payload}
        return render(request, "dboshub/exports/new.html", context, status=CONFLICT)
    facts = {"format": export.format, "payload": export.payload, "export": export.key}
    record(
        actor_of(request),
        "export",
        export.of,
        source.public_query(export.query),
        reason=reason,
        **facts,
    )
    writer.start_writing(export)
    return redirect("dboshub:exports:export", export.key)


def _store(export: Export) -> str:
    """Store the export; return why that failed, or an empty text."""
    try:
        store.add(export)
    except store.TooManyError:
        return FULL
    except OSError as error:
        return f"The data directory of this server cannot be written to: {error.strerror}."
    return ""


@require_safe
def export_list(request: HttpRequest) -> HttpResponse:
    """The user's own exports."""
    context = {"section": "exports", "exports": store.of_user(_user(request)), "now": now_ms()}
    return render(request, "dboshub/exports/list.html", context)


@require_safe
def export_detail(request: HttpRequest, key: str) -> HttpResponse:
    """The progress of an export, and the link to its file when it is done."""
    export = _export(request, key)
    source = SOURCES[export.of]
    context = {
        "section": export.of,
        "export": export,
        "source": source,
        "list_url": f"{reverse(source.address)}?{export.query}".rstrip("?"),
        "format": FORMATS[export.format],
        "now": now_ms(),
        "live_page": subscription_for(request, "export", page_key(export)),
        "live_digest": digest(export_facts(export)),
    }
    return render(request, "dboshub/exports/export.html", context)


@require_safe
def download(request: HttpRequest, key: str) -> HttpResponseBase:
    """The file, for its user, who must still be permitted to see its content."""
    export = _export(request, key)
    if export.state != DONE:
        raise Http404("not written yet")
    try:
        file = store.data_path(key).open("rb")
    except FileNotFoundError as error:
        raise Http404("expired") from error
    record(actor_of(request), "download", "export", key, of=export.of, payload=export.payload)
    response = _streamed(request, file, MIME_TYPES[export.format])
    disposition = content_disposition_header(True, export.file_name)
    response["Content-Disposition"] = str(disposition)
    response["Cache-Control"] = "no-store"
    return response


def _streamed(request: HttpRequest, file: IO[bytes], kind: str) -> HttpResponseBase:
    """The content of a file, as fast as its reader reads. Under ASGI an iterator that blocks would
    be read to its end first."""
    if not isinstance(request, ASGIRequest):
        return FileResponse(file, content_type=kind)
    response = StreamingHttpResponse(_pieces(file), content_type=kind)
    response["Content-Length"] = str(os.fstat(file.fileno()).st_size)
    return response


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while piece := file.read(PIECE_BYTES):
            yield piece


@require_POST
def discard(request: HttpRequest, key: str) -> HttpResponse:
    """Stop and delete an export."""
    export = _export(request, key)
    record(actor_of(request), "discard", "export", key, of=export.of)
    store.discard(export.key)
    messages.success(request, "The export was discarded.")
    return redirect("dboshub:exports:list")


def _export(request: HttpRequest, key: str) -> Export:
    export = store.find(key, _user(request))
    if export is None or export.scope != _scope(request):
        raise Http404("no such export, or it has expired, or it was made when you saw others")
    _source(request, export.of)
    if export.payload and not request.user.has_perm(VIEW_PAYLOAD):
        raise PermissionDenied("Seeing this needs the permission “view payload”.")
    return export


def _scope(request: HttpRequest) -> list[str] | None:
    scope = scope_of(request.user)
    return None if scope is None else [*scope]


def _user(request: HttpRequest) -> str:
    return str(request.user.pk)


def _source(request: HttpRequest, of: str) -> Source:
    if of not in SOURCES:
        raise Http404("nothing of this kind is exported")
    if not request.user.has_perm(SOURCES[of].permission):
        raise PermissionDenied(f"Exporting this needs the permission {SOURCES[of].permission}.")
    return SOURCES[of]
