"""Names of PostgreSQL schemas: which ones there can be, and how they are quoted."""

from __future__ import annotations

MAX_BYTES = 63


def schema_problem(name: str) -> str | None:
    """Why no schema can have this name, or None."""
    if not name or "\x00" in name or "$$" in name:
        return "give a name that is not empty, without NUL and $$"
    if len(name.encode(errors="replace")) > MAX_BYTES:
        return f"PostgreSQL cuts names after {MAX_BYTES} bytes"
    if name.startswith("pg_"):
        return "names that start with pg_ are PostgreSQL's own"
    return None


def quoted(name: str) -> str:
    """A name as SQL writes it, with every character as it is."""
    return '"' + name.replace('"', '""') + '"'
