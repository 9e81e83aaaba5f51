"""A row of the audit log for what is done through the admin server, in a Django project."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from dboshub.adminserver.routes import Deed

if TYPE_CHECKING:
    from dboshub.workflows.storage.database import Database

logger = logging.getLogger("dboshub.admin_server")


class TokenHolder:
    """Whoever sent the token: it names nobody."""

    is_authenticated = False

    def get_username(self) -> str:
        return "admin server"


def record(deed: Deed, address: str) -> None:
    """Write the row. What was done stays done if that fails, and the process's log says so."""
    from django.db import DatabaseError, connections

    from dboshub.workflows import audit

    try:
        audit.record(audit.Actor(TokenHolder(), address), deed.action, deed.kind, deed.target)
    except DatabaseError:
        logger.exception("no audit row for %s %s, asked by %s", deed.action, deed.target, address)
    finally:
        connections.close_all()  # this thread serves one request


def has_audit_log(database: Database) -> bool:
    """Whether this process is of a Django project on this database; a plain script has none."""
    if "django.conf" not in sys.modules:
        return False
    from dboshub.workflows.ambient import alias_of

    return alias_of(database) is not None
