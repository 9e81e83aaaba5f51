"""Parses the frames of clients (sub, unsub, ack) and tracks unacknowledged frames. No I/O."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

MAX_FRAME_BYTES = 16 * 1024
MAX_UNACKED = 64
MAX_UNREAD_BYTES = 512 * 1024


class FrameRefusedError(Exception):
    """A frame that none of our pages sends."""


@dataclass(frozen=True, slots=True)
class TopicRequest:
    """A region of a page that subscribes: its topic id, its token, the digest it shows."""

    topic_id: str
    token: str
    digest: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """A well-formed frame. Permissions are checked elsewhere."""

    sub: tuple[TopicRequest, ...] = ()
    unsub: tuple[str, ...] = ()
    ack: int | None = None


def parse(text: str | None) -> Incoming:
    """Read ``{"sub": {topic: [token, digest]}}``, ``{"unsub": [topic]}`` or ``{"ack": seq}``.

    Raises FrameRefusedError.
    """
    if text is None or len(text.encode()) > MAX_FRAME_BYTES:
        raise FrameRefusedError("not a text of at most 16 KiB")
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FrameRefusedError("not JSON") from error
    match frame:
        case {"sub": dict(topics), **rest} if not rest:
            return Incoming(sub=tuple(_wanted(name, given) for name, given in topics.items()))
        case {"unsub": list(names), **rest} if not rest:
            return Incoming(unsub=tuple(_text(name) for name in names))
        case {"ack": int(seq), **rest} if not rest:
            return Incoming(ack=seq)
    raise FrameRefusedError("neither sub nor unsub nor ack")


def _wanted(name: str, given: Any) -> TopicRequest:
    match given:
        case [str(token), str(digest)]:
            return TopicRequest(name, token, digest)
    raise FrameRefusedError("a topic is [token, digest]")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise FrameRefusedError("a topic's name is text")
    return value


@dataclass(slots=True)
class UnackedFrames:
    """Sent frames that were not acknowledged: daphne buffers without limit for a slow reader."""

    seq: int = 0
    unacked: deque[tuple[int, float, int]] = field(default_factory=deque)
    unread: int = 0

    def sent(self, at: float, size: int) -> int:
        self.seq += 1
        self.unread += size
        self.unacked.append((self.seq, at, size))
        return self.seq

    def acknowledge(self, seq: int) -> None:
        """Mark all frames up to `seq` as read. Raises FrameRefusedError."""
        if seq > self.seq:
            raise FrameRefusedError("acknowledges what was not sent")
        while self.unacked and self.unacked[0][0] <= seq:
            self.unread -= self.unacked.popleft()[2]

    def is_full(self) -> bool:
        return len(self.unacked) >= MAX_UNACKED

    def is_backlogged(self) -> bool:
        """Whether to send nothing until the client has read; later frames replace unsent ones."""
        return self.unread >= MAX_UNREAD_BYTES

    def overdue_at(self, patience_s: float) -> float | None:
        """When the oldest frame is overdue: ``patience_s`` seconds after it was sent."""
        return self.unacked[0][1] + patience_s if self.unacked else None
