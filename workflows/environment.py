"""Typed reading of environment variables; nonsense raises a sentence that names the variable.

No Django here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

TRUE = {"1", "true", "yes", "on"}
FALSE = {"", "0", "false", "no", "off"}


class EnvironmentValueError(Exception):
    """A variable holds something that cannot be meant."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(name, problem)
        self.name = name
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}"


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool = False, *, environment: Mapping[str, str] = os.environ) -> bool:
    value = environment.get(name)
    if value is None:
        return default
    if value.strip().lower() in TRUE:
        return True
    if value.strip().lower() in FALSE:
        return False
    raise EnvironmentValueError(name, f"{value!r} is neither on nor off; write 1 or 0")


def number(name: str, default: int, *, least: int = 0, most: int = 2**31) -> int:
    value = text(name)
    if not value:
        return default
    if not re.fullmatch(r"-?\d{1,10}", value) or not least <= int(value) <= most:
        raise EnvironmentValueError(name, f"{value!r} is not a whole number from {least} to {most}")
    return int(value)


def words(name: str, default: list[str] | None = None) -> list[str]:
    """Read a comma-separated list."""
    found = [word.strip() for word in text(name).split(",")]
    return [word for word in found if word] or list(default or [])


def identifier(name: str, default: str) -> str:
    """Read a name that is written into SQL, so it must be plain."""
    value = text(name, default)
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", value):
        raise EnvironmentValueError(
            name, f"{value!r} is not a plain lower-case SQL name (a-z, 0-9, _)"
        )
    return value
