"""The admin server of one launch, where there is a token for it."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING, Any

from dboshub.workflows.engine.errors import DBOSInitializationError

if TYPE_CHECKING:
    from dboshub.admin_server.runtime_host import AdministeredRuntime
    from dboshub.admin_server.server import AdminServer

logger = logging.getLogger("dboshub.admin_server")

HOST, PORT = "127.0.0.1", 3001
SHORTEST_TOKEN = 16


def opened(config: dict[str, Any], runtime: AdministeredRuntime) -> AdminServer | None:
    """Serve, if there is a token. Raises DBOSInitializationError for one that can be guessed.

    A port that is taken is no reason not to run workflows: of several processes on a machine one
    serves.
    """
    token = config.get("admin_token")
    if config.get("run_admin_server") is False or not token:
        if config.get("run_admin_server"):
            logger.warning("no admin server without a token: set DBOSHUB_ADMIN_SERVER_TOKEN")
        return None
    if not isinstance(token, str) or len(token) < SHORTEST_TOKEN:
        raise DBOSInitializationError(
            f"admin_token must be text of at least {SHORTEST_TOKEN} random characters"
        )
    from dboshub.admin_server.audit import has_audit_log, record
    from dboshub.admin_server.runtime_host import RuntimeHost
    from dboshub.admin_server.server import AdminServer

    address = (config.get("admin_host", HOST), config.get("admin_port", PORT))
    host = RuntimeHost(runtime, shows_payloads=bool(config.get("admin_shows_payloads")))
    try:
        audit = record if has_audit_log(runtime.database) else None
        server = AdminServer(host, address=address, token=token, record=audit)
    except OSError as error:
        advice = (
            "another process serves there; give each its own admin_port, or run_admin_server=False"
            if error.errno == errno.EADDRINUSE
            else "admin_host must be an address of this machine"
        )
        logger.warning(
            "no admin server on %s port %s (%s): %s", *address, error.strerror or error, advice
        )
        return None
    logger.info("the admin server listens on %s port %s", address[0], server.port)
    return server
