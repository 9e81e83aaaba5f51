"""The standalone project's pages for accounts: logging in, and changing one's own password."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.db import router, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.urls import reverse_lazy
from django.views.decorators.http import require_safe

from dboshub.standalone.account_audit import (
    record_login,
    record_logout,
    record_refused_login,
)
from dboshub.standalone.login_throttle import ThrottledLoginForm, ThrottledPasswordForm
from dboshub.workflows.actions.audit import actor_of, record, record_refusal
from dboshub.workflows.models import AuditEvent
from dboshub.workflows.rendering.page_templates import render


class Login(LoginView):
    template_name = "accounts/login.html"
    authentication_form = ThrottledLoginForm

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic(using=router.db_for_write(AuditEvent)):
            record_login(self.request, form.get_user())
            return super().form_valid(form)

    def form_invalid(self, form: Any) -> HttpResponse:
        why = "too many attempts" if form.is_throttled() else "wrong name or password"
        if form.excess <= 1:
            record_refused_login(self.request, form.data.get("username", ""), why)
        response = super().form_invalid(form)
        response.status_code = 429 if form.is_throttled() else 200
        return response

    def render_to_response(self, context: dict[str, Any], **_: Any) -> HttpResponse:
        return render(self.request, self.template_name, context)


class Logout(LogoutView):
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        record_logout(request)
        return super().post(request, *args, **kwargs)


class OwnPassword(PasswordChangeView):
    form_class = ThrottledPasswordForm
    template_name = "accounts/password_change_form.html"
    success_url = reverse_lazy("dboshub:home")

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic(using=router.db_for_write(AuditEvent)):
            name = self.request.user.get_username()
            record(actor_of(self.request), "change_password", "user", name)
            return super().form_valid(form)

    def form_invalid(self, form: Any) -> HttpResponse:
        if form.has_error("old_password"):
            name = self.request.user.get_username()
            actor = actor_of(self.request)
            record_refusal(actor, "change_password", "user", name, "wrong old password")
        response = super().form_invalid(form)
        response.status_code = 429 if form.is_throttled() else 200
        return response

    def render_to_response(self, context: dict[str, Any], **_: Any) -> HttpResponse:
        return render(self.request, self.template_name, context)


@login_not_required
@require_safe
def admin_login(request: HttpRequest) -> HttpResponse:
    """Send whoever the admin turns away to the one login page."""
    return redirect(
        f"{resolve_url(settings.LOGIN_URL)}?{request.META.get('QUERY_STRING', '')}".rstrip("?")
    )
