"""Start and stop of a launched engine with its threads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from dboshub.admin_server.startup import opened as start_admin_server
from dboshub.queues.engine.dispatcher import Dispatcher, DispatcherConfig
from dboshub.queues.engine.kafka import consumers
from dboshub.queues.engine.maintenance import Maintenance
from dboshub.queues.engine.queue_registry import queue_registry
from dboshub.queues.kafka_listener import Listeners
from dboshub.queues.storage.store import QueueStore, RegistryStore
from dboshub.runtime.engine_host import EngineHost
from dboshub.runtime.stop_budget import StopBudget
from dboshub.runtime.wiring import (
    executor_hooks,
    new_engine,
    new_executor,
    notice_transport,
    open_queues,
    open_system_database,
    register_version,
    settings_of,
    storage_of,
)
from dboshub.schedules.engine.runs import Runs
from dboshub.schedules.engine.schedule_registry import ScheduleServices, schedule_registry
from dboshub.schedules.engine.ticker import Ticker
from dboshub.schedules.storage.store import ScheduleStore
from dboshub.telemetry.startup import opened as start_telemetry
from dboshub.workflows.datasources.lifecycle import checkpoint_deletion, release
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.clock import DatabaseClock
from dboshub.workflows.engine.membership.heartbeat import HeartbeatLoop
from dboshub.workflows.engine.membership.incarnations import is_proven_dead, this_process
from dboshub.workflows.engine.registration.registry import Registry
from dboshub.workflows.engine.suspension.suspending import Suspending
from dboshub.workflows.engine.waiting.notices import QUEUE, STATUS
from dboshub.workflows.engine.waiting.wakeups import Wakeups
from dboshub.workflows.storage.membership import recover
from dboshub.workflows.storage.membership.database_membership import DatabaseMembership
from dboshub.workflows.storage.suspension.store import SqlSuspensionStore

if TYPE_CHECKING:
    from dboshub.admin_server.server import AdminServer

logger = logging.getLogger("dboshub")


class Runtime:
    """One launched engine with all its threads."""

    admin_server: AdminServer | None = None

    def __init__(
        self,
        config: dict[str, Any],
        registry: Registry,
        listen: Sequence[str] | None,
        *,
        wrap_storage: Callable[[Any], Any] = lambda port: port,
    ) -> None:
        """Open the database and make all parts. If that fails, close what was opened.

        `listen` names the queues to serve; None serves all. `wrap_storage` wraps each port to
        storage: tests make ports fail.
        """
        self.config = config
        self.listen = listen
        self.settings = settings_of(config, registry)
        self._budget = StopBudget(0.0)
        self._completion_timeout_s = self._grace_s = 0.0
        self._unfinished: list[tuple[str, str]] = []
        with ExitStack() as opened:
            self._open(opened, registry, wrap_storage)
            self._make_parts(listen, wrap_storage)
            self._stopping = opened.pop_all()

    def start(self) -> None:
        """Register, recover, and begin to claim. Raises what the database raises.

        After an error call `stop`: it stops the parts that were started.
        """
        # What is entered here is stopped in the opposite order.
        stopping = self._stopping
        register_version(self.database, self.clock, self.settings)
        stopping.callback(queue_registry.close)
        open_queues(self._registry_store(), self.engine, self.listen)
        stopping.callback(schedule_registry.close)
        schedule_registry.open(self.schedule_services)
        stopping.callback(self._stop_heartbeat)
        self.heartbeat.start()
        stopping.callback(self._hand_back)
        stopping.callback(current_engine.install, None)
        current_engine.install(self.engine)
        stopping.callback(lambda: self.wakeups.stop(self._budget.left() / 4))
        self.wakeups.start()
        stopping.callback(lambda: self.engine.close(self._budget.left() / 4))
        # What finds no thread for its workflow needs one to hand it back.
        self.engine.queries.keep_one()
        stopping.callback(release, self.engine)
        stopping.callback(lambda: self.suspending.stop(self._budget.left() / 4))
        self.suspending.start()
        stopping.callback(self._drain)
        stopping.callback(lambda: self.maintenance.stop(self._budget.share()))
        self.maintenance.start()
        stopping.callback(self.queues.close)
        stopping.callback(lambda: self.dispatcher.stop(self._budget.share()))
        self.dispatcher.start()
        self._apply_declared_schedules()
        stopping.callback(lambda: self.ticker.stop(self._budget.share()))
        self.ticker.start()
        stopping.callback(lambda: self.listeners.stop(self._budget.share()))
        stopping.callback(consumers.close)
        consumers.open(self.listeners.listen)
        self.admin_server = start_admin_server(self.config, self)
        if self.admin_server is not None:
            stopping.callback(self.admin_server.stop)

    def deactivate(self) -> None:
        """Start no more queued or scheduled workflows; running ones continue."""
        self.listeners.stop()
        self.ticker.stop()
        self.dispatcher.stop_claiming()

    def stop(self, *, completion_timeout: float, grace: float) -> None:
        """Stop claiming, let steps end, hand back what is unfinished, and close everything.

        Running workflows have `completion_timeout` seconds to end, then running steps have
        `grace` seconds; everything else ends within these and CLOSE_S, also without database.
        Each part is stopped although another one fails to stop; the last such error is raised at
        the end. Stopping again does nothing.
        """
        self._budget = StopBudget(completion_timeout + grace)
        self._completion_timeout_s, self._grace_s = completion_timeout, grace
        self._stopping.close()

    def wake_queues(self) -> None:
        """Make the dispatcher look for work in every queue."""
        self.dispatcher.wake()

    # -- starting --------------------------------------------------------------------------

    def _open(
        self, opened: ExitStack, registry: Registry, wrap_storage: Callable[[Any], Any]
    ) -> None:
        config = self.config
        self.telemetry = start_telemetry(config, self.settings)
        opened.callback(self.telemetry.close)
        self.database = open_system_database(config)
        opened.callback(self._close_database)
        storage = storage_of(
            self.database, listing_timeout_s=max(0, config["observability_query_timeout_sec"])
        )
        hooks = replace(executor_hooks(config, self.database), tracer=self.telemetry.tracer)
        self.clock = DatabaseClock()
        self.engine = new_engine(
            self.settings, config, registry, self.clock, wrap_storage(storage), hooks
        )
        opened.callback(lambda: self.engine.close(self._budget.left() / 4))

    def _make_parts(self, listen: Sequence[str] | None, wrap_storage: Callable[[Any], Any]) -> None:
        engine, config = self.engine, self.config
        host = self._host = EngineHost(engine, self.wake_queues)
        self.queues = self._queue_store()
        store = wrap_storage(self.queues)
        self.dispatcher = Dispatcher(
            store,
            host,
            clock=engine.clock,
            new_tokens=engine.new_tokens,
            config=DispatcherConfig(listen=listen),
            count_peers=lambda: self.heartbeat.peers,
        )
        self.maintenance = Maintenance(
            store,
            clock=engine.clock,
            enqueued=self.dispatcher.wake,
            cancelled=lambda workflow_id: engine.notices.publish([(STATUS, workflow_id)]),
        )
        self.suspending = Suspending(
            engine,
            wrap_storage(SqlSuspensionStore(self.database)),
            after_s=config["suspend_after_sec"],
        )
        self.listeners = Listeners(engine, store, self._announce)
        self.heartbeat = HeartbeatLoop(
            DatabaseMembership(self.database, new_executor(self.settings, config, listen)),
            host,
            lease=config["lease"],
            clock=self.clock,
            proven_dead=partial(is_proven_dead, mine=this_process()),
            incarnation=engine.incarnation,
        )
        self.wakeups = Wakeups(
            engine,
            wake_queues=self.wake_queues,
            transport=notice_transport(config, self.database),
            change_counter=self.database.change_counter(),
            poll_interval=config["notification_listener_polling_interval_sec"],
        )
        self.schedule_services, self.ticker = self._new_scheduling()
        engine.notices.on_enqueued = self._enqueued
        engine.before_rewind = checkpoint_deletion(engine)
        engine.has_limits = self.dispatcher.has_limits
        engine.slots.on_free = lambda holder: self.dispatcher.released(holder.queue_name)

    def _registry_store(self) -> RegistryStore:
        return RegistryStore(
            self.database,
            self.engine.clock,
            application=self.settings.application_name,
            version=self.settings.application_version,
        )

    def _apply_declared_schedules(self) -> None:
        no_context = self.engine.codec.encode(None)
        declared = schedule_registry.rows(
            self.engine.registry, self.settings.application_name, no_context
        )
        self.schedule_services.table.apply(declared)

    def _queue_store(self) -> QueueStore:
        return QueueStore(
            self.database,
            application=self.settings.application_name,
            version=self.settings.application_version,
            executor_id=self.settings.executor_id,
            kafka_interval=self._kafka_interval,
            refused=self._host.refused_keys,
        )

    def _kafka_interval(self) -> float | None:
        seconds: float = self.config["kafka_queue_polling_interval_sec"]
        return seconds if consumers.has_any else None

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

    # -- stopping --------------------------------------------------------------------------

    def _drain(self) -> None:
        """Wait for running workflows, then for running steps; note what is unfinished."""
        try:
            self._await_idle(self._completion_timeout_s)
            self.engine.drain()
            self._await_idle(self._grace_s)
        finally:
            self._unfinished = self.engine.executions.hand_back()

    def _await_idle(self, seconds: float) -> None:
        self.engine.executions.await_idle(min(seconds, self._budget.work_left()))

    def _close_database(self) -> None:
        self._budget.within(self.database.close, "the database was not closed")

    def _hand_back(self) -> None:
        """Enqueue what this process claimed and did not finish, for any executor."""
        otherwise = "work was not handed back, other executors will recover it"
        self._budget.within(self._enqueue_unfinished, otherwise)

    def _enqueue_unfinished(self) -> None:
        with self.database.writing() as session:
            now = self.engine.clock.now_ms()
            recover.hand_back(session, self._unfinished, now=now)
            recover.release(session, self.heartbeat.incarnation, now=now)

    def _stop_heartbeat(self) -> None:
        otherwise = "this executor's end was not recorded, its lease will expire"
        self._budget.within(self.heartbeat.stop, otherwise)
