"""Workflows that live executors publish as startable, and the arguments of recent runs.

Executors of other DBOS libraries publish nothing: their workflows are started by a typed name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dboshub.workflows.engine.stored_json import readable_json
from dboshub.workflows.payloads.encode import NotPlainError
from dboshub.workflows.payloads.envelope import opened
from dboshub.workflows.payloads.plain_values import plain
from dboshub.workflows.payloads.redacted import readable
from dboshub.workflows.payloads.tree import Node
from dboshub.workflows.selectors.detail.values import value
from dboshub.workflows.selectors.executors import MAX_EXECUTORS, MAX_PUBLISHED
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.selectors.tables import EXECUTORS, has_table
from dboshub.workflows.storage.sql import Session, Statement

MAX_RECENT = 5
MAX_ROWS_SCANNED = 5_000
MAX_INPUT_SIZE = 16 * 1_024

# A version, and the signature of one of its workflows.
_Published = tuple[str | None, Any]

# Signatures that executors with a current heartbeat publish, newest first. Executors of one version
# publish the same text: it is read once, and only if it contains the name.
_PUBLISHED = """
    SELECT application_name, application_version, functions
    FROM {{dboshub_executor}}
    WHERE stopped_at IS NULL AND declared_dead_at IS NULL AND LENGTH(functions) <= :longest
        AND CAST(last_beat_at AS double precision) + lease_ms >= :now
        AND {position}(functions, :named) > 0
    GROUP BY application_name, application_version, functions
    ORDER BY MAX(last_beat_at) DESC
    LIMIT :most
"""
PUBLISHED = Statement(
    postgres=_PUBLISHED.format(position="strpos"), sqlite=_PUBLISHED.format(position="instr")
)

# No index serves the name: the newest MAX_ROWS_SCANNED rows are scanned.
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
    """A workflow of an application, with the signature that its newest live executor publishes."""

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
        """The names of the configured instances of its class; None for a plain function."""
        found = self.signature.get("instances")
        return tuple(map(str, found)) if isinstance(found, list) else None

    @property
    def is_portable(self) -> bool:
        return self.signature.get("is_portable") is True

    @property
    def parameters(self) -> Mapping[str, Any]:
        found = self.signature.get("parameters")
        return found if isinstance(found, Mapping) else {}


def startable(
    session: Session, viewer: Viewer, *, now: int, name: str | None = None
) -> list[Startable]:
    """The startable workflows by application and name, optionally only those of one name."""
    if not has_table(session, EXECUTORS):
        return []
    # JSON can write a non-ASCII name in two ways, so such a name is compared after parsing.
    named = json.dumps(name) if name is not None and name.isascii() else ""
    found: dict[tuple[str | None, str], list[_Published]] = {}
    for application, version, functions in session.all(
        PUBLISHED, now=now, named=named, most=MAX_EXECUTORS, longest=MAX_PUBLISHED
    ):
        if viewer.may_see(application):
            for called, signature in _signatures(functions):
                if name in (None, called):
                    found.setdefault((application, called), []).append((version, signature))
    shown = [_startable(application, called, of) for (application, called), of in found.items()]
    return sorted(shown, key=lambda each: (each.application or "", each.name))


def known_names(
    session: Session, viewer: Viewer, *, now: int, application: str | None = None
) -> list[str] | None:
    """The names that live executors publish, of one application or of all; None without any."""
    found = {
        each.name
        for each in startable(session, viewer, now=now)
        if application is None or each.application in (application, None)
    }
    return sorted(found) or None


def _signatures(functions: str) -> Iterable[tuple[str, Any]]:
    found = readable_json(functions)
    return found.items() if isinstance(found, dict) else ()


def _startable(application: str | None, name: str, of: Sequence[_Published]) -> Startable:
    signature = of[0][1]
    versions = dict.fromkeys(version for version, _ in of if version)
    return Startable(
        name, application, tuple(versions), signature if isinstance(signature, Mapping) else {}
    )


def recent(session: Session, name: str, viewer: Viewer) -> list[WorkflowRow]:
    """The newest runs of a workflow, newest first."""
    ids = [
        each for (each,) in session.all(RUNS, name=name, looked=MAX_ROWS_SCANNED, most=MAX_RECENT)
    ]
    known = rows_by_id(session, ids, viewer=viewer) if ids else {}
    return [known[each] for each in ids if each in known]


def input_of(session: Session, row: WorkflowRow) -> Node | None:
    """The redacted input of a run; None if it is too large for a form."""
    stored = value(session, "input", row.pk, most=MAX_INPUT_SIZE + 1)
    if stored is None or stored.size > MAX_INPUT_SIZE:
        return None
    return readable(stored.text, stored.serialization)


def arguments_of(inputs: Node | None) -> tuple[list[Any], dict[str, Any]]:
    """The plain arguments in an input envelope. Raises NotPlainError for anything else."""
    if inputs is None:
        raise NotPlainError(f"it has more than {MAX_INPUT_SIZE // 1_024} KiB, or none is recorded")
    found = opened(inputs)
    if found is None:
        raise NotPlainError("its input is not in a format that a form can hold")
    positional, named = found
    return [plain(each) for each in positional.items], plain(named)
