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


def head_reason(session: Session, queue: QueueFacts, now: int, *, in_full: bool) -> Reason | None:
    """The same for one queue; `in_full` with the workflows that hold its places."""
    head = queue.head
    if head is None or not in_full:
        return of_heads(session, [queue], now).get(queue.name)
    return explain(session, [head], now, in_order=False)[head.pk]
