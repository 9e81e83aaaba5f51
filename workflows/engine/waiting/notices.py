"""Notices of durable writes: they wake local waiters at once, other processes within COALESCE_S.

PostgreSQL serializes the commits of transactions that notify, so notices are sent in transactions
of their own, many together. Correctness does not depend on them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from dboshub.workflows.engine.journal.writes import (
    BulkSendWrite,
    BulkStartWrite,
    EventWrite,
    OutcomeWrite,
    SendWrite,
    StartWrite,
    StepWrite,
    StreamWrite,
    Write,
)
from dboshub.workflows.engine.waiting.waits import Waits

# The channels of DBOS, and two of our own.
MESSAGES = "dbos_notifications_channel"
EVENTS = "dbos_workflow_events_channel"
STREAMS = "dbos_streams_channel"
STATUS = "dboshub_status"
QUEUE = "dboshub_queue"

NULL_TOPIC = "__null__topic__"
COALESCE_S = 0.01
Notice = tuple[str, str]
_KINDS = {MESSAGES: "message", EVENTS: "event", STREAMS: "stream", STATUS: "result"}


def message_key(workflow_id: str, topic: str | None) -> str:
    """The payload that DBOS's trigger sends for a message."""
    return f"{workflow_id}::{NULL_TOPIC if topic is None else topic}"


class Notices:
    """Wakes local waiters, and collects notices that a thread sends to other processes."""

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        self._lock = threading.Lock()
        self._pending: dict[Notice, None] = {}
        self._has_pending = threading.Event()
        self.has_sender = False  # without a sender no notice is kept
        self.after_commit: Callable[[Callable[[], None]], None] = lambda callback: callback()
        self.on_enqueued: Callable[[str, bool], None] = lambda queue_name, is_local: None
        self.is_ending: Callable[[str], bool] = lambda workflow_id: False
        self.on_status: Callable[[str], None] = lambda workflow_id: None
        # Called with the kind and the payload of what waiting workflows wait for.
        self.on_awaited: Callable[[str, str], None] = lambda kind, payload: None

    def publish_writes(self, writes: Sequence[Write]) -> None:
        """Publish the notices of durable writes. The journal calls it after each commit."""
        found = dict.fromkeys(map(_notice, _each(writes)))
        notices = [notice for notice in found if notice is not None]
        if notices:
            self.publish(notices)

    def publish(self, notices: Iterable[Notice]) -> None:
        """Wake local waiters; other processes are notified within COALESCE_S.

        Both happen at once, or when the transaction that this thread has open is committed.
        """
        published = list(notices)
        self.after_commit(lambda: self._publish(published))

    def _publish(self, notices: list[Notice]) -> None:
        for channel, payload in notices:
            self._dispatch(channel, payload, is_local=True)
        if self.has_sender:
            with self._lock:
                self._pending.update(dict.fromkeys(notices))
                if not self._has_pending.is_set():
                    self._has_pending.set()

    def receive(self, channel: str, payload: str) -> None:
        """Handle a notice that arrived, from another process or from this one."""
        self._dispatch(channel, payload, is_local=False)

    def _dispatch(self, channel: str, payload: str, *, is_local: bool) -> None:
        if channel == QUEUE:
            self.on_enqueued(payload, is_local)
        elif channel in _KINDS:
            # The end of an execution wakes who waits for it here.
            if channel != STATUS or not self.is_ending(payload):
                self._waits.wake(_KINDS[channel], payload)
                if channel == STATUS:
                    self.on_status(payload)
            self.on_awaited(_KINDS[channel], payload)

    def take(self, timeout: float) -> list[Notice]:
        """The notices to send; waits up to `timeout` seconds for the first."""
        if self._has_pending.wait(timeout):
            with self._lock:
                self._has_pending.clear()
                pending, self._pending = [*self._pending], {}
                return pending
        return []

    def wake_sender(self) -> None:
        """Make a waiting ``take`` return at once."""
        self._has_pending.set()


def _each(writes: Sequence[Write]) -> Iterator[Write]:
    for write in writes:
        if isinstance(write, StepWrite):
            continue
        if isinstance(write, BulkSendWrite):
            yield from (*write.sends, *write.copies)
        elif isinstance(write, BulkStartWrite):
            yield from write.starts
        else:
            yield write


def _notice(write: Write) -> Notice | None:
    match write:
        case SendWrite():
            return MESSAGES, message_key(write.destination, write.topic)
        case EventWrite():
            return EVENTS, f"{write.workflow_id}::{write.key}"
        case StreamWrite():
            return STREAMS, f"{write.workflow_id}::{write.key}"
        case OutcomeWrite():
            return STATUS, write.workflow_id
        case StartWrite() if write.row.status == "ENQUEUED" and write.row.queue_name:
            return QUEUE, write.row.queue_name
    return None
