"""HTTP middleware of the project: static files under ASGI, and the client's address behind a proxy."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
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
    """Takes the client's address from the proxy in front, if DBOSHUB_BEHIND_PROXY says there is one.

    Only the last entry was written by that proxy; the others are what the client claims.
    """

    def process_request(self, request: HttpRequest) -> None:
        addresses = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if addresses[-1].strip():
            request.META["REMOTE_ADDR"] = addresses[-1].strip()
