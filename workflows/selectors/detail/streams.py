"""The streams of a workflow, and a window of the values of one."""

from __future__ import annotations

from dataclasses import dataclass

from dboshub.workflows.selectors.detail.values import sized
from dboshub.workflows.storage.sql import Session, Statement
from dboshub.workflows.storage.stored_values import LARGEST

MAX_STREAMS = 50
WINDOW_SIZE = 50
MAX_INLINE_SIZE = 4_096
# Every library stores the marker as portable JSON, with quotes.
CLOSED = '"__DBOS_STREAM_CLOSED__"'


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream, the offset after its last value, and whether its writer closed it."""

    key: str
    end: int
    is_closed: bool


@dataclass(frozen=True, slots=True)
class StreamValue:
    """`text` is None if hidden or too large."""

    offset: int
    function_id: int
    size: int
    serialization: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Window:
    """Consecutive values of one stream."""

    stream: Stream
    values: tuple[StreamValue, ...]

    @property
    def start(self) -> int:
        return self.values[0].offset if self.values else 0

    @property
    def stop(self) -> int:
        return self.values[-1].offset + 1 if self.values else 0

    @property
    def has_earlier(self) -> bool:
        return self.start > 0

    @property
    def has_later(self) -> bool:
        return self.stop < self.stream.end


# A skip scan: one index entry per key, however many values it has.
STREAMS = Statement(
    """
    WITH RECURSIVE named(key) AS (
        SELECT MIN(key) FROM {streams} WHERE workflow_uuid = :id
        UNION ALL
        SELECT (
            SELECT MIN(next.key)
            FROM {streams} AS next
            WHERE next.workflow_uuid = :id AND next.key > named.key
        )
        FROM named
        WHERE named.key IS NOT NULL
    ), ends AS (
        SELECT key, (
            SELECT MAX("offset") FROM {streams} WHERE workflow_uuid = :id AND key = named.key
        ) AS last
        FROM named
        WHERE key IS NOT NULL
        LIMIT :most
    )
    SELECT ends.key, ends.last AS "offset", CASE WHEN LENGTH(final.value) < 64 THEN final.value END
    FROM ends
    JOIN {streams} AS final
        ON final.workflow_uuid = :id AND final.key = ends.key AND final."offset" = ends.last
    ORDER BY ends.key
    """
)
LAST = Statement(
    """
    SELECT "offset", CASE WHEN LENGTH(value) < 64 THEN value END
    FROM {streams}
    WHERE workflow_uuid = :id AND key = :key
    ORDER BY "offset" DESC
    LIMIT 1
    """
)
VALUES = sized(
    """
    SELECT "offset", function_id, SIZE(value), serialization,
        CASE WHEN :payload = 1 AND SIZE(value) <= :short THEN value END
    FROM {streams}
    WHERE workflow_uuid = :id AND key = :key AND "offset" >= :start AND "offset" < :stop
    ORDER BY "offset"
    """
)


def streams(session: Session, workflow_id: str) -> list[Stream]:
    """The first MAX_STREAMS streams of a workflow, by name."""
    found = []
    for key, last, final in session.all(STREAMS, id=workflow_id, most=MAX_STREAMS):
        found.append(_stream(key, last, final))
    return found


def stream(session: Session, workflow_id: str, key: str) -> Stream | None:
    """One stream by its key."""
    found = None if "\x00" in key else session.one(LAST, id=workflow_id, key=key)
    if found is None:
        return None
    return _stream(key, *found)


def _stream(key: str, last: int, final: str | None) -> Stream:
    is_closed = final == CLOSED
    return Stream(key, last if is_closed else min(last + 1, LARGEST), is_closed)


def window(
    session: Session, workflow_id: str, stream: Stream, *, payload: bool, start: int | None = None
) -> Window:
    """WINDOW_SIZE values from an offset on, or the newest. Values are read only with `payload`."""
    first = max(0, stream.end - WINDOW_SIZE) if start is None else max(0, start)
    found = session.all(
        VALUES,
        id=workflow_id,
        key=stream.key,
        start=first,
        stop=min(first + WINDOW_SIZE, stream.end, LARGEST),
        payload=int(payload),
        short=MAX_INLINE_SIZE,
    )
    return Window(stream, tuple(StreamValue(*row) for row in found))
