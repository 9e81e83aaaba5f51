"""A large skewed database, made inside the database: a million workflows in some minutes.

Two weeks up to now, made evenly but for one bulk enqueue of a fifth of all rows in one
millisecond. A fiftieth waits since the beginning, a hundredth failed, a tenth has one parent, a
thousandth belongs to one application; one name, and one workflow with 10,000 steps, are alone.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sqlite import SqliteDatabase

STEPS_EACH = 10
LONG_RUN, LONG_STEPS, MOTHER = "long-run", 10_000, "mother"
SPAN_MS = 14 * 24 * 3_600_000
FILLED = ("workflow_status", "operation_outputs", "workflow_input", "workflow_output")
ID = {
    "postgresql": "lpad(to_hex({0} * 2654435761 % 4294967296), 8, '0') "
    "|| lpad(to_hex({0}), 8, '0')",
    "sqlite": "printf('%08x%08x', {0} * 2654435761 % 4294967296, {0})",
}
NUMBERS = """WITH RECURSIVE numbers(n) AS (
    SELECT CAST(1 AS bigint) UNION ALL SELECT n + 1 FROM numbers WHERE n < {last}
)"""
WORKFLOWS = """
INSERT INTO {dbos}workflow_status
    (workflow_uuid, status, name, queue_name, created_at, updated_at, started_at_epoch_ms,
     completed_at, application_name, application_version, executor_id, authenticated_user,
     parent_workflow_id, schedule_name, attributes, recovery_attempts, priority,
     delay_until_epoch_ms, serialization)
{numbers}, made AS (
    SELECT n, {now} - {span} + CASE WHEN n BETWEEN {rows} * 6 / 10 AND {rows} * 8 / 10
        THEN {rows} * 8 / 10 ELSE n END * {span} / {rows} AS at,
    CASE WHEN n <= {rows} / 50 OR n > {rows} - 200 AND n % 2 = 1 THEN 'ENQUEUED'
        WHEN n > {rows} - 200 OR n % 100000 = 13 THEN 'PENDING'
        WHEN n % 2000 = 1 THEN 'DELAYED' WHEN n % 100 = 3 THEN 'ERROR'
        WHEN n % 1000 = 7 THEN 'CANCELLED' WHEN n % 5000 = 11 THEN 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'
        ELSE 'SUCCESS' END AS status
    FROM numbers
)
SELECT {id}, status,
    CASE WHEN n = {rows} / 10 THEN 'rare' WHEN n % 2 = 0 THEN 'common'
        WHEN n % 3 = 0 THEN 'invoice' ELSE 'task-' || (n % 40) END,
    CASE WHEN n <= {rows} / 50 THEN 'slow' WHEN n % 100000 = 17 THEN 'seldom'
        WHEN n % 3 = 1 OR status IN ('ENQUEUED', 'DELAYED') THEN 'orders'
        WHEN n % 3 = 2 THEN 'mail-' || (n % 50) END,
    at, at, CASE WHEN status NOT IN ('ENQUEUED', 'DELAYED') THEN at + n % 5000 END,
    CASE WHEN status NOT IN ('ENQUEUED', 'DELAYED', 'PENDING')
        THEN at + n % 5000 + n * 7919 % 60000 END,
    CASE WHEN n % 1000 = 0 THEN 'tiny' WHEN n % 5 = 0 THEN 'billing' ELSE 'shop' END,
    'v' || (1 + n * 20 / {rows}), 'worker-' || (n % 16), 'user-' || (n % 5000),
    CASE WHEN n % 10 = 1 THEN '{mother}' END, CASE WHEN n % 50 = 9 THEN 'nightly' END,
    CASE WHEN n % 4 = 0 THEN CAST('{"customer": ' || (n % 20000) || ', "tier": "'
        || CASE WHEN n % 40000 = 0 THEN 'gold' ELSE 'plain' END || '"}' AS {json}) END,
    1, n % 2, CASE WHEN status = 'DELAYED' THEN at + 2592000000 END, 'portable_json'
FROM made
"""
ALONE = f"""
INSERT INTO {{dbos}}workflow_status (workflow_uuid, status, name, created_at, updated_at,
    started_at_epoch_ms, completed_at, application_name, serialization)
VALUES ('{LONG_RUN}', 'SUCCESS', 'long', {{now}} - 3600000, {{now}}, {{now}} - 3600000,
    {{now}} - 60000, 'shop', 'portable_json'),
    ('{MOTHER}', 'SUCCESS', 'mother', {{now}} - {{span}}, {{now}}, {{now}} - {{span}},
    {{now}} - 60000, 'shop', 'portable_json')
"""
STEPS = """
INSERT INTO {dbos}operation_outputs
    (workflow_uuid, function_id, function_name, output, error, serialization,
     started_at_epoch_ms, completed_at_epoch_ms, application_name, retention_timestamp)
{numbers}
SELECT workflow_uuid, n, 'step-' || (n % 7),
    CASE WHEN status <> 'ERROR' OR n < 10 THEN '{"amount": 12, "currency": "EUR"}' END,
    CASE WHEN status = 'ERROR' AND n = 10
        THEN '{"name": "CardDeclined", "message": "card was declined"}' END,
    'portable_json', created_at + n * 100, created_at + n * 100 + 90, application_name, created_at
FROM {dbos}workflow_status CROSS JOIN numbers
WHERE {of}
"""
INPUTS = """
INSERT INTO {dbos}workflow_input (workflow_uuid, inputs, retention_timestamp)
SELECT workflow_uuid, '{"positionalArgs": ["order ' || workflow_uuid || '"], "namedArgs": {}}',
    created_at
FROM {dbos}workflow_status
"""
OUTPUTS = """
INSERT INTO {dbos}workflow_output (workflow_uuid, output, error, retention_timestamp)
SELECT workflow_uuid, CASE WHEN status = 'SUCCESS' THEN '"done"' END,
    CASE WHEN status <> 'SUCCESS' THEN '{"name": "' || CASE created_at % 3
        WHEN 0 THEN 'CardDeclined' WHEN 1 THEN 'TimeoutError' ELSE 'ValueError' END
        || '", "message": "order ' || workflow_uuid || ' refused"}' END, created_at
FROM {dbos}workflow_status WHERE completed_at IS NOT NULL
"""
QUEUES = """
INSERT INTO {dbos}queues (queue_id, name, concurrency)
{numbers} SELECT 'queue-' || n, CASE WHEN n = 1 THEN 'slow' WHEN n = 2 THEN 'orders'
    WHEN n = 3 THEN 'seldom' ELSE 'mail-' || (n - 4) END, 100 FROM numbers
"""
VERSIONS = """
INSERT INTO {dbos}application_versions
    (version_id, version_name, version_timestamp, created_at, application_name)
{numbers} SELECT 'version-' || n, 'v' || n, {now} - {span} + n, {now} - {span} + n, 'shop'
FROM numbers
"""
EXECUTORS = """
INSERT INTO {dbos}dboshub_executor
    (incarnation, executor_id, application_name, application_version, hostname, pid, lease_ms,
     registered_at, last_beat_at, slots, busy, queues, functions, activity)
{numbers}, names(functions) AS (
    SELECT '{' || {concat} || '}' FROM numbers
)
SELECT 'incarnation-' || n, 'worker-' || n, 'shop', 'v20', 'host-' || (n % 4), n, 864000000,
    {now} - {span}, {now}, 100, 10, '["orders", "slow"]', functions, '[]'
FROM numbers CROSS JOIN names
"""
SIGNATURE = """'"task-' || n || '": {"parameters": []}'"""
CONCAT = {
    "postgresql": f"string_agg({SIGNATURE}, ', ')",
    "sqlite": f"group_concat({SIGNATURE}, ', ')",
}


def fill(url: str, rows: int, steps_each: int = STEPS_EACH) -> None:
    """Fill a database without workflows; says what it does, and how long each part took."""
    database = open_database(url)
    migrate(database)
    # SQLite changes its journal only for who is alone.
    database.close()
    vendor = database.vendor
    known = {
        "dbos": "dbos." if vendor == "postgresql" else "",
        "json": "jsonb" if vendor == "postgresql" else "text",
        "id": ID[vendor].format("n"),
        "concat": CONCAT[vendor],
        "now": str(int(time.time() * 1_000)),
        "span": str(SPAN_MS),
        "rows": str(rows),
        "mother": MOTHER,
    }

    def text(script: str, last: int = 1, of: str = "") -> str:
        for name, value in {"numbers": NUMBERS, "last": str(last), "of": of, **known}.items():
            script = script.replace(f"{{{name}}}", value)
        return script

    with _raw(database) as raw, _without_indexes(raw, vendor):
        for label, script in (
            (f"{rows:,} workflows", text(WORKFLOWS, rows)),
            ("two of their own kind", text(ALONE)),
            (f"{rows * steps_each:,} steps", text(STEPS, steps_each, "name <> 'long'")),
            ("the long one's", text(STEPS, LONG_STEPS, "name = 'long'")),
            ("arguments", text(INPUTS)),
            ("results", text(OUTPUTS)),
            ("queues", text(QUEUES, 53)),
            ("versions", text(VERSIONS, 20)),
            ("executors", text(EXECUTORS, 32)),
        ):
            _timed(raw, label, script)
    if vendor == "postgresql":
        with _raw(database) as raw:
            _timed(raw, "vacuum", "VACUUM (ANALYZE)")


@contextmanager
def _raw(database: Database) -> Iterator[Any]:
    """A connection that hurries: should the machine fail, the database is made again."""
    if isinstance(database, SqliteDatabase):
        raw = sqlite3.connect(database.path, isolation_level=None)
        hasty = ("journal_mode=OFF", "synchronous=OFF", "cache_size=-4000000", "threads=2")
        for pragma in hasty:
            raw.execute(f"PRAGMA {pragma}")
        try:
            yield raw
            raw.execute("PRAGMA journal_mode=WAL")
        finally:
            raw.close()
        return
    with database.connect_raw() as raw:  # type: ignore[attr-defined]
        for setting in ("synchronous_commit = off", "maintenance_work_mem = '1GB'"):
            raw.execute(f"SET {setting}")
        yield raw


@contextmanager
def _without_indexes(raw: Any, vendor: str) -> Iterator[None]:
    """Make the secondary indexes, and the key of steps where it can go, after the rows."""
    tables = ", ".join(f"'{each}'" for each in FILLED)
    if vendor == "sqlite":
        found = raw.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
            f"AND tbl_name IN ({tables})"
        ).fetchall()
    else:
        found = raw.execute(
            "SELECT 'dbos.' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'dbos' "
            f"AND tablename IN ({tables}) "
            "AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        ).fetchall()
        key = "dbos.operation_outputs", "operation_outputs_pkey"
        raw.execute(f"ALTER TABLE {key[0]} DROP CONSTRAINT {key[1]}")
        again = f"ALTER TABLE {key[0]} ADD CONSTRAINT {key[1]} PRIMARY KEY"
        found += [("", f"{again} (workflow_uuid, function_id)")]
    for name, _ in found:
        if name:
            raw.execute(f"DROP INDEX {name}")
    yield
    for _, text in found:
        _timed(raw, "", text)


def _timed(raw: Any, label: str, script: str) -> None:
    begun = time.perf_counter()
    raw.execute(script)
    if label:
        print(f"  {label}: {time.perf_counter() - begun:.0f} s", flush=True)
