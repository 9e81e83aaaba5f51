"""Conversion of values and errors to JSON types, which the DBOS libraries of all languages read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from dboshub.workflows.engine.error_text import message_of, storable, type_of
from dboshub.workflows.engine.errors import PortableWorkflowError

# Attributes of an error that may hold its code, and its data; the first that is set counts.
_CODES = ("code", "error_code", "errno", "status", "status_code")
_DETAILS = ("data", "details", "payload", "extra", "meta", "metadata")


def portable(value: Any) -> Any:
    """The value as JSON types. Raises TypeError for a value without a portable form."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case dict():
            return {_portable_key(key): portable(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [portable(item) for item in value]
    raise TypeError(
        f"Object of type {type(value).__name__} is not portable JSON serializable: {value!r:.100}"
    )


def _portable_key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(
            "Attempt to do portable JSON serialization of a map with non-string keys: "
            f"{key!r:.100} is of type {type(key).__name__}"
        )
    return key


def portable_error(error: BaseException) -> dict[str, Any]:
    """Name, message, code and data of an error, as JSON types."""
    if isinstance(error, PortableWorkflowError):
        name, message = storable(error.name), storable(error.message)
    else:
        name, message = type_of(error), message_of(error)
    return {
        "name": name,
        "message": message,
        "code": _attribute(error, _CODES),
        "data": _data(error),
    }


def _data(error: BaseException) -> Any:
    """The data of an error; as text if that has no portable form, so that none is lost."""
    found = _attribute(error, _DETAILS)
    if found is not None:
        return found
    given = (getattr(error, name, None) for name in _DETAILS)
    return next((str(value) for value in given if value is not None), None)


def _attribute(error: BaseException, names: tuple[str, ...]) -> Any:
    for name in names:
        try:
            value = getattr(error, name, None)
            if value is not None:
                return portable(value)
        except Exception:  # noqa: S112
            continue  # a property that raises, a value without a portable form
    return None
