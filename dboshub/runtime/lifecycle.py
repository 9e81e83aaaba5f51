"""What ``DBOS.launch()`` puts together, and ``DBOS.destroy()`` takes apart in the other order."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from dboshub.admin_server.startup import opened as admin_server
from dboshub.queues.engine.dispatcher import Dispatcher, DispatcherConfig
from dboshub.queues.engine.kafka import consumers
from dboshub.queues.engine.maintenance import Maintenance
from dboshub.queues.engine.queue_registry import queue_registry
from dboshub.queues.kafka_listener import Listeners
from dboshub.queues.storage.store import QueueStore
from dboshub.runtime.wiring import (
    PostgresNotifier,
    database_clock,
    executor_hooks,
    new_engine,
    open_queues,
    open_system_database,
    proven_dead,
    settings_of,
    storage_of,
)
from dboshub.schedules.engine.runs import Runs
from dboshub.schedules.engine.schedule_registry import ScheduleServices, schedule_registry
from dboshub.schedules.engine.ticker import Ticker
from dboshub.schedules.storage.store import ScheduleStore
from dboshub.telemetry.startup import opened as telemetry
from dboshub.workflows.datasources.lifecycle import checkpoint_deletion, release
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.membership.heartbeat import HeartbeatLoop
from dboshub.workflows.engine.membership.incarnations import this_process
from dboshub.workflows.engine.records import ClaimedWorkflow
from dboshub.workflows.engine.registration.parameter_schema import Publisher
from dboshub.workflows.engine.registration.registry import Registry
from dboshub.workflows.engine.runtime.running import run_claimed
from dboshub.workflows.engine.waiting.notices import QUEUE, STATUS
from dboshub.workflows.engine.waiting.wakeups import Wakeups
from dboshub.workflows.storage.control import versions
from dboshub.workflows.storage.database import libpq_url
from dboshub.workflows.storage.membership import recover
from dboshub.workflows.storage.membership.database_membership import DatabaseMembership
from dboshub.workflows.storage.membership.executors import Executor
from dboshub.workflows.storage.postgres import PostgresDatabase

if TYPE_CHECKING:
    from dboshub.admin_server.server import AdminServer
    from dboshub.workflows.storage.database import Database

logger = logging.getLogger("dboshub")

MAX_ACTIVITIES = 500


class Runtime:
    """One launched engine with all its threads."""

    admin_server: AdminServer | None = None

    def __init__(
        self,
        config: dict[str, Any],
        registry: Registry,
        listen: Sequence[str] | None,
        *,
        around: Callable[[Any], Any] = lambda port: port,
    ) -> None:
        """`around` wraps the ports to storage: tests make them fail."""
        self.config = config
        self.listen = listen
        self.settings = settings_of(config, registry)
        self.telemetry = telemetry(config, self.settings)
        self.database = self._open_database()
        self.engine = new_engine(
            self.settings,
            config,
            registry,
            around(
                storage_of(
                    self.database, listing_timeout_s=config["observability_query_timeout_sec"]
                )
            ),
            replace(executor_hooks(config, self.database), tracer=self.telemetry.tracer),
        )
        store = around(self._queue_store())
        self.dispatcher = Dispatcher(
            store,
            self,
            clock=self.engine.clock,
            new_tokens=lambda count: [self.engine.new_token() for _ in range(count)],
            config=DispatcherConfig(listen=listen),
        )
        self.maintenance = Maintenance(
            store,
            clock=self.engine.clock,
            enqueued=self.dispatcher.wake,
            cancelled=lambda workflow_id: self.engine.notices.publish([(STATUS, workflow_id)]),
        )
        self.listeners = Listeners(self.engine, store, self._announce)
        self._functions = Publisher(self.engine.registry)
        self.heart = self._new_heart(listen)
        self.wakeups = Wakeups(
            self.engine,
            wake_queues=self.wake_queues,
            line=self._line(),
            change_counter=self.database.change_counter(),
            poll_interval=config["notification_listener_polling_interval_sec"],
        )
        self.schedule_services, self.ticker = self._new_scheduling()
        self.engine.notices.on_enqueued = self._enqueued
        self.engine.before_rewind = checkpoint_deletion(self.engine)
        self.engine.slots.on_free = lambda holder: self.dispatcher.released(holder.queue_name)

    def start(self) -> None:
        """Register, recover, and begin to claim. Raises what the database raises."""
        settings = self.settings
        with self.database.writing() as session:
            versions.register(
                session,
                settings.application_version,
                application=settings.application_name,
                now=self.engine.clock.now_ms(),
            )
        open_queues(self.database, self.engine, self.listen)
        self.heart.start()
        current_engine.install(self.engine)
        self.wakeups.start()
        self.dispatcher.start()
        self.maintenance.start()
        schedule_registry.open(self.schedule_services)
        no_context = self.engine.codec.encode(None)
        declared = schedule_registry.rows(
            self.engine.registry, settings.application_name, no_context
        )
        self.schedule_services.table.apply(declared)
        self.ticker.start()
        consumers.open(self.listeners.listen)
        self.admin_server = admin_server(self.config, self)

    def deactivate(self) -> None:
        """Start nothing more of what is queued or scheduled; what runs goes on."""
        self.listeners.stop()
        self.ticker.stop()
        self.dispatcher.stop_claiming()

    def stop(self, *, completion_timeout: float, grace: float) -> None:
        """Stop claiming, let steps end, hand back what is left, and close everything."""
        if self.admin_server is not None:
            self.admin_server.stop()
        consumers.close()
        self.listeners.stop()
        self.ticker.stop()
        self.dispatcher.stop()
        self.maintenance.stop()
        self._await_idle(completion_timeout)
        self.engine.drain()
        self._await_idle(grace)
        left = [(each.workflow_id, each.owner) for each in self.engine.executions]
        release(self.engine)
        self.engine.close(timeout=5)
        self.wakeups.stop()
        self._hand_back(left)
        try:
            self.heart.stop()
        except Exception as error:
            logger.warning("could not say goodbye, others will notice by the lease: %s", error)
        queue_registry.close()
        schedule_registry.close()
        current_engine.install(None)
        self.database.close()
        self.telemetry.close()

    # -- host of the dispatcher ------------------------------------------------------------

    def free_slots(self) -> int:
        return 0 if self.engine.is_draining else self.engine.slots.free

    def running_on(self, queue: str, partition: str | None = None) -> int:
        return self.engine.executions.count_on_queue(queue, partition)

    def run_claimed(self, workflow: ClaimedWorkflow) -> None:
        run_claimed(self.engine, workflow)

    # -- host of the heart -----------------------------------------------------------------

    def running_ids(self) -> set[str]:
        return {each.workflow_id for each in self.engine.executions}

    def activity(self) -> str:
        """What each workflow here does or waits for, for people who ask what is stuck."""
        running = ((each.workflow_id, each.activities.latest) for each in self.engine.executions)
        told = (doing.as_json(workflow_id) for workflow_id, doing in running if doing is not None)
        return json.dumps([*islice(told, MAX_ACTIVITIES)])

    def functions(self) -> str:
        return self._functions()

    def on_declared_dead(self) -> None:
        for execution in self.engine.executions:
            execution.revoke(None)

    def on_reregistered(self, incarnation: str) -> None:
        self.engine.incarnation = incarnation

    def wake_queues(self) -> None:
        self.dispatcher.wake()

    # -- parts -----------------------------------------------------------------------------

    def _open_database(self) -> Database:
        try:
            return open_system_database(self.config)
        except BaseException:
            self.telemetry.close()
            raise

    def _queue_store(self) -> QueueStore:
        settings = self.settings
        return QueueStore(
            self.database,
            application=settings.application_name,
            version=settings.application_version,
            executor_id=settings.executor_id,
            kafka_interval=self._kafka_interval,
        )

    def _kafka_interval(self) -> float | None:
        seconds: float = self.config["kafka_queue_polling_interval_sec"]
        return seconds if consumers.has_any else None

    def _new_heart(self, listen: Sequence[str] | None) -> HeartbeatLoop:
        return HeartbeatLoop(
            DatabaseMembership(self.database, self._executor(listen)),
            self,
            lease=self.config["lease"],
            clock=database_clock(self.engine),
            proven_dead=proven_dead(this_process()),
            incarnation=self.engine.incarnation,
        )

    def _new_scheduling(self) -> tuple[ScheduleServices, Ticker]:
        application = self.settings.application_name
        store = ScheduleStore(self.database, application=application)
        clock, codec = self.engine.clock, self.engine.codec
        runs = Runs(
            store,
            clock,
            codec,
            application=application,
            takes_actual_time=schedule_registry.declared,
        )
        ticker = Ticker(
            store,
            runs,
            enqueued=self._announce,
            interval=self.config["scheduler_polling_interval_sec"],
        )
        return ScheduleServices(store, runs, ticker.wake), ticker

    def _announce(self, queue_name: str) -> None:
        self.engine.notices.publish([(QUEUE, queue_name)])

    def _enqueued(self, queue_name: str, is_local: bool) -> None:
        self.dispatcher.wake(queue_name or None, is_local=is_local)

    def _executor(self, listen: Sequence[str] | None) -> Executor:
        settings = self.settings
        return Executor(
            executor_id=settings.executor_id,
            application_name=settings.application_name,
            application_version=settings.application_version,
            process=this_process(),
            lease_ms=self.config["lease"].lease_ms,
            queues=None if listen is None else json.dumps([*listen]),
            slots=settings.slots,
        )

    def _line(self) -> PostgresNotifier | None:
        if not isinstance(self.database, PostgresDatabase) or not self.config["use_listen_notify"]:
            return None
        # A pooler in transaction mode cannot LISTEN: without a way around it everything polls.
        around = self.config.get("listen_url")
        if around is None and self.config["behind_pooler"]:
            return None
        return PostgresNotifier(self.database, libpq_url(around) if around else self.database.url)

    def _await_idle(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.engine.executions and time.monotonic() < deadline:
            time.sleep(0.01)

    def _hand_back(self, owned: Iterable[tuple[str, str]]) -> None:
        """Let others go on at once with what this process did not finish."""
        try:
            with self.database.writing() as session:
                now = self.engine.clock.now_ms()
                recover.hand_back(session, owned, now=now)
                recover.release(session, self.heart.incarnation, now=now)
        except Exception as error:
            logger.warning("work was not handed back, others will take it over: %s", error)
