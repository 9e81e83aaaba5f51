"""The life of the engine within that of an application."""

from __future__ import annotations

import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any


class Lifespan:
    """Launches once, unless somebody did before; destroys only what it launched itself."""

    def __init__(
        self,
        launch: Callable[[AbstractEventLoop | None], None],
        destroy: Callable[[], None],
        runtime: Callable[[], Any],
    ) -> None:
        """`launch` is given the event loop of the application, if it has one."""
        self._launch = launch
        self._destroy = destroy
        self._runtime = runtime
        self._launched: Any = None
        self._lock = threading.Lock()

    def launch(self, loop: AbstractEventLoop | None = None) -> None:
        """Launch; coroutine workflows without a caller's event loop run on `loop`."""
        if self._runtime() is not None:
            return
        with self._lock:
            if self._runtime() is None:
                self._launch(loop)
                self._launched = self._runtime()

    def destroy(self) -> None:
        with self._lock:
            if self._launched is not None and self._runtime() is self._launched:
                self._destroy()
            self._launched = None

    @property
    def tracer(self) -> Any:
        """Of what is launched, if it traces."""
        runtime = self._runtime()
        return None if runtime is None else runtime.telemetry.tracer
