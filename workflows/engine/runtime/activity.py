"""Current activity of an execution, published for operators; the engine never decides by it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, NamedTuple

MAX_NAME_LENGTH = 200


class CurrentActivity(NamedTuple):
    """`kind` is step, retry, sleep, message, event, result, stream or first; times are epoch ms.

    `name` is that of a step, topic, key or stream; `of` is the workflow that is waited for.
    """

    kind: str
    name: str = ""
    of: str = ""
    step: int = 0
    since: int = 0
    until: int | None = None

    def as_wait(self, step: int, *, since: int, until: int | None) -> CurrentActivity:
        """This activity as a wait from `since` to `until`, at `step` unless it names its own."""
        return self._replace(step=self.step or step, since=since, until=until)

    def as_json(self, workflow_id: str) -> dict[str, Any]:
        """A JSON object without the empty fields; long names are cut."""
        fields = self._asdict() | {
            "name": self.name[:MAX_NAME_LENGTH],
            "of": self.of[:MAX_NAME_LENGTH],
        }
        return {"workflow": workflow_id} | {key: value for key, value in fields.items() if value}


class _Tracked:
    """The block in which an activity is under way."""

    __slots__ = ("_activity", "_open")

    def __init__(self, activity: CurrentActivity, under_way: list[CurrentActivity]) -> None:
        self._activity = activity
        self._open = under_way

    def __enter__(self) -> None:
        self._open.append(self._activity)

    def __exit__(self, *_: object) -> None:
        self._open.remove(self._activity)


class Activities:
    """All activities of one execution that are under way. Any thread may read `latest`."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: list[CurrentActivity] = []

    def track(self, activity: CurrentActivity) -> AbstractContextManager[None]:
        """Publish an activity for the time of the block."""
        return _Tracked(activity, self._open)

    @property
    def count(self) -> int:
        """How many are under way."""
        return len(self._open)

    @property
    def latest(self) -> CurrentActivity | None:
        """The activity that began last, or None."""
        # A slice, because another thread may remove the last one between two reads.
        found = self._open[-1:]
        return found[0] if found else None
