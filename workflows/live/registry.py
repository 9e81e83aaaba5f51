"""The source of each kind of topic that pages about workflows and executors follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from dboshub.workflows.live.bulk import JobListSource, JobSource
from dboshub.workflows.live.comparison import ComparisonSource
from dboshub.workflows.live.counts import CountSource
from dboshub.workflows.live.errors import ErrorSource
from dboshub.workflows.live.executors import ExecutorPageSource, HeartbeatSource
from dboshub.workflows.live.lists import ListSource
from dboshub.workflows.live.rows import RowSource
from dboshub.workflows.live.sections import SectionSource
from dboshub.workflows.live.source import Source
from dboshub.workflows.live.step_statistics import StepStatisticsSource
from dboshub.workflows.live.streams import StreamSource

SOURCES: Mapping[str, Callable[[], Source]] = {
    "row": RowSource,
    "list": ListSource,
    "counts": CountSource,
    "workflow": partial(SectionSource, "workflow"),
    "steps": partial(SectionSource, "steps"),
    "events": partial(SectionSource, "events"),
    "messages": partial(SectionSource, "messages"),
    "stream": StreamSource,
    "errors": ErrorSource,
    "comparison": ComparisonSource,
    "bulk": JobSource,
    "bulk_jobs": JobListSource,
    "fleet": ExecutorPageSource,
    "beats": HeartbeatSource,
    "step_statistics": StepStatisticsSource,
}
