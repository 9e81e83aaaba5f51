"""A proxy before PostgreSQL with the faults of a network: it cuts, refuses, delays and forgets."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import SplitResult, urlsplit, urlunsplit

from tests.chaos.wire import STARTUP_REFUSALS, Answers, Request, Requests

CHUNK = 65_536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST, as from a host that knows nothing
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Cut(Enum):
    """Where a connection is cut: the commit has not reached the server, or its answer is lost."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(eq=False)
class Link:
    """A connection of a client, and that to the server which belongs to it."""

    client: Streams
    server: Streams | None = None
    requests: Requests = field(default_factory=Requests)
    answers: Answers = field(default_factory=Answers)
    is_forgotten: bool = False
    # How many answers are complete when the connection is cut; none is passed on until then.
    cut_at: int | None = None

    def reset(self) -> None:
        for writer in self._writers():
            opened = writer.get_extra_info("socket")
            with suppress(OSError):
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    def close(self) -> None:
        for writer in self._writers():
            writer.close()

    def _writers(self) -> list[asyncio.StreamWriter]:
        return [self.client[1], *([self.server[1]] if self.server else [])]


class Proxy:
    """Listens on a port of this machine while it is used in a ``with`` block.

    Each fault lasts as long as its own ``with`` block. At the end of a fault that leaves
    connections useless they are reset, as by whoever takes the place of a broken middlebox.
    """

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chaos-proxy")
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refuses = self._forgets = False
        self._delay_s = 0.0
        self._cut: Cut | None = None
        self._every = self._commits = 0
        self.cuts = 0
        self._faults: list[Exception] = []

    @property
    def url(self) -> str:
        """The database's URL through this proxy."""
        user = self._target.netloc.rpartition("@")[0]
        return urlunsplit(self._target._replace(netloc=f"{user}@127.0.0.1:{self._port}"))

    def lead_to(self, url: str) -> None:
        """Connect to the server of this URL from now on; connections that exist are reset."""
        self._target = urlsplit(url)
        self.drop()

    def drop(self) -> None:
        """Reset every connection."""
        self._call(self._reset, False)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Reset every connection, and each new one at once."""
        self._refuses = True
        self.drop()
        yield
        self._refuses = False

    @contextmanager
    def delaying(self, seconds: float) -> Iterator[None]:
        """Pass on everything so much later, in both directions."""
        self._delay_s = seconds
        yield
        self._delay_s = 0.0

    @contextmanager
    def forgetting(self, *, new_ones: bool) -> Iterator[None]:
        """Acknowledge what is sent on the connections that exist, and drop it.

        With `new_ones` the same happens to connections that are made meanwhile.
        """
        self._forgets = new_ones
        self._call(self._forget)
        yield
        self._forgets = False
        self._call(self._reset, True)

    @contextmanager
    def cutting(self, where: Cut, *, every: int) -> Iterator[None]:
        """Cut the connection at one of so many commits."""
        self._every, self._cut = every, where
        yield
        self._cut = None

    def __enter__(self) -> Proxy:
        self._thread.start()
        begin = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(begin, self._loop).result()
        self._port: int = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *error: object) -> None:
        self._refuses = True
        self._call(self._server.close)
        self.drop()
        asyncio.run_coroutine_threadsafe(self._ended(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._faults:
            raise self._faults[0]  # of the proxy's own

    async def _ended(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        """Run it on the loop, and wait for its end."""

        async def call() -> None:
            function(*arguments)

        asyncio.run_coroutine_threadsafe(call(), self._loop).result()

    def _reset(self, forgotten_alone: bool) -> None:
        for link in [*self._links]:
            if link.is_forgotten or not forgotten_alone:
                link.reset()

    def _forget(self) -> None:
        for link in self._links:
            link.is_forgotten = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        link = Link((reader, writer), is_forgotten=self._forgets)
        self._links.add(link)
        try:
            if self._refuses:
                link.reset()
            else:
                await self._join(link)
        except (OSError, EOFError):
            pass  # one side is gone, and the other follows
        except Exception as fault:
            self._faults.append(fault)
        finally:
            link.close()
            self._links.discard(link)
            self._tasks.discard(task)

    async def _join(self, link: Link) -> None:
        startup = await _startup(link)
        link.server = await _connected(self._target)
        await self._pass_on(link.server[1], link, startup)
        ways = [
            asyncio.ensure_future(self._to_server(link)),
            asyncio.ensure_future(self._to_client(link)),
        ]
        try:
            ended, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ended:
                way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _to_server(self, link: Link) -> None:
        assert link.server is not None
        asked = 1  # the startup message is answered, too
        while data := await link.client[0].read(CHUNK):
            link.requests.in_transaction = link.answers.in_transaction
            for request in link.requests.read(data):
                asked += request.is_answered
                if self._is_cut(request):
                    if self._cut is Cut.BEFORE:
                        link.reset()
                        return
                    link.cut_at = asked
                await self._pass_on(link.server[1], link, request.data)

    async def _to_client(self, link: Link) -> None:
        assert link.server is not None
        while data := await link.server[0].read(CHUNK):
            link.answers.read(data)
            if link.cut_at is None:
                await self._pass_on(link.client[1], link, data)
            elif link.answers.complete >= link.cut_at:
                link.reset()
                return

    def _is_cut(self, request: Request) -> bool:
        if not (self._cut and request.commits):
            return False
        self._commits += 1
        cut = self._commits % self._every == 0
        self.cuts += cut
        return cut

    async def _pass_on(self, writer: asyncio.StreamWriter, link: Link, data: bytes) -> None:
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        if not link.is_forgotten:
            writer.write(data)
            await writer.drain()


async def _startup(link: Link) -> bytes:
    """The startup message; offers to encrypt are declined."""
    reader, writer = link.client
    while True:
        head = await reader.readexactly(8)
        length, code = struct.unpack("!II", head)
        message = head + await reader.readexactly(length - 8)
        if code not in STARTUP_REFUSALS:
            return message
        if not link.is_forgotten:
            writer.write(STARTUP_REFUSALS[code])


async def _connected(target: SplitResult) -> Streams:
    return await asyncio.open_connection(target.hostname, target.port)
