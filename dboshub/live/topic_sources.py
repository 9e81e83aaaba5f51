"""The source of each kind of topic, and the permissions that a subscription needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dboshub.audit.live import AuditSource
from dboshub.exports.live import ExportSource
from dboshub.home.live import ProblemsSource
from dboshub.live.access import Account
from dboshub.queues import live as queues_live
from dboshub.schedules import live as schedules_live
from dboshub.workflows.live import registry
from dboshub.workflows.live.source import Source
from dboshub.workflows.live.subscriptions import Subscription, Topic, TopicRefusedError, read_token
from dboshub.workflows.permissions import VIEW_AUDIT_EVENT, VIEW_PAYLOAD, VIEW_WORKFLOW

MAX_TOPICS = 64

SOURCES: Mapping[str, Callable[[], Source]] = {
    **registry.SOURCES,
    **queues_live.SOURCES,
    **schedules_live.SOURCES,
    "audit": AuditSource,
    "export": ExportSource,
    "wrong": ProblemsSource,
}
# Kinds that need another permission besides viewing workflows.
NEEDED: Mapping[str, str] = {
    "queues": "dboshub_queues.view_queue",
    "queue": "dboshub_queues.view_queue",
    "schedules": "dboshub_schedules.view_schedule",
    "schedule": "dboshub_schedules.view_schedule",
    "audit": VIEW_AUDIT_EVENT,
}


def admit(token: str, account: Account) -> Subscription:
    """The subscription of a token, if this user is permitted now. Raises TopicRefusedError."""
    subscription = read_token(token, user=account.user)
    if subscription.topic.kind not in SOURCES:
        raise TopicRefusedError(f"no such kind of topic: {subscription.topic.kind}")
    if not is_allowed(subscription.topic, account):
        raise TopicRefusedError("not permitted")
    return subscription


def is_allowed(topic: Topic, account: Account) -> bool:
    """Whether an account may subscribe to a topic. Checked again while it is subscribed."""
    wanted = {VIEW_WORKFLOW, NEEDED.get(topic.kind, VIEW_WORKFLOW)} | (
        {VIEW_PAYLOAD} if topic.payload else set()
    )
    return wanted <= account.permissions and topic.scope == account.scope
