"""Pages that belong to no app: the door, the theme, health, and what is said when a page fails."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.db import router, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.template.loader import render_to_string
from django.urls import reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dboshub.web.context_processors import THEME_COOKIE, THEMES
from dboshub.web.login_throttle import ThrottledLoginForm
from dboshub.web.outages import outage_of, outage_page
from dboshub.web.refused_requests import refused_host, refused_origin
from dboshub.workflows.actions.audit import actor_of, record
from dboshub.workflows.django_settings import is_https
from dboshub.workflows.models import AuditEvent


class Login(LoginView):
    template_name = "dboshub/accounts/login.html"
    authentication_form = ThrottledLoginForm

    def form_invalid(self, form: Any) -> HttpResponse:
        response = super().form_invalid(form)
        response.status_code = 429 if form.is_throttled() else 200
        return response


class OwnPassword(PasswordChangeView):
    template_name = "dboshub/accounts/password_change_form.html"
    success_url = reverse_lazy("dboshub:home")

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic(using=router.db_for_write(AuditEvent)):
            name = self.request.user.get_username()
            record(actor_of(self.request), "change_password", "user", name)
            return super().form_valid(form)


@login_not_required
@require_safe
def admin_login(request: HttpRequest) -> HttpResponse:
    """Send whoever the admin turns away to the one login page."""
    return redirect(
        f"{resolve_url(settings.LOGIN_URL)}?{request.META.get('QUERY_STRING', '')}".rstrip("?")
    )


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this process answers; nothing else, since anybody may ask."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember the colours a person chose, in a cookie the page reads before it is drawn."""
    chosen = request.POST.get("theme", "")
    response = redirect(_back(request))
    if chosen in THEMES:
        response.set_cookie(
            THEME_COOKIE,
            chosen,
            max_age=365 * 24 * 3600,
            samesite="Lax",
            httponly=True,
            secure=is_https(),
        )
    return response


def _back(request: HttpRequest) -> str:
    referrer = request.META.get("HTTP_REFERER", "")
    if url_has_allowed_host_and_scheme(referrer, {request.get_host()}):
        parts = urlsplit(referrer)
        return f"{parts.path}?{parts.query}".rstrip("?")
    return resolve_url("dboshub:home")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    refused = refused_host(request, exception)
    return render(request, "dboshub/responses/400.html", {"refused": refused}, status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "dboshub/responses/403.html", {"reason": str(exception)}, status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
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
