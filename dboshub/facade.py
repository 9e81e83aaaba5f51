"""The public class ``DBOS``: its parts come from the apps, its life cycle from here."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from dboshub.config import DBOSConfig, checked, refuse_removed
from dboshub.frameworks import asgi, wsgi
from dboshub.frameworks.lifespan import Lifespan
from dboshub.frameworks.requests import current_request
from dboshub.queues.api.facade import QueuesAPI
from dboshub.queues.api.kafka import KafkaAPI
from dboshub.runtime.schema_migration import run_dbos_database_migrations
from dboshub.schedules.api.facade import SchedulesAPI
from dboshub.telemetry.api import TelemetryAPI
from dboshub.workflows.api.functions import Current
from dboshub.workflows.api.transactions import TransactionsAPI
from dboshub.workflows.api.workflows import WorkflowsAPI
from dboshub.workflows.engine.current_engine import close_process_client
from dboshub.workflows.engine.errors import DBOSException, DBOSInitializationError
from dboshub.workflows.engine.observability.alerts import AlertHandler, guarded
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

    There is one per process; constructing it again returns the first until ``destroy()``.
    """

    _instance: ClassVar[DBOS | None] = None
    _runtime: ClassVar[Any] = None
    _alert_handler: ClassVar[AlertHandler | None] = None
    config: dict[str, Any]
    request = Current(current_request)

    def __new__(
        cls,
        *,
        config: DBOSConfig,
        conductor_url: str | None = None,
        conductor_key: str | None = None,
        fastapi: Any = None,
        flask: Any = None,
    ) -> DBOS:
        """With an application of FastAPI or Flask the engine lives as long as that serves.

        Raises DBOSInitializationError for a configuration that cannot be, and for Conductor.
        """
        refuse_removed({"conductor_url": conductor_url, "conductor_key": conductor_key})
        if DBOS._instance is None:
            instance = super().__new__(cls)
            instance.config = checked(config)
            level = instance.config.get("log_level") or instance.config.get("console_log_level")
            if level:
                logging.getLogger("dboshub").setLevel(level.upper())
            DBOS._instance = instance
            life = Lifespan(cls.launch, cls.destroy, lambda: DBOS._runtime)
            if fastapi is not None:
                asgi.install(fastapi, life)
            if flask is not None:
                wsgi.install(flask, life)
        return DBOS._instance

    @classmethod
    def launch(cls) -> None:
        """Create or check the system database, recover, and start to work.

        Raises DBOSInitializationError for a bad configuration, DatabaseUnreachableError and
        SchemaError for a database that cannot be used. A second call only warns.
        """
        if cls._instance is None:
            raise DBOSException("configure DBOS first: DBOS(config={'name': …})")
        if DBOS._runtime is not None:
            logger.warning("DBOS is launched already")
            return
        from dboshub.runtime.lifecycle import Runtime

        try:
            runtime = Runtime(cls._instance.config, registry, cls.listened_queues())
        except DBOSInitializationError as error:
            # The sentence says it all: of the traceback only the caller's line helps.
            raise error.with_traceback(None) from None
        if DBOS._alert_handler is not None:
            runtime.engine.alert = guarded(DBOS._alert_handler)
        try:
            runtime.start()
        except BaseException:
            try:
                runtime.stop(completion_timeout=0, grace=0)
            except Exception:
                logger.exception("DBOS was not launched, and one of its parts did not stop")
            raise
        DBOS._runtime = runtime

    @classmethod
    def alert_handler(cls, func: AlertHandler) -> AlertHandler:
        """Let a function hear ``(name, message, metadata)`` of every alert of this process.

        There is one, declared between ``DBOS(config=…)`` and ``launch()``; DBOSException otherwise.
        A workflow that was started too often without ending is an alert.
        """
        if cls._instance is None or DBOS._runtime is not None:
            raise DBOSException("declare the alert_handler after DBOS(config=…), before launch()")
        if DBOS._alert_handler is not None:
            raise DBOSException("there is an alert_handler already: declare only one")
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
        """Create or upgrade a system database without launching; see the function of this name."""
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
        """Stop everything; what is not finished is handed back, for others or the next launch.

        Waits for running workflows up to `workflow_completion_timeout_sec`, then for running
        steps up to `grace_period_sec`. Tolerates never having launched.
        """
        runtime, DBOS._runtime = DBOS._runtime, None
        DBOS._instance = DBOS._alert_handler = None
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
        """Drop the system database, or empty its tables: for tests, before ``launch()``.

        Raises AssertionError after launch. Without a URL it needs a configured DBOS.
        """
        assert DBOS._runtime is None, "reset the system database before DBOS.launch()"
        config = cls._instance.config if cls._instance is not None else {}
        url = system_database_url or config.get("system_database_url")
        if url is None:
            logger.warning("nothing to reset: DBOS is not configured and no URL was given")
            return
        from dboshub.workflows.storage.schema.reset import reset

        reset(url, schema=schema or config.get("dbos_system_schema", "dbos"), truncate=truncate)
