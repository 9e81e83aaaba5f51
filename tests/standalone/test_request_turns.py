"""Who asks often is served no more often than others."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from django.core import signals
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path

from dboshub.standalone import request_turns
from dboshub.standalone.request_turns import (
    AT_ONCE,
    MAX_WAITING_OF_ONE,
    OF_ONE_USER,
    OF_STRANGERS,
    Asker,
    Turn,
    Turns,
    ended_with_their_threads,
)

ADA, EVE = Asker("ada", is_user=True), Asker("eve", is_user=True)


class Served:
    """The turns that have begun, oldest first."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.begun: list[Turn] = []
        self.refused: list[Asker] = []

    def ask(self, asker: Asker) -> Turn | None:
        return self.turns.ask(asker, self.begun.append, lambda: self.refused.append(asker))

    def names(self) -> list[str]:
        return [turn.asker.key for turn in self.begun]


def stranger(number: int) -> Asker:
    return Asker(f"203.0.113.{number}", is_user=False)


def test_one_user_leaves_places_to_others() -> None:
    served = Served()
    for _ in range(20):
        assert served.ask(EVE)
    assert served.names() == ["eve"] * OF_ONE_USER
    assert served.ask(ADA)
    assert served.names()[-1] == "ada"


def test_strangers_from_many_addresses_leave_places_to_users() -> None:
    served = Served()
    for number in range(50):
        assert served.ask(stranger(number))
    assert len(served.begun) == OF_STRANGERS
    for _ in range(OF_ONE_USER):
        assert served.ask(ADA)
    assert served.names()[OF_STRANGERS:] == ["ada"] * OF_ONE_USER


def test_a_free_place_goes_to_who_has_not_had_one() -> None:
    served = Served()
    for _ in range(20):
        served.ask(stranger(1))
    served.ask(stranger(2))
    served.turns.end(served.begun[0])
    served.turns.end(served.begun[1])
    assert served.names()[OF_STRANGERS:] == ["203.0.113.1", "203.0.113.2"]


def test_users_and_strangers_alternate_when_all_is_busy() -> None:
    served = Served()
    users = [Asker(f"user-{number}", is_user=True) for number in range(30)]
    for user in users:
        served.ask(user)
    assert len(served.begun) == AT_ONCE
    served.ask(stranger(1))
    served.turns.end(served.begun[0])
    served.turns.end(served.begun[1])
    assert "203.0.113.1" in served.names()[AT_ONCE:]


def test_no_more_wait_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served()
    for _ in range(OF_ONE_USER + MAX_WAITING_OF_ONE):
        assert served.ask(EVE)
    assert served.ask(EVE) is None
    monkeypatch.setattr(request_turns, "MAX_WAITING", MAX_WAITING_OF_ONE)
    for _ in range(OF_ONE_USER + 1):
        assert served.ask(ADA)
    # Her first ones are served at once.
    assert served.refused == [EVE]


def test_strangers_who_wait_take_no_place_of_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_turns, "MAX_WAITING", 4)
    served = Served()
    for number in range(OF_STRANGERS + 4):
        assert served.ask(stranger(number))
    assert served.ask(stranger(99)) is None
    for _ in range(OF_ONE_USER + 4):
        assert served.ask(ADA)
    assert served.ask(ADA) is None
    assert not served.refused


def test_who_leaves_the_line_is_not_served() -> None:
    served = Served()
    turns = [served.ask(EVE) for _ in range(OF_ONE_USER + 2)]
    left, last = turns[-2:]
    assert left
    assert last
    served.turns.give_up(left)
    served.turns.give_up(left)
    served.turns.end(served.begun[0])
    served.turns.end(served.begun[1])
    assert last.is_begun
    assert not left.is_begun


def test_a_long_line_that_ends_as_it_begins_is_served_to_its_end() -> None:
    turns, begun = Turns(), []

    def ended_at_once(turn: Turn) -> None:
        begun.append(turn)
        turns.end(turn)

    first = [turns.ask(EVE, lambda turn: None, pytest.fail) for _ in range(OF_ONE_USER)]
    for _ in range(MAX_WAITING_OF_ONE):
        turns.ask(EVE, ended_at_once, pytest.fail)
    assert first[0]
    turns.end(first[0])
    assert len(begun) == MAX_WAITING_OF_ONE


async def test_a_cancelled_request_is_told_that_its_client_left_and_ends_with_its_work() -> None:
    go_on = asyncio.Event()
    told: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        told.append((await receive())["type"])
        told.append((await receive())["type"])
        await go_on.wait()
        told.append("ended")

    sent: asyncio.Queue[Any] = asyncio.Queue()
    sent.put_nowait({"type": "http.request"})
    served = asyncio.ensure_future(
        ended_with_their_threads(application)({"type": "http"}, sent.get, None)
    )
    await asyncio.sleep(0.01)
    assert told == ["http.request"]
    for _ in range(3):
        served.cancel()
        await asyncio.sleep(0.01)
    assert not served.done()
    assert told == ["http.request", "http.disconnect"]
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await served
    assert told[2:] == ["ended"]
    assert len(asyncio.all_tasks()) == 1


def held_view(request: HttpRequest) -> HttpResponse:
    """A page that takes until its test lets it go."""
    BEGUN.set()
    assert GO_ON.wait(20)
    return HttpResponse("late")


BEGUN, GO_ON = threading.Event(), threading.Event()
urlpatterns = [path("held", held_view)]


@pytest.mark.parametrize("is_told_before", [True, False])
async def test_django_closes_what_a_request_opened_however_late_its_server_gives_up(
    settings: Any, is_told_before: bool
) -> None:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    BEGUN.clear()
    GO_ON.clear()
    finished: list[int] = []

    def at_end(**_: object) -> None:
        finished.append(threading.get_ident())

    signals.request_finished.connect(at_end)
    sent: asyncio.Queue[Any] = asyncio.Queue()
    sent.put_nowait({"type": "http.request"})
    scope = {"type": "http", "method": "GET", "path": "/held", "headers": []}
    answered: list[Any] = []

    async def send(message: Any) -> None:
        answered.append(message)

    try:
        served = asyncio.ensure_future(
            ended_with_their_threads(ASGIHandler())(scope, sent.get, send)
        )
        while not BEGUN.is_set():
            await asyncio.sleep(0.01)
        if is_told_before:
            sent.put_nowait({"type": "http.disconnect"})
            await asyncio.sleep(0.01)
        served.cancel()
        # The event loop would stand still here if Django waited for the thread in it.
        await asyncio.sleep(0.05)
        assert not served.done()
        GO_ON.set()
        with pytest.raises(asyncio.CancelledError):
            await served
    finally:
        GO_ON.set()
        signals.request_finished.disconnect(at_end)
    assert len(finished) == 1
    assert answered == []
