"""Who may open a socket, what may be said on it, and when it ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
import txaio
from asgiref.sync import sync_to_async
from autobahn.websocket.protocol import WebSocketProtocol

from dboshub.live import frames, socket_limits, websocket
from dboshub.live.topic_sources import NEEDED
from dboshub.live.websocket import LiveSocket
from dboshub.workflows.live.source import Timings
from dboshub.workflows.live.subscriptions import Topic, sign_token
from dboshub.workflows.models import AuditEvent
from dboshub.workflows.page_cache import page_cache

QUICK = Timings(recheck=0.1, ack=0.3, beat=0.1)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://testserver"},
        {"origin": "http://testserver:80"},
        {"origin": "http://localhost:8000", "host": "localhost:8000"},
    ],
)
async def test_a_page_of_the_same_origin_may_listen(
    viewer: Any, open_tab: Any, headers: dict[str, str]
) -> None:
    tab = await open_tab(viewer, **headers)
    await tab.follow("row", "no such workflow")
    assert (await tab.message())["frames"][0]["gone"] is True


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": ""},
        {"origin": "null"},
        {"origin": "http://[broken"},
        {"origin": "https://testserver"},
        {"origin": "http://testserver:8000"},
        {"origin": "http://evil.example"},
        {"origin": "http://evil.example", "host": "evil.example"},
        {"origin": "http://evil.example", "x-forwarded-host": "evil.example"},
        {"origin": "https://testserver", "x-forwarded-proto": "https"},
    ],
)
async def test_a_page_of_another_origin_is_told_that_it_may_not(
    viewer: Any, open_tab: Any, headers: dict[str, str]
) -> None:
    assert await (await open_tab(viewer, **headers)).closed() == websocket.FORBIDDEN


async def test_behind_a_proxy_the_forwarded_scheme_and_host_count(
    viewer: Any, open_tab: Any, settings: Any
) -> None:
    settings.USE_X_FORWARDED_HOST = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.ALLOWED_HOSTS = ["hub.example"]
    forwarded = {"x-forwarded-host": "hub.example", "x-forwarded-proto": "https"}
    tab = await open_tab(viewer, origin="https://hub.example", host="inner:8000", **forwarded)
    await tab.follow("row", "no such workflow")
    assert (await tab.message())["frames"]
    tab = await open_tab(viewer, origin="http://inner:8000", host="inner:8000", **forwarded)
    assert await tab.closed() == websocket.FORBIDDEN


async def test_nobody_listens_without_a_session(open_tab: Any) -> None:
    assert await (await open_tab(None)).closed() == websocket.SIGNED_OUT
    assert await (await open_tab(None, cookie="dboshub_session=forged")).closed() == 4401


async def test_a_user_without_the_permission_may_not_listen(make_user: Any, open_tab: Any) -> None:
    user = await sync_to_async(make_user)("eve", "dboshub_workflows.cancel_workflow")
    assert await (await open_tab(user)).closed() == websocket.FORBIDDEN


async def test_a_forged_topic_is_refused_and_the_others_go_on(viewer: Any, open_tab: Any) -> None:
    tab = await open_tab(viewer)
    good = await tab.follow("row", "a")
    assert await tab.frame(good)
    forged = [
        sign_token(Topic(kind="row", key="a"), user=str(viewer.pk + 1), since=0),
        sign_token(Topic(kind="nonsense"), user=str(viewer.pk), since=0),
        sign_token(Topic(kind="row", key="a", scope=("shop",)), user=str(viewer.pk), since=0),
        good.token[:-3] + "abc",
        "",
    ]
    for number, token in enumerate(forged):
        await tab.say({"sub": {f"t{number}": [token, ""]}})
        assert await tab.refused() == [f"t{number}"]


async def test_a_topic_with_payloads_needs_the_permission_to_see_them(
    make_user: Any, open_tab: Any
) -> None:
    user = await sync_to_async(make_user)("bob", "dboshub_workflows.view_workflow")
    tab = await open_tab(user)
    token = sign_token(Topic(kind="events", key="a", payload=True), user=str(user.pk), since=0)
    await tab.say({"sub": {"x": [token, ""]}})
    assert await tab.refused() == ["x"]


@pytest.mark.parametrize("kind", ["queues", "queue", "schedules", "schedule", "audit"])
async def test_a_page_that_needs_more_than_workflows_is_followed_by_who_may_see_it(
    make_user: Any, open_tab: Any, kind: str
) -> None:
    who = await sync_to_async(make_user)("bob", "dboshub_workflows.view_workflow")
    tab = await open_tab(who)
    await tab.say({"sub": {"x": [sign_token(Topic(kind=kind), user=str(who.pk), since=0), ""]}})
    assert await tab.refused() == ["x"]
    may = await sync_to_async(make_user)("eve", "dboshub_workflows.view_workflow", NEEDED[kind])
    tab = await open_tab(may)
    topic = Topic(kind=kind)
    await tab.say({"sub": {topic.id: [sign_token(topic, user=str(may.pk), since=0), ""]}})
    assert (await tab.message())["frames"][0]["topic"] == topic.id


@pytest.mark.parametrize(
    "frame",
    [
        "no json",
        "[]",
        "3",
        '{"sub": []}',
        '{"sub": {"a": "token"}}',
        '{"sub": {"a": [1, 2]}}',
        '{"sub": {}, "more": 1}',
        '{"unsub": [[]]}',
        '{"ack": "1"}',
        '{"ack": 99}',
        '{"cancel": "workflow"}',
        "[" * 5_000,
        '{"unsub": ["' + "x" * frames.MAX_FRAME_BYTES + '"]}',
    ],
)
async def test_any_other_frame_ends_the_socket(viewer: Any, open_tab: Any, frame: str) -> None:
    tab = await open_tab(viewer)
    await tab.say(frame)
    assert await tab.closed() == websocket.MALFORMED


async def test_bytes_end_the_socket(viewer: Any, open_tab: Any) -> None:
    tab = await open_tab(viewer)
    await tab.communicator.send_to(bytes_data=b"\x00")
    assert await tab.closed() == websocket.MALFORMED


async def test_a_socket_follows_at_most_64_topics(viewer: Any, open_tab: Any) -> None:
    tab = await open_tab(viewer)
    for number in range(64):
        await tab.follow("row", f"row {number}")
    await tab.say({"unsub": [(await tab.follow("row", "row 0")).id]})
    await tab.follow("row", "one instead")
    await tab.follow("row", "one too many")
    assert await tab.closed() == websocket.MALFORMED


async def test_a_user_has_a_bounded_number_of_sockets(
    viewer: Any, open_tab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_limits, "MAX_PER_USER", 2)
    first, _ = await open_tab(viewer), await open_tab(viewer)
    assert await (await open_tab(viewer)).closed() == websocket.TRY_LATER
    await first.leave()
    await (await open_tab(viewer)).follow("row", "a")
    assert LiveSocket.open_sockets.by_user[str(viewer.pk)] == 2


@pytest.mark.parametrize("end", ["log out", "deactivate", "change password", "delete session"])
async def test_a_socket_does_not_outlive_its_session(
    viewer: Any, open_tab: Any, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(LiveSocket, "timings", QUICK)
    tab = await open_tab(viewer)
    await tab.follow("row", "a")
    await sync_to_async(_end)(tab, viewer, end)
    assert await tab.closed() == websocket.SIGNED_OUT


def _end(tab: Any, user: Any, end: str) -> None:
    if end == "log out":
        tab.client.logout()
    elif end == "deactivate":
        user.is_active = False
        user.save()
    elif end == "change password":
        user.set_password("another battery")
        user.save()
    else:
        tab.client.session.delete()


async def test_a_socket_does_not_outlive_its_permission(
    viewer: Any, open_tab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiveSocket, "timings", QUICK)
    tab = await open_tab(viewer)
    await tab.follow("events", "a")
    payload = viewer.user_permissions.filter(codename="view_payload")
    await sync_to_async(lambda: viewer.user_permissions.remove(*payload))()
    assert await tab.closed() == websocket.FORBIDDEN


def test_a_logged_out_socket_closes_within_a_minute_in_production() -> None:
    assert LiveSocket.timings.recheck <= 30


@pytest.mark.parametrize("code", ["MALFORMED", "SIGNED_OUT", "FORBIDDEN", "TRY_LATER"])
def test_the_server_can_send_the_code_it_closes_with(code: str) -> None:
    sent: list[int] = []
    txaio.use_twisted()  # as daphne does
    protocol = WebSocketProtocol()
    protocol.onClose = lambda *given: None
    protocol.sendCloseFrame = lambda code, **rest: sent.append(code)
    protocol.sendClose(getattr(websocket, code))
    assert sent == [getattr(websocket, code)]


async def test_a_client_that_reads_and_never_acknowledges_is_put_off(
    viewer: Any, open_tab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiveSocket, "timings", replace(QUICK, recheck=30))
    tab = await open_tab(viewer)
    tab.acknowledges = False
    await tab.follow("row", "a")
    assert await tab.closed() == websocket.TRY_LATER


async def test_a_client_that_owes_64_acknowledgements_is_put_off(
    viewer: Any, open_tab: Any
) -> None:
    tab = await open_tab(viewer)
    tab.acknowledges = False
    for number in range(66):
        await tab.say({"sub": {f"t{number}": ["no token", ""]}})
    assert await tab.closed() == websocket.TRY_LATER


async def test_a_client_that_reads_slowly_is_sent_only_the_newest(
    viewer: Any, open_tab: Any, broadcaster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "MAX_UNREAD_BYTES", 1)
    tab = await open_tab(viewer)
    tab.acknowledges = False
    subscription = await tab.follow("row", "no such workflow")
    first = await tab.message()
    for number in range(70):
        frame = f'{{"topic":"{subscription.id}","number":{number}}}'
        broadcaster.publish(subscription.id, "gone", {"gone": frame})
        await asyncio.sleep(0)
    assert await tab.communicator.receive_nothing(0.1)
    tab.acknowledges = True
    await tab.say({"ack": first["seq"]})
    assert (await tab.frame(subscription))["number"] == 69


async def test_who_follows_payloads_is_in_the_audit_log(viewer: Any, open_tab: Any) -> None:
    page_cache().clear()
    tab = await open_tab(viewer)
    for kind in ("row", "workflow", "events"):
        subscription = await tab.follow(kind, "w")
        await tab.frame(subscription)
    events = await sync_to_async(lambda: [*AuditEvent.objects.values_list("action", "target")])()
    assert events == [("view payload", "w")]


async def test_who_follows_no_payloads_is_not(make_user: Any, open_tab: Any) -> None:
    page_cache().clear()
    tab = await open_tab(await sync_to_async(make_user)("bob", "dboshub_workflows.view_workflow"))
    await tab.frame(await tab.follow("workflow", "w"))
    assert await sync_to_async(AuditEvent.objects.count)() == 0


async def test_a_flood_of_frames_ends_the_socket(viewer: Any, open_tab: Any) -> None:
    tab = await open_tab(viewer)
    for _ in range(int(socket_limits.FRAMES_AT_ONCE) + 50):
        await tab.say({"ack": 0})
    assert await tab.closed() == websocket.TOO_MUCH


async def test_many_forged_tokens_end_the_socket(
    viewer: Any, open_tab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "MAX_REFUSED", 3)
    tab = await open_tab(viewer)
    for number in range(5):
        await tab.say({"sub": {f"t{number}": ["forged", ""]}})
    assert await tab.closed() == websocket.TOO_MUCH


async def test_an_address_has_a_bounded_number_of_sockets(
    viewer: Any, open_tab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_limits, "MAX_PER_ADDRESS", 1)
    first = await open_tab(viewer)
    await first.follow("row", "a")
    assert await (await open_tab(viewer)).closed() == websocket.TRY_LATER
    await first.leave()
    await (await open_tab(viewer)).follow("row", "a")


async def test_sockets_that_say_not_who_they_are_take_no_others_place(
    viewer: Any, open_tab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_limits, "MAX_UNADMITTED_PER_ADDRESS", 0)
    assert await (await open_tab(viewer)).closed() == websocket.TRY_LATER
    monkeypatch.setattr(socket_limits, "MAX_UNADMITTED_PER_ADDRESS", 1)
    for _ in range(3):
        assert await (await open_tab(None)).closed() == websocket.SIGNED_OUT
    await (await open_tab(viewer)).follow("row", "a")
    assert not LiveSocket.open_sockets.unadmitted


async def test_a_user_has_a_bounded_number_of_topics(
    viewer: Any, open_tab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "MAX_TOPICS_PER_USER", 2)
    first, second = await open_tab(viewer), await open_tab(viewer)
    kept = await first.follow("row", "a")
    await first.frame(kept)
    await second.frame(await second.follow("row", "b"))
    await first.say({"unsub": [kept.id]})
    await first.frame(await first.follow("row", "c"))
    await second.follow("row", "d")
    assert await second.closed() == websocket.MALFORMED
    assert LiveSocket.open_sockets.topics_by_user[str(viewer.pk)] == 1
