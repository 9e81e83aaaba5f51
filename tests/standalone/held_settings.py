"""The project's settings, and pages that a test holds."""

from __future__ import annotations

from dboshub.settings import *

ROOT_URLCONF = "tests.standalone.held_urls"
# No file is asked for, so none is collected.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
