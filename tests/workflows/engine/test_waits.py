"""The wait table: no wake is lost, none wakes a stranger, and nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dboshub.workflows.engine.waiting.waits import CHUNK, Waits
from tests.support.eventually import eventually

KEY = ("message", "order::1::paid")


def soon(seconds: float = 5) -> float:
    return time.monotonic() + seconds


def test_a_wake_before_the_wait_is_kept() -> None:
    waits = Waits()
    with waits.register(KEY) as waiter:
        waits.wake(*KEY)
        assert waiter.block(soon())
        assert not waiter.block(soon(0.01))


def test_a_blocked_thread_is_woken_by_its_key_only() -> None:
    waits = Waits()
    with ThreadPoolExecutor() as threads, waits.register(KEY) as waiter:
        waiting = threads.submit(waiter.block, soon())
        waits.wake("message", "order::1")
        waits.wake("event", KEY[1])
        with pytest.raises(TimeoutError):
            waiting.result(0.05)
        waits.wake(*KEY)
        assert waiting.result(5)


def test_the_deadline_ends_a_wait() -> None:
    waits = Waits()
    with waits.register(KEY) as waiter:
        assert not waiter.block(soon(0.02))
        assert not waiter.block(time.monotonic() - 1)


def test_a_far_deadline_is_not_too_far_for_the_platform() -> None:
    waits = Waits()
    with ThreadPoolExecutor() as threads, waits.register(KEY) as waiter:
        waiting = threads.submit(waiter.block, soon(1e15))
        waits.wake(*KEY)
        assert waiting.result(5)


def test_a_waiter_that_left_is_gone() -> None:
    waits = Waits()
    with waits.register(KEY, ("event", "a")) as waiter:
        waiter.also(("result", "b"))
        assert len(waits) == 1
    assert len(waits) == 0
    assert not any(waits._waiting.values())


def test_everyone_on_one_key_is_woken_and_wake_all_reaches_those_without_a_key() -> None:
    waits = Waits()
    with waits.register(KEY) as one, waits.register(KEY) as two, waits.register() as sleeper:
        waits.wake(*KEY)
        assert one.block(soon())
        assert two.block(soon())
        waits.wake_all()
        assert sleeper.block(soon())


async def test_tasks_wait_on_their_loop() -> None:
    waits = Waits()
    with waits.register(KEY) as waiter:
        waiting = asyncio.create_task(waiter.wait(soon()))
        await asyncio.sleep(0)
        threading.Thread(target=waits.wake, args=KEY).start()
        assert await waiting
        assert not await waiter.wait(soon(0.01))
        waits.wake(*KEY)
        assert await waiter.wait(soon())


async def test_one_wake_costs_one_call_into_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = Waits()
    loop = asyncio.get_running_loop()
    calls: list[object] = []
    original = loop.call_soon_threadsafe

    def counted(*args: object, **kwargs: object) -> object:
        calls.append(args)
        return original(*args, **kwargs)  # type: ignore[arg-type]

    waiters = [waits.register(KEY) for _ in range(100)]
    tasks = [asyncio.create_task(waiter.wait(soon())) for waiter in waiters]
    await asyncio.sleep(0)
    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    waits.wake(*KEY)
    assert all(await asyncio.gather(*tasks))
    assert len(calls) == 1


async def test_a_cancelled_task_leaves_nothing_behind() -> None:
    waits = Waits()

    async def wait() -> None:
        with waits.register(KEY) as waiter:
            await waiter.wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(waits) == 0
    waits.wake(*KEY)


def test_waking_a_waiter_of_a_closed_loop_hurts_nobody() -> None:
    waits = Waits()
    waiter = waits.register(KEY)
    loop = asyncio.new_event_loop()
    task = loop.create_task(waiter.wait())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    with waits.register(KEY) as other:
        waits.wake(*KEY)
        assert other.block(soon())
    task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_one_poll_serves_all_waiters_of_a_kind() -> None:
    waits = Waits()
    asked: list[list[str]] = []

    def ready(store: str, names: list[str]) -> list[str]:
        assert store == "store"
        asked.append(names)
        return [name for name in names if name.endswith("7")]

    waits.poller("result", ready)
    waiters = [waits.register(("result", str(n))) for n in range(CHUNK + 1)]
    unpolled = waits.register(("message", "7"))
    waits.poll("store")
    assert [len(names) for names in asked] == [CHUNK, 1]
    assert [n for n, waiter in enumerate(waiters) if waiter.block(0)] == list(range(7, 1001, 10))
    assert not unpolled.block(0)


def test_who_needs_polling_is_told_to_the_poll() -> None:
    waits = Waits()
    told = threading.Event()
    waits.poller("result", lambda store, names: [])
    waits.on_pending(told.set)
    with waits.register(("message", "a")) as waiter:
        assert not waits.pending()
        assert not told.is_set()
        waiter.also(("result", "a"))
        assert told.is_set()
        assert waits.pending()
    assert not waits.pending()


def test_no_wake_is_lost_under_load() -> None:
    waits = Waits()
    rounds = 2_000
    value = 0

    def consume() -> int:
        seen = 0
        with waits.register(KEY) as waiter:
            while seen < rounds:
                if seen == value:
                    assert waiter.block(soon()), "a wake was lost"
                else:
                    seen = value
        return seen

    with ThreadPoolExecutor() as threads:
        consumer = threads.submit(consume)
        eventually(lambda: len(waits))
        for n in range(rounds):
            value = n + 1
            waits.wake(*KEY)
        assert consumer.result(10) == rounds
