"""The web server of the dashboard, in this process."""

from __future__ import annotations

import gc
import ipaddress
import sys
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.utils.module_loading import import_string

from dboshub.asgi import with_live_pages
from dboshub.standalone.listening import address_of


def serve(host: str, port: int, say: Callable[[str], object]) -> None:
    """Serve until SIGINT or SIGTERM."""
    _allow(host)
    # Importing daphne installs its event loop; the application is imported after Django's setup.
    from daphne.endpoints import build_endpoint_description_strings
    from daphne.server import Server

    from dboshub.standalone.connection_limits import limit_connections
    from dboshub.standalone.server_stop import bound_stop

    limit_connections()
    bound_stop()
    name = getattr(settings, "ASGI_APPLICATION", None)
    application: Any = import_string(str(name)) if name else with_live_pages(get_asgi_application())

    gc.freeze()  # the pages and what they import

    def announce() -> None:
        say(f"The dashboard is at {address_of(host, port)} . Ctrl-C stops it.")
        sys.stdout.flush()

    Server(
        application,
        endpoints=build_endpoint_description_strings(host=host, port=port),
        # By default daphne ends a socket after a day in a way that browsers take for good-bye.
        websocket_timeout=-1,
        ready_callable=announce,
        verbosity=0,
        server_name="dboshub",
    ).run()


def _allow(host: str) -> None:
    """Answer under the name that it was told to listen on, as well as under those of settings."""
    try:
        is_any = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        is_any = not host
    name = f"[{host}]" if ":" in host else host
    if not is_any and name not in settings.ALLOWED_HOSTS:
        settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, name]
