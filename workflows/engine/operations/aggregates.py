"""Counts, extremes and durations over workflows and steps.

Inside a workflow body each call is a step, so a replay returns the same figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from dboshub.workflows.engine.control.list_filters import Filters, OneOrMore, checked, epoch_ms
from dboshub.workflows.engine.control.management import as_step
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.runtime.engine import Engine

METRIC_CLASSES = ("workflow_step_count",)


class WorkflowAggregate(TypedDict):
    """A group of workflows; a figure that was not selected is None. Times are milliseconds."""

    group: dict[str, Any]
    count: int | None
    min_created_at: int | None
    max_queue_wait_ms: int | None
    max_total_latency_ms: int | None


class StepAggregate(TypedDict):
    """A group of steps; a figure that was not selected is None."""

    group: dict[str, Any]
    count: int | None
    max_duration_ms: int | None


class Metric(TypedDict):
    """The number of workflows or steps with one name."""

    metric_type: Literal["workflow_count", "step_count"]
    metric_name: str
    value: int


class StepFilters(TypedDict, total=False):
    """Filters of steps."""

    status: OneOrMore | None
    function_name: OneOrMore | None
    workflow_id_prefix: OneOrMore | None
    completed_after: str | None
    completed_before: str | None
    application_name: OneOrMore | None


def workflow_aggregates(
    engine: Engine, filters: Mapping[str, Any], **wanted: Any
) -> Program[list[WorkflowAggregate]]:
    """One group of workflows for each combination of the columns they are grouped by."""

    def act() -> list[WorkflowAggregate]:
        given = checked(filters, Filters)
        return engine.store.workflow_aggregates(_own(engine) | given, **_shape(**wanted))

    return as_step(engine, "DBOS.getWorkflowAggregates", act)


def step_aggregates(
    engine: Engine, filters: Mapping[str, Any], **wanted: Any
) -> Program[list[StepAggregate]]:
    """One group of steps for each combination of the columns they are grouped by."""

    def act() -> list[StepAggregate]:
        given = checked(filters, StepFilters)
        return engine.store.step_aggregates(_own(engine) | given, **_shape(**wanted))

    return as_step(engine, "DBOS.getStepAggregates", act)


def metrics(
    engine: Engine, start_time: str, end_time: str, metric_class: str, application: Any
) -> Program[list[Metric]]:
    """By name, the workflows created and steps completed from `start_time` until `end_time`."""

    def act() -> list[Metric]:
        if metric_class not in METRIC_CLASSES:
            known = ", ".join(METRIC_CLASSES)
            raise DBOSException(f"unknown metric class {metric_class!r}; known is {known}")
        first, last = epoch_ms("start_time", start_time), epoch_ms("end_time", end_time) - 1
        scope = _own(engine) | ({"application_name": application} if application else {})
        counted = {"values": ("count",), "bucket_ms": None}
        begun = engine.store.workflow_aggregates(
            {**scope, "start_time": first, "end_time": last}, groups=("name",), **counted
        )
        ended = engine.store.step_aggregates(
            {**scope, "completed_after": first, "completed_before": last},
            groups=("function_name",),
            **counted,
        )
        return [
            *(_metric("workflow_count", each["group"]["name"], each) for each in begun),
            *(_metric("step_count", each["group"]["function_name"], each) for each in ended),
        ]

    return as_step(engine, "DBOS.getMetrics", act)


def _metric(kind: Any, name: str, aggregate: Mapping[str, Any]) -> Metric:
    return Metric(metric_type=kind, metric_name=name, value=aggregate["count"])


def _own(engine: Engine) -> dict[str, Any]:
    return {"own_application": engine.settings.application_name}


def _shape(
    groups: Mapping[str, bool], values: Mapping[str, bool], bucket_ms: int | None
) -> dict[str, Any]:
    chosen = [name for name, is_wanted in values.items() if is_wanted]
    if not chosen:
        raise DBOSException(f"select at least one of {', '.join(values)}")
    if bucket_ms is not None and not (isinstance(bucket_ms, int) and 0 < bucket_ms < 2**53):
        raise DBOSException(f"time_bucket_size_ms is {bucket_ms!r:.40}: give whole milliseconds")
    return {
        "groups": [name for name, is_wanted in groups.items() if is_wanted],
        "values": chosen,
        "bucket_ms": bucket_ms,
    }
