"""Write docs/reference.md: every public name, its signature, where it is tested.

    python -m scripts.reference

With the ``dbos`` package installed, as it is for development, each signature is compared.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import dboshub
from scripts.differences import UNSAID, difference, is_called, reason

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference.md"
CLASSES = (
    "DBOS",
    "DBOSClient",
    "Queue",
    "WorkflowHandle",
    "WorkflowHandleAsync",
    "StepReservation",
    "SQLAlchemyDatasource",
    "AsyncSQLAlchemyDatasource",
)
TESTS = [
    path
    for path in sorted((ROOT / "tests").rglob("test_*.py"))
    if path.parent.name not in ("embedding", "project", "support")
]
ALIKE = {"DBOSClient", "Queue", "SQLAlchemyDatasource", "AsyncSQLAlchemyDatasource"}
HEAD = """# Reference

Every public name of `dboshub`, made by `python -m scripts.reference`. What these calls mean is in
[Concepts](concepts.md). A name marked *async* has a twin `name_async` with the same parameters, to
be awaited. The last columns say how a name differs from `dbos` 3.4.0, and why: `-` a parameter or
key that is not here, `+` one that is only here, `~` one with another place or default. `shard_key`,
for sharded databases, is taken as None and refused otherwise: no database is sharded here.

An unknown filter of a listing is refused. Listing by `attributes` needs PostgreSQL.
"""


@dataclass(frozen=True)
class Entry:
    """One public name; `owner` is the class it belongs to, if any."""

    owner: str
    name: str
    value: Any
    has_twin: bool = False

    @property
    def difference(self) -> str:
        return difference(self.owner, self.name, self.value, has_twin=self.has_twin)

    @property
    def reason(self) -> str:
        """Why it differs; empty if it does not, or if nobody said."""
        return reason(self.owner, self.name) if self.difference else ""

    @property
    def title(self) -> str:
        return f"{self.owner}.{self.name}" if self.owner else self.name


def entries() -> list[Entry]:
    """Every public name of the package, then the members of its classes."""
    found = [Entry("", name, getattr(dboshub, name)) for name in dboshub.__all__]
    for owner in CLASSES:
        cls = getattr(dboshub, owner, None)
        if cls is not None:
            found += _members(owner, cls)
    return found


def _members(owner: str, cls: type) -> Iterator[Entry]:
    names = {name for name in dir(cls) if not name.startswith("_")}
    for name in sorted(names):
        is_twin = name.endswith("_async") and name.removesuffix("_async") in names
        if not is_twin:
            value = inspect.getattr_static(cls, name)
            yield Entry(owner, name, getattr(value, "__func__", value), f"{name}_async" in names)


def signature(value: Any) -> str:
    """The signature as it is written, or nothing for what is not called."""
    if not is_called(value):
        return ""
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    parameters = [
        each.replace(annotation=_plain(each.annotation))
        for name, each in found.parameters.items()
        if name not in UNSAID
    ]
    returned = inspect.Signature.empty if inspect.isclass(value) else found.return_annotation
    text = str(inspect.Signature(parameters, return_annotation=_plain(returned)))
    return re.sub(r"<object object at \w+>|<WorkflowSerializationFormat\.(\w+): \w+>", r"\1", text)


def _plain(annotation: Any) -> Any:
    return annotation if annotation is inspect.Parameter.empty else _Written(annotation)


class _Written:
    """An annotation as the source has it, without quotes."""

    def __init__(self, annotation: Any) -> None:
        self.text = (
            annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        )

    def __repr__(self) -> str:
        return self.text


def tested_in(entry: Entry) -> Path | None:
    """The test module that speaks of a name most."""
    counts = {path: mentions(entry, path) for path in TESTS}
    best = max(TESTS, key=lambda path: counts[path])
    return best if counts[best] else None


def is_tested(entry: Entry) -> bool:
    """Whether any test module speaks of a name."""
    return any(mentions(entry, path) for path in TESTS)


def mentions(entry: Entry, path: Path) -> int:
    """How often a test module speaks of a name."""
    text = _text(path)
    found = len(_mention(entry).findall(text))
    if entry.owner in ALIKE:
        # Members of several classes have one name: a test of one speaks of its class, too.
        found *= len(re.findall(rf"\b{entry.owner}\b", text))
    return found


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _mention(entry: Entry) -> re.Pattern[str]:
    name = re.escape(entry.name) + ("(?:_async)?" if entry.has_twin else "")
    if inspect.ismodule(entry.value):
        name = rf"dboshub\.{name}"
    if entry.owner == "DBOS":
        return re.compile(rf"\bDBOS\.{name}\b")
    return re.compile(rf"\.{name}\b" if entry.owner else rf"\b{name}\b")


def call(entry: Entry) -> str:
    """The first column."""
    text = f"`{entry.title}{signature(entry.value)}`".replace("|", "\\|")
    return f"{text} *async*" if entry.has_twin else text


def row(entry: Entry) -> str:
    path = tested_in(entry)
    place = "" if path is None else f"[{path.stem}](../{path.relative_to(ROOT)})"
    return f"| {call(entry)} | {place} | {entry.difference} | {entry.reason} |"


def page() -> str:
    parts = [HEAD]
    groups: dict[str, list[Entry]] = {}
    for entry in entries():
        groups.setdefault(entry.owner, []).append(entry)
    for owner, members in groups.items():
        title = f"`{owner}`" if owner else "Names"
        table = [
            "| Name | Tested in | Differs | Why |",
            "| --- | --- | --- | --- |",
            *map(row, members),
        ]
        parts.append("\n".join([f"## {title}", "", *table, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written")
