"""Many sleepers, made of those that the engine suspended: copies of their rows with other times."""

from __future__ import annotations

from typing import Any

import psycopg

Connection = psycopg.Connection[Any]
COLUMNS = """
    SELECT column_name
    FROM information_schema.columns
    WHERE table_schema = 'dbos' AND table_name = %s
    ORDER BY ordinal_position
"""
TABLES = ("workflow_status", "workflow_input", "operation_outputs")


def multiply(connection: Connection, models: list[str], prefix: str, number: int) -> None:
    """Copy suspended workflows in turn, so many times in all; the copies are `prefix`-0, -1, …"""
    for table in TABLES:
        names = [row[0] for row in connection.execute(COLUMNS, (table,))]
        chosen = {name: f'model."{name}"' for name in names}
        chosen["workflow_uuid"] = f"'{prefix}-' || n"
        statement = f"""
            INSERT INTO dbos.{table} ({", ".join(f'"{name}"' for name in chosen)})
            SELECT {", ".join(chosen.values())}
            FROM generate_series(0, {number - 1}) AS n
            JOIN dbos.{table} AS model ON model.workflow_uuid = (%s::text[])[1 + n %% %s]
        """
        connection.execute(statement.encode(), (models, len(models)))


def wake_evenly(connection: Connection, prefix: str, *, first_ms: int, rate: int) -> None:
    """Make the copies with a prefix due one after the other, `rate` in a second."""
    at = f"{first_ms} + split_part(workflow_uuid, '-', 2)::bigint * 1000 / {rate}"
    for change in (
        f"workflow_status SET delay_until_epoch_ms = {at}",
        f"operation_outputs SET output = (({at}) / 1000.0)::text, completed_at_epoch_ms = {at}",
    ):
        statement = f"""UPDATE dbos.{change}
            WHERE workflow_uuid >= %s COLLATE "C" AND workflow_uuid < %s COLLATE "C" """
        connection.execute(statement.encode(), span(prefix))


def span(prefix: str) -> tuple[str, str]:
    """The ids of the copies with a prefix are between these, in the order of characters."""
    return f"{prefix}-", f"{prefix}."
