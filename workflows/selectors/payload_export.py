"""The redacted payloads of many workflows for an export, each up to MAX_LENGTH characters."""

from __future__ import annotations

from collections.abc import Sequence

from dboshub.workflows.payloads.inline import inline
from dboshub.workflows.payloads.redacted import has_no_redactions, readable
from dboshub.workflows.storage.sql import Session, Statement

COLUMNS = ("input", "output", "error", "attributes")
MAX_LENGTH = 64 * 1_024
LEFT_OUT = f"[longer than {MAX_LENGTH:,} characters: download it from its own page]"
JSON_FORMATS = ("portable_json",)

PAYLOADS = Statement("""
    SELECT found.workflow_uuid, found.serialization,
        SUBSTR(COALESCE(given.inputs, found.inputs), 1, :most),
        SUBSTR(COALESCE(ended.output, found.output), 1, :most),
        SUBSTR(COALESCE(ended.error, found.error), 1, :most),
        SUBSTR(CAST(found.attributes AS text), 1, :most)
    FROM {workflow_status} AS found
    LEFT JOIN {workflow_input} AS given USING (workflow_uuid)
    LEFT JOIN {workflow_output} AS ended USING (workflow_uuid)
    WHERE found.workflow_uuid = ANY(:ids)
""")


def payloads(session: Session, ids: Sequence[str]) -> dict[str, dict[str, str | None]]:
    """Payloads by workflow id and column: JSON as stored, other formats as one line of text."""
    found = {}
    for row in session.all(PAYLOADS, ids=session.ids(ids), most=MAX_LENGTH + 1):
        workflow_id, serialization, given, output, error, attributes = row[0], row[1], *row[2:]
        found[workflow_id] = {
            "input": _shown(given, serialization),
            "output": _shown(output, serialization),
            "error": _shown(error, serialization),
            "attributes": _shown(attributes, "portable_json"),
        }
    return found


def _shown(text: str | None, serialization: str | None) -> str | None:
    if text is None:
        return None
    if len(text) > MAX_LENGTH:
        return LEFT_OUT
    if serialization in JSON_FORMATS and has_no_redactions(text, serialization):
        return text
    return inline(readable(text, serialization, limit=MAX_LENGTH), MAX_LENGTH)
