"""Kafka messages as workflows: one for each message, however often a broker delivers it.

The workflow's id consists of topic, partition, group and offset, so a message that is delivered
again finds its workflow. Offsets are stored at the broker only after the rows are durable.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from dboshub.queues.engine.queue_registry import queue_registry
from dboshub.queues.engine.settings import QueueSettings
from dboshub.workflows.engine.errors import DBOSInitializationError
from dboshub.workflows.engine.records import NewWorkflow, Status
from dboshub.workflows.engine.registration.registry import Target
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.serialization import Codec

logger = logging.getLogger("dboshub.kafka")

KafkaOrdering = Literal["none", "partition", "topic"]
ORDERINGS = ("none", "partition", "topic")
KAFKA_QUEUE = "_dbos_kafka_queue"
ORDERED_QUEUE = "_dbos_kafka_ordered_queue"
# They have no rows in the table of queues, and every application has its own.
INTERNAL_QUEUES = {
    KAFKA_QUEUE: QueueSettings(name=KAFKA_QUEUE),
    ORDERED_QUEUE: QueueSettings(name=ORDERED_QUEUE, partition_concurrency=1),
}
_MAX_GROUP_LENGTH = 255


@dataclass
class KafkaMessage:
    """A Kafka message, the argument of its workflow. Times are epoch milliseconds."""

    headers: list[tuple[str, str | bytes]] | None
    key: bytes | str | None
    latency: float | None
    leader_epoch: int | None
    offset: int | None
    partition: int | None
    timestamp: tuple[int, int]
    topic: str | None
    value: bytes | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A decorated workflow and the source of its messages."""

    target: Target
    config: dict[str, Any]
    topics: tuple[str, ...]
    ordering: KafkaOrdering
    batch_size: int
    queue_name: str | None

    def __post_init__(self) -> None:
        """Raise DBOSInitializationError for options that contradict each other."""
        if self.ordering not in ORDERINGS:
            raise DBOSInitializationError(
                f'invalid Kafka ordering "{self.ordering}": must be "none", "partition", or "topic"'
            )
        if self.batch_size < 1:
            raise DBOSInitializationError(
                f"Kafka batch_size must be positive, not {self.batch_size}"
            )
        if self.queue_name is None:
            return
        if self.ordering != "none":
            raise DBOSInitializationError(
                'a custom queue is only supported with ordering="none"; ordered consumers share an '
                "internal partitioned queue"
            )
        declared = queue_registry.declared(self.queue_name)
        if declared is not None and declared.partitioned:
            raise DBOSInitializationError(
                f"queue {self.queue_name} is partitioned, and Kafka messages have no key for it"
            )

    @property
    def group_id(self) -> str:
        given = self.config.get("group.id")
        if given:
            return str(given)
        text = f"dbos-kafka-group-{self.target.workflow.name}-{'-'.join(self.topics)}"
        return re.sub(r"[^a-zA-Z0-9-]", "", text)[:_MAX_GROUP_LENGTH]

    @property
    def client_config(self) -> dict[str, Any]:
        """The configuration of the Kafka client: we store offsets, and it commits them."""
        return {
            "auto.offset.reset": "earliest",
            **self.config,
            "group.id": self.group_id,
            "enable.auto.offset.store": False,
            "enable.auto.commit": True,
        }

    def row(self, message: KafkaMessage, engine: Engine) -> NewWorkflow:
        """The row of a message's workflow, ENQUEUED."""
        settings, now = engine.settings, engine.clock.now_ms()
        position = f"{message.topic}-{message.partition}-{self.group_id}-{message.offset}"
        return NewWorkflow(
            workflow_uuid=f"kafka-unique-id-{position}",
            status=Status.ENQUEUED,
            name=self.target.workflow.name,
            class_name=self.target.class_name,
            config_name=self.target.config_name,
            created_at=now,
            updated_at=now,
            executor_id=settings.executor_id,
            application_version=settings.application_version,
            application_id=settings.application_id,
            application_name=settings.application_name,
            queue_name=self._queue(),
            queue_partition_key=self._key(message),
            serialization=self._format(engine.codec),
        )

    def inputs(self, message: KafkaMessage, codec: Codec) -> str:
        return codec.encode_args((message,), {}, self._format(codec))

    def _format(self, codec: Codec) -> str:
        return codec.format_name(self.target.workflow.serialization, None)

    def _queue(self) -> str:
        if self.ordering != "none":
            return ORDERED_QUEUE
        return self.queue_name or KAFKA_QUEUE

    def _key(self, message: KafkaMessage) -> str | None:
        if self.ordering == "none":
            return None
        whole = f"{self.group_id}:{message.topic}"
        return whole if self.ordering == "topic" else f"{whole}:{message.partition}"


class Consumers:
    """The consumers that code of this process declares; launch starts a listener for each."""

    def __init__(self) -> None:
        self._declared: list[Consumer] = []
        self._listen: Callable[[Consumer], None] | None = None

    @property
    def has_any(self) -> bool:
        return bool(self._declared)

    def declare(self, consumer: Consumer) -> None:
        """Record a consumer, whose listener starts at launch or, after it, at once."""
        self._declared.append(consumer)
        if self._listen is not None:
            self._listen(consumer)

    def open(self, listen: Callable[[Consumer], None]) -> None:
        for consumer in self._declared:
            listen(consumer)
        self._listen = listen

    def close(self) -> None:
        """At the end of the engine. Declarations stay for the next launch."""
        self._listen = None

    def clear(self) -> None:
        self._declared.clear()


consumers = Consumers()
