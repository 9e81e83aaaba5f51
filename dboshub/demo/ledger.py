"""The demo's own database: what the steps did to the world, so that nothing done twice can hide.

Each write is idempotent by its order or item, as a step must be: it may run again if the process
died before its checkpoint.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dboshub.workflows.django_settings import data_dir
from dboshub.workflows.storage.sqlite_file import create_private, use_wal

TABLES = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS product (name TEXT PRIMARY KEY, cents INTEGER, stock INTEGER);
CREATE TABLE IF NOT EXISTS reservation (order_id TEXT PRIMARY KEY, product TEXT, quantity INTEGER);
CREATE TABLE IF NOT EXISTS charge (order_id TEXT PRIMARY KEY, payment_id TEXT, cents INTEGER);
CREATE TABLE IF NOT EXISTS shipment (order_id TEXT PRIMARY KEY, parcel TEXT);
CREATE TABLE IF NOT EXISTS item (number INTEGER PRIMARY KEY, checksum TEXT);
CREATE TABLE IF NOT EXISTS summit (name TEXT PRIMARY KEY, feet INTEGER);
CREATE TABLE IF NOT EXISTS message (publisher TEXT, workflow_id TEXT, body TEXT,
                                    PRIMARY KEY (publisher, workflow_id));
INSERT OR IGNORE INTO product VALUES ('mug', 1250, 40), ('lamp', 4900, 15), ('poster', 900, 60);
COMMIT;
"""


def directory() -> Path:
    """Where the demo keeps its files."""
    path = data_dir() / "demo"
    path.mkdir(parents=True, exist_ok=True)
    return path


def file_of(kind: str, workflow_id: str, suffix: str) -> Path:
    """A file of one workflow; its id may hold what a file name may not."""
    plain = "".join(c if c.isalnum() else "-" for c in workflow_id)
    return directory() / f"{kind}-{plain}.{suffix}"


@contextmanager
def ledger() -> Iterator[sqlite3.Connection]:
    """Open the demo's database for one transaction."""
    file = directory() / "ledger.sqlite3"
    create_private(file)
    connection = sqlite3.connect(file, timeout=20, isolation_level=None)
    try:
        use_wal(connection)
        if not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            connection.executescript(TABLES)
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            yield connection
    finally:
        connection.close()
