"""The part of the public class ``DBOS`` for Kafka."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from dboshub.queues.engine.kafka import Consumer, KafkaOrdering, consumers
from dboshub.workflows.engine.registration.decorated import with_parentheses
from dboshub.workflows.engine.registration.registry import registry

F = TypeVar("F", bound=Callable[..., Any])


class KafkaAPI:
    """A workflow for each message, exactly once."""

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
        """Run a workflow, decorated below this, for each message of some topics.

        It is given one KafkaMessage. `config` is that of ``confluent-kafka``, which must be
        installed at launch. By `ordering` messages of a partition, or of a topic, run one after
        the other; else they run at once, on `queue_name` if it is given. Raises DBOSException for
        what is no workflow, and DBOSInitializationError for options that contradict each other.
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
