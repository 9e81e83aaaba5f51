"""Groups failed runs by exception class and last step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlencode

from dboshub.workflows.payloads.redacted import readable
from dboshub.workflows.payloads.tree import Failure, Instance, Malformed, Node, Sequence, Truncated
from dboshub.workflows.rendering.time_format import absolute
from dboshub.workflows.rendering.waterfall.scale import percent
from dboshub.workflows.selectors.failed_runs import MAX_ERROR_LENGTH, FailedRun
from dboshub.workflows.time_budget import is_spent

BARS = 24
HEIGHT = 28
# Bytes of an error that are read: base64 has four characters per three bytes.
MAX_ERROR_BYTES = MAX_ERROR_LENGTH // 4 * 3 // 2
GAVE_UP = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
WITHHELD, UNREADABLE, RECOVERED = "withheld", "unreadable", "recovered too often"
NOT_READ = "not read in time"


@dataclass(frozen=True, slots=True)
class Run:
    """A failed run with the class (`kind`) and message of its error, if permitted and readable."""

    failed: FailedRun
    kind: str
    message: str

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.failed.step or ""


@dataclass(frozen=True, slots=True)
class Bar:
    x: str
    width: str
    y: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """The runs of one group, newest first. `kind` is a dotted class name, or why it is unknown."""

    runs: tuple[Run, ...]
    bars: tuple[Bar, ...]

    @property
    def kind(self) -> str:
        return self.runs[0].kind

    @property
    def title(self) -> str:
        """The class name without its module."""
        return self.kind.rpartition(".")[2] or self.kind

    @property
    def step(self) -> str:
        return self.runs[0].failed.step or ""

    @property
    def message(self) -> str:
        return next((run.message for run in self.runs if run.message), "")

    @property
    def count(self) -> int:
        return len(self.runs)

    @property
    def first_at(self) -> int:
        return min(run.failed.at for run in self.runs)

    @property
    def last_at(self) -> int:
        return max(run.failed.at for run in self.runs)

    @property
    def names(self) -> list[tuple[str, int]]:
        return Counter(run.failed.row.name or "" for run in self.runs).most_common()

    @property
    def versions(self) -> list[tuple[str, int]]:
        return Counter(run.failed.row.application_version or "" for run in self.runs).most_common()

    def query(self, among: str) -> str:
        """The query string of the group; `among` is the filter whose runs were grouped."""
        named = urlencode({"kind": self.kind, "step": self.step})
        return f"{among}&{named}" if among else named


def read_runs(failed: Iterable[FailedRun], *, payload: bool) -> list[Run]:
    return [_read(each, payload) for each in failed]


def grouped(runs: list[Run], now: int) -> list[ErrorGroup]:
    """The groups, largest first. Their bars share one time axis that ends at `now` (epoch ms)."""
    members: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        members.setdefault(run.key, []).append(run)
    start = min((run.failed.at for run in runs), default=now)
    found = [ErrorGroup(tuple(each), _bars(each, start, now)) for each in members.values()]
    return sorted(found, key=lambda group: (-group.count, -group.last_at))


def _read(failed: FailedRun, payload: bool) -> Run:
    if failed.row.status == GAVE_UP and failed.error is None:
        return Run(failed, RECOVERED, "")
    if not payload:
        return Run(failed, WITHHELD, "")
    if is_spent():
        return Run(failed, NOT_READ, "")
    return Run(failed, *_said(failed.error, failed.row.serialization))


@lru_cache(maxsize=1_024)
def _said(text: str | None, serialization: str | None) -> tuple[str, str]:
    # Cached, because a page is reloaded often and many runs fail with the same error.
    return _named(readable(text, serialization, limit=MAX_ERROR_BYTES))


def _named(node: Node | None) -> tuple[str, str]:
    """The class name and message of an error, as far as it is readable."""
    match node:
        case Failure(class_name=name, message=message):
            return name.removeprefix("builtins."), message
        case Instance(class_name=name):
            return name.removeprefix("builtins."), ""
        case Truncated(node=inner) | Malformed(node=inner) if inner is not None:
            return _named(inner)
        case Sequence(kind="parts", items=(first, *_)):
            return _named(first)
    return UNREADABLE, ""


def _bars(runs: list[Run], start: int, end: int) -> tuple[Bar, ...]:
    step = max(1, -(-(end + 1 - start) // BARS))
    counted = Counter(min(BARS - 1, (run.failed.at - start) // step) for run in runs)
    top = max(counted.values())
    bars = []
    for place, number in sorted(counted.items()):
        height = max(2.0, round(HEIGHT * number / top, 1))
        since = absolute(start + place * step)[:16]
        title = f"{number:,} from {since} to {absolute(start + (place + 1) * step)[:16]} UTC"
        bars.append(
            Bar(percent(100 * place / BARS), percent(100 / BARS), HEIGHT - height, height, title)
        )
    return tuple(bars)
