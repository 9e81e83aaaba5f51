"""Listening to Kafka, by ``confluent-kafka``, which is imported when something listens."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from dboshub.queues.engine.kafka import Consumer, Inbox, KafkaMessage
from dboshub.workflows.engine.errors import DBOSInitializationError
from dboshub.workflows.engine.runtime.engine import Engine

logger = logging.getLogger("dboshub.kafka")

POLL_S = 0.25  # how long the end of a listener may be waited for
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0


class Listeners:
    """The threads that listen for one engine."""

    def __init__(self, engine: Engine, inbox: Inbox, enqueued: Callable[[str], None]) -> None:
        self._engine = engine
        self._inbox = inbox
        self._enqueued = enqueued
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def listen(self, consumer: Consumer) -> None:
        """Begin to listen. Raises DBOSInitializationError without ``confluent-kafka``."""
        kafka = library()
        if "group.id" not in consumer.config:
            logger.warning("Kafka consumer without a group.id: using %s", consumer.group_id)
        thread = threading.Thread(
            target=self._run,
            args=(consumer, kafka),
            name=f"dboshub-kafka-{consumer.target.workflow.name}",
            daemon=True,
        )
        self._threads.append(thread)
        thread.start()

    def stop(self, timeout: float = 10) -> None:
        """End every listener; what it has enqueued it commits on leaving its group."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout)

    def _run(self, consumer: Consumer, kafka: Any) -> None:
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                client = kafka.Consumer(consumer.client_config)
                try:
                    client.subscribe([*consumer.topics])
                    while not self._stopping.is_set():
                        self._take(consumer, client, kafka)
                        pause = FIRST_PAUSE_S
                finally:
                    client.close()
            except Exception as error:
                # Offsets of what is not enqueued were not stored: it is delivered once more.
                logger.error("Kafka consumer %s failed: %s", consumer.group_id, error)
                self._stopping.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)

    def _take(self, consumer: Consumer, client: Any, kafka: Any) -> None:
        """Enqueue what has arrived, then tell the broker so."""
        first = client.poll(POLL_S)
        if first is None:
            return
        arrived = [first, *client.consume(consumer.batch_size - 1, 0)]
        for each in arrived:
            if each.error() is not None:
                self._complain(consumer, each.error(), kafka)
        messages = [each for each in arrived if each.error() is None]
        rows = self._rows(consumer, messages)
        if rows:
            self._inbox.put(rows)
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
                    "Kafka message %s of %s[%s] is dropped, as it cannot be recorded: %s",
                    message.offset,
                    message.topic,
                    message.partition,
                    error,
                )
                continue
            rows.append((consumer.row(message, self._engine), inputs))
        return rows

    def _complain(self, consumer: Consumer, error: Any, kafka: Any) -> None:
        if error.code() == kafka.KafkaError._PARTITION_EOF:
            return
        if error.fatal():
            raise kafka.KafkaException(error)
        logger.error("Kafka consumer %s: %s", consumer.group_id, error)


def library() -> Any:
    """The package. Raises DBOSInitializationError if it is not installed."""
    try:
        import confluent_kafka
    except ImportError:
        raise DBOSInitializationError(
            "Kafka consumers need confluent-kafka: pip install 'dboshub[kafka]'"
        ) from None
    return confluent_kafka


def read(message: Any) -> KafkaMessage:
    """A client's message as a value that can be recorded."""
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
