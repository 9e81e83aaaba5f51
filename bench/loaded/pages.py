"""Open pages without a browser: signed in, fetched, and followed as static/js/live.js follows."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.request import HTTPCookieProcessor, Request, build_opener

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

# As in static/js/live/topics.js.
MOST_TOPICS, LONGEST_MESSAGE = 64, 12_000


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a page that follows a topic."""

    topic: str
    kind: str
    key: str
    token: str
    digest: str


class _Regions(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Region] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if (topic := said.get("data-topic")) and len(self.found) < MOST_TOPICS:
            parts = [said[f"data-{part}"] for part in ("kind", "key", "token", "digest")]
            self.found.setdefault(topic, Region(topic, *parts))


class Visitor:
    """Somebody signed in: the cookies of one browser. Blocking; for a thread."""

    def __init__(self, base: str, name: str, password: str) -> None:
        self.base = base
        self._jar = HTTPCookieProcessor()
        self._opener = build_opener(self._jar)
        self.get("/login/")
        form = f"username={name}&password={password.replace(' ', '+')}&csrfmiddlewaretoken="
        token = next(each.value for each in self._jar.cookiejar if "csrf" in each.name)
        headers = {"Referer": f"{base}/login/", "Origin": base}
        request = Request(f"{base}/login/", (form + str(token)).encode(), headers)
        with self._opener.open(request, timeout=60) as answer:
            if "/login/" in answer.url:
                raise RuntimeError(f"{name} could not sign in")

    def get(self, path: str) -> str:
        with self._opener.open(self.base + path, timeout=120) as answer:
            text: bytes = answer.read()
        return text.decode()

    def regions(self, path: str) -> list[Region]:
        """What a page follows."""
        parser = _Regions()
        parser.feed(self.get(path))
        return [*parser.found.values()]

    @property
    def cookies(self) -> str:
        return "; ".join(f"{each.name}={each.value}" for each in self._jar.cookiejar)


@dataclass(eq=False)
class Tab:
    """One open page: its socket, and when each of its topics was heard of last."""

    visitor: Visitor
    regions: list[Region]
    heard_at: dict[str, float] = field(default_factory=dict)
    is_live: asyncio.Event = field(default_factory=asyncio.Event)
    socket: ClientConnection | None = None

    async def open(self, *, most_queued: int | None = 16) -> ClientConnection:
        """Connect and say what is shown; nothing is read yet."""
        base = self.visitor.base
        self.socket = await connect(
            f"{base.replace('http', 'ws', 1)}/live/",
            origin=base,  # type: ignore[arg-type]
            additional_headers={"Cookie": self.visitor.cookies},
            max_queue=most_queued,
            ping_interval=None,
            compression=None,
        )
        for sub in batches(self.regions):
            await self.socket.send(json.dumps({"sub": sub}))
        return self.socket

    async def follow(self) -> None:
        """Read and acknowledge until the socket is closed."""
        socket = await self.open()
        try:
            with suppress(ConnectionClosed):
                async for text in socket:
                    at, message = time.monotonic(), json.loads(text)
                    await socket.send(json.dumps({"ack": message["seq"]}))
                    self._heard(message, at)
        finally:
            await socket.close()

    def _heard(self, message: dict[str, Any], at: float) -> None:
        for frame in message.get("frames", ()):
            self.heard_at[frame["topic"]] = at
        if "beat" in message:
            self.is_live.set()

    def topics_of(self, workflow_id: str) -> set[str]:
        """The topics of this page that a change of a workflow's status changes."""
        return {
            each.topic
            for each in self.regions
            if each.key == workflow_id and each.kind in {"row", "workflow"}
        }


def batches(regions: Iterable[Region]) -> list[dict[str, list[str]]]:
    """Subscriptions in messages no longer than a page sends."""
    made: list[dict[str, list[str]]] = [{}]
    size = 0
    for each in regions:
        length = len(each.topic) + len(each.token) + len(each.digest) + 16
        if made[-1] and size + length > LONGEST_MESSAGE:
            made.append({})
            size = 0
        made[-1][each.topic] = [each.token, each.digest]
        size += length
    return made
