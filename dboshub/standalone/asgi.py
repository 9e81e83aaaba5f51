"""The web process of the standalone project: `daphne dboshub.standalone.asgi:application`."""

from __future__ import annotations

import os
import sys

from django.core.asgi import get_asgi_application

from dboshub.asgi import Application, with_live_pages

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dboshub.settings")


def _application() -> Application:
    django_application = get_asgi_application()
    # This imports models, which Django allows after it is set up.
    from dboshub.background.threads import ensure_background_threads
    from dboshub.standalone.request_turns import ended_with_their_threads
    from dboshub.web.body_limits import with_body_limits

    if "daphne.server" in sys.modules:
        # It has not begun to listen: it imports its application first.
        from dboshub.standalone.connection_limits import limit_connections
        from dboshub.standalone.server_stop import bound_stop

        limit_connections()
        bound_stop()
    ensure_background_threads()
    return ended_with_their_threads(with_body_limits(with_live_pages(django_application)))


application = _application()
