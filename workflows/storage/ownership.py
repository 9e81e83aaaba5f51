"""Names that one application owns in a database that several share."""

from __future__ import annotations

from dboshub.workflows.engine.errors import DBOSException


def owned_by_another(kind: str, name: str, owner: str, application: str | None) -> DBOSException:
    """The error for a queue, a schedule or an application version that `owner` registered."""
    advice = f"give {application!r} a different {kind.lower()} name"
    if kind == "Application version":
        advice = f"set a distinct application_version for {application!r}"
    return DBOSException(
        f"{kind} {name!r} is already registered by application {owner!r} in this system database. "
        f"{kind} names must be unique across applications sharing a system database. Either "
        f"{advice}, or, if {owner!r} was renamed to {application!r}, re-own its rows first with "
        "the command rename_application"
    )
