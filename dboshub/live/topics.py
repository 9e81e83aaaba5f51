"""Which source serves which kind of topic, and who may listen. Apps bring the sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from workflows import live as workflows_live
from workflows.live.source import Source
from workflows.topics import VIEW, VIEW_PAYLOAD, Ticket, TopicRefusedError, read

MOST_TOPICS = 64

SOURCES: Mapping[str, Callable[[], Source]] = {**workflows_live.SOURCES}


def admit(token: str, *, user: str, permissions: frozenset[str]) -> Ticket:
    """The topic of a token, if this user may listen to it now. Raises TopicRefusedError."""
    ticket = read(token, user=user)
    if ticket.topic.kind not in SOURCES:
        raise TopicRefusedError(f"no such kind of topic: {ticket.topic.kind}")
    if not allowed(ticket, permissions):
        raise TopicRefusedError("not permitted")
    return ticket


def allowed(ticket: Ticket, permissions: frozenset[str]) -> bool:
    """Whether someone with these permissions may hear this topic: rechecked while they listen."""
    wanted = {VIEW, VIEW_PAYLOAD} if ticket.topic.payload else {VIEW}
    return wanted <= permissions
