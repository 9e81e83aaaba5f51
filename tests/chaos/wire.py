"""PostgreSQL's protocol, as far as a proxy has to read it: where a transaction commits.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

STARTUP_REFUSALS = {80877103: b"N", 80877104: b"N"}  # for TLS and GSSAPI: the server has neither
# After these the client waits for the server: Query, Sync, Flush, Terminate, password, COPY.
LAST = b"QSHXpFdcf"
ANSWERED = b"QS"
READY = b"Z"
IDLE = b"I"
COMMIT = re.compile(rb"\s*(COMMIT|END)\b", re.IGNORECASE)
BEGIN = re.compile(rb"\s*(BEGIN|START)\b", re.IGNORECASE)
WRITE = re.compile(rb"\b(INSERT|UPDATE|DELETE)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """Messages that the server answers together."""

    data: bytes
    commits: bool
    is_answered: bool


@dataclass
class Requests:
    """What a client sends after its startup message, cut into requests.

    Messages are kept until the request is whole: the server executes each one as it comes.
    """

    in_transaction: bool = False
    _unread: bytes = b""
    _messages: list[bytes] = field(default_factory=list)
    _texts: list[bytes] = field(default_factory=list)
    _prepared: dict[bytes, bytes] = field(default_factory=dict)

    def read(self, data: bytes) -> Iterator[Request]:
        messages, self._unread = split(self._unread + data)
        for message in messages:
            self._messages.append(message)
            self._note(message[:1], message[5:])
            if message[:1] in LAST:
                data, is_answered = b"".join(self._messages), message[:1] in ANSWERED
                yield Request(data, self._commits(), is_answered)
                self._messages, self._texts = [], []

    def _note(self, kind: bytes, body: bytes) -> None:
        if kind == b"Q":
            self._texts.append(body.rstrip(b"\0"))
        elif kind == b"P":
            name, text, _ = body.split(b"\0", 2)
            self._prepared[name] = text
        elif kind == b"B":
            _, name, _ = body.split(b"\0", 2)
            self._texts.append(self._prepared.get(name, b""))

    def _commits(self) -> bool:
        if any(COMMIT.match(text) for text in self._texts):
            return True
        begins = any(BEGIN.match(text) for text in self._texts)
        alone = not (begins or self.in_transaction)
        return alone and any(WRITE.search(text) for text in self._texts)


@dataclass
class Answers:
    """What the server sends: how many answers are complete, and the state after the last one."""

    complete: int = 0
    in_transaction: bool = False
    _unread: bytes = b""

    def read(self, data: bytes) -> None:
        messages, self._unread = split(self._unread + data)
        for message in messages:
            if message[:1] == READY:
                self.complete += 1
                self.in_transaction = message[5:6] != IDLE


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """The whole messages in these bytes, and the rest."""
    messages, at = [], 0
    while len(data) >= at + 5:
        end = at + 1 + int(struct.unpack_from("!I", data, at + 1)[0])
        if len(data) < end:
            break
        messages.append(data[at:end])
        at = end
    return messages, data[at:]
