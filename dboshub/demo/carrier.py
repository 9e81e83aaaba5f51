"""A flaky outside service: retries usually help, and sometimes the workflow ends in ERROR."""

from __future__ import annotations

import random

from dboshub import DBOS

FAILURE_RATE = 0.6


class CarrierUnavailableError(Exception):
    """The carrier did not answer."""


@DBOS.step(retries_allowed=True, max_attempts=3, interval_seconds=0.5, backoff_rate=2)
def ask_carrier(parcel: str) -> str:
    """Ask where a parcel is: three attempts, each failing more often than not."""
    if random.random() < FAILURE_RATE:
        raise CarrierUnavailableError(f"The carrier did not answer for {parcel}")
    return f"{parcel} is on its way"


@DBOS.workflow()
def track_parcel(parcel: str = "parcel-1") -> str:
    """Find out where a parcel is; about every fifth time, nobody can say."""
    return ask_carrier(parcel)
