"""Part of the public class ``DBOS``: aggregates and metrics.

Each program has two forms: ``name`` blocks, ``name_async`` is awaited.
"""

from __future__ import annotations

from typing import Unpack

from dboshub.workflows.engine.control.list_filters import Filters, explicit_filters
from dboshub.workflows.engine.current_engine import engine
from dboshub.workflows.engine.operations import aggregates
from dboshub.workflows.engine.operations.aggregates import (
    Metric,
    StepAggregate,
    StepFilters,
    WorkflowAggregate,
)
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.sync_async import async_form, sync_form


class AggregatesAPI:
    """Aggregates and metrics; in a workflow body each call is a step."""

    @sync_form
    @explicit_filters(Filters)
    def get_workflow_aggregates(
        *,
        group_by_status: bool = False,
        group_by_name: bool = False,
        group_by_queue_name: bool = False,
        group_by_executor_id: bool = False,
        group_by_application_version: bool = False,
        group_by_application_name: bool = False,
        select_count: bool = True,
        select_min_created_at: bool = False,
        select_max_queue_wait_ms: bool = False,
        select_max_total_latency_ms: bool = False,
        time_bucket_size_ms: int | None = None,
        **filters: Unpack[Filters],
    ) -> Program[list[WorkflowAggregate]]:
        """Figures over the workflows that match all filters, one dict per group.

        `time_bucket_size_ms` also groups by creation time: `time_bucket` is the first millisecond
        of a bucket. Raises DBOSQueryTimeoutError if the database takes too long.
        """
        return aggregates.workflow_aggregates(
            engine(),
            {**filters},
            groups={
                "status": group_by_status,
                "name": group_by_name,
                "queue_name": group_by_queue_name,
                "executor_id": group_by_executor_id,
                "application_version": group_by_application_version,
                "application_name": group_by_application_name,
            },
            values={
                "count": select_count,
                "min_created_at": select_min_created_at,
                "max_queue_wait_ms": select_max_queue_wait_ms,
                "max_total_latency_ms": select_max_total_latency_ms,
            },
            bucket_ms=time_bucket_size_ms,
        )

    get_workflow_aggregates_async = async_form(get_workflow_aggregates)

    @sync_form
    @explicit_filters(StepFilters)
    def get_step_aggregates(
        *,
        group_by_function_name: bool = False,
        group_by_status: bool = False,
        select_count: bool = True,
        select_max_duration_ms: bool = False,
        time_bucket_size_ms: int | None = None,
        **filters: Unpack[StepFilters],
    ) -> Program[list[StepAggregate]]:
        """Figures over recorded steps, one dict per group; `status` is SUCCESS or ERROR.

        Time buckets are of the completion. Raises DBOSQueryTimeoutError if the database takes too
        long.
        """
        return aggregates.step_aggregates(
            engine(),
            {**filters},
            groups={"function_name": group_by_function_name, "status": group_by_status},
            values={"count": select_count, "max_duration_ms": select_max_duration_ms},
            bucket_ms=time_bucket_size_ms,
        )

    get_step_aggregates_async = async_form(get_step_aggregates)

    @sync_form
    def get_metrics(
        start_time: str,
        end_time: str,
        *,
        metric_class: str = "workflow_step_count",
        application_name: str | list[str] | None = None,
    ) -> Program[list[Metric]]:
        """By name, the workflows created and steps completed from `start_time` until `end_time`.

        Times are ISO 8601. Raises DBOSException for another `metric_class`.
        """
        return aggregates.metrics(engine(), start_time, end_time, metric_class, application_name)

    get_metrics_async = async_form(get_metrics)
