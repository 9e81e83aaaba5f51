"""Print what `collectstatic` finds in a project that has DBOSHub among its apps."""

from __future__ import annotations

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders

settings.configure(
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.staticfiles",
        "dboshub",
        "dboshub.schedules",
        "dboshub.queues",
        "dboshub.workflows",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "host.sqlite3"}},
    STATIC_URL="static/",
)
django.setup()

for finder in get_finders():
    for path, _storage in finder.list(None):
        print(path)
