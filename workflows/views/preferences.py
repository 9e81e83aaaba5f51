"""What a person chose about how pages look, kept in cookies."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from dboshub.workflows.django_settings import is_https

YEAR_S = 365 * 24 * 3600


def remember(request: HttpRequest, response: HttpResponse, cookie: str, value: str) -> None:
    """Keep a choice for a year. No script reads it; it is text of a stranger when it comes back."""
    response.set_cookie(
        cookie,
        value,
        max_age=YEAR_S,
        samesite="Lax",
        httponly=True,
        secure=request.is_secure() or is_https(),
    )
