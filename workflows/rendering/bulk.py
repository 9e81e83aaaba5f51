"""How pages show a bulk job and its items."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.http import QueryDict

from dboshub.workflows.bulk.batch import AT_ONCE, OWN_QUEUE
from dboshub.workflows.bulk.target_set import MAX_LEFT_OUT
from dboshub.workflows.bulk.verbs import VERBS, Verb
from dboshub.workflows.clock import now_ms
from dboshub.workflows.models import BulkItem, BulkJob
from dboshub.workflows.rendering.time_format import duration
from dboshub.workflows.search.criteria import parse, public_query
from dboshub.workflows.statuses import StatusStyle

JOB_STYLES = {
    style.token: style
    for style in (
        StatusStyle(
            "collecting", "s-queued", "search", "Collecting", "The set is being collected."
        ),
        StatusStyle("frozen", "s-delayed", "hourglass", "To confirm", "It has not started."),
        StatusStyle("running", "s-running", "loader-circle", "Running", "A process works on it."),
        StatusStyle("stopped", "s-cancelled", "circle-pause", "Stopped", "It can be continued."),
        StatusStyle("done", "s-success", "circle-check", "Done", "Every item has its result."),
    )
}
ITEM_STYLES = {
    style.token: style
    for style in (
        StatusStyle("waiting", "s-queued", "circle-dashed", "Waiting", "It was not tried yet."),
        StatusStyle("started", "s-running", "loader-circle", "Begun", "The action was begun."),
        StatusStyle("done", "s-success", "circle-check", "Done", "The action was done."),
        StatusStyle("skipped", "s-cancelled", "ban", "Skipped", "The action was not done."),
        StatusStyle(
            "failed", "s-error", "circle-x", "Failed", "The action failed; nothing was changed."
        ),
    )
}
UNATTENDED_AFTER_MS = 15_000
MAX_PLANS = 12
STARTS = {
    "failed": "from the last failed step, or the last recorded one",
    "last": "from the last recorded step",
    "number": "from step {step}",
    "name": "from the last step called {name}",
}


@dataclass(frozen=True, slots=True)
class Tab:
    state: str
    word: str
    count: int
    is_on: bool


@dataclass(frozen=True, slots=True)
class ShownJob:
    """A job with the values that templates show."""

    job: BulkJob
    verb: Verb
    style: StatusStyle
    payload: bool

    @property
    def box(self) -> str:
        """The filter as text of the search box; empty if single rows were selected."""
        return parse(QueryDict(self.filter), now=self.job.created_at, attributes=True).box

    @property
    def filter(self) -> str:
        """The query string of the list, without values of attributes if they may not be seen."""
        return str(self.job.filter) if self.payload else public_query(self.job.filter)

    @property
    def is_active(self) -> bool:
        return self.job.state in (BulkJob.State.COLLECTING, BulkJob.State.RUNNING)

    @property
    def is_unattended(self) -> bool:
        """Whether an active job is due and no process has its lease."""
        job, since = self.job, now_ms() - UNATTENDED_AFTER_MS
        due_at = max(job.created_at, job.started_at or 0, job.next_at)
        return self.is_active and job.lease_until < since and due_at < since

    @property
    def is_draft(self) -> bool:
        return self.job.started_at is None

    @property
    def worked(self) -> int:
        return self.job.done + self.job.skipped + self.job.failed

    @property
    def waiting(self) -> int:
        return self.job.total - self.worked

    @property
    def percent(self) -> int:
        return 100 * self.worked // self.job.total if self.job.total else 0

    @property
    def took_ms(self) -> int | None:
        if self.job.started_at is None:
            return None
        return max(0, (self.job.ended_at or now_ms()) - self.job.started_at)

    @property
    def left_ms(self) -> int | None:
        """The remaining time at the job's rate; None without a rate."""
        return round(1_000 * self.waiting / self.job.rate) if self.job.rate else None

    @property
    def left_out(self) -> list[str]:
        """The number of workflows that are not in the set, by reason."""
        counts = self.job.left_out.items()
        is_cut = sum(self.job.left_out.values()) >= MAX_LEFT_OUT
        return [f"{count:,}{'+' if is_cut else ''} {why}" for why, count in counts]

    @property
    def plan(self) -> list[str]:
        """The numbers of what it would do, where that differs, most first."""
        counts = sorted((self.job.plan or {}).items(), key=lambda each: (-each[1], each[0]))
        shown = [f"{count:,} {what}" for what, count in counts[:MAX_PLANS]]
        rest = self.job.total - sum(count for _, count in counts[:MAX_PLANS]) if counts else 0
        return [*shown, f"{rest:,} otherwise"] if rest else shown

    @property
    def option_texts(self) -> list[str]:
        """The options of the job in words."""
        options = self.job.options
        words = [STARTS[options["start"]].format(**options)] if "start" in options else []
        if "queue" in options:
            queue = options["queue"]
            onto = {"": "past every limit", OWN_QUEUE: "onto the queue each came from"}
            words.append(onto.get(queue, f"onto {queue}"))
            if queue == OWN_QUEUE and options.get("unknown") == AT_ONCE:
                words.append("past every limit where that is unknown")
        if "version" in options:
            version = options["version"]
            words.append(f"to version {version}" if version else "to no version: the latest")
        if "priority" in options:
            words.append(f"to priority {options['priority']}")
        if "seconds" in options:
            words.append(f"for {duration(round(1_000 * options['seconds']))}")
        if options.get("children"):
            words.append("with all descendants")
        if self.job.rate:
            words.append(f"at most {rate_text(self.job.rate)}")
        return words


def rate_text(rate: float) -> str:
    """A number of workflows per second in words."""
    return f"{rate:g} per second" if rate >= 1 else f"{60 * rate:g} per minute"


def show_job(job: BulkJob, *, payload: bool = False) -> ShownJob:
    """`payload` tells whether the viewer may see payloads: a filter can name attributes."""
    return ShownJob(job, VERBS[job.verb], JOB_STYLES[job.state], payload)


def show_items(items: Iterable[BulkItem]) -> list[tuple[BulkItem, StatusStyle]]:
    return [(item, ITEM_STYLES[item.state]) for item in items]


def tabs(shown: ShownJob, state: str) -> list[Tab]:
    job = shown.job
    counts = {"waiting": shown.waiting, "done": job.done, "skipped": job.skipped}
    counts["failed"] = job.failed
    found = [Tab("", "All", job.total, not state)]
    return found + [
        Tab(key, ITEM_STYLES[key].word, count, state == key) for key, count in counts.items()
    ]
