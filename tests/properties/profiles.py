"""How much hypothesis tries: the same few examples in every run, or many new ones."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings

_COMMON: dict[str, Any] = {
    "deadline": None,
    "database": None,
    # A fresh database for each example would take most of the time: they share the test's.
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


def quick(examples: int) -> settings:
    return settings(max_examples=examples, derandomize=True, **_COMMON)


def long(examples: int) -> settings:
    return settings(max_examples=examples, print_blob=True, **_COMMON)
