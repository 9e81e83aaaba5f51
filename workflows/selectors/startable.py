"""Which workflows can be started, as live executors publish them, and what recent runs were given.

Where no executor of ours lives nothing is published: then a name and its arguments are written by
hand, as for any foreign application.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflows.payloads.encode import NotPlainError
from workflows.payloads.plain import plain
from workflows.payloads.tree import Mapping as Pairs
from workflows.payloads.tree import Node, Scalar
from workflows.payloads.tree import Sequence as Items
from workflows.rendering.readable import readable
from workflows.selectors.executors import Executor, executors
from workflows.selectors.rows import WorkflowRow, rows_by_id
from workflows.selectors.scope import Viewer
from workflows.selectors.values import value
from workflows.storage.sql import Session, Statement

RECENT = 5
LOOKED = 5_000
LARGEST = 16 * 1_024

# No index leads from a name to its runs: the newest LOOKED rows are looked through.
RUNS = Statement(
    """
    SELECT workflow_uuid FROM (
        SELECT workflow_uuid, name, created_at
        FROM {workflow_status}
        ORDER BY created_at DESC
        LIMIT :looked
    ) AS newest
    WHERE name = :name
    ORDER BY created_at DESC
    LIMIT :most
    """
)


@dataclass(frozen=True, slots=True)
class Startable:
    """One workflow of one application, by the signature of its newest live executor."""

    name: str
    application: str | None
    versions: tuple[str, ...]
    signature: Mapping[str, Any]

    @property
    def doc(self) -> str:
        return str(self.signature.get("doc", ""))

    @property
    def class_name(self) -> str | None:
        found = self.signature.get("class")
        return found if isinstance(found, str) else None

    @property
    def instances(self) -> tuple[str, ...] | None:
        """The names of its class's instances, or None where it is not called on one."""
        found = self.signature.get("instances")
        return tuple(map(str, found)) if isinstance(found, list) else None

    @property
    def is_portable(self) -> bool:
        return self.signature.get("is_portable") is True

    @property
    def parameters(self) -> Mapping[str, Any]:
        found = self.signature.get("parameters")
        return found if isinstance(found, Mapping) else {}


def startable(session: Session, viewer: Viewer, *, now: int) -> list[Startable]:
    """What can be started now, by application and name."""
    known: dict[tuple[str | None, str], list[Executor]] = {}
    for each in executors(session, now) or ():
        if each.is_beating and viewer.may_see(each.application):
            for name in each.signatures:
                known.setdefault((each.application, name), []).append(each)
    found = [_startable(application, name, of) for (application, name), of in known.items()]
    return sorted(found, key=lambda each: (each.application or "", each.name))


def _startable(application: str | None, name: str, of: Sequence[Executor]) -> Startable:
    signature = of[0].signatures[name]
    versions = dict.fromkeys(each.version for each in of if each.version)
    return Startable(
        name, application, tuple(versions), signature if isinstance(signature, Mapping) else {}
    )


def recent(session: Session, name: str, viewer: Viewer) -> list[WorkflowRow]:
    """The newest runs of a workflow, the last one first."""
    ids = [each for (each,) in session.all(RUNS, name=name, looked=LOOKED, most=RECENT)]
    known = rows_by_id(session, ids, viewer=viewer) if ids else {}
    return [known[each] for each in ids if each in known]


def given_to(session: Session, row: WorkflowRow) -> Node | None:
    """What a run was given, redacted as on any page; None if it is too large for a form."""
    stored = value(session, "input", row.pk, most=LARGEST + 1)
    if stored is None or stored.size > LARGEST:
        return None
    return readable(stored.text, stored.serialization)


def arguments_of(inputs: Node | None) -> tuple[list[Any], dict[str, Any]]:
    """The plain arguments of an input envelope. Raises NotPlainError for all else."""
    if not isinstance(inputs, Pairs):
        raise NotPlainError("its input is not in a form that can be filled in again")
    parts = {key.text: part for key, part in inputs.items if isinstance(key, Scalar)}
    positional = parts.get("args") or parts.get("positionalArgs")
    named = parts.get("kwargs") or parts.get("namedArgs")
    args = [plain(each) for each in positional.items] if isinstance(positional, Items) else []
    kwargs = plain(named) if isinstance(named, Pairs) else {}
    return args, kwargs
