"""What becomes of a running workflow whose executor has ended, or sends no heartbeat."""

from __future__ import annotations

from dataclasses import replace

from dboshub.workflows.engine.membership.leases import Lease
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.rendering.reason import Blocker, Reason, Thing, why_it_waits
from dboshub.workflows.rendering.time_format import duration
from dboshub.workflows.selectors.detail.status_facts import StatusFacts
from dboshub.workflows.selectors.executors import Executor
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session


def recovering(session: Session, row: WorkflowRow, facts: StatusFacts, now: int) -> Reason:
    """A live executor of its application enqueues it again, whatever its version; then it waits
    for a claim like any other, and `blockers` says what that lacks."""
    owner = _silent(facts.owner, now) if _is_silent(facts.owner) else _ended(facts.owner)
    # The row that a recovery makes of it.
    enqueued = replace(row, queue_name=row.queue_name or INTERNAL_QUEUE)
    missing = [each for each in why_it_waits(session, enqueued, now).blockers if each.is_trouble]
    if missing:
        advice = f"Once it is enqueued again, {missing[0].text}."
    else:
        advice = "A live executor of its application enqueues it again by its next heartbeat."
    return Reason(
        f"{owner.text[:1].upper()}{owner.text[1:]}",
        until=owner.until,
        advice=advice,
        is_trouble=bool(missing),
        code=owner.code,
        blockers=(owner, *missing),
    )


def _is_silent(owner: Executor | None) -> bool:
    return owner is not None and not owner.has_ended


def _silent(owner: Executor | None, now: int) -> Blocker:
    assert owner is not None
    silence = duration(now - owner.last_beat_at)
    text = f"its executor {owner.executor_id} ({owner.host}) has sent no heartbeat for {silence}"
    # By then every live executor has seen a whole lease without a heartbeat.
    until = owner.last_beat_at + owner.lease_ms + Lease().beat_ms
    return Blocker("executor_silent", text, _things(owner), (), until, is_trouble=False)


def _ended(owner: Executor | None) -> Blocker:
    which = "its executor" if owner is None else f"its executor {owner.executor_id} ({owner.host})"
    return Blocker("executor_ended", f"{which} has ended", _things(owner), (), is_trouble=False)


def _things(owner: Executor | None) -> tuple[Thing, ...]:
    return () if owner is None else (Thing("executor", owner.executor_id, owner.host),)
