"""URLs of the workflow pages. An id is the last part, because it may hold slashes."""

from __future__ import annotations

from django.urls import path

from dboshub.workflows.converters import register_converters
from dboshub.workflows.views import (
    actions,
    bulk,
    bundle,
    compare,
    detail,
    edit,
    errors,
    executors,
    search,
    start,
    step_statistics,
)
from dboshub.workflows.views.layout import save_layout
from dboshub.workflows.views.matching import count_matching
from dboshub.workflows.views.workflow_list import next_part, workflow_list

register_converters()

app_name = "workflows"

urlpatterns = [
    path("", workflow_list, name="list"),
    path("part/", next_part, name="next_part"),
    path("count/", count_matching, name="count"),
    path("suggest/", search.suggest, name="suggest"),
    path("columns/", save_layout, name="columns"),
    path("bulk/", bulk.job_list, name="bulk_list"),
    path("bulk/new/", bulk.new, name="bulk_new"),
    path("bulk/<int:job_id>/", bulk.job_detail, name="bulk"),
    path("errors/", errors.error_list, name="errors"),
    path("errors/group/", errors.error_group, name="error_group"),
    path("compare/", compare.compare_page, name="compare"),
    path("compare/step/", compare.compare_step, name="compare_step"),
    path("statistics/", step_statistics.step_statistics, name="step_statistics"),
    path("run/<dboshub_id:workflow_id>", detail.workflow_detail, name="detail"),
    path("steps/<dboshub_id:workflow_id>", detail.step_table, name="steps"),
    path(
        "step/<dboshub_number:function_id>/<dboshub_id:workflow_id>",
        detail.step_detail,
        name="step",
    ),
    path("value/<dboshub_id:workflow_id>", detail.value_detail, name="value"),
    path("bundle/<dboshub_id:workflow_id>", bundle.bundle_download, name="bundle"),
    path("edit/<dboshub_id:workflow_id>", edit.edit, name="edit"),
    path("family/<dboshub_id:workflow_id>", detail.family_page, name="family"),
    path("stream/<dboshub_id:workflow_id>", detail.stream_detail, name="stream"),
    path("executors/", executors.executor_page, name="executors"),
    path("executors/<slug:verb>/<dboshub_id:target>", executors.act, name="steer"),
    path("start/", start.start_list, name="start_list"),
    path("start/<dboshub_id:name>", start.start_one, name="start"),
    path("do/<slug:verb>/<dboshub_id:workflow_id>", actions.act, name="do"),
]
