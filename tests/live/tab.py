"""A browser tab without the browser: a session, a socket to the real consumer, a page's tokens."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.test import Client

from dboshub.workflows.live.subscriptions import Subscription, subscription_for


class Tab:
    """Acknowledges what it reads, unless told not to."""

    def __init__(self, user: User | None, communicator: WebsocketCommunicator) -> None:
        self.user = user
        self.communicator = communicator
        self.client = Client()
        self.acknowledges = True
        self.frames: list[dict[str, Any]] = []

    @classmethod
    async def opened(cls, user: User | None, **headers: str) -> Tab:
        from dboshub.standalone.asgi import application

        client = Client()
        given = {"host": "testserver", "origin": "http://testserver"} | headers
        if user is not None:
            await sync_to_async(client.force_login)(user)
            given["cookie"] = f"{settings.SESSION_COOKIE_NAME}={client.session.session_key}"
        raw = [(name.encode(), value.encode()) for name, value in given.items() if value]
        tab = cls(user, WebsocketCommunicator(application, "/live/", headers=raw))
        tab.client = client
        accepted, _ = await tab.communicator.connect()
        assert accepted, "a handshake is never refused: a browser could not tell why"
        return tab

    def subscription(self, kind: str, key: str = "", **options: Any) -> Subscription:
        """What a view would give this user's page. Call it from a synchronous place."""
        request = HttpRequest()
        assert self.user is not None
        request.user = User.objects.get(pk=self.user.pk)
        return subscription_for(request, kind, key, **options)

    async def follow(
        self, kind: str, key: str = "", digest: str = "", **options: Any
    ) -> Subscription:
        subscription = await sync_to_async(self.subscription)(kind, key, **options)
        await self.subscribe(subscription, digest)
        return subscription

    async def subscribe(self, subscription: Subscription, digest: str = "") -> None:
        await self.say({"sub": {subscription.id: [subscription.token, digest]}})

    async def say(self, frame: Any) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        await self.communicator.send_to(text_data=text)

    async def message(self, timeout: float = 5) -> dict[str, Any]:
        """The next message; acknowledged."""
        message: dict[str, Any] = json.loads(await self.communicator.receive_from(timeout))
        if self.acknowledges:
            await self.say({"ack": message["seq"]})
        return message

    async def frame(self, subscription: Subscription, timeout: float = 5) -> dict[str, Any]:
        """The next frame of one topic, past beats and other topics."""
        async with asyncio.timeout(timeout):
            while True:
                for frame in self.frames:
                    if frame["topic"] == subscription.id:
                        self.frames.remove(frame)
                        return frame
                self.frames += (await self.message(timeout)).get("frames", [])

    async def refused(self) -> list[str]:
        async with asyncio.timeout(5):
            while True:
                message = await self.message()
                if "refused" in message:
                    return list(message["refused"])

    async def closed(self, timeout: float = 5) -> int:
        """The code the server closes with, past whatever it still sends."""
        async with asyncio.timeout(timeout):
            while True:
                event = await self.communicator.receive_output(timeout)
                if event["type"] == "websocket.close":
                    return int(event["code"])

    async def leave(self) -> None:
        await self.communicator.disconnect()
