"""Live updates of the page of an export, from its metadata file, without a statement."""

from __future__ import annotations

from functools import partial

from dboshub.exports import store
from dboshub.exports.store import Export
from dboshub.workflows.live.polling import ReloadSource
from dboshub.workflows.live.source import PollTick
from dboshub.workflows.live.subscriptions import Topic
from dboshub.workflows.storage.sql import Session

# Seconds between two reads of the metadata while the page is open.
INTERVAL_S = 1.0


def export_facts(export: Export | None) -> object:
    """The values whose change updates the page of an export."""
    return export and (export.state, export.rows, export.size, export.older, export.problem)


def page_key(export: Export) -> str:
    """The topic key of an export: its user and its key."""
    return f"{export.user}/{export.key}"


def _shown(session: Session, topic: Topic, tick: PollTick) -> object:
    user, _, key = topic.key.partition("/")
    return export_facts(store.find(key, user))


ExportSource = partial(ReloadSource, _shown, interval_s=INTERVAL_S)
