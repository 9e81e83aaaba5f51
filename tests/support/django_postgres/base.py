"""The backend's entry point: only the list of tables differs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.backends.postgresql.base import DatabaseWrapper as PostgresWrapper
from django.db.backends.postgresql.introspection import DatabaseIntrospection, TableInfo


class WithSystemSchema(DatabaseIntrospection):
    def get_table_list(self, cursor: Any) -> list[Any]:
        tables = super().get_table_list(cursor)
        cursor.execute(
            "SELECT tablename FROM pg_tables"
            " WHERE schemaname = %s AND tablename <> 'dbos_migrations'",
            [settings.DBOS_SYSTEM_SCHEMA],
        )
        system = [
            TableInfo(f'"{settings.DBOS_SYSTEM_SCHEMA}"."{name}"', "t", None)
            for (name,) in cursor.fetchall()
        ]
        return [*tables, *system]


class DatabaseWrapper(PostgresWrapper):
    introspection_class = WithSystemSchema
