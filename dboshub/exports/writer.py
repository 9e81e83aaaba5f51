"""Writes exports in threads, two at a time, each up to a size and a duration."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from threading import BoundedSemaphore, Lock, Thread, Timer
from typing import IO, Any

from django.contrib.auth import get_user_model
from django.db import connections

from dboshub.exports import store
from dboshub.exports.formats import head, lines
from dboshub.exports.sources import SOURCES
from dboshub.exports.store import DONE, FAILED, RUNNING, Export
from dboshub.workflows.clock import now_ms
from dboshub.workflows.permissions import VIEW_PAYLOAD
from dboshub.workflows.rendering.time_zone import shown_to

logger = logging.getLogger(__name__)

MAX_BYTES = 64 * 1_024 * 1_024
MAX_DURATION_S = 600.0
TOUCH_S = 10.0
WRITER_SLOTS = BoundedSemaphore(2)
# Held while the timer of the next sweep runs.
SWEEP_TIMER = Lock()


class StoppedError(Exception):
    """The export stops; the message tells its user why."""


def start_writing(export: Export) -> None:
    """Write the export in a thread, when one of the slots is free."""
    # A daemon thread, so that a stopping process does not wait for it.
    Thread(target=_write_when_free, args=(export,), name="dboshub-export", daemon=True).start()


def write(export: Export) -> Export:
    """Write the export. Raises StoppedError and errors of the database."""
    source = SOURCES[export.of]
    columns = source.columns + (source.payload_columns if export.payload else ())
    begun, after = time.monotonic(), export.after
    with store.writing(export.key) as file:
        file.write(head(export.format, columns))
        while True:
            user = _allowed(export)
            with shown_to(user):
                chunk = source.chunk(export, user, after)
            file.write(lines(export.format, columns, chunk.records))
            after = chunk.older
            export = _progress(export, file, len(chunk.records), chunk.reached or export.reached)
            is_full = export.size >= MAX_BYTES or time.monotonic() - begun > MAX_DURATION_S
            if not after or is_full:
                return replace(export, state=DONE, older=after)


def _progress(export: Export, file: IO[bytes], rows: int, reached: int | None) -> Export:
    file.flush()
    export = replace(
        export,
        state=RUNNING,
        touched_at=now_ms(),
        rows=export.rows + rows,
        size=file.tell(),
        reached=reached,
    )
    if not store.update(export):
        raise StoppedError("It was discarded.")
    return export


def _allowed(export: Export) -> Any:
    """The current account of the user. Raises StoppedError if it lost the permission."""
    user = get_user_model().objects.filter(pk=export.user, is_active=True).first()
    wanted = [SOURCES[export.of].permission, *([VIEW_PAYLOAD] if export.payload else [])]
    if user is None or not user.has_perms(wanted):
        raise StoppedError("You are not permitted to see this any more.")
    return user


def _write_when_free(export: Export) -> None:
    while not WRITER_SLOTS.acquire(timeout=TOUCH_S):
        if not store.update(replace(export, touched_at=now_ms())):
            return
    try:
        _work(export)
    finally:
        WRITER_SLOTS.release()


def _work(export: Export) -> None:
    try:
        ended = write(replace(export, state=RUNNING, touched_at=now_ms()))
    except StoppedError as stop:
        ended = replace(export, state=FAILED, problem=str(stop))
    except Exception as error:
        logger.exception("export.failed")
        ended = replace(export, state=FAILED, problem=str(error).split("\n", 1)[0][:500])
    finally:
        connections.close_all()
    if not store.update(replace(ended, touched_at=now_ms())) or ended.state == FAILED:
        store.data_path(export.key).unlink(missing_ok=True)
    _sweep_later()


def _sweep_later() -> None:
    """Sweep when the next export expires. One timer serves all exports of the process."""
    if not SWEEP_TIMER.acquire(blocking=False):
        return
    expiries = [each.expires_at for each in store.all_exports()]
    if not expiries:
        SWEEP_TIMER.release()
        return
    timer = Timer((min(expiries) - now_ms()) / 1_000 + 1, _sweep)
    timer.daemon = True
    timer.start()


def _sweep() -> None:
    store.sweep()
    SWEEP_TIMER.release()
    _sweep_later()
