"""The stored values of some workflows, each up to a size. The caller checks the permission."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dboshub.workflows.selectors.payload_export import PAYLOADS
from dboshub.workflows.storage.sql import Session

MAX_LENGTH = 8 * 1_024
JSON = "portable_json"


@dataclass(frozen=True, slots=True)
class RowValues:
    """The first MAX_LENGTH + 1 characters of the values of a workflow, by place.

    The places are `input`, `output`, `error` and `attr`.
    """

    serialization: str | None
    texts: dict[str, str]

    def format_of(self, place: str) -> str | None:
        """The format in which a place is stored: attributes are JSON in every row."""
        return JSON if place == "attr" else self.serialization


def row_values(session: Session, ids: Iterable[str]) -> dict[str, RowValues]:
    """The values by workflow id, in one statement."""
    found = session.all(PAYLOADS, ids=session.ids(ids), most=MAX_LENGTH + 1)
    return {
        workflow_id: RowValues(
            serialization,
            {
                place: text
                for place, text in zip(("input", "output", "error", "attr"), texts, strict=True)
                if text is not None
            },
        )
        for workflow_id, serialization, *texts in found
    }
