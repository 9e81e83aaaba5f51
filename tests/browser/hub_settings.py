"""The settings of a hub under test: what it remembers for a minute would outlive a test.

Nor is it to take its time over passwords.
"""

from __future__ import annotations

from dboshub.settings import *

FORGETFUL = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
CACHES = {"default": FORGETFUL, "dboshub": FORGETFUL}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
