"""Checks of arguments of public calls. Each error says what to give instead."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.records import INTERNAL_QUEUES, RESERVED_PREFIX

APPLICATION_NAME = re.compile(r"[a-z0-9_-]{3,256}\Z")

# About three centuries. Larger values leave the range of epoch milliseconds in databases.
MAX_SECONDS = 1e10
SHORTEST_POLLING_S = 0.001


def text(what: str, value: Any) -> str:
    """The value, if it is text that every database stores unchanged. Raises DBOSException."""
    if isinstance(value, str) and "\x00" not in value and _is_whole(value):
        return value
    raise DBOSException(
        f"{value!r:.100} cannot be {what}: give text without NUL and lone surrogates"
    )


def optional_text(what: str, value: Any) -> str | None:
    """None, or the value as in ``text``."""
    return None if value is None else text(what, value)


def name(what: str, value: Any) -> str:
    """The value, if it is such text and not blank. Raises DBOSException."""
    if isinstance(value, str) and not value.strip():
        raise DBOSException(f"{value!r:.100} cannot be {what}: give text that is not blank")
    return text(what, value)


def workflow_id(value: Any) -> str:
    """The value, if it is text and not blank. Raises DBOSException."""
    if isinstance(value, str) and not value.strip():
        raise DBOSException(
            f"Invalid workflow ID {value!r:.100}: workflow IDs must be non-empty and cannot be "
            "only whitespace."
        )
    return text("a workflow id", value)


def polling_interval(value: Any) -> None:
    """Raise ValueError for a polling interval that the dbos library does not take."""
    is_number = isinstance(value, int | float) and math.isfinite(value)
    if value is not None and not (is_number and value >= SHORTEST_POLLING_S):
        raise ValueError(
            f"polling_interval_sec must be a finite number at least {SHORTEST_POLLING_S} seconds, "
            f"got {value!r}"
        )


def workflow_ids(value: Any) -> list[str]:
    """The values as a list. Raises DBOSException for one text, and for ids that are no text."""
    if isinstance(value, str):
        raise DBOSException(f"the workflow ids are the text {value!r:.100}: give a list of ids")
    return [text("a workflow id", each) for each in value]


def queue_name(value: Any) -> str:
    """The value, if workflows can be enqueued on a queue with this name.

    Raises DBOSException for a blank name, and for a reserved name that no executor serves.
    """
    found = name("the name of a queue", value)
    if found.startswith(RESERVED_PREFIX) and found not in INTERNAL_QUEUES:
        raise DBOSException(
            f"queue {found} is reserved and no executor serves it: names that start with "
            f"{RESERVED_PREFIX} are DBOS's own"
        )
    return found


def application_name(value: Any) -> str:
    """The value, if it is a valid name of an application. Raises DBOSException."""
    if isinstance(value, str) and APPLICATION_NAME.match(value):
        return value
    raise DBOSException(
        f"the application name {value!r:.100} must be 3 to 256 characters of a-z, 0-9, - and _"
    )


def seconds(what: str, value: Any) -> float:
    """The value, if it is a finite number of at most MAX_SECONDS. Raises DBOSException."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and math.isfinite(value) and value <= MAX_SECONDS:
        return float(value)
    raise DBOSException(
        f"{what} is {value!r:.100}: give a number of seconds, at most {MAX_SECONDS:.0f}"
    )


def step(what: str, value: Any) -> int:
    """The value, if it is a step id: an int from 0 to 2**31 - 1. Raises DBOSException."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
        return value
    raise DBOSException(f"{what} is {value!r:.100}: give the number of a step")


def attributes(value: Any) -> dict[str, Any]:
    """The value, if it is a JSON object. Raises DBOSException."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        is_json = isinstance(value, dict) and "\\u0000" not in text and _is_whole(text)
    except (TypeError, ValueError):
        is_json = False
    if is_json:
        return dict(json.loads(text))  # its keys are text
    wanted = "JSON-serializable" if isinstance(value, dict) else "a dict"
    raise DBOSException(f"Invalid workflow attributes {value!r:.100}. Attributes must be {wanted}.")


def _is_whole(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
