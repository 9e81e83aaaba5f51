"""The topics of workflows and executors that pages can follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from workflows.live.bulk import JobSource, ListedSource
from workflows.live.counts import CountSource
from workflows.live.details import SectionSource
from workflows.live.errors import ErrorSource
from workflows.live.fleet import BeatSource, FleetSource
from workflows.live.lists import ListSource
from workflows.live.rows import RowSource
from workflows.live.source import Source
from workflows.live.streams import StreamSource

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
    "bulk": JobSource,
    "bulk_jobs": ListedSource,
    "fleet": FleetSource,
    "beats": BeatSource,
}
