"""What surrounds every view of our addresses, in whatever project includes them.

A view is reached by those who are signed in; others are sent to the project's login page. A refusal
or an outage is a page of ours, and every response has our headers. The project's own middleware
may be as it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.urls import URLResolver
from django.utils.cache import patch_vary_headers
from django.utils.decorators import decorator_from_middleware
from django.utils.functional import SimpleLazyObject
from django_htmx.middleware import HtmxDetails

from dboshub.background.threads import ensure_background_threads
from dboshub.web.accounts import login_redirect
from dboshub.web.body_limits import is_too_large
from dboshub.web.client_address import client_address
from dboshub.web.error_pages import csrf_failure, outage_response, refusal_response
from dboshub.web.page_headers import set_page_headers
from dboshub.workflows.rendering.time_zone import shown_to
from dboshub.workflows.time_budget import REQUEST_S, time_budget

View = Callable[..., HttpResponseBase]


def guard(patterns: Iterable[Any]) -> None:
    """Guard the views of these patterns and of those they include, each of them once."""
    for each in patterns:
        if isinstance(each, URLResolver):
            guard(each.url_patterns)
        elif not hasattr(each.callback, "is_guarded"):
            each.callback = guarded(each.callback)


def guarded(view: View) -> View:
    """The view behind the login, unless it is marked `login_not_required`."""
    is_open = not getattr(view, "login_required", True)
    protected: View = decorator_from_middleware(_CsrfCheck)(view)

    @wraps(view)
    def response(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not is_open and not _user(request).is_authenticated:
            return login_redirect(request)
        return protected(request, *args, **kwargs)

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        _prepare(request)
        if is_too_large(request):
            return set_page_headers(HttpResponse(status=413))
        try:
            try:
                # Whether there is a user at all is told below.
                reader = SimpleLazyObject(lambda: _user(request))
                with time_budget(REQUEST_S), shown_to(reader):
                    found = response(request, *args, **kwargs)
            except Exception as error:
                found = refusal_response(request, error)
        except Exception as error:
            found = outage_response(request, error)
        patch_vary_headers(found, ["HX-Request"])
        found.headers.setdefault("Cache-Control", "private")
        return set_page_headers(found)

    # What the project's own middleware would do is done here, with pages of ours.
    marks = {"is_guarded": True, "login_required": False, "csrf_exempt": True}
    vars(answered).update(marks)
    return _without_atomic_requests(answered)


class _CsrfCheck(CsrfViewMiddleware):
    """Django's check, whose refusal is a page of ours."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponseBase:
        return csrf_failure(request, reason)


def _prepare(request: HttpRequest) -> None:
    request.META["REMOTE_ADDR"] = client_address(request)
    if not hasattr(request, "htmx"):
        request.htmx = HtmxDetails(request)  # type: ignore[attr-defined]
    # Django's test client marks its requests so: no thread may outlive the database of a test.
    if not hasattr(request, "_dont_enforce_csrf_checks"):
        ensure_background_threads()


def _user(request: HttpRequest) -> Any:
    try:
        return request.user
    except AttributeError as error:
        raise ImproperlyConfigured(
            "The pages of dboshub need django.contrib.auth.middleware.AuthenticationMiddleware."
        ) from error


def _without_atomic_requests(view: View) -> View:
    """Actions have transactions of their own, which keep the audit row of what was refused."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view
