"""Pages that say why there is no other: refused, not found, not understood, failed."""

from __future__ import annotations

import logging
import sys

from django.core import signals
from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    PermissionDenied,
    SuspiciousOperation,
)
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.utils.log import log_response

from dboshub.web.outages import outage_of, outage_page
from dboshub.web.refused_requests import refused_host, refused_origin
from dboshub.workflows.actions.audit import ActionRefusedError
from dboshub.workflows.actions.denials import record_denial
from dboshub.workflows.rendering.page_templates import render, render_to_string

security_log = logging.getLogger("django.security")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    refused = refused_host(request, exception)
    return render(request, "dboshub/responses/400.html", {"refused": refused}, status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    # A refused action has its row already.
    if not isinstance(exception.__cause__, ActionRefusedError):
        record_denial(request, str(exception))
    return render(request, "dboshub/responses/403.html", {"reason": str(exception)}, status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    refused = refused_origin(request, reason)
    return render(request, "dboshub/responses/403_csrf.html", {"refused": refused}, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "dboshub/responses/404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Rendered without the request: what failed may be the database that knows the user."""
    outage = outage_of(sys.exception())
    if outage is not None:
        return outage_page(request, outage)
    return HttpResponse(render_to_string("dboshub/responses/500.html"), status=500)


def refusal_response(request: HttpRequest, error: Exception) -> HttpResponse:
    """The page for an error by which a view refuses a request. Raises any other error."""
    match error:
        case Http404():
            return not_found(request, error)
        case PermissionDenied():
            return forbidden(request, error)
        case SuspiciousOperation():
            trace = None if isinstance(error, DisallowedHost) else error
            security_log.getChild(type(error).__name__).error("%s", error, exc_info=trace)
            return bad_request(request, error)
        case BadRequest() | MultiPartParserError():
            return bad_request(request, error)
    raise error


def outage_response(request: HttpRequest, error: Exception) -> HttpResponse:
    """The page for an error of the database. Raises any other error, for the project to handle."""
    outage = outage_of(error)
    if outage is None:
        raise error
    # As for an error that the project handles: whoever collects those hears of it.
    signals.got_request_exception.send(sender=None, request=request)
    response = outage_page(request, outage)
    log_response("%s: %s", outage.title, request.path, response=response, request=request,
                 exception=error)  # fmt: skip
    return response
