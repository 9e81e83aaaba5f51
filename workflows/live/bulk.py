"""Live updates of the bulk job pages: a change of a job reloads the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from urllib.parse import parse_qs, urlencode

from dboshub.workflows.live.polling import STALE, ReloadSource
from dboshub.workflows.live.source import PollTick, TopicState, WatchedTopic, digest
from dboshub.workflows.live.subscriptions import Topic
from dboshub.workflows.models import BulkJob
from dboshub.workflows.rendering.bulk import show_job
from dboshub.workflows.selectors import bulk
from dboshub.workflows.storage.sql import Session

# Seconds between two reads of a job whose page is open.
INTERVAL_S = 2.0


def job_facts(jobs: Iterable[BulkJob]) -> object:
    """The values whose change updates a page about these jobs. A job counts its items' results."""
    return [
        (
            job.pk,
            job.state,
            job.total,
            job.done,
            job.skipped,
            job.failed,
            job.username,
            job.reason,
            job.note,
            job.rate,
            job.is_capped,
            job.left_out,
            show_job(job).is_unattended,
        )
        for job in jobs
    ]


def page_key(owner: int | None, before: int | None) -> str:
    """The topic key of a page of the list: the owner, and the job id before which it begins."""
    given = {"owner": owner, "before": before}
    return urlencode({name: value for name, value in given.items() if value is not None})


def _page(session: Session, topic: Topic, tick: PollTick) -> object:
    said = {name: int(values[0]) for name, values in parse_qs(topic.key).items()}
    return job_facts(bulk.job_page(said.get("owner"), before=said.get("before")).jobs)


JobListSource = partial(ReloadSource, _page)


class JobSource:
    """Reads all watched jobs in one statement."""

    def __init__(self) -> None:
        self._at = float("-inf")
        self._known: dict[Topic, str] = {}

    def poll(
        self, session: Session, watched_topics: Sequence[WatchedTopic], tick: PollTick
    ) -> Iterator[tuple[Topic, TopicState]]:
        if tick.at - self._at >= INTERVAL_S or not all(map(self._is_up_to_date, watched_topics)):
            self._at = tick.at
            found = BulkJob.objects.in_bulk([int(watched.topic.key) for watched in watched_topics])
            self._known = {
                watched.topic: digest(job_facts([job] if job else []))
                for watched in watched_topics
                for job in [found.get(int(watched.topic.key))]
            }
        for watched in watched_topics:
            yield (
                watched.topic,
                TopicState(digest=self._known[watched.topic], body=lambda shown: STALE),
            )

    def _is_up_to_date(self, watched: WatchedTopic) -> bool:
        known = self._known.get(watched.topic)
        return known is not None and (not watched.unread or watched.is_current(known))
