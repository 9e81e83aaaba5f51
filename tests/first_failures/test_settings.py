"""A value that a setting cannot have is refused with its name, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dboshub import DBOS
from dboshub.workflows.engine.errors import DBOSInitializationError
from tests.first_failures.conftest import Manage

VARIABLES = {
    "DBOSHUB_ALLOWED_HOSTS": ("https://hub.example.com", "is not a host; write hub.example.com"),
    "DBOSHUB_TRUSTED_ORIGINS": ("hub.example.com", "is not an origin; write https://hub"),
    "DBOSHUB_LOG_LEVEL": ("CHATTY", "is none of CRITICAL, ERROR, WARNING, INFO, DEBUG"),
    "DBOSHUB_SQLITE_SYNC": ("OFF", "is none of FULL, NORMAL, EXTRA"),
    "DBOSHUB_DATABASE_POOL": ("many", "is not a whole number from 0 to 500"),
    "DBOSHUB_HTTPS": ("maybe", "is neither on nor off; write 1 or 0"),
    "DBOS_SYSTEM_SCHEMA": ("pg_own", "names no schema"),
    "DBOSHUB_DATABASE_URL": ("mysql://h/db", "cannot be used: it must start with sqlite:///"),
}
CONFIGURATION: list[tuple[str, Any, str]] = [
    ("admin_port", 99_999, "is 99999: give a whole number from 0 to 65535"),
    ("max_executor_threads", 10_001, "is 10001: give a whole number from 1 to 10000"),
    ("max_executor_threads", True, "is True: give a whole number from 1 to 10000"),
    ("sys_db_pool_size", 2.5, "is 2.5: give a whole number from 1 to 10000"),
    ("run_migrations", "no", "is 'no': give True or False"),
    ("enable_otlp", 5, "is 5: give True or False"),
    ("executor_lease_sec", float("nan"), "must be a finite number at least 0.003 seconds, got nan"),
    (
        "scheduler_polling_interval_sec",
        0,
        "must be a finite number at least 0.001 seconds, got 0: give at most 31622400",
    ),
    ("observability_query_timeout_sec", True, "must be a finite number at least 0 seconds"),
    ("otlp_attributes", {"a": 1}, "give a dict of texts"),
    ("otel_attribute_format", "xml", "is 'xml': give legacy or semconv"),
    ("executor_id", "", "is '': give text, or leave it out"),
    ("listen_url", 5, "is 5: give text, or leave it out"),
]


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_is_named_with_its_value_and_what_is_allowed(name: str, manage: Manage) -> None:
    value, allowed = VARIABLES[name]
    done = manage("", "check", **{name: value})
    assert done.returncode == 1
    assert done.stderr.startswith(f"{name}: {value!r} {allowed}"), done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("key", "value", "sentence"), CONFIGURATION)
def test_a_key_is_named_with_its_value_and_range(key: str, value: Any, sentence: str) -> None:
    with pytest.raises(DBOSInitializationError) as raised:
        DBOS(config={"name": "shop", key: value})  # type: ignore[misc]
    assert f"{key} {sentence}" in str(raised.value) or (
        str(raised.value).endswith(sentence) and f"{key} is " in str(raised.value)
    )


def test_an_unknown_key_is_compared_with_those_that_are() -> None:
    with pytest.raises(DBOSInitializationError) as raised:
        DBOS(config={"name": "shop", "sys_db_pol_size": 1})  # type: ignore[typeddict-unknown-key]
    assert "unknown configuration sys_db_pol_size (did you mean sys_db_pool_size?)" in str(
        raised.value
    )


def test_a_refusal_shows_no_secret() -> None:
    for key, value in (
        ("system_database_url", "postgresql://ada:tops3cret@h/x\x00"),
        ("listen_url", "postgresql://ada:tops3cret@h/x\x00"),
    ):
        with pytest.raises(DBOSInitializationError) as raised:
            DBOS(config={"name": "shop", key: value})  # type: ignore[misc]
        assert "tops3cret" not in str(raised.value)
        assert key in str(raised.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"run_migrations": True, "use_listen_notify": False},
        {"sys_db_idle_transaction_timeout_sec": 0, "observability_query_timeout_sec": 0},
        {"admin_port": 0, "log_level": "warning", "sys_db_pool_size": 3},
        {"executor_lease_sec": 3, "executor_heartbeat_sec": 0.5},
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_allowed_launches(changes: dict[str, Any], launch: Callable[..., None]) -> None:
    launch(**changes)
    assert DBOS.list_workflows() == []
