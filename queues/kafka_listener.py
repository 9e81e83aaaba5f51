"""Kafka listeners, by ``confluent-kafka``, which is imported when the first one starts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from dboshub.queues.engine.kafka import Consumer, KafkaMessage
from dboshub.queues.engine.ports import EnqueueStore
from dboshub.workflows.engine.background import BackgroundLoop, LoopFailures
from dboshub.workflows.engine.errors import DBOSInitializationError
from dboshub.workflows.engine.runtime.engine import Engine

logger = logging.getLogger("dboshub.kafka")

POLL_S = 0.25  # the longest delay of the end of a listener
MAX_PAUSE_S = 60.0


class Listeners:
    """The listener threads of one engine. `enqueued` is called with the queue of new workflows."""

    def __init__(
        self, engine: Engine, store: EnqueueStore, enqueued: Callable[[str], None]
    ) -> None:
        self._engine = engine
        self._store = store
        self._enqueued = enqueued
        self._stopping = threading.Event()
        self._loops: list[BackgroundLoop] = []
        self._failures: dict[str, LoopFailures] = {}

    def listen(self, consumer: Consumer) -> None:
        """Start a listener. Raises DBOSInitializationError without ``confluent-kafka``."""
        kafka = require_confluent_kafka()
        if "group.id" not in consumer.config:
            logger.warning("Kafka consumer without a group.id: using %s", consumer.group_id)
        loop = BackgroundLoop(
            f"kafka-{consumer.target.workflow.name}",
            f"Kafka consumer {consumer.group_id}",
            lambda: self._consume(consumer, kafka),
            stopping=self._stopping,
            longest_pause_s=MAX_PAUSE_S,
        )
        self._failures[consumer.group_id] = loop.failures
        loop.start()
        self._loops.append(loop)

    def stop(self, timeout: float = 10) -> None:
        """End every listener. It commits its stored offsets when it leaves its consumer group."""
        self._stopping.set()
        for loop in self._loops:
            loop.stop(timeout)

    def _consume(self, consumer: Consumer, kafka: Any) -> float:
        """Consume until the end, or until it fails.

        No offset is stored for messages that were not enqueued: the broker delivers them again.
        """
        client = kafka.Consumer(consumer.client_config)
        try:
            client.subscribe([*consumer.topics])
            while not self._stopping.is_set():
                self._take(consumer, client, kafka)
                self._failures[consumer.group_id].recovered()
        finally:
            client.close()
        return 0.0

    def _take(self, consumer: Consumer, client: Any, kafka: Any) -> None:
        """Enqueue the messages that have arrived, then store their offsets."""
        first = client.poll(POLL_S)
        if first is None:
            return
        arrived = [first, *client.consume(consumer.batch_size - 1, 0)]
        for each in arrived:
            if each.error() is not None:
                self._report(consumer, each.error(), kafka)
        messages = [each for each in arrived if each.error() is None]
        rows = self._rows(consumer, messages)
        if rows:
            self._store.put(rows)
            self._enqueued(rows[0][0].queue_name or "")
        ends = {(each.topic(), each.partition()): each.offset() + 1 for each in messages}
        if ends:
            client.store_offsets(
                offsets=[kafka.TopicPartition(*place, end) for place, end in ends.items()]
            )

    def _rows(self, consumer: Consumer, messages: Sequence[Any]) -> list[Any]:
        rows = []
        for each in messages:
            message = read(each)
            try:
                inputs = consumer.inputs(message, self._engine.codec)
            except Exception as error:
                logger.error(
                    "Kafka message %s of %s[%s] is skipped, because it cannot be recorded: %s",
                    message.offset,
                    message.topic,
                    message.partition,
                    error,
                )
                continue
            rows.append((consumer.row(message, self._engine), inputs))
        return rows

    def _report(self, consumer: Consumer, error: Any, kafka: Any) -> None:
        if error.code() == kafka.KafkaError._PARTITION_EOF:
            return
        if error.fatal():
            raise kafka.KafkaException(error)
        logger.error("Kafka consumer %s: %s", consumer.group_id, error)


def require_confluent_kafka() -> Any:
    """The package ``confluent_kafka``. Raises DBOSInitializationError if it is not installed."""
    try:
        import confluent_kafka
    except ImportError:
        raise DBOSInitializationError(
            "Kafka consumers need confluent-kafka: pip install 'dboshub[kafka]'"
        ) from None
    return confluent_kafka


def read(message: Any) -> KafkaMessage:
    """A message of the Kafka client as a value that can be recorded."""
    return KafkaMessage(
        headers=message.headers(),
        key=message.key(),
        latency=message.latency(),
        leader_epoch=message.leader_epoch(),
        offset=message.offset(),
        partition=message.partition(),
        timestamp=message.timestamp(),
        topic=message.topic(),
        value=message.value(),
    )
