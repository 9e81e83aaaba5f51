"""Connection options of a ``DBOSClient``."""

from __future__ import annotations

from dataclasses import dataclass

from dboshub.workflows.engine.waiting.listening import Listening


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """`listening`: when it LISTENs for changes. `retries_unavailable`: retry after connection
    errors. `listing_timeout_s`: limit of a listing in seconds; 0 is none.
    """

    listening: Listening
    retries_unavailable: bool
    listing_timeout_s: float
