"""Texts of the query string, as statements accept them."""

from __future__ import annotations

from django.http import HttpRequest

MAX_LENGTH = 1_000  # characters


def query_text(request: HttpRequest, key: str) -> str:
    """A value of the query string without surrounding spaces, empty if it is missing."""
    return plain_text(request.GET.get(key, "").strip())


def plain_text(text: str) -> str:
    """The first MAX_LENGTH characters without NULs, which PostgreSQL rejects as a parameter."""
    return text.replace("\x00", "")[:MAX_LENGTH]
