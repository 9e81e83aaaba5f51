"""Which requests are served now, and which wait: those who ask take turns.

Each request that is served has a thread and a database connection, and all threads share one
interpreter: the more are served at once, the longer each takes. So AT_ONCE are, OF_ONE_USER of
them for one user and OF_STRANGERS for all who are not signed in. The others wait, and a free place
goes to who has waited longest for a turn, not to who asks most often.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

AT_ONCE, OF_ONE_USER, OF_STRANGERS = 8, 3, 2
# Of all users, and of all others. A browser has six connections, a proxy sends what it has at once.
MAX_WAITING, MAX_WAITING_OF_ONE = 500, 100
WAIT_S = 10.0

Application = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Asker:
    """A user, or the address of somebody who is not known to be one."""

    key: str
    is_user: bool


@dataclass(eq=False, slots=True)
class Turn:
    """The place of one request. `begin` is called with it once, when it is served, or `refuse`."""

    asker: Asker
    begin: Callable[[Turn], object]
    refuse: Callable[[], object]
    is_begun: bool = False


Ring = OrderedDict[Asker, deque[Turn]]


class Turns:
    """The requests of one process. For its event loop alone."""

    def __init__(self) -> None:
        self._served: Counter[Asker] = Counter()
        self._waiting: deque[Ring] = deque([OrderedDict(), OrderedDict()])
        self._users, self._strangers = self._waiting
        self._count: Counter[bool] = Counter()
        self._is_starting = False

    def ask(
        self, asker: Asker, begin: Callable[[Turn], object], refuse: Callable[[], object]
    ) -> Turn | None:
        """Serve a request, now or in turn; None if too many wait already.

        Where all places to wait are taken, the last one of the longest line is refused instead.
        """
        ring = self._ring(asker)
        of_one = len(ring.get(asker, ()))
        is_served_now = not of_one and self._may_begin(asker)
        if not is_served_now and not self._has_room_for(asker, ring, of_one):
            return None
        turn = Turn(asker, begin, refuse)
        ring.setdefault(asker, deque()).append(turn)
        self._count[asker.is_user] += 1
        self._start()
        return turn

    def _has_room_for(self, asker: Asker, ring: Ring, of_one: int) -> bool:
        """Whether one more may wait, for which another may have to give way."""
        if of_one >= MAX_WAITING_OF_ONE:
            return False
        if self._count[asker.is_user] < MAX_WAITING:
            return True
        longest = max(ring.values(), key=len)
        if len(longest) <= of_one + 1:
            return False
        last = longest[-1]
        self.give_up(last)
        last.refuse()
        return True

    def give_up(self, turn: Turn) -> None:
        """Remove a request that waits."""
        if turn.is_begun:
            return
        ring = self._ring(turn.asker)
        line = ring.get(turn.asker, deque())
        if turn in line:
            line.remove(turn)
            self._count[turn.asker.is_user] -= 1
            if not line:
                del ring[turn.asker]

    def end(self, turn: Turn) -> None:
        """Let others be served once a request is: its thread has ended, too."""
        self._served[turn.asker] -= 1
        if not self._served[turn.asker]:
            del self._served[turn.asker]
        self._start()

    def _ring(self, asker: Asker) -> Ring:
        return self._users if asker.is_user else self._strangers

    def _start(self) -> None:
        if self._is_starting:
            return  # what begins may end at once: the loop below goes on
        self._is_starting = True
        try:
            while turn := self._next():
                turn.is_begun = True
                self._served[turn.asker] += 1
                turn.begin(turn)
        finally:
            self._is_starting = False

    def _next(self) -> Turn | None:
        """The next turn that may begin: of users and of strangers alternately."""
        for _ in range(len(self._waiting)):
            ring = self._waiting[0]
            self._waiting.rotate()
            for asker in ring:
                if self._may_begin(asker):
                    return self._take(ring, asker)
                if not asker.is_user:
                    break  # nor may any other address
        return None

    def _may_begin(self, asker: Asker) -> bool:
        if self._served.total() >= AT_ONCE:
            return False
        if asker.is_user:
            return self._served[asker] < OF_ONE_USER
        strangers = (count for each, count in self._served.items() if not each.is_user)
        return sum(strangers) < OF_STRANGERS

    def _take(self, ring: Ring, asker: Asker) -> Turn:
        turn = ring[asker].popleft()
        self._count[asker.is_user] -= 1
        if ring[asker]:
            ring.move_to_end(asker)
        else:
            del ring[asker]
        return turn


def ended_with_their_threads(application: Application) -> Application:
    """An ASGI application whose requests end with their threads, also when they are cancelled.

    A client that leaves would otherwise get another thread while the first one still works. The
    application is not cancelled but told that the client has left: Django, cancelled, abandons the
    view, never closes its database connection, and waits for its thread in the event loop.
    """

    async def served(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await application(scope, receive, send)
        has_left = asyncio.Event()
        work = asyncio.ensure_future(application(scope, _until(has_left, receive), send))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            has_left.set()
            while not work.done():
                try:
                    await asyncio.wait([work])
                except asyncio.CancelledError:
                    continue
            raise

    return served


def _until(has_left: asyncio.Event, receive: Any) -> Any:
    """What is received from a client until it has left."""

    async def received() -> Any:
        awaited = [asyncio.ensure_future(each) for each in (receive(), has_left.wait())]
        try:
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            message, _ = awaited
            return message.result() if message.done() else {"type": "http.disconnect"}
        finally:
            for each in awaited:
                each.cancel()

    return received
