"""The logger of user code, whose records name their workflow, and where a script's records go."""

from __future__ import annotations

import logging
import sys

from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.context import FRAME


class WorkflowContext(logging.Filter):
    """Adds application, executor, workflow, step and trace to a record, as DBOS names them."""

    def filter(self, record: logging.LogRecord) -> bool:
        frame = FRAME.get()
        if frame is not None or current_engine.is_launched():
            engine = frame.execution.engine if frame is not None else current_engine.engine()
            settings = engine.settings
            record.applicationID = settings.application_id
            record.applicationVersion = settings.application_version
            record.executorID = settings.executor_id
        if frame is not None:
            record.operationUUID = frame.execution.workflow_id
            if frame.span is not None:
                record.traceId = frame.span.trace_id
            if frame.step is not None:
                record.stepID = frame.step.step_id
        return True


application_logger = logging.getLogger("dboshub.app")
application_logger.addFilter(WorkflowContext())


class Console(logging.Handler):
    """Writes to standard error, unless the program has configured logging itself."""

    def emit(self, record: logging.LogRecord) -> None:
        if logging.getLogger().handlers:
            return
        try:
            sys.stderr.write(f"{self.format(record)}\n")
        except Exception:
            self.handleError(record)


def configure(level: str | None) -> None:
    """Make the records of a program that configures no logging visible.

    `level` applies to all of them. Without one, those of user code are shown from INFO on, and
    those of the engine from WARNING on.
    """
    logger = logging.getLogger("dboshub")
    if level:
        logger.setLevel(level.upper())
    elif application_logger.level == logging.NOTSET and not logging.getLogger().handlers:
        application_logger.setLevel(logging.INFO)
    if not logger.handlers:
        console = Console()
        console.setFormatter(logging.Formatter("%(asctime)s [%(levelname)8s] %(message)s"))
        logger.addHandler(console)
