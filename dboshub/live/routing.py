"""The one path that speaks WebSocket."""

from __future__ import annotations

from django.urls import path

from dboshub.live.websocket import LiveSocket

websocket_urlpatterns = [path("live/", LiveSocket.as_asgi())]
