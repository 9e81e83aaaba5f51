"""How a ``DBOSClient`` behaves towards its database."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """Whether it listens, tries again, and for how many seconds it waits for a listing."""

    listens: bool
    retries_unavailable: bool
    listing_timeout_s: float
