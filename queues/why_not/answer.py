"""Why a workflow is not claimed: the one answer for pages, lists and commands.

It is computed by the texts and the rules of the claim. Whatever the answer says is missing, a claim
succeeds once it is supplied; a workflow without blockers is the next that a free worker claims.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from dboshub.queues.why_not import remedies
from dboshub.queues.why_not.executor_rules import executor_blocker
from dboshub.queues.why_not.order import ahead, with_details
from dboshub.queues.why_not.queue_rules import limit_blockers, queue_blockers
from dboshub.queues.why_not.reading import Queues, standings
from dboshub.queues.why_not.standing import Standing
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.rendering.reason import Blocker, Reason, Remedy
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session


def explain(
    session: Session, rows: Sequence[WorkflowRow], now: int, *, in_order: bool = True
) -> dict[str, Reason]:
    """All that keeps each of these workflows from a claim, who holds it, and when that ends.

    They are enqueued, delayed, or about to be enqueued again. `now` is the database's time. With
    `in_order` their places in line are counted.
    """
    answers = {}
    for standing in standings(session, rows, now):
        blockers = [
            with_details(session, standing, each, now) for each in blockers_of(standing, now)
        ]
        has_place = in_order and standing.row.status == "ENQUEUED"
        before = ahead(session, standing) if has_place else None
        blockers += [before] if before is not None else []
        answers[standing.row.pk] = reason_of(standing.row, blockers)
    return answers


def brief(
    session: Session, rows: Sequence[WorkflowRow], now: int, queues: Queues | None = None
) -> Mapping[str, Reason]:
    """The same without places in lines and without holders, in a fixed number of statements."""
    found = standings(session, rows, now, queues)
    return {each.row.pk: reason_of(each.row, blockers_of(each, now)) for each in found}


def blockers_of(standing: Standing, now: int) -> list[Blocker]:
    """The conditions that are not met, those first that do not end by themselves."""
    row = standing.row
    found = [*queue_blockers(standing)]
    missing = executor_blocker(standing)
    found += [missing] if missing is not None else []
    found += limit_blockers(standing)
    found.sort(key=lambda each: not each.is_trouble)
    delay = [_delay(row, now)] if row.status == "DELAYED" and not row.is_suspended else []
    return delay + found


def _delay(row: WorkflowRow, now: int) -> Blocker:
    due = row.delay_until_epoch_ms
    lifts = (remedies.end_delay(row), remedies.past_limits(row))
    text = "its delay has ended" if due is not None and due <= now else "it is delayed"
    return Blocker("delayed", text, (), lifts, due, is_trouble=False)


def reason_of(row: WorkflowRow, blockers: Sequence[Blocker]) -> Reason:
    """The answer in words; the first blocker gives it its code."""
    queue = row.queue_name if row.queue_name not in (None, INTERNAL_QUEUE) else ""
    on = f" on {queue}" if queue else ""
    if not blockers:
        return Reason(f"Enqueued{on}, next in line.", is_wait=True, code="next")
    first, troubles = blockers[0], [each for each in blockers if each.is_trouble]
    text = f"Enqueued{on}; {first.text}"
    if first.code == "delayed":
        text = f"Delayed; it is enqueued{f' on the queue {queue}' if queue else ''}"
    return Reason(
        text if first.until is not None else f"{text}.",
        until=first.until,
        advice=_advice(first, troubles),
        is_trouble=bool(troubles),
        is_wait=not troubles,
        code=first.code,
        blockers=tuple(_once(blockers)),
    )


def _once(blockers: Sequence[Blocker]) -> Iterator[Blocker]:
    """The blockers, each without the remedies of one before it."""
    seen: set[Remedy] = set()
    for each in blockers:
        yield replace(each, remedies=tuple(one for one in each.remedies if one not in seen))
        seen.update(each.remedies)


def _advice(first: Blocker, troubles: Sequence[Blocker]) -> str:
    """What to do about the first that does not end by itself, named unless the text does so."""
    if not troubles:
        return ""
    what = "" if troubles[0] is first else f"After that, {troubles[0].text}. "
    return what + "".join(f"{each.text}." for each in troubles[0].remedies[:1])
