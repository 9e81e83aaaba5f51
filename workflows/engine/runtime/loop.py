"""The event loop of coroutines that no running loop started."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import wait
from typing import Any

from dboshub.workflows.engine.errors import LoopEnded, ResourcesExhausted

LOOK_S = 0.5  # how often a thread that awaits a coroutine looks whether its loop is closed


class Loop:
    """The event loop of coroutines that no running loop started.

    It is the adopted one while that runs; else one on a daemon thread, which starts when needed.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._adopted: asyncio.AbstractEventLoop | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[Any] = set()  # an event loop refers to its tasks only weakly

    def adopt(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Use the application's loop from now on, for as long as it runs."""
        self._adopted = loop

    def submit(
        self,
        coroutine: Coroutine[Any, Any, Any],
        on: asyncio.AbstractEventLoop | None = None,
    ) -> asyncio.AbstractEventLoop:
        """Run a coroutine as a task, on the caller's running loop if `on` names it.

        Returns the loop that runs it. Its errors are not raised here. Raises ResourcesExhausted
        if a loop is needed and cannot be started.
        """
        if on is not None:
            self._keep(on.create_task(coroutine))
            return on
        loop = self._adopted
        if loop is not None and loop.is_running():
            try:
                self._keep(asyncio.run_coroutine_threadsafe(coroutine, loop))
                return loop
            except RuntimeError:
                pass  # it was closed just now
        try:
            loop = self.own()
        except ResourcesExhausted:
            coroutine.close()
            raise
        self._keep(asyncio.run_coroutine_threadsafe(coroutine, loop))
        return loop

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine, and block until its result is there.

        Raises LoopEnded, which user code does not catch, if its loop ends before.
        """
        loop = self._adopted
        # A loop whose thread blocks here would never run it.
        if loop is None or not loop.is_running() or loop is asyncio._get_running_loop():
            loop = self.own()
        raised: list[asyncio.CancelledError] = []
        task = _watched(coroutine, raised)
        future = asyncio.run_coroutine_threadsafe(task, loop)
        while not wait([future], LOOK_S).done:
            if loop.is_closed():
                raise LoopEnded("the event loop was closed")
        if future.cancelled() and not raised:
            raise LoopEnded("the event loop cancelled its tasks")
        return future.result()

    def own(self) -> asyncio.AbstractEventLoop:
        """The loop on a daemon thread; starts it if it does not run.

        Raises ResourcesExhausted if it cannot.
        """
        with self._lock:
            if self._loop is None:
                self._loop, self._thread = self._start()
            return self._loop

    def _start(self) -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        try:
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                loop.close()
                raise
        except (OSError, RuntimeError) as error:
            # Control flow, because the coroutine may be that of a step or of a workflow.
            raise ResourcesExhausted(str(error)) from error
        return loop, thread

    def _keep(self, task: Any) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self, timeout: float) -> None:
        """Cancel all tasks of the own loop and close it.

        Waits up to `timeout` seconds for its thread.
        """
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop)
        thread.join(timeout)
        if not thread.is_alive():
            loop.close()


async def _watched(
    coroutine: Coroutine[Any, Any, Any], raised: list[asyncio.CancelledError]
) -> Any:
    """Await a coroutine; note the CancelledError that it raised itself."""
    try:
        return await coroutine
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            raised.append(error)
        raise


async def _cancel_all() -> None:
    loop = asyncio.get_running_loop()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await loop.shutdown_asyncgens()
    loop.stop()
