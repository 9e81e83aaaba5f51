"""Part of the public class ``DBOS``: list, cancel, resume, fork and delete workflows.

Each program has two forms: ``name`` blocks, ``name_async`` is awaited.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from dboshub.workflows.engine import handles
from dboshub.workflows.engine.control import adjustments, management, versioning
from dboshub.workflows.engine.control.list_filters import (
    ListFilters,
    QueuedFilters,
    explicit_filters,
)
from dboshub.workflows.engine.current_engine import engine
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import VersionInfo
from dboshub.workflows.engine.status import StepInfo, WorkflowStatus
from dboshub.workflows.engine.sync_async import (
    async_form,
    async_handle_form,
    async_handles_form,
    sync_form,
    sync_handle_form,
    sync_handles_form,
)


class ManagementAPI:
    """Management of workflows; in a workflow body each call is a step."""

    @sync_form
    def get_workflow_status(workflow_id: str) -> Program[WorkflowStatus | None]:
        """The status of a workflow, or None for an unknown id."""
        return management.get_status(engine(), workflow_id)

    get_workflow_status_async = async_form(get_workflow_status)

    @sync_form
    @explicit_filters(ListFilters)
    def list_workflows(**filters: Unpack[ListFilters]) -> Program[list[WorkflowStatus]]:
        """Workflows that match all filters, oldest first unless `sort_desc`.

        Without `application_name` and ids: those of this application and those without one.
        Raises DBOSQueryTimeoutError if the database takes too long.
        """
        return management.list_workflows(engine(), {**filters})

    list_workflows_async = async_form(list_workflows)

    @sync_form
    @explicit_filters(QueuedFilters)
    def list_queued_workflows(**filters: Unpack[QueuedFilters]) -> Program[list[WorkflowStatus]]:
        """Workflows on queues, by the same filters; those in flight unless a `status` is given."""
        return management.list_queued(engine(), {**filters})

    list_queued_workflows_async = async_form(list_queued_workflows)

    @sync_form
    def list_workflow_steps(
        workflow_id: str,
        *,
        load_output: bool = True,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Program[list[StepInfo]]:
        """The recorded steps of a workflow, by id."""
        return management.list_steps(
            engine(), workflow_id, load_output=load_output, limit=limit, offset=offset
        )

    list_workflow_steps_async = async_form(list_workflow_steps)

    @sync_form
    def cancel_workflow(workflow_id: str, *, cancel_children: bool = False) -> Program[None]:
        """Cancel a workflow: its code stops at its next durable call.

        SUCCESS, ERROR and unknown ids are ignored.
        """
        return management.cancel(engine(), [workflow_id], children=cancel_children)

    cancel_workflow_async = async_form(cancel_workflow)

    @sync_form
    def cancel_workflows(
        workflow_ids: list[str], *, cancel_children: bool = False
    ) -> Program[None]:
        """Cancel many workflows; see ``cancel_workflow``."""
        return management.cancel(engine(), workflow_ids, children=cancel_children)

    cancel_workflows_async = async_form(cancel_workflows)

    @sync_handle_form
    def resume_workflow(workflow_id: str, *, queue_name: str | None = None) -> Program[str]:
        """Continue a workflow from its first unrecorded step; SUCCESS and ERROR stay unchanged.

        Raises DBOSNonExistentWorkflowError for an unknown id.
        """
        return returning(
            management.resume(engine(), [workflow_id], queue_name=queue_name), workflow_id
        )

    resume_workflow_async = async_handle_form(resume_workflow)

    @sync_handles_form
    def resume_workflows(
        workflow_ids: list[str], *, queue_name: str | None = None
    ) -> Program[list[str]]:
        """Resume all workflows, or none if one is unknown; see ``resume_workflow``."""
        return returning(
            management.resume(engine(), workflow_ids, queue_name=queue_name), workflow_ids
        )

    resume_workflows_async = async_handles_form(resume_workflows)

    @sync_handles_form
    def _recover_pending_workflows(executor_ids: Sequence[str] = ("local",)) -> Program[list[str]]:
        """Run again what executors left PENDING; programs for ``dbos`` call it in their tests."""
        return management.recover(engine(), executor_ids)

    @sync_handle_form
    def fork_workflow(
        workflow_id: str,
        start_step: int,
        *,
        application_version: str | None = None,
        queue_name: str | None = None,
        queue_partition_key: str | None = None,
        replacement_children: dict[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> Program[str]:
        """Start a new workflow with the steps before `start_step` copied; it continues from there.

        Raises DBOSNonExistentWorkflowError for an unknown id.
        """
        forked = management.fork(
            engine(),
            workflow_id,
            start_step,
            application_version=application_version,
            queue_name=queue_name,
            queue_partition_key=queue_partition_key,
            replacement_children=replacement_children,
            timeout_seconds=timeout_seconds,
        )
        return handles.retrieved(forked)

    fork_workflow_async = async_handle_form(fork_workflow)

    @sync_handle_form
    def rewind_workflow(
        workflow_id: str,
        *,
        start_step: int | None = None,
        application_version: str | None = None,
        queue_name: str | None = None,
        queue_partition_key: str | None = None,
    ) -> Program[str]:
        """Run a workflow that has ended again, with the same id, from `start_step` (default 1).

        Existing children are not run again. Raises DBOSException for a workflow that has not
        ended, ValueError for a step below 1, DBOSNonExistentWorkflowError for an unknown id.
        """
        rewound = adjustments.rewind(
            engine(),
            workflow_id,
            1 if start_step is None else start_step,
            application_version=application_version,
            queue_name=queue_name,
            queue_partition_key=queue_partition_key,
        )
        return returning(rewound, workflow_id)

    rewind_workflow_async = async_handle_form(rewind_workflow)

    @sync_form
    def set_workflow_delay(
        workflow_id: str,
        *,
        delay_seconds: float | None = None,
        delay_until_epoch_ms: int | None = None,
    ) -> Program[None]:
        """Change the time at which a DELAYED workflow is due; other statuses stay unchanged.

        Raises DBOSException unless exactly one time is given.
        """
        return adjustments.set_delay(engine(), workflow_id, delay_seconds, delay_until_epoch_ms)

    set_workflow_delay_async = async_form(set_workflow_delay)

    @sync_form
    def update_workflow_attributes(
        workflow_id: str, attributes: dict[str, Any] | None, *, merge: bool = False
    ) -> Program[None]:
        """Replace the attributes (None removes them), or `merge` these top-level keys."""
        return adjustments.update_attributes(engine(), workflow_id, attributes, merge=merge)

    update_workflow_attributes_async = async_form(update_workflow_attributes)

    @sync_form
    def get_latest_application_version() -> Program[VersionInfo]:
        """The latest version, which runs workflows that are enqueued without a version.

        Raises DBOSException if there is none.
        """
        return versioning.latest(engine())

    get_latest_application_version_async = async_form(get_latest_application_version)

    @sync_form
    def list_application_versions() -> Program[list[VersionInfo]]:
        """Versions of this application and those without one, latest first."""
        return versioning.versions(engine())

    list_application_versions_async = async_form(list_application_versions)

    @sync_form
    def set_latest_application_version(
        version_name: str, *, application_name: str | None = None
    ) -> Program[None]:
        """Make a version the latest, also to roll back; an unknown name is ignored.

        Raises DBOSException if another application owns it.
        """
        return versioning.set_latest(engine(), version_name, application_name)

    set_latest_application_version_async = async_form(set_latest_application_version)

    @sync_form
    def delete_workflow(workflow_id: str, *, delete_children: bool = False) -> Program[None]:
        """Delete a workflow in any status with all its data; unknown ids are ignored."""
        return management.delete(engine(), [workflow_id], children=delete_children)

    delete_workflow_async = async_form(delete_workflow)

    @sync_form
    def delete_workflows(
        workflow_ids: list[str], *, delete_children: bool = False
    ) -> Program[None]:
        """Delete many workflows; see ``delete_workflow``."""
        return management.delete(engine(), workflow_ids, children=delete_children)

    delete_workflows_async = async_form(delete_workflows)


def returning(first: Program[Any] | None, value: Any) -> Program[Any]:
    """A program that runs `first`, if there is one, and returns `value`."""
    if first is not None:
        yield from first
    return value
