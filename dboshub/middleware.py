"""HTTP middleware: static files under ASGI, the client's address behind a proxy, the login door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.deprecation import MiddlewareMixin
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile


class AsgiWhiteNoise(WhiteNoiseMiddleware):
    """Serves static files whole: under ASGI a synchronous file iterator is consumed at once anyway,
    with a warning for each file."""

    @staticmethod
    def serve(static_file: StaticFile, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        body = b""
        if found.file is not None:
            with found.file:
                body = found.file.read()
        response = HttpResponse(body, status=int(found.status))
        for name, value in found.headers:
            response[name] = value
        return response


class ForwardedAddress(MiddlewareMixin):
    """Takes the client's address from the proxy that DBOSHUB_BEHIND_PROXY says is in front."""

    def process_request(self, request: HttpRequest) -> None:
        address = forwarded_address(request)
        if address:
            request.META["REMOTE_ADDR"] = address


def forwarded_address(request: HttpRequest) -> str:
    """The client's address as the proxy in front wrote it; empty if it wrote none.

    Only the last entry was written by that proxy; the others are what the client claims.
    """
    addresses: str = request.META.get("HTTP_X_FORWARDED_FOR", "")
    return addresses.split(",")[-1].strip()


class LoginRequired(LoginRequiredMiddleware):
    """Closes every view not marked otherwise, also to fragments asked for by an open page."""

    def handle_no_permission(  # type: ignore[override]  # not always by a redirect
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseBase:
        if "HX-Request" not in request.headers:
            return super().handle_no_permission(request, view_func)
        # A redirect would put the login page inside the page: send the whole window there.
        page = urlsplit(request.headers.get("HX-Current-URL", ""))
        back = f"{page.path}?{page.query}".rstrip("?") or "/"
        query = urlencode({"next": back})
        return HttpResponse(headers={"HX-Redirect": f"{resolve_url(settings.LOGIN_URL)}?{query}"})
