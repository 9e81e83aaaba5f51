"""What pages remember for a minute, apart from what a project keeps in its own cache.

It is in the memory of the process, or in the entry `dboshub` of CACHES if a project has one.
"""

from __future__ import annotations

from django.conf import settings
from django.core.cache import BaseCache, caches
from django.core.cache.backends.locmem import LocMemCache

_memory = LocMemCache("dboshub", {})


def page_cache() -> BaseCache:
    """The cache of pages, for this thread."""
    return caches["dboshub"] if "dboshub" in settings.CACHES else _memory
