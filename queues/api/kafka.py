"""The part of the public class ``DBOS`` for Kafka."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from dboshub.queues.engine.kafka import Consumer, KafkaOrdering, consumers
from dboshub.workflows.engine.registration.decorated import with_parentheses
from dboshub.workflows.engine.registration.registry import registry

F = TypeVar("F", bound=Callable[..., Any])


class KafkaAPI:
    """One workflow for each Kafka message, executed exactly once."""

    @staticmethod
    @with_parentheses("@DBOS.kafka_consumer(config, topics)")
    def kafka_consumer(
        config: dict[str, Any],
        topics: list[str],
        *,
        ordering: KafkaOrdering | None = None,
        batch_size: int = 250,
        queue_name: str | None = None,
    ) -> Callable[[F], F]:
        """Run a workflow, which is decorated below this, for each message of some topics.

        The workflow gets one KafkaMessage. `config` is passed to ``confluent-kafka``, which must be
        installed at launch. `ordering` "partition" or "topic" runs the messages of a partition or
        topic one after the other; "none" runs them concurrently, on `queue_name` if it is given.
        At most `batch_size` messages are enqueued in one transaction. Raises DBOSException for a
        function that is no workflow, and DBOSInitializationError for contradicting options.
        """

        def decorate(function: F) -> F:
            consumer = Consumer(
                target=registry.target(function),
                config=dict(config),
                topics=tuple(topics),
                ordering=ordering or "none",
                batch_size=batch_size,
                queue_name=queue_name,
            )
            consumers.declare(consumer)
            return function

        return decorate
