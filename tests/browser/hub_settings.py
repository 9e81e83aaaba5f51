"""The settings of a hub under test: what it remembers for a minute would outlive a test."""

from __future__ import annotations

from dboshub.settings import *

FORGETFUL = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
CACHES = {"default": FORGETFUL, "dboshub": FORGETFUL}
