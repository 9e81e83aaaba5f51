"""What each key of ``DBOS(config=…)`` accepts, for refusals that name key, value and range."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from dboshub.workflows.engine.errors import DBOSInitializationError
from dboshub.workflows.engine.serialization import Serializer
from dboshub.workflows.storage.database_urls import mask_password

LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")
LONGEST_S = 366 * 24 * 3600
MAX_THREADS = 10_000
MAX_CONNECTIONS = 10_000
HIGHEST_PORT = 65_535
SECRET = ("admin_token",)


@dataclass(frozen=True, slots=True)
class Rule:
    """`wants` completes the sentence "give …"."""

    wants: str
    accepts: Callable[[Any], bool]

    def refusal(self, key: str, value: str) -> str:
        """What to say of a value, as it is shown, that is not accepted."""
        return f"{key} is {value}: give {self.wants}"


class Seconds(Rule):
    """A time within a year; `wants` is the least."""

    def refusal(self, key: str, value: str) -> str:
        return (
            f"{key} must be a finite number at least {self.wants} seconds, got {value}: give at "
            f"most {LONGEST_S} (a year)"
        )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and "\x00" not in value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(least: int, most: int) -> Rule:
    return Rule(
        f"a whole number from {least} to {most}",
        lambda value: _is_number(value) and isinstance(value, int) and least <= value <= most,
    )


def _seconds(least: float) -> Rule:
    return Seconds(
        f"{least:g}",
        lambda value: _is_number(value) and least <= value <= LONGEST_S,
    )


# As in the dbos library, less than 0 sets no limit, as 0 does.
LIMIT_S = Seconds("0", lambda value: _is_number(value) and value <= LONGEST_S)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


TEXT = Rule("text, or leave it out", _is_text)
FLAG = Rule("True or False", lambda value: value in (True, False))
LEVEL = Rule(
    f"one of {', '.join(LEVELS)}, or a number",
    lambda value: str(value).upper() in LEVELS or type(value) is int,
)
URLS = Rule("a list of URLs", _are_texts)

RULES = {
    **dict.fromkeys(("system_database_url", "application_database_url", "database_url"), TEXT),
    **dict.fromkeys(("listen_url", "dbos_system_schema", "application_version"), TEXT),
    **dict.fromkeys(("executor_id", "admin_host"), TEXT),
    **dict.fromkeys(("run_migrations", "use_listen_notify", "behind_pooler"), FLAG),
    **dict.fromkeys(("enable_patching", "enable_otlp"), FLAG),
    **dict.fromkeys(("run_admin_server", "admin_shows_payloads"), FLAG),
    "sharding": Rule("False: sharded system databases are not supported", lambda value: not value),
    "sys_db_pool_size": _whole(1, MAX_CONNECTIONS),
    "max_executor_threads": _whole(1, MAX_THREADS),
    "admin_port": _whole(0, HIGHEST_PORT),
    "executor_lease_sec": _seconds(0.003),
    "executor_heartbeat_sec": _seconds(0.001),
    "suspend_after_sec": _seconds(0),
    **dict.fromkeys(
        ("sys_db_idle_transaction_timeout_sec", "observability_query_timeout_sec"), LIMIT_S
    ),
    "notification_listener_polling_interval_sec": _seconds(0.001),
    "notification_coalesce_sec": _seconds(0.001),
    "scheduler_polling_interval_sec": _seconds(0.001),
    "db_engine_kwargs": Rule("a dict", lambda value: isinstance(value, dict)),
    "kafka_queue_polling_interval_sec": _seconds(0.001),
    "log_level": LEVEL,
    "console_log_level": LEVEL,
    "otlp_log_level": LEVEL,
    "otlp_traces_endpoints": URLS,
    "otlp_logs_endpoints": URLS,
    "otlp_attributes": Rule(
        "a dict of texts",
        lambda value: isinstance(value, dict) and _are_texts([*value, *value.values()]),
    ),
    "otel_attribute_format": Rule(
        "legacy or semconv", lambda value: value in ("legacy", "semconv")
    ),
    "serializer": Rule(
        "an instance of a subclass of dboshub.Serializer",
        lambda value: isinstance(value, Serializer),
    ),
}


def refuse_bad_values(given: dict[str, Any]) -> None:
    """Raise DBOSInitializationError for a value that its key cannot have."""
    for key, value in given.items():
        rule = RULES.get(key)
        if rule is not None and not rule.accepts(value):
            raise DBOSInitializationError(rule.refusal(key, _shown(key, value)))


def refuse_unknown_keys(given: dict[str, Any], known: set[str]) -> None:
    """Raise DBOSInitializationError for a key that there is none of, with the nearest one."""
    unknown = sorted(set(given) - known)
    if not unknown:
        return
    told = ", ".join(f"{key}{_near(key, known)}" for key in unknown)
    raise DBOSInitializationError(
        f"unknown configuration {told}; known: {', '.join(sorted(known))}"
    )


def _near(key: str, known: set[str]) -> str:
    near = get_close_matches(key, sorted(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _shown(key: str, value: Any) -> str:
    if key in SECRET:
        return "not usable"
    if key.endswith("_url") and isinstance(value, str):
        value = mask_password(value)
    return f"{value!r:.100}"
