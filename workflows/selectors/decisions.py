"""What people decided about incidents, as the pages of incidents need it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dboshub.workflows.models import IncidentDecision

Ignored = IncidentDecision.Ignored
MAX_INCIDENTS = 1_000


@dataclass(frozen=True, slots=True)
class Decision:
    """The decisions about one incident; `until` is when ignoring ends by itself (epoch ms)."""

    how: str = ""
    at: int = 0
    until: int | None = None
    versions: tuple[str, ...] = ()
    by: str = ""
    why: str = ""
    assignee: str = ""

    @property
    def words(self) -> str:
        """How long it is ignored, as the end of "Ignored …"."""
        if self.how == Ignored.VERSION:
            return f"until another version than {', '.join(self.versions) or 'none'} fails"
        return Ignored(self.how).label if self.how and self.how != Ignored.UNTIL else ""

    @property
    def ends_with_the_next(self) -> bool:
        """Whether the next failure, or the next of another version, is not ignored."""
        return self.how in (Ignored.SEEN, Ignored.VERSION)

    def covers(self, at: int, versions: Iterable[str], now: int) -> bool:
        """Whether what happened last at `at`, in these versions, is ignored now (epoch ms)."""
        if self.how == Ignored.ALWAYS:
            return True
        if self.how == Ignored.UNTIL:
            return now < (self.until or 0)
        if self.how == Ignored.VERSION and {*versions} <= {*self.versions}:
            return True
        return bool(self.how) and at <= self.at


UNDECIDED = Decision()


def decisions(incidents: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Decision]:
    """The decisions about incidents, by kind and key; one statement for the first MAX_INCIDENTS."""
    wanted = [*dict.fromkeys(incidents)][:MAX_INCIDENTS]
    if not wanted:
        return {}
    kinds, keys = zip(*wanted, strict=True)
    found = IncidentDecision.objects.filter(kind__in={*kinds}, key__in={*keys})
    return {(each.kind, each.key): _decision(each) for each in found}


def _decision(row: IncidentDecision) -> Decision:
    return Decision(
        row.ignored,
        row.ignored_at or 0,
        row.ignored_until,
        tuple(map(str, row.ignored_versions)),
        row.ignored_by,
        row.why,
        row.assignee_name,
    )
