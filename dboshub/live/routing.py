"""Recognises the WebSocket handshakes for the URL `dboshub:live`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.handlers.asgi import get_script_prefix
from django.urls import Resolver404, resolve
from django.utils import translation


def is_live_path(scope: Mapping[str, Any]) -> bool:
    """Whether a handshake is for the live socket, with any URL prefix and language prefix."""
    path = scope["path"].removeprefix(get_script_prefix(scope).rstrip("/"))
    language = translation.get_language_from_path(path) or settings.LANGUAGE_CODE
    with translation.override(language):
        try:
            view = resolve(path).func
        except Resolver404:
            return False
    return getattr(view, "is_live_socket", False)
