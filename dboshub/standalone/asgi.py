"""The web process of the standalone project: `daphne dboshub.standalone.asgi:application`."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

from dboshub.asgi import Application, with_live_pages

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dboshub.settings")


def _application() -> Application:
    django_application = get_asgi_application()
    # This imports models, which Django allows after it is set up.
    from dboshub.background.threads import ensure_background_threads

    ensure_background_threads()
    return with_live_pages(django_application)


application = _application()
