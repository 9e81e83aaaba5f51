"""Connection options of a ``DBOSClient``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """`uses_listen_notify`: LISTEN for changes. `retries_unavailable`: retry after connection
    errors. `listing_timeout_s`: limit of a listing in seconds; 0 is none.
    """

    uses_listen_notify: bool
    retries_unavailable: bool
    listing_timeout_s: float
