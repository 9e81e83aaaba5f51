"""Where the command ``replay`` gets recorded runs from, and how it tells what it found."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from dboshub.queues.engine.ports import QueueTable
from dboshub.queues.engine.queue_registry import queue_registry
from dboshub.queues.engine.settings import QueueSettings
from dboshub.workflows.connection import reading
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.records import ACTIVE
from dboshub.workflows.engine.registration.registry import Registry
from dboshub.workflows.engine.replay.records import RecordedRun, RunReport
from dboshub.workflows.engine.replay.replaying import replay
from dboshub.workflows.engine.serialization import Codec
from dboshub.workflows.storage.control.export_format import unpack
from dboshub.workflows.storage.control.recorded_runs import recorded_run, recorded_runs
from dboshub.workflows.storage.listing.workflow_rows import workflows


class UnreadQueues:
    """The table of queues for a replay, whose engine refuses a call before it comes here."""

    def declare(self, settings: QueueSettings) -> None:
        """Register nothing."""

    def __getattr__(self, name: str) -> Any:
        return None


def from_bundles(files: Sequence[str]) -> Iterator[RecordedRun]:
    """The runs of bundles, in their order. Raises DBOSException with the name of a bad file."""
    for file in files:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        try:
            tables = unpack(text)
        except DBOSException as error:
            raise DBOSException(f"{file}: {error.message}") from None
        yield from recorded_runs(tables)


def from_database(names: Iterable[str], newest: int, *, in_flight: bool) -> Iterator[RecordedRun]:
    """The newest runs of each name. One at a time is read, and nothing is locked."""
    for name in names:
        filters: dict[str, Any] = {"name": name, "limit": newest, "sort_desc": True}
        if in_flight:
            filters["status"] = [*ACTIVE]
        with reading() as session:
            found = workflows(session, {**filters, "load_input": False, "load_output": False})
        for each in found:
            with reading() as session:
                run = recorded_run(session, each["workflow_id"])
            if run is not None:
                yield run


def replays(
    runs: Iterable[RecordedRun], registry: Registry, codec: Codec, *, limit_s: float
) -> Iterator[RunReport]:
    """Replay one run after the other."""
    queue_registry.open(cast(QueueTable, UnreadQueues()))
    try:
        for each in runs:
            yield replay(each, registry, codec, limit_s=limit_s)
    finally:
        queue_registry.close()


def as_json(reports: Sequence[RunReport]) -> dict[str, Any]:
    """What was found, for programs."""
    differing = sum(not each.agrees for each in reports)
    return {
        "ok": not differing,
        "replayed": len(reports),
        "diverged": differing,
        "runs": [_plain(each) for each in reports],
    }


def as_text(reports: Sequence[RunReport]) -> str:
    """One line a run, and beneath it what differs."""
    widths = [max(len(getattr(each, key)) for each in reports) for key in ("name", "workflow_id")]
    lines = []
    for each in reports:
        verdict = "ok      " if each.agrees else "DIVERGES"
        lines.append(
            f"{verdict}  {each.name:{widths[0]}}  {each.workflow_id:{widths[1]}}  {each.status}, "
            f"{each.replayed} of {_counted(each.recorded, 'step')} replayed{_end(each)}"
        )
        lines += [f"          {found.text}" for found in each.divergences]
    differing = sum(not each.agrees for each in reports)
    lines.append(f"{_counted(len(reports), 'run')} replayed, {_diverging(differing)}")
    return "\n".join(lines)


def _end(report: RunReport) -> str:
    if not report.agrees:
        return ""
    if report.outcome is not None:
        return f", ends with {report.outcome}"
    step, name = report.goes_on_with or (None, None)
    return f", goes on with step {step} ({name})" if step is not None else ""


def _diverging(count: int) -> str:
    if not count:
        return "all agree with their record"
    return "1 of them diverges" if count == 1 else f"{count} of them diverge"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _plain(report: RunReport) -> dict[str, Any]:
    found = asdict(report)
    if report.goes_on_with is not None:
        found["goes_on_with"] = dict(zip(("step", "name"), report.goes_on_with, strict=True))
    return {"agrees": report.agrees, **found}
