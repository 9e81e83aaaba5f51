"""Names, types and defaults of the filters of listings.

A filter with several values matches any of them. Times are ISO 8601, and inclusive.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, TypeVar

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.records import Status

OneOrMore = str | list[str]
TIMES = (
    "start_time",
    "end_time",
    "completed_after",
    "completed_before",
    "dequeued_after",
    "dequeued_before",
)
DEFAULTS: Mapping[str, Any] = {
    "sort_desc": False,
    "load_input": True,
    "load_output": True,
    "queues_only": False,
}
F = TypeVar("F", bound=Callable[..., Any])


class Filters(TypedDict, total=False):
    """The filters that listings and aggregates share."""

    status: OneOrMore | None
    start_time: str | None
    end_time: str | None
    completed_after: str | None
    completed_before: str | None
    dequeued_after: str | None
    dequeued_before: str | None
    name: OneOrMore | None
    app_version: OneOrMore | None
    forked_from: OneOrMore | None
    parent_workflow_id: OneOrMore | None
    user: OneOrMore | None
    queue_name: OneOrMore | None
    workflow_id_prefix: OneOrMore | None
    executor_id: OneOrMore | None
    is_fork: bool | None
    has_parent: bool | None
    attributes: dict[str, Any] | None
    application_name: OneOrMore | None


class QueuedFilters(Filters, total=False):
    """The filters of ``list_queued_workflows``."""

    workflow_ids: list[str] | None
    limit: int | None
    offset: int | None
    sort_desc: bool
    load_input: bool
    load_output: bool


class ListFilters(QueuedFilters, total=False):
    """The filters of ``list_workflows``."""

    queues_only: bool
    was_forked_from: bool | None
    schedule_name: OneOrMore | None


def explicit_filters(filters: type) -> Callable[[F], F]:
    """Put each filter into the signature of a function that takes ``**filters``."""

    def decorate(define: F) -> F:
        found = inspect.signature(define)
        own = [
            each
            for each in found.parameters.values()
            if each.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        given = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=DEFAULTS.get(name),
                annotation=_written(annotation),
            )
            for name, annotation in _annotations(filters).items()
        ]
        define.__signature__ = found.replace(  # type: ignore[attr-defined]  # inspect reads it
            parameters=[*own, *given]
        )
        return define

    return decorate


def checked(filters: Mapping[str, Any], known: type) -> dict[str, Any]:
    """The filters that are not None, with times as epoch milliseconds.

    Raises TypeError for an unknown filter, and DBOSException for an invalid value.
    """
    names = _annotations(known)
    unknown = sorted(filters.keys() - names.keys())
    if unknown:
        raise TypeError(f"unknown filter {', '.join(unknown)}; known are {', '.join(names)}")
    given = {key: value for key, value in filters.items() if value is not None}
    for key in TIMES:
        if key in given:
            given[key] = epoch_ms(key, given[key])
    for key in ("limit", "offset"):
        count = given.get(key, 0)
        if type(count) is not int:
            raise DBOSException(f"{key} is {count!r:.100}: give a whole number")
        if count < 0:
            raise DBOSException(f"{key} cannot be negative: {count}")
    _refuse_unknown_status(given.get("status", ()))
    return given


class InvalidTimeError(DBOSException, ValueError):
    """A text that is no time: the ValueError of dbos, and told like all errors of a call."""

    def __str__(self) -> str:
        return self.message


def epoch_ms(name: str, value: str) -> int:
    """An ISO 8601 time as epoch milliseconds, local time if it names no zone.

    Raises InvalidTimeError, and TypeError for what is no text.
    """
    advice = f"{name} {value!r} is not an ISO 8601 time such as 2026-01-31T13:00:00+00:00"
    try:
        return int(datetime.fromisoformat(value).timestamp() * 1000)
    except TypeError as error:
        raise TypeError(f"{error}: {advice}") from None
    except (ValueError, OverflowError) as error:
        raise InvalidTimeError(f"{error}: {advice}") from None


def _refuse_unknown_status(status: str | Sequence[str]) -> None:
    unknown = {status} if isinstance(status, str) else {*status}
    unknown -= {*Status}
    if unknown:
        raise DBOSException(
            f"unknown status {', '.join(sorted(unknown))}; known are {', '.join(Status)}"
        )


def _annotations(filters: type) -> dict[str, Any]:
    # The annotations of a TypedDict include those of its bases, which come first.
    return filters.__annotations__


def _written(annotation: Any) -> Any:
    text = getattr(annotation, "__forward_arg__", annotation)
    return text.replace("OneOrMore", "str | list[str]") if isinstance(text, str) else text
