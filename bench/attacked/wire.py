"""Raw connections of an attacker: cheap, from many addresses, and without any manners."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

GONE = (OSError, EOFError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
KEY = "MTIzNDU2Nzg5MDEyMzQ1Ng=="
# What is left unread beyond this the sender must keep.
SMALL_BUFFER = 4_096


@dataclass
class Target:
    """Whom a flood is aimed at, until when, and what it knows of a viewer that is signed in."""

    port: int
    seconds: float
    cookies: str = ""
    regions: list[dict[str, list[str]]] = field(default_factory=list)
    workflow: str = ""
    begun: float = field(default_factory=time.monotonic)

    def is_over(self) -> bool:
        return time.monotonic() - self.begun >= self.seconds

    @property
    def csrf(self) -> str:
        pairs = dict(each.strip().partition("=")[::2] for each in self.cookies.split(";"))
        return pairs.get("dboshub_csrf", "")

    @asynccontextmanager
    async def connection(
        self, number: int, *, reads_little: bool = False
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection from one of twenty addresses of this machine."""
        raw = socket.socket()
        raw.setblocking(False)
        if reads_little:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        raw.bind((f"127.0.1.{1 + number % 20}", 0))
        try:
            await asyncio.wait_for(
                asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", self.port)), 10
            )
        except BaseException:
            raw.close()
            raise
        reader, writer = await asyncio.open_connection(sock=raw, limit=SMALL_BUFFER)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


def head(method: str, path: str, *more: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *more]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def upgrade(port: int, *more: str, origin: str = "") -> bytes:
    """The handshake of a live socket."""
    return head(
        "GET",
        "/live/",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {KEY}",
        f"Origin: {origin or 'http://localhost'}",
        *more,
    )


def frame(message: Any) -> bytes:
    """A message of a live socket, masked as a browser masks it."""
    text, mask = json.dumps(message).encode(), os.urandom(4)
    size = len(text)
    length = bytes([0x80 | size]) if size < 126 else struct.pack(">BH", 0x80 | 126, size)
    whole = int.from_bytes(text, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return b"\x81" + length + mask + whole.to_bytes(size, "big")


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ask: bytes) -> bytes:
    """Ask, and read the answer until its end or the first 64 KiB; for no longer than 10 s."""
    writer.write(ask)
    async with asyncio.timeout(10):
        first = await reader.read(SMALL_BUFFER)
        while len(first) < 65_536 and (more := await reader.read(SMALL_BUFFER)):
            first += more
    return first
