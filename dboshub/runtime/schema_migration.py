"""Create or upgrade a system database without launching an engine."""

from __future__ import annotations

from dboshub.workflows.engine.errors import DBOSInitializationError
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.schema.grants import grant
from dboshub.workflows.storage.schema.migrate import migrate


def run_dbos_database_migrations(
    system_database_url: str,
    *,
    schema: str = "dbos",
    application_role: str | None = None,
    sharding: bool = False,
) -> None:
    """Create the database if it is not there, and the tables and indexes that it lacks.

    `application_role` may then use them, in PostgreSQL. Raises DatabaseUnreachableError and
    SchemaError for a database that cannot be used, DBOSException for an unknown role.
    """
    if sharding:
        raise DBOSInitializationError("sharded system databases are not supported")
    database = open_database(system_database_url, schema=schema)
    try:
        database.check_connection(create=True)
        migrate(database)
        if application_role is not None:
            with database.writing() as session:
                grant(session, application_role)
    finally:
        database.close()
