"""The logger of user code, whose records name their workflow, and where a script's records go."""

from __future__ import annotations

import logging
import sys

from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.context import FRAME
from dboshub.workflows.engine.observability.log_lines import LineFormatter


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


class ConsoleFormatter(LineFormatter):
    """The lines of a script's console: a record of user code may have several lines."""

    def keep_in(self, record: logging.LogRecord) -> str:
        return "\n\t" if f"{record.name}.".startswith(f"{application_logger.name}.") else ""


Level = str | int | None


def configure(level: Level, console_level: Level = None) -> None:
    """Make the records of a program that configures no logging visible.

    `level` applies to all of them. Without one, those of user code are shown from INFO on, and
    those of the engine from WARNING on. The console shows those from `console_level` on; in a
    program that has configured logging itself it stands for `level`.
    """
    logger = logging.getLogger("dboshub")
    has_own = bool(logging.getLogger().handlers)
    if level or (console_level and has_own):
        logger.setLevel(_level(level or console_level))
    elif application_logger.level == logging.NOTSET and not has_own:
        application_logger.setLevel(logging.INFO)
    console = next((each for each in logger.handlers if isinstance(each, Console)), None)
    if console is None and not logger.handlers:
        console = Console()
        console.setFormatter(ConsoleFormatter("%(asctime)s [%(levelname)8s] %(message)s"))
        logger.addHandler(console)
    if console is not None:
        console.setLevel(_level(console_level))


def _level(level: Level) -> str | int:
    return level.upper() if isinstance(level, str) else level or logging.NOTSET
