"""Rename an application: its executors select its rows by its name."""

from __future__ import annotations

from typing import TypedDict, cast

from dboshub.workflows.engine import validation
from dboshub.workflows.engine.control.management import as_step
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.runtime.engine import Engine


class ApplicationRowCounts(TypedDict):
    """The number of rows that got the new name."""

    queues: int
    schedules: int
    versions: int
    workflows: int
    steps: int


def rename_application(
    engine: Engine, old: str | None, new: str, *, batch_size: int | None, adopt: bool
) -> Program[ApplicationRowCounts]:
    """Give all rows of an application another name; with `adopt` also rows without a name.

    Rows are changed in batches of `batch_size`; None changes all at once.
    """

    def act() -> ApplicationRowCounts:
        check_names(old, new, adopt)
        if batch_size is not None and not (isinstance(batch_size, int) and batch_size > 0):
            raise ValueError(f"batch_size is {batch_size!r:.40}: give a number of rows, or None")
        counts = engine.store.rename_application(old, new, batch=batch_size, adopt=adopt)
        return cast(ApplicationRowCounts, counts)

    return as_step(engine, "DBOS.renameApplication", act)


def check_names(old: str | None, new: str, adopt: bool) -> None:
    """Raise DBOSException if there is nothing to rename, or the new name is not valid."""
    if old is None and not adopt:
        raise DBOSException(
            "nothing to rename: name the application, adopt unclaimed rows, or both"
        )
    validation.optional_text("an application name", old)
    validation.application_name(new)
    if old == new:
        raise DBOSException(f"application {new!r} has that name already")
