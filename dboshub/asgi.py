"""The web process's entry: HTTP to Django, sockets to the live pages."""

from __future__ import annotations

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dboshub.settings")

# Django must be set up before routing imports anything that imports models.
django_application = get_asgi_application()

from dboshub.background.bulk_jobs import start_bulk_job_thread  # noqa: E402
from dboshub.background.rollups import start_rollup_thread  # noqa: E402
from dboshub.exports.store import sweep_at_start  # noqa: E402
from dboshub.live.routing import websocket_urlpatterns  # noqa: E402

start_rollup_thread()
start_bulk_job_thread()
sweep_at_start()

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": URLRouter(websocket_urlpatterns),
    }
)
