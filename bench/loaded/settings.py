"""The project's settings, and one page more: a slow one."""

from __future__ import annotations

from dboshub.settings import *

ROOT_URLCONF = "bench.loaded.urls"
# One address asks for what hundreds of people ask for.
DBOSHUB_LOGIN_ATTEMPTS_PER_ADDRESS = 1_000
