"""The shape of a system database, in comparable form: tables, columns, keys, indexes, functions.

The hub's own tables and whatever else lies beside the system tables are left out.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Any

import psycopg

from dboshub.workflows.storage.database_urls import libpq_url, sqlite_path

Shape = dict[str, Any]
Rows = Callable[[str], list[tuple[Any, ...]]]

OURS = re.compile(r"dboshub_|django_|auth_|sqlite_")


def shape_of(url: str) -> Shape:
    """Everything two equal system databases have in common, keyed by what it is."""
    if url.startswith("sqlite"):
        lite = sqlite3.connect(sqlite_path(url))
        try:
            return _sqlite_shape(lambda query: lite.execute(query).fetchall())
        finally:
            lite.close()
    with psycopg.connect(libpq_url(url)) as connection:
        return _postgres_shape(lambda query: connection.execute(query.encode()).fetchall())


def _sqlite_shape(rows: Rows) -> Shape:
    names = [name for (name,) in rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    shape: Shape = {}
    for table in (name for name in names if not OURS.match(name)):
        for at, name, kind, required, default, key in rows(f"PRAGMA table_info({table})"):
            given = None if default == "NULL" else default
            shape[f"column {table}.{name}"] = (at, kind, bool(required), given, key)
        for key in rows(f"PRAGMA foreign_key_list({table})"):
            shape[f"foreign key {table}.{key[3]}"] = key[2:]
        for _, name, unique, origin, partial in rows(f"PRAGMA index_list({table})"):
            parts = [part[2:5] for part in rows(f"PRAGMA index_xinfo({name})")]
            shape[f"index {name}"] = (table, bool(unique), origin, bool(partial), parts)
    for table, name, text in rows(
        "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'index'"
    ):
        if text and not OURS.match(table):
            where = re.split(r"\bWHERE\b", text)[1:]
            shape[f"predicate of {name}"] = [re.sub(r"[\s\"()]", "", each) for each in where]
    return shape


def _postgres_shape(rows: Rows) -> Shape:
    shape: Shape = {}
    for table, at, name, *facts in rows(POSTGRES_COLUMNS):
        shape[f"column {table}.{name}"] = (at, *facts)
    for table, name, text in rows(POSTGRES_CONSTRAINTS):
        shape[f"constraint {table} {name}"] = text
    for table, name, text in rows(POSTGRES_INDEXES):
        shape[f"index {table} {name}"] = text
    for name, *facts in rows(POSTGRES_FUNCTIONS):
        shape[f"function {name}"] = facts
    for table, name, text in rows(POSTGRES_TRIGGERS):
        shape[f"trigger {table} {name}"] = text
    return {key: value for key, value in shape.items() if not OURS.match(key.split(" ")[1])}


# row_number, not attnum: columns dropped long ago leave gaps.
POSTGRES_COLUMNS = """
    SELECT c.relname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname,
        format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'dbos'::regnamespace AND c.relkind = 'r'
"""
POSTGRES_CONSTRAINTS = """
    SELECT c.relname, conname, pg_get_constraintdef(pg_constraint.oid)
    FROM pg_constraint JOIN pg_class c ON c.oid = conrelid
    WHERE connamespace = 'dbos'::regnamespace
"""
POSTGRES_INDEXES = """
    SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'dbos'
"""
POSTGRES_FUNCTIONS = """
    SELECT proname, pg_get_function_arguments(oid), pg_get_function_result(oid)
    FROM pg_proc WHERE pronamespace = 'dbos'::regnamespace
"""
POSTGRES_TRIGGERS = """
    SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
"""


def rows_of(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every system table, as the driver gives it."""
    tables = sorted({key.split(" ")[1].split(".")[0] for key in shape_of(url) if "column " in key})
    if url.startswith("sqlite"):
        lite = sqlite3.connect(sqlite_path(url))
        try:
            return {
                each: sorted(lite.execute(f"SELECT * FROM {each}"), key=repr) for each in tables
            }
        finally:
            lite.close()
    with psycopg.connect(libpq_url(url)) as connection:
        return {
            each: sorted(connection.execute(f"SELECT * FROM dbos.{each}".encode()), key=repr)
            for each in tables
        }


def tables_of(url: str) -> set[str]:
    """The name of every table, in whatever schema and whoever made it."""
    if url.startswith("sqlite"):
        lite = sqlite3.connect(sqlite_path(url))
        try:
            return {name for (name,) in lite.execute("SELECT name FROM sqlite_master")}
        finally:
            lite.close()
    with psycopg.connect(libpq_url(url)) as connection:
        found = connection.execute(
            "SELECT tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        return {name for (name,) in found}
