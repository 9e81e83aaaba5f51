"""A row of the audit log for what is done through the admin server, in a Django project."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from dboshub.admin_server.routes import AuditedAction

if TYPE_CHECKING:
    from dboshub.workflows.storage.database import Database

logger = logging.getLogger("dboshub.admin_server")


class TokenHolder:
    """Whoever sent the token: it names nobody."""

    is_authenticated = False

    def get_username(self) -> str:
        return "admin server"


def record(audited_action: AuditedAction, address: str) -> None:
    """Write the row. What was done stays done if that fails, and the process's log says so."""
    from django.db import DatabaseError, connections

    from dboshub.workflows.actions import audit

    try:
        audit.record(
            audit.Actor(TokenHolder(), address),
            audited_action.action,
            audited_action.kind,
            audited_action.target,
        )
    except DatabaseError:
        logger.exception(
            "no audit row for %s %s, asked by %s",
            audited_action.action,
            audited_action.target,
            address,
        )
    finally:
        connections.close_all()  # this thread serves one request


def has_audit_log(database: Database) -> bool:
    """Whether this process is of a Django project on this database; a plain script has none."""
    if "django.conf" not in sys.modules:
        return False
    from dboshub.workflows.django_transaction import alias_of

    return alias_of(database) is not None
