"""The web process of the standalone project: `daphne dboshub.standalone.asgi:application`."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dboshub.settings")

# Django must be set up before anything below imports models.
django_application = get_asgi_application()

from dboshub.asgi import with_live_pages  # noqa: E402
from dboshub.background.threads import ensure_background_threads  # noqa: E402

ensure_background_threads()
application = with_live_pages(django_application)
