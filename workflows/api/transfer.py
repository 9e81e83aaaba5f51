"""Part of the public class ``DBOS``: export, import, and forks from failed steps.

Each program has two forms: ``name`` blocks, ``name_async`` is awaited.
"""

from __future__ import annotations

from dboshub.workflows.engine.control import transfer
from dboshub.workflows.engine.current_engine import engine
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.sync_async import (
    async_form,
    async_handles_form,
    sync_form,
    sync_handles_form,
)


class TransferAPI:
    """Export, import and forks in bulk; in a workflow body each call is a step."""

    @sync_form
    def export_workflow(workflow_id: str, *, export_children: bool = False) -> Program[str]:
        """All rows of a workflow as text, for ``import_workflow`` in another database.

        The text holds arguments, results and messages as they are stored. `export_children` adds
        all descendants. Raises DBOSNonExistentWorkflowError for an unknown id.
        """
        return transfer.export_workflow(engine(), workflow_id, children=export_children)

    export_workflow_async = async_form(export_workflow)

    @sync_handles_form
    def import_workflow(serialized_workflow: str) -> Program[list[str]]:
        """Insert all workflows of an export, or none; the exported one is the first.

        They keep their ids. Those that were running are enqueued: executors of their application
        and version continue them here. Raises DBOSWorkflowIDInUseError if an id is in use, and
        DBOSException for a text that is no export.
        """
        return transfer.import_workflow(engine(), serialized_workflow)

    import_workflow_async = async_handles_form(import_workflow)

    @sync_handles_form
    def fork_from_failure(
        workflow_ids: list[str],
        *,
        from_last_failure: bool = False,
        from_last_step: bool = False,
        from_step: int | None = None,
        from_step_name: str | None = None,
        application_version: str | None = None,
        queue_name: str | None = None,
        queue_partition_key: str | None = None,
    ) -> Program[list[str]]:
        """Fork all of these workflows, or none; returns the new ones in the same order.

        Each fork continues from the last failed step (the default; the last step if none failed),
        from the last step, from a step id, or from the last step with a name. Raises
        DBOSNonExistentWorkflowError for an unknown id, DBOSException for an unknown step.
        """
        return transfer.fork_from_failure(
            engine(),
            workflow_ids,
            start={
                "from_last_failure": from_last_failure,
                "from_last_step": from_last_step,
                "from_step": from_step,
                "from_step_name": from_step_name,
            },
            application_version=application_version,
            queue_name=queue_name,
            queue_partition_key=queue_partition_key,
        )

    fork_from_failure_async = async_handles_form(fork_from_failure)
