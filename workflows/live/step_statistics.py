"""Live updates of the statistics of steps: the page is fetched again when they differ."""

from __future__ import annotations

from collections import Counter

from dboshub.workflows.live.polling import ReloadSource
from dboshub.workflows.live.source import PollTick
from dboshub.workflows.live.subscriptions import Topic, viewer_of_topic
from dboshub.workflows.selectors.step_sample import SPANS, StepSample, step_sample
from dboshub.workflows.storage.sql import Session

INTERVAL_S = 30.0


def sample_facts(sample: StepSample) -> object:
    """The values whose change updates the page: how many steps of each name ended and failed."""
    counted = Counter(
        (step.workflow or "", step.name, step.version or "", step.is_failed)
        for step in sample.steps
    )
    return sorted(counted.items())


class StepStatisticsSource(ReloadSource):
    """One look at a sample for all viewers of a scope, every INTERVAL_S."""

    def __init__(self) -> None:
        super().__init__(_shown, INTERVAL_S)


def _shown(session: Session, topic: Topic, tick: PollTick) -> object:
    # A topic is signed, but may be of a release with other spans.
    span = SPANS.get(topic.key)
    return (
        None if span is None else sample_facts(step_sample(session, viewer_of_topic(topic), span))
    )
