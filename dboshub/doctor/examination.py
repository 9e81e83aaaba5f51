"""All checks, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dboshub.doctor import process
from dboshub.doctor.findings import Check, Finding, State, wrong
from dboshub.doctor.hub_database import hub_database
from dboshub.doctor.lost_answers import lost_answers
from dboshub.doctor.system_database import system_database
from dboshub.workflows.storage.database_urls import mask_password

CHECKS: tuple[Check, ...] = (
    process.versions,
    process.data_directory,
    process.secret_key,
    process.hosts,
    process.static_files,
    process.mode,
    system_database,
    hub_database,
    lost_answers,
    process.system_checks,
)


def examine() -> Iterator[Finding]:
    """Every finding. A check that fails itself is one; no text holds a password."""
    for check in CHECKS:
        try:
            yield from map(_masked, check())
        except Exception as error:
            name = check.__name__.replace("_", " ")
            said = str(error).split("\n", 1)[0]
            yield _masked(
                wrong(name, f"{type(error).__name__}: {said}", "Report it with this line.")
            )


def as_text(findings: Sequence[Finding]) -> str:
    """A line for each finding, with the remedy below it."""
    width = max(len(each.name) for each in findings)
    lines = []
    for each in findings:
        lines.append(f"{each.state:7} {each.name:{width}}  {each.says}")
        if each.remedy:
            lines.append(f"{'':7} {'':{width}}  → {each.remedy}")
    counted = [sum(each.state is state for each in findings) for state in (State.WRONG, State.NOTE)]
    return "\n".join([*lines, "", f"{counted[0]} wrong, {counted[1]} to note."])


def _masked(finding: Finding) -> Finding:
    return Finding(finding.name, finding.state, _hidden(finding.says), _hidden(finding.remedy))


def _hidden(text: str) -> str:
    return " ".join(mask_password(word) if "@" in word else word for word in text.split(" "))
