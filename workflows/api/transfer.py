"""The part of ``DBOS`` that moves workflows: between databases, and on from where they failed.

What returns a program here is offered twice: ``name`` blocks, ``name_async`` is awaited.
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
    """Export, import and forks in bulk; a step inside a workflow body."""

    @sync_form
    def export_workflow(workflow_id: str, *, export_children: bool = False) -> Program[str]:
        """All that is stored of a workflow, as text for ``import_workflow`` in another database.

        It holds arguments, results and messages as they are stored. `export_children` adds all
        descendants. Raises DBOSNonExistentWorkflowError.
        """
        return transfer.export_workflow(engine(), workflow_id, children=export_children)

    export_workflow_async = async_form(export_workflow)

    @sync_handles_form
    def import_workflow(serialized_workflow: str) -> Program[list[str]]:
        """Take in all workflows of an export, or none; the exported one is the first.

        Ids stay; what was running is enqueued, so executors of its application and version go on
        with it here. Raises DBOSWorkflowIDInUseError if an id is taken, DBOSException for a text
        that is no export.
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
        """Fork all of these workflows, or none: the new ones, in the same order.

        Each goes on from the last step that failed (the default; the last one if none did), from
        the last step, from a step by number, or from the last one of a name. Raises
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
