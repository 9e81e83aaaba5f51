"""Why a workflow has its status: a sentence, what blocks it, and what a person can do.

What decides over enqueued workflows is in a package above this one. It registers its explanation
here, so that the page of a workflow shows the answer of the rules that claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.urls import reverse

from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.sql import Session


@dataclass(frozen=True, slots=True)
class Remedy:
    """What a person can do. `command` does it in a terminal; `url` is the page that does it, or,
    with `is_action`, asks for confirmation. `needs` is the verb that the person must be allowed.
    """

    text: str
    command: str = ""
    url: str = ""
    is_action: bool = False
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Thing:
    """What a blocker names: a workflow, version, executor, partition or workflow name.

    `since` is when it began, in epoch ms; `usual_ms` what workflows of its name usually take.
    """

    kind: str
    name: str
    note: str = ""
    url: str = ""
    since: int | None = None
    usual_ms: int | None = None


def workflow_thing(workflow_id: str, name: str, *, since: int | None = None) -> Thing:
    url = reverse("dboshub:workflows:detail", args=[workflow_id])
    return Thing("workflow", workflow_id, name, url, since)


@dataclass(frozen=True, slots=True)
class Blocker:
    """One condition that is not met; a claim needs all of them.

    `text` is a clause, `until` the time (epoch ms) at which it ends by itself. `is_trouble` means
    that it does not end unless somebody acts.
    """

    code: str
    text: str
    things: tuple[Thing, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    until: int | None = None
    is_trouble: bool = True


@dataclass(frozen=True, slots=True)
class Reason:
    """`until` and `since` are epoch ms: when the status ends by itself, and when it began.

    `code` is the same for the same cause in every release. `advice` is what a person can do.
    `is_trouble` means that the workflow does not go on by itself, `is_wait` that it waits,
    `is_said` that its executor says or has recorded so.
    """

    text: str
    until: int | None = None
    advice: str = ""
    is_trouble: bool = False
    is_wait: bool = False
    since: int | None = None
    is_said: bool = False
    code: str = ""
    blockers: tuple[Blocker, ...] = ()

    @property
    def lacks_stop(self) -> bool:
        """Whether the sentence that `until` completes has no full stop yet."""
        return self.until is not None or not self.text.endswith(".")

    @property
    def remedies(self) -> Iterator[Remedy]:
        """What lifts each of the blockers."""
        return (remedy for blocker in self.blockers for remedy in blocker.remedies)

    def as_json(self) -> dict[str, Any]:
        """The answer for programs."""
        return {
            "code": self.code,
            "why": self.text,
            "trouble": self.is_trouble,
            "until_epoch_ms": self.until,
            "advice": self.advice,
            "blockers": [_as_json(each) for each in self.blockers],
        }


def _as_json(blocker: Blocker) -> dict[str, Any]:
    found = asdict(blocker)
    found["until_epoch_ms"], found["trouble"] = found.pop("until"), found.pop("is_trouble")
    for thing in found["things"]:
        thing["since_epoch_ms"] = thing.pop("since")
    return found


# Of enqueued and delayed workflows, at a time in epoch ms: all that keeps each from a claim.
Explain = Callable[[Session, Sequence[WorkflowRow], int], Mapping[str, Reason]]
_explains: dict[str, Explain] = {}


def explain_waiting_by(*, in_full: Explain, in_brief: Explain) -> None:
    """Register what explains why enqueued and delayed workflows are not claimed.

    `in_brief` costs the same for any number of them, and names neither holders nor places in line.
    """
    _explains.update(in_full=in_full, in_brief=in_brief)


def why_it_waits(session: Session, row: WorkflowRow, now: int) -> Reason:
    """Why an enqueued or delayed workflow is not claimed, or that it is the next."""
    return _explains["in_full"](session, [row], now)[row.pk]


def why_they_wait(
    session: Session, rows: Iterable[WorkflowRow], now: int | None = None
) -> Mapping[str, Reason]:
    """What keeps those of these workflows from a claim that wait for one, by their ids."""
    waiting = [row for row in rows if row.is_waiting]
    if not waiting:
        return {}
    return _explains["in_brief"](session, waiting, database_now(session) if now is None else now)
