"""What a person chose about how pages look, kept in cookies."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse

YEAR_S = 365 * 24 * 3600


def remember(request: HttpRequest, response: HttpResponse, cookie: str, value: str) -> None:
    """Keep a choice for a year. No script reads it; it is text of a stranger when it comes back."""
    response.set_cookie(
        cookie,
        value,
        max_age=YEAR_S,
        samesite="Lax",
        httponly=True,
        secure=request.is_secure() or settings.SESSION_COOKIE_SECURE,
    )
