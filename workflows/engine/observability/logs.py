"""The logger of user code; its records name the workflow they belong to."""

from __future__ import annotations

import logging

from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.context import FRAME


class WorkflowContext(logging.Filter):
    """Adds application, executor, workflow, step and trace to a record, as DBOS names them."""

    def filter(self, record: logging.LogRecord) -> bool:
        if current_engine.is_launched():
            settings = current_engine.engine().settings
            record.applicationID = settings.application_id
            record.applicationVersion = settings.application_version
            record.executorID = settings.executor_id
        frame = FRAME.get()
        if frame is not None:
            record.operationUUID = frame.execution.workflow_id
            if frame.span is not None:
                record.traceId = frame.span.trace_id
            if frame.step is not None:
                record.stepID = frame.step.step_id
        return True


application_logger = logging.getLogger("dboshub.app")
application_logger.addFilter(WorkflowContext())
