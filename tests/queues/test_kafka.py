"""Kafka messages as workflows, exactly once and in order.

The broker is librdkafka's mock cluster: in this process, but reached through sockets, in Kafka's
protocol, by the very client that real brokers are reached by.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from confluent_kafka import Producer

from dboshub import DBOS, KafkaMessage, Queue, Serializer
from dboshub.queues.engine.kafka import ORDERED_QUEUE, Consumer, consumers
from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.kafka_listener import Listeners
from dboshub.queues.storage.claim import Claimant, ClaimRequest
from dboshub.queues.storage.limited_claim import claim_within_limits
from dboshub.workflows.engine.current_engine import engine
from dboshub.workflows.engine.errors import DBOSException, DBOSInitializationError
from dboshub.workflows.engine.registration.registry import registry
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Session
from tests.support.eventually import eventually
from tests.support.launched import config, dbos, launch

__all__ = ["config", "dbos", "launch"]
IDS = [
    f"kafka-unique-id-orders-{partition}-shop-{offset}" for partition in (0, 1) for offset in (0, 1)
]
Broker = Callable[..., dict[str, Any]]


class Json(Serializer):
    def serialize(self, data: Any) -> str:
        return json.dumps(data)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)


class Flaky:
    """A store whose database is away at first."""

    def __init__(self, inbox: Any) -> None:
        self._inbox = inbox
        self.failures = 0

    def put(self, rows: Sequence[Any]) -> None:
        if self.failures < 2:
            self.failures += 1
            raise ConnectionError("the database is away")
        self._inbox.put(rows)


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Start a cluster with messages in topic orders, odd ones in partition 1; how to reach it."""
    producers = []

    def start(*values: str) -> dict[str, Any]:
        producer = Producer(
            {"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0}
        )
        producers.append(producer)
        (found,) = producer.list_topics(timeout=10).brokers.values()
        for number, value in enumerate(values):
            producer.produce("orders", value, key="k", partition=number % 2, headers=[("h", b"1")])
        assert producer.flush(10) == 0
        # The newer protocol of groups joins at once; the older one waits three seconds for others.
        return {
            "bootstrap.servers": f"{found.host}:{found.port}",
            "group.id": "shop",
            "group.protocol": "consumer",
            "log_level": 0,
        }

    yield start
    producers.clear()


@pytest.fixture(autouse=True)
def no_other_consumers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "_declared", [])


class Orders:
    """A workflow that remembers its messages, and how many ran at once in a partition."""

    def __init__(self, name: str) -> None:
        self.messages: list[KafkaMessage] = []
        self.most_at_once = 0
        self._running: dict[int | None, int] = {}
        self._lock = threading.Lock()
        self.workflow = DBOS.workflow(name=name)(self.take)

    def take(self, message: KafkaMessage) -> str:
        with self._lock:
            self._running[message.partition] = self._running.get(message.partition, 0) + 1
            self.most_at_once = max(self.most_at_once, self._running[message.partition])
            self.messages.append(message)
        DBOS.sleep(0.02)
        with self._lock:
            self._running[message.partition] -= 1
        assert isinstance(message.value, bytes)
        return message.value.decode()

    def seen(self) -> list[tuple[Any, ...]]:
        return [(each.partition, each.offset, each.value) for each in self.messages]


def consumer(function: Any, config: dict[str, Any], **options: Any) -> Consumer:
    given = {"ordering": "none", "batch_size": 10, "queue_name": None, **options}
    return Consumer(target=registry.target(function), config=config, topics=("orders",), **given)


def ended() -> list[str]:
    return sorted(each.workflow_id for each in DBOS.list_workflows(status="SUCCESS"))


def test_each_message_is_one_workflow_however_often_it_is_delivered(
    broker: Broker, launch: Callable[..., None]
) -> None:
    orders = Orders("kafka.once")
    DBOS.kafka_consumer(broker("a", "b", "c", "d"), ["orders"])(orders.workflow)
    launch()
    eventually(lambda: ended() == IDS, timeout=20)
    DBOS.destroy(grace_period_sec=2)
    # Another cluster knows nothing of offsets, and delivers all of them again, and one more.
    consumers.clear()
    DBOS.kafka_consumer(broker("a", "b", "c", "d", "e"), ["orders"])(orders.workflow)
    launch()
    eventually(lambda: len(ended()) == 5, timeout=20)
    assert sorted(orders.seen()) == [
        (0, 0, b"a"),
        (0, 1, b"c"),
        (0, 2, b"e"),
        (1, 0, b"b"),
        (1, 1, b"d"),
    ]
    row = DBOS.list_workflows(workflow_ids=IDS[0])[0]
    assert (row.queue_name, row.queue_partition_key) == ("_dbos_kafka_queue", None)
    (first, *_) = [each for each in orders.messages if each.value == b"a"]
    assert (first.topic, first.key, first.headers) == ("orders", b"k", [("h", b"1")])


@pytest.mark.parametrize(
    ("ordering", "keys"),
    [("partition", {"shop:orders:0", "shop:orders:1"}), ("topic", {"shop:orders"})],
)
def test_ordered_messages_run_one_after_the_other(
    ordering: Any, keys: set[str], broker: Broker, launch: Callable[..., None]
) -> None:
    orders = Orders(f"kafka.{ordering}")
    values = [str(number) for number in range(10)]
    DBOS.kafka_consumer(broker(*values), ["orders"], ordering=ordering)(orders.workflow)
    launch(kafka_queue_polling_interval_sec=0.1)
    eventually(lambda: len(ended()) == 10, timeout=30)
    assert orders.most_at_once == 1
    for partition in (0, 1):
        offsets = [offset for place, offset, _ in orders.seen() if place == partition]
        assert offsets == sorted(offsets)
    rows = DBOS.list_workflows()
    assert {row.queue_partition_key for row in rows} == keys
    assert {row.queue_name for row in rows} == {"_dbos_kafka_ordered_queue"}


def test_processes_take_turns_at_the_ordered_queue(postgres_url: str) -> None:
    database = open_database(postgres_url)
    migrate(database)
    shop, mall = (Claimant(name, "v1", "local") for name in ("shop", "mall"))

    def claim(session: Session, claimant: Claimant) -> bool:
        """Whether another process of the application was claiming from the queue."""
        queue = QueueSettings(name=ORDERED_QUEUE)
        request = ClaimRequest(claimant=claimant, queue=queue, tokens=["token"])
        return claim_within_limits(session, request).contended

    with database.writing() as mine:
        assert not claim(mine, shop)
        with database.writing() as others:
            assert claim(others, shop)
            assert not claim(others, mall)
    with database.writing() as later:
        assert not claim(later, shop)
    database.close()


def test_what_could_not_be_enqueued_is_delivered_again(broker: Broker, dbos: type[DBOS]) -> None:
    from dboshub.facade import DBOS as FACADE

    Queue("kafka-own")
    orders = Orders("kafka.flaky")
    inbox = Flaky(FACADE._runtime._queue_store())
    listeners = Listeners(engine(), inbox, lambda queue_name: FACADE._runtime.wake_queues())
    try:
        listeners.listen(consumer(orders.workflow, broker("a", "b"), queue_name="kafka-own"))
        eventually(lambda: len(ended()) == 2, timeout=20)
    finally:
        listeners.stop()
    assert (inbox.failures, len(orders.messages)) == (2, 2)
    assert {each.queue_name for each in DBOS.list_workflows()} == {"kafka-own"}


def test_what_cannot_be_recorded_is_dropped_and_said_to_be(
    broker: Broker, launch: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    orders = Orders("kafka.json")
    DBOS.kafka_consumer(broker("a"), ["orders"])(orders.workflow)
    with caplog.at_level(logging.ERROR, logger="dboshub.kafka"):
        launch(serializer=Json())
        eventually(lambda: "message 0 of orders[0] is skipped" in caplog.text, timeout=20)
    assert DBOS.list_workflows() == []


def test_a_group_is_named_after_its_workflow_and_topics() -> None:
    workflow = DBOS.workflow(name="kafka.na_med")(lambda message: None)
    one = Consumer(
        target=registry.target(workflow),
        config={"auto.offset.reset": "latest", "enable.auto.commit": False},
        topics=("t.1", "t_2"),
        ordering="none",
        batch_size=1,
        queue_name=None,
    )
    assert one.client_config == {
        "group.id": "dbos-kafka-group-kafkanamed-t1-t2",
        "auto.offset.reset": "latest",
        "enable.auto.offset.store": False,
        "enable.auto.commit": True,
    }


def test_options_that_contradict_each_other_are_refused() -> None:
    workflow = DBOS.workflow(name="kafka.refused")(lambda message: None)
    Queue("kafka-partitioned", concurrency=1, partition_queue=True)

    def declare(**options: Any) -> None:
        DBOS.kafka_consumer({}, ["orders"], **options)(workflow)

    with pytest.raises(DBOSInitializationError, match='"none", "partition", or "topic"'):
        declare(ordering="random")
    with pytest.raises(DBOSInitializationError, match="must be positive"):
        declare(batch_size=0)
    with pytest.raises(DBOSInitializationError, match="internal partitioned queue"):
        declare(ordering="topic", queue_name="mine")
    with pytest.raises(DBOSInitializationError, match="partitioned"):
        declare(queue_name="kafka-partitioned")
    with pytest.raises(DBOSException, match="not a registered workflow"):
        DBOS.kafka_consumer({}, ["orders"])(len)


def test_without_confluent_kafka_the_launch_says_what_to_install(
    launch: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    DBOS.kafka_consumer({}, ["orders"])(DBOS.workflow(name="kafka.lacking")(lambda message: None))
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(DBOSInitializationError, match=r"pip install 'dboshub\[kafka\]'"):
        launch()
