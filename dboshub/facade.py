"""The public class ``DBOS``: parts of each app, and launch and destruction of the engine."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar

from dboshub.config import DBOSConfig, changed_keys, checked, refuse_removed
from dboshub.frameworks import asgi, wsgi
from dboshub.frameworks.lifespan import Lifespan
from dboshub.frameworks.requests import current_request
from dboshub.queues.api.facade import QueuesAPI
from dboshub.queues.api.kafka import KafkaAPI
from dboshub.schedules.api.facade import SchedulesAPI
from dboshub.telemetry.api import TelemetryAPI
from dboshub.workflows.api.functions import ClassProperty
from dboshub.workflows.api.transactions import TransactionsAPI
from dboshub.workflows.api.workflows import WorkflowsAPI
from dboshub.workflows.engine.current_engine import (
    close_process_client,
    say_created,
    set_process_identity,
    verify_may_launch,
)
from dboshub.workflows.engine.errors import DBOSException, DBOSInitializationError
from dboshub.workflows.engine.observability.alerts import AlertHandler, logging_errors
from dboshub.workflows.engine.observability.logs import configure as configure_logging
from dboshub.workflows.engine.registration.registry import registry

logger = logging.getLogger("dboshub")

GRACE_S = 5.0


class DBOS(
    WorkflowsAPI,
    TransactionsAPI,
    QueuesAPI,
    KafkaAPI,
    SchedulesAPI,
    TelemetryAPI,
):
    """Durable workflows. ``DBOS(config=…)`` configures them, ``DBOS.launch()`` starts them.

    A process has one: constructing it again returns the first one, until ``destroy()``.
    """

    _instance: ClassVar[DBOS | None] = None
    _runtime: ClassVar[Any] = None
    _alert_handler: ClassVar[AlertHandler | None] = None
    config: dict[str, Any]
    request = ClassProperty(current_request)

    def __new__(
        cls,
        *,
        config: DBOSConfig,
        conductor_url: str | None = None,
        conductor_key: str | None = None,
        fastapi: Any = None,
        flask: Any = None,
    ) -> DBOS:
        """Check the configuration; an app of FastAPI or Flask launches and destroys the engine.

        Raises DBOSInitializationError for an invalid configuration and for Conductor's options.
        """
        refuse_removed({"conductor_url": conductor_url, "conductor_key": conductor_key})
        if DBOS._instance is None:
            instance = super().__new__(cls)
            instance.config = checked(config)
            levels = [instance.config.get(key) for key in ("log_level", "console_log_level")]
            configure_logging(*levels)
            DBOS._instance = instance
            say_created(True)
            set_process_identity(
                instance.config["application_version"], instance.config["executor_id"]
            )
            life = Lifespan(cls._launch, cls.destroy, lambda: DBOS._runtime)
            if fastapi is not None:
                asgi.install(fastapi, life)
            if flask is not None:
                wsgi.install(flask, life)
        elif changed := changed_keys(DBOS._instance.config, config):
            logger.warning(
                "DBOS is configured already as %r: another configuration, which differs in %s, is "
                "ignored; call DBOS.destroy() before it",
                DBOS._instance.config["name"],
                ", ".join(changed),
            )
        return DBOS._instance

    @classmethod
    def launch(cls) -> None:
        """Create or verify the system database, recover workflows, and start to claim.

        Coroutine workflows that no running event loop starts run on the loop that runs here now,
        as long as it does; without one, on the engine's own.

        Raises DBOSInitializationError for a bad configuration, DatabaseUnreachableError and
        SchemaError for a database that cannot be used. A second call only warns.
        """
        cls._launch(asyncio._get_running_loop())

    @classmethod
    def _launch(cls, loop: asyncio.AbstractEventLoop | None) -> None:
        if cls._instance is None:
            raise DBOSException(
                "DBOS.launch() was called without a DBOS instance. Construct DBOS(config=…) first; "
                "DBOS.destroy() discards the instance."
            )
        if DBOS._runtime is not None:
            logger.warning("DBOS is launched already: DBOS.launch() again does nothing")
            return
        verify_may_launch()
        from dboshub.runtime.lifecycle import Runtime

        try:
            runtime = Runtime(cls._instance.config, registry, cls.listened_queues())
        except DBOSInitializationError as error:
            # The sentence says it all: of the traceback only the caller's line helps.
            raise error.with_traceback(None) from None
        if DBOS._alert_handler is not None:
            runtime.engine.alert = logging_errors(DBOS._alert_handler)
        runtime.engine.loop.adopt(loop)
        try:
            runtime.start()
        except BaseException:
            try:
                runtime.stop(completion_timeout=0, grace=0)
            except Exception:
                logger.exception("DBOS was not launched, and one of its parts did not stop")
            raise
        DBOS._runtime = runtime
        settings = runtime.settings
        set_process_identity(settings.application_version, settings.executor_id)

    @classmethod
    def alert_handler(cls, func: AlertHandler) -> AlertHandler:
        """Decorator: call a function with ``(name, message, metadata)`` of each alert.

        A process has one handler, declared between ``DBOS(config=…)`` and ``launch()``; otherwise
        DBOSException is raised. A dead-lettered workflow, which was started too often without
        ending, causes an alert.
        """
        if cls._instance is None or DBOS._runtime is not None:
            raise DBOSException(
                "alert_handler must be defined before DBOS is launched, and after DBOS(config=…)"
            )
        if DBOS._alert_handler is not None:
            raise DBOSException(
                "An alert_handler is already defined. You can only declare one alert_handler."
            )
        DBOS._alert_handler = func
        return func

    @staticmethod
    def migrate(
        system_database_url: str,
        *,
        schema: str = "dbos",
        application_role: str | None = None,
        sharding: bool = False,
    ) -> None:
        """Create or upgrade a system database, without launch.

        See ``run_dbos_database_migrations``.
        """
        # The driver is imported when a database is opened.
        from dboshub.runtime.schema_migration import run_dbos_database_migrations

        run_dbos_database_migrations(
            system_database_url,
            schema=schema,
            application_role=application_role,
            sharding=sharding,
        )

    @classmethod
    def destroy(
        cls,
        *,
        destroy_registry: bool = False,
        workflow_completion_timeout_sec: float = 0,
        grace_period_sec: float = GRACE_S,
    ) -> None:
        """Stop all parts of the engine; unfinished workflows are enqueued for any executor.

        Waits up to `workflow_completion_timeout_sec` for running workflows, then up to
        `grace_period_sec` for running steps. `destroy_registry` also removes all registered
        functions. Each part is stopped although another one fails; the last such error is raised.
        Without a launch this does nothing.
        """
        runtime, DBOS._runtime = DBOS._runtime, None
        DBOS._instance = DBOS._alert_handler = None
        say_created(False)
        close_process_client()
        if runtime is not None:
            runtime.stop(completion_timeout=workflow_completion_timeout_sec, grace=grace_period_sec)
        cls.forget_queues(declared=destroy_registry)
        if destroy_registry:
            registry.clear()

    @classmethod
    def reset_system_database(
        cls,
        *,
        system_database_url: str | None = None,
        schema: str | None = None,
        truncate: bool = False,
    ) -> None:
        """Drop the system database, or with `truncate` empty its tables. For tests only.

        Raises AssertionError after launch. Without a URL that of the configured DBOS is used.
        """
        assert DBOS._runtime is None, (
            "The system database cannot be reset after DBOS is launched: reset it before, and only "
            "in tests"
        )
        config = cls._instance.config if cls._instance is not None else {}
        url = system_database_url or config.get("system_database_url")
        if url is None:
            logger.warning("nothing to reset: DBOS is not configured and no URL was given")
            return
        from dboshub.workflows.storage.schema.reset import reset

        reset(url, schema=schema or config.get("dbos_system_schema", "dbos"), truncate=truncate)
