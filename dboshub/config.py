"""What ``DBOS(config=…)`` accepts, checked before anything is opened."""

from __future__ import annotations

import os
from typing import Any, Literal, Required, TypedDict

from dboshub.config_rules import refuse_bad_values, refuse_unknown_keys
from dboshub.workflows.engine.errors import DBOSInitializationError
from dboshub.workflows.engine.membership.leases import Lease
from dboshub.workflows.engine.serialization import Serializer
from dboshub.workflows.engine.validation import APPLICATION_NAME
from dboshub.workflows.storage.database_urls import is_sqlite, with_suffix

DEFAULT_POOL = 20
IDLE_TRANSACTION_S = 60.0
QUERY_TIMEOUT_S = 30.0
SUSPEND_AFTER_S = 60.0


class DBOSConfig(TypedDict, total=False):
    """Only ``name`` is required; times are seconds.

    ``behind_pooler`` says that the URL leads to a pooler in transaction mode; ``listen_url`` is a
    direct connection beside it, for LISTEN alone. ``executor_lease_sec`` and
    ``executor_heartbeat_sec`` say how soon others take over the work of a process that died;
    ``max_executor_threads`` how many workflows run here at once. A workflow that waits longer than
    ``suspend_after_sec``, 60 by default, leaves memory; 0 keeps all of them there. ``enable_otlp``
    turns OpenTelemetry on. The admin server runs where there is an ``admin_token``, and answers
    with arguments and results only if ``admin_shows_payloads``. Listings and aggregates are given
    up after ``observability_query_timeout_sec``, 30 by default; 0 lets them take their time. Of a
    ``system_database_engine`` the URL is used, of ``db_engine_kwargs`` the ``pool_size``, as no
    SQLAlchemy engine is made; ``sys_db_polling_concurrency`` limits nothing, as one poll serves all
    that wait, and ``notification_coalesce_sec`` delays nothing, as writes that are committed
    together are told of together. The older ``database_url`` is the application database; the
    system database is then ``…_dbos_sys`` beside it, or the same SQLite file.
    """

    name: Required[str]
    system_database_url: str | None
    system_database_engine: Any
    application_database_url: str | None
    database_url: str | None
    dbos_system_schema: str | None
    sys_db_pool_size: int | None
    db_engine_kwargs: dict[str, Any] | None
    sys_db_polling_concurrency: int | None
    sys_db_idle_transaction_timeout_sec: float | None
    observability_query_timeout_sec: float | None
    sharding: bool
    run_migrations: bool
    use_listen_notify: bool | None
    behind_pooler: bool
    listen_url: str | None
    notification_listener_polling_interval_sec: float
    notification_coalesce_sec: float | None
    scheduler_polling_interval_sec: float
    kafka_queue_polling_interval_sec: float
    max_executor_threads: int | None
    application_version: str | None
    executor_id: str | None
    executor_lease_sec: float | None
    executor_heartbeat_sec: float | None
    suspend_after_sec: float | None
    enable_patching: bool | None
    serializer: Serializer | None
    log_level: str | None
    console_log_level: str | None
    enable_otlp: bool | None
    otlp_traces_endpoints: list[str] | None
    otlp_logs_endpoints: list[str] | None
    otlp_attributes: dict[str, str] | None
    otlp_log_level: str | None
    otel_attribute_format: Literal["legacy", "semconv"] | None
    run_admin_server: bool | None
    admin_host: str | None
    admin_port: int | None
    admin_token: str | None
    admin_shows_payloads: bool | None


_CONDUCTOR = "the dashboard and runworkers of this project replace Conductor"
_UPGRADE = "work waits for its version, or is forked or rewound with an application_version"
REMOVED = {
    "conductor_key": _CONDUCTOR,
    "conductor_url": _CONDUCTOR,
    "conductor_executor_metadata": _CONDUCTOR,
    "conductor_metadata_only_mode": _CONDUCTOR,
    "transact_enterprise_key": "nothing here needs a licence",
    "auto_upgrade": _UPGRADE,
    "auto_upgrade_interval_sec": _UPGRADE,
    "auto_upgrade_grace_sec": _UPGRADE,
}


def checked(config: DBOSConfig) -> dict[str, Any]:
    """The configuration with its defaults filled in. Raises DBOSInitializationError."""
    if not isinstance(config, dict):
        raise DBOSInitializationError("the configuration must be a dict: {'name': …}")
    given: dict[str, Any] = {key: value for key, value in config.items() if value is not None}
    refuse_removed(given)
    refuse_unknown_keys(given, {*DBOSConfig.__annotations__})
    pool_size = _engine_kwargs(given).get("pool_size")
    if pool_size is not None:
        given["sys_db_pool_size"] = pool_size
    refuse_bad_values(given)
    name = given.get("name")
    if name is None:
        raise DBOSInitializationError("Configuration must specify an application name as 'name'")
    if not isinstance(name, str) or not APPLICATION_NAME.match(name):
        raise DBOSInitializationError(
            f"Invalid app name {name!s:.100}. App names must be between 3 and 256 characters long "
            "and contain only lowercase letters, numbers, dashes, and underscores."
        )
    lease = Lease.of_seconds(given.get("executor_lease_sec"), given.get("executor_heartbeat_sec"))
    return {
        "system_database_url": _default_url(name, given),
        "dbos_system_schema": "dbos",
        "sys_db_pool_size": DEFAULT_POOL,
        "sys_db_idle_transaction_timeout_sec": IDLE_TRANSACTION_S,
        "observability_query_timeout_sec": QUERY_TIMEOUT_S,
        "run_migrations": True,
        "use_listen_notify": True,
        "behind_pooler": False,
        "notification_listener_polling_interval_sec": 1.0,
        "scheduler_polling_interval_sec": 30.0,
        "kafka_queue_polling_interval_sec": 1.0,
        "application_version": os.environ.get("DBOS__APPVERSION") or None,
        "application_database_url": given.get("database_url"),
        "executor_id": os.environ.get("DBOS__VMID") or "local",
        "admin_token": os.environ.get("DBOSHUB_ADMIN_SERVER_TOKEN"),
        "max_executor_threads": 1_000,
        "suspend_after_sec": SUSPEND_AFTER_S,
        "lease": lease,
        **given,
    }


def _engine_kwargs(given: dict[str, Any]) -> dict[str, Any]:
    kwargs = given.get("db_engine_kwargs")
    return kwargs if isinstance(kwargs, dict) else {}


def changed_keys(config: dict[str, Any], other: DBOSConfig) -> list[str]:
    """The keys of a second configuration whose values are not those of the first."""
    given = other if isinstance(other, dict) else {}
    return [key for key, value in given.items() if value is not None and config.get(key) != value]


def _default_url(name: str, given: dict[str, Any]) -> str:
    engine = given.get("system_database_engine")
    if "database_url" in given:
        return _beside(given["database_url"])
    return f"sqlite:///{name.replace('-', '_')}.sqlite" if engine is None else url_of(engine)


def _beside(application_url: str) -> str:
    """Where DBOS 2 kept the system database: beside the application's, or in its SQLite file."""
    if is_sqlite(application_url):
        return application_url
    return with_suffix(application_url, "_dbos_sys")


def url_of(engine: Any) -> str:
    """The URL of a SQLAlchemy engine: its pool, creator and events are not used here.

    Raises DBOSInitializationError for anything else.
    """
    try:
        return str(engine.url.render_as_string(hide_password=False))
    except AttributeError:
        raise DBOSInitializationError(
            f"system_database_engine is {engine!r:.100}: give a SQLAlchemy Engine, or its URL as "
            "system_database_url"
        ) from None


def refuse_removed(given: dict[str, Any]) -> None:
    """Raise DBOSInitializationError for what the dbos library knows and nobody needs here."""
    for key, advice in REMOVED.items():
        if given.get(key) is not None:
            raise DBOSInitializationError(f"{key} is not supported: {advice}")
