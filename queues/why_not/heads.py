"""Why the next workflow of each queue has not started."""

from __future__ import annotations

from collections.abc import Sequence

from dboshub.queues.selectors.overview import QueueFacts
from dboshub.queues.why_not.answer import brief, explain
from dboshub.queues.why_not.reading import Queues
from dboshub.workflows.rendering.reason import Reason
from dboshub.workflows.storage.sql import Session


def of_heads(session: Session, queues: Sequence[QueueFacts], now: int) -> dict[str, Reason]:
    """The reason of each queue's next workflow, by the queue's name; in at most five statements."""
    heads = {each.name: each.head for each in queues if each.head is not None}
    if not heads:
        return {}
    read = Queues(
        settings={each.name: each.settings for each in queues if each.settings is not None},
        pauses={each.name: each.pause for each in queues if each.pause is not None},
        executors=queues[0].executors,
    )
    found = brief(session, [*heads.values()], now, read)
    return {name: found[head.pk] for name, head in heads.items()}


def of_head(session: Session, queue: QueueFacts, now: int) -> Reason | None:
    """The same for one queue, with what holds its places and who is before it."""
    return explain(session, [queue.head], now)[queue.head.pk] if queue.head is not None else None
