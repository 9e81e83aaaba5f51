"""Typed reading of environment variables; nonsense raises a sentence that names the variable.

No Django here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from dboshub.workflows.engine.schema_names import schema_problem

TRUE = {"1", "true", "yes", "on"}
FALSE = {"", "0", "false", "no", "off"}
_HOST = re.compile(r"\*|\.?[\w-]+(\.[\w-]+)*\.?|\[[0-9a-f:.]+\]", re.IGNORECASE)
_ORIGIN = re.compile(r"https?://[^/\s?#]+")


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


def choice(name: str, default: str, allowed: Sequence[str]) -> str:
    """Read one of a few words, whatever its case."""
    value = text(name, default).upper()
    if value not in allowed:
        raise EnvironmentValueError(name, f"{value!r} is none of {', '.join(allowed)}")
    return value


def hosts(name: str, default: list[str]) -> list[str]:
    """Read names of hosts as ALLOWED_HOSTS takes them: one with more to it would never match."""
    for word in (found := words(name, default)):
        if not _HOST.fullmatch(word):
            raise EnvironmentValueError(
                name,
                f"{word!r} is not a host; write hub.example.com, without scheme, port and path",
            )
    return found


def origins(name: str) -> list[str]:
    """Read origins as CSRF_TRUSTED_ORIGINS takes them."""
    for word in (found := words(name)):
        if not _ORIGIN.fullmatch(word):
            raise EnvironmentValueError(
                name,
                f"{word!r} is not an origin; write https://hub.example.com, without a path",
            )
    return found


def schema(name: str, default: str) -> str:
    """Read the name of a schema."""
    value = text(name, default)
    if (problem := schema_problem(value)) is not None:
        raise EnvironmentValueError(name, f"{value!r} names no schema: {problem}")
    return value
