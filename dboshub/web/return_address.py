"""Where a post leads back to: the page on this host that it came from."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme


def return_address(request: HttpRequest) -> str:
    """The path and query of the page that the request names, or home."""
    referrer = request.META.get("HTTP_REFERER", "")
    if url_has_allowed_host_and_scheme(referrer, {request.get_host()}):
        parts = urlsplit(referrer)
        return f"{parts.path}?{parts.query}".rstrip("?")
    return resolve_url("dboshub:home")
