"""Telemetry for the time of one launch, if the configuration asks for it."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Any

from dboshub.workflows.engine.errors import DBOSInitializationError
from dboshub.workflows.engine.runtime.engine import EngineSettings

if TYPE_CHECKING:
    from dboshub.telemetry.exporters import LogExport, Relay
    from dboshub.telemetry.spans import OtelTracer

logger = logging.getLogger("dboshub")

FLUSH_S = 5.0
INSTALL = "install OpenTelemetry: pip install 'dboshub[otel]'"


@dataclass(frozen=True)
class Telemetry:
    """A tracer for the engine, and where what it tells goes."""

    tracer: OtelTracer | None = None
    relay: Relay | None = None
    logs: LogExport | None = None

    def close(self) -> None:
        """Send what is left; a collector that does not take it in time holds up nobody."""
        ends = [] if self.relay is None else self.relay.release()
        if self.logs is not None:
            ends.append(self.logs.close)
        ending: list[Thread] = []
        for end in ends:
            thread = Thread(target=end, name="dboshub-export", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                logger.warning("what telemetry has left is not sent: %s", error)
            else:
                ending.append(thread)
        deadline = time.monotonic() + FLUSH_S
        for thread in ending:
            thread.join(max(0.0, deadline - time.monotonic()))


def opened(config: dict[str, Any], settings: EngineSettings) -> Telemetry:
    """Nothing unless `enable_otlp`. Raises DBOSInitializationError without OpenTelemetry."""
    if not config.get("enable_otlp"):
        return Telemetry()
    try:
        from dboshub.telemetry.exporters import (
            LogExport,
            has_logger_provider,
            relay_to,
            tracer_provider,
        )
        from dboshub.telemetry.spans import OtelTracer
    except ImportError as error:
        raise DBOSInitializationError(f"enable_otlp: {error}; {INSTALL}") from error
    name, attributes = config["name"], config.get("otlp_attributes", {})
    provider, is_new = tracer_provider(name, attributes)
    tracer = OtelTracer(
        provider,
        settings,
        semconv=config.get("otel_attribute_format") == "semconv",
        more=None if is_new else attributes,
    )
    relay = relay_to(provider, _endpoints(config, "otlp_traces_endpoints"))
    endpoints = _endpoints(config, "otlp_logs_endpoints")
    if not endpoints and not has_logger_provider():
        return Telemetry(tracer, relay)
    given = config.get("otlp_log_level", logging.INFO)
    level = logging.getLevelNamesMapping()[given.upper()] if isinstance(given, str) else given
    return Telemetry(tracer, relay, LogExport(name, attributes, endpoints, level))


def _endpoints(config: dict[str, Any], key: str) -> list[str]:
    """Those configured, and the one that the environment names."""
    variable = f"DBOS__{key.upper().removesuffix('S')}"
    named = os.environ.get(variable)
    return [*dict.fromkeys([*config.get(key, []), *([named] if named else [])])]
