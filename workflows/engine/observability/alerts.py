"""Alerts of this process, passed to one handler function of the user."""

from __future__ import annotations

import logging
from collections.abc import Callable

logger = logging.getLogger("dboshub.alerts")

AlertHandler = Callable[[str, str, dict[str, str]], None]

DEAD_LETTERED = "workflow_dead_lettered"


def log(name: str, message: str, metadata: dict[str, str]) -> None:
    """The default handler: log the alert."""
    logger.warning("%s: %s %s", name, message, metadata)


def logging_errors(handler: AlertHandler) -> AlertHandler:
    """A handler that logs its own failure instead of raising."""

    def handle(name: str, message: str, metadata: dict[str, str]) -> None:
        try:
            handler(name, message, metadata)
        except Exception:
            logger.exception("alert_handler failed at %s: %s", name, message)

    return handle
