"""Grant an application's role access to the system tables. PostgreSQL only."""

from __future__ import annotations

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.schema_names import quoted
from dboshub.workflows.storage.sql import Session, Statement

ROLE = Statement("SELECT 1 FROM pg_roles WHERE rolname = :role")


def grants(schema: str, role: str) -> str:
    """The statements that grant what executors and clients need, also on future tables."""
    name, place = quoted(role), quoted(schema)
    rights = {
        "TABLES": "SELECT, INSERT, UPDATE, DELETE",
        "SEQUENCES": "USAGE, SELECT",
        "FUNCTIONS": "EXECUTE",
    }
    return "\n".join(
        [
            f"GRANT USAGE ON SCHEMA {place} TO {name};",
            *(
                f"GRANT {each} ON ALL {kind} IN SCHEMA {place} TO {name};"
                for kind, each in rights.items()
            ),
            *(
                f"ALTER DEFAULT PRIVILEGES IN SCHEMA {place} GRANT {each} ON {kind} TO {name};"
                for kind, each in rights.items()
            ),
        ]
    )


def grant(session: Session, role: str) -> None:
    """Execute `grants`. Raises DBOSException for an unknown role, and on SQLite."""
    if session.vendor != "postgresql":
        raise DBOSException("application_role is for PostgreSQL: SQLite has no roles")
    if session.one(ROLE, role=role) is None:
        raise DBOSException(f"there is no role {role!r} in this PostgreSQL: create it first")
    session.script(grants(session.dialect.schema, role))
