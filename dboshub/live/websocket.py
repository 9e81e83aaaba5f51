"""The WebSocket of a browser tab: receives sub, unsub and ack; sends frames, beats and refusals.

A socket is accepted before it is refused: a browser cannot distinguish a refused handshake from
an unreachable server, and would retry without end. It is never closed with code 1000, after which
clients do not reconnect.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, ClassVar

from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

from dboshub.live import singletons
from dboshub.live.access import Account, account, audit_payload_views, handshake, is_same_origin
from dboshub.live.fanout import Broadcaster, Subscriber
from dboshub.live.frames import FrameRefusedError, Incoming, TopicRequest, UnackedFrames, parse
from dboshub.live.socket_limits import (
    MAX_REFUSED,
    MAX_TOPICS_PER_USER,
    TOO_MUCH,
    Allowance,
    OpenSockets,
    release,
)
from dboshub.live.topic_sources import MAX_TOPICS, admit, is_allowed
from dboshub.web.client_address import client_address
from dboshub.workflows.live.source import Timings
from dboshub.workflows.live.subscriptions import Topic, TopicRefusedError
from dboshub.workflows.permissions import VIEW_WORKFLOW

logger = logging.getLogger(__name__)

# Codes from 4000 on: daphne sends no other code except 1000, not even 1013 "try again later".
MALFORMED, SIGNED_OUT, FORBIDDEN, TRY_LATER = 4400, 4401, 4403, 4413


class LiveSocket(AsyncWebsocketConsumer):
    """Follows the topics of one page while its user may see them."""

    timings = Timings()
    open_sockets: ClassVar[OpenSockets] = OpenSockets()

    broadcaster: Broadcaster
    account: Account

    async def connect(self) -> None:
        self.topics: dict[str, Topic] = {}
        self.refused: list[str] = []
        self.unacked = UnackedFrames()
        self.tasks: list[asyncio.Task[None]] = []
        self.is_serving = False
        self.allowance = Allowance()
        self.forged = 0
        self.request = handshake(self.scope)
        self.address = client_address(self.request)
        await self.accept()
        refusal = TRY_LATER
        if self.open_sockets.has_room_for(self.address):
            refusal = await self._admit_counted()
        if refusal:
            await self.close(refusal)
        else:
            self._serve()

    async def _admit_counted(self) -> int:
        """Count the socket while it asks who it is; return the close code, or 0."""
        self.open_sockets.unadmitted[self.address] += 1
        try:
            return await self._admit() or 0
        except DatabaseError:
            logger.exception("live.admit_failed")
            return TRY_LATER
        finally:
            release(self.open_sockets.unadmitted, self.address)

    async def _admit(self) -> int | None:
        """Authenticate the user; return the close code if the socket is refused."""
        if not is_same_origin(self.request):
            return FORBIDDEN
        found = await account(self.request)
        if found is None:
            return SIGNED_OUT
        if VIEW_WORKFLOW not in found.permissions:
            return FORBIDDEN
        if not self.open_sockets.has_room_for_user(found.user):
            return TRY_LATER
        self.account = found
        return None

    def _serve(self) -> None:
        self.is_serving = True
        self.open_sockets.by_user[self.account.user] += 1
        self.open_sockets.by_address[self.address] += 1
        self.broadcaster = singletons.broadcaster()
        self.broadcaster.script_prefix = self.request.script_name or "/"
        self.subscriber = Subscriber(asyncio.get_running_loop())
        self.tasks = [
            asyncio.create_task(self._guard(self._send)),
            asyncio.create_task(self._guard(self._recheck)),
        ]

    async def disconnect(self, code: int) -> None:
        if not self.is_serving:
            return
        self.is_serving = False
        counts, user = self.open_sockets, self.account.user
        release(counts.by_user, user)
        release(counts.by_address, self.address)
        release(counts.topics_by_user, user, len(self.topics))
        self.broadcaster.leave(self.subscriber)
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def _guard(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Close the socket if one of its tasks fails: it would otherwise look alive."""
        try:
            await work()
        except Exception:
            logger.exception("live.socket_failed")
            await self.close(TRY_LATER)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self.is_serving:
            return
        if not self.allowance.take() or self.forged > MAX_REFUSED:
            await self.close(TOO_MUCH)
            return
        try:
            frame = parse(text_data)
            self._handle_frame(frame)
        except FrameRefusedError:
            await self.close(MALFORMED)
            return
        if frame.sub:
            await self._guard(self._audit_payload_views)

    def _handle_frame(self, frame: Incoming) -> None:
        if frame.ack is not None:
            self.unacked.acknowledge(frame.ack)
        for topic_id in frame.unsub:
            if self.topics.pop(topic_id, None) is not None:
                release(self.open_sockets.topics_by_user, self.account.user)
            self.broadcaster.unsubscribe(self.subscriber, topic_id)
        for wanted in frame.sub:
            self._subscribe(wanted)
        self.subscriber.ready.set()

    def _subscribe(self, wanted: TopicRequest) -> None:
        if len(self.topics) >= MAX_TOPICS and wanted.topic_id not in self.topics:
            raise FrameRefusedError(f"more than {MAX_TOPICS} topics")
        try:
            subscription = admit(wanted.token, self.account)
        except TopicRefusedError:
            self.forged += 1
            self.refused.append(wanted.topic_id)
            return
        if subscription.id != wanted.topic_id:
            raise FrameRefusedError("a token of another topic")
        if subscription.id not in self.topics:
            self._count_topic()
        self.topics[subscription.id] = subscription.topic
        self.broadcaster.subscribe(
            self.subscriber, subscription.topic, shown=wanted.digest, since=subscription.since
        )

    def _count_topic(self) -> None:
        counts, user = self.open_sockets.topics_by_user, self.account.user
        if counts[user] >= MAX_TOPICS_PER_USER:
            raise FrameRefusedError(f"more than {MAX_TOPICS_PER_USER} topics of one user")
        counts[user] += 1

    async def _send(self) -> None:
        """Send frames until too many are unacknowledged, or one is for too long."""
        while True:
            late_at = self.unacked.overdue_at(self.timings.ack)
            patience = None if late_at is None else max(0.0, late_at - time.monotonic())
            with suppress(TimeoutError):
                await asyncio.wait_for(self.subscriber.ready.wait(), patience)
            late_at = self.unacked.overdue_at(self.timings.ack)
            if late_at is not None and late_at <= time.monotonic():
                return await self.close(TRY_LATER)
            if self.unacked.is_backlogged():
                self.subscriber.ready.clear()
                continue
            text = self._outgoing()
            if text is None:
                continue
            if self.unacked.is_full():
                return await self.close(TRY_LATER)
            seq = self.unacked.sent(time.monotonic(), len(text))
            await self.send(f'{{"seq":{seq},{text}}}')

    def _outgoing(self) -> str | None:
        """Everything to send now, as the members of a JSON object; None if there is nothing."""
        frames, beat_ms = self.broadcaster.take(self.subscriber)
        refused, self.refused = self.refused, []
        members = []
        if frames:
            self.broadcaster.metrics.sent(len(frames))
            members.append(f'"frames":[{",".join(frames)}]')
        if beat_ms is not None:
            members.append(f'"beat":{beat_ms}')
        if refused:
            members.append(f'"refused":{json.dumps(refused)}')
        return ",".join(members) or None

    async def _recheck(self) -> None:
        """Close the socket when its session has ended or its permissions were revoked."""
        while True:
            await asyncio.sleep(self.timings.recheck)
            found = await account(self.request)
            if found is None or found.user != self.account.user:
                return await self.close(SIGNED_OUT)
            if not self._may_follow(found):
                return await self.close(FORBIDDEN)
            self.account = found
            await self._audit_payload_views()

    async def _audit_payload_views(self) -> None:
        await audit_payload_views(self.account, self.topics.values())

    def _may_follow(self, found: Account) -> bool:
        followed = self.topics.values()
        return VIEW_WORKFLOW in found.permissions and all(
            is_allowed(each, found) for each in followed
        )

    async def close(self, code: Any = None, reason: str | None = None) -> None:
        """Close, and stop publishing at once: the peer may never answer the close frame."""
        await self.disconnect(code)
        await super().close(code, reason)
